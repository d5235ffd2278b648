"""VictoriaMetrics on a free port of loopback: start, stop, kill, start again on the same port and data."""

import json
import signal
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.processes import free_port

VICTORIA = "/usr/bin/victoria-metrics"


@dataclass(frozen=True)
class Series:
    labels: dict[str, str]
    times: list[int]
    """ms since 1970."""
    values: list[float]


class Victoria:
    """One database with its data in `directory`; a context manager that starts and kills it."""

    def __init__(self, directory: Path, *, core: int | None = None) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.log = directory / "victoria.log"
        pin = [] if core is None else ["taskset", "-c", str(core)]
        self._command = [
            *pin,
            VICTORIA,
            f"-httpListenAddr=127.0.0.1:{self.port}",
            f"-storageDataPath={directory / 'data'}",
            "-retentionPeriod=100y",
            # A point that comes again takes its own place, as in InfluxDB.
            "-dedup.minScrapeInterval=1ms",
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Return once it answers."""
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(self._command, stdout=output, stderr=output)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(f"victoria-metrics ended: {self.log.read_text()}")
            try:
                if self._get("/health", {}) == b"OK":
                    return
            except OSError:
                time.sleep(0.02)
        raise TimeoutError("victoria-metrics does not answer")

    def stop(self) -> None:
        """End it as an operator would; what it holds in memory goes to disk."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """kill -9; it loses what it accepted in the last seconds."""
        self._end(signal.SIGKILL)

    def export(self, selector: str) -> list[Series]:
        """Return every raw sample of the series that match, in time order, one Series each."""
        self._get("/internal/force_flush", {})
        asked = {"match[]": selector, "start": "-100y", "end": f"{time.time() + 60:.0f}"}
        said = map(json.loads, self._get("/api/v1/export", asked).splitlines())
        return [Series(each["metric"], each["timestamps"], each["values"]) for each in said]

    def query(self, expression: str, **more: str) -> list[dict[str, Any]]:
        """Return the result of an instant query, as Grafana asks for it."""
        self._get("/internal/force_flush", {})
        said = json.loads(self._get("/api/v1/query", {"query": expression, "nocache": "1", **more}))
        result: list[dict[str, Any]] = said["data"]["result"]
        return result

    def metric(self, name: str) -> float:
        """Return one of its own counters, the sum over its labels."""
        lines = self._get("/metrics", {}).decode().splitlines()
        found = (line.rsplit(" ", 1) for line in lines if line.startswith(name))
        return sum(float(value) for _, value in found)

    def _get(self, path: str, query: dict[str, str]) -> bytes:
        asked = f"{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{asked}", timeout=60) as reply:
            content: bytes = reply.read()
        return content

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None
