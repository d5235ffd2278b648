"""A plant of Modbus devices, a broker and a subscriber around a gateway that comes and goes."""

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.plants import modbus_sources
from tests.processes import ROOT, Process, free_port, python, started, wait_for
from tests.servers.broker import Broker
from tests.verify.metrics import metric
from tests.verify.read_store import batches
from tests.verify.values import read_journals
from tests.verify.verify import Report, StoredBatch, verify

SCALE = float(os.environ.get("WL_SCALE", "0.1"))
DEVICES, VALUES, SCAN = 5, 100, "100ms"  # 5,000 values a second


class Rig:
    """Simulator, broker, subscriber; the gateway comes and goes."""

    home: Path
    """Where the plant file and its data are."""

    def __init__(self, folder: Path, broker: Broker, ports: list[int]) -> None:
        self.folder = self.home = folder
        self.broker = broker
        self.copies: list[Path] = []
        self.status_port = free_port()
        plant = {
            "gateway": {"id": "g1", "site": "cz", "http_port": self.status_port},
            "sources": modbus_sources(ports, VALUES, SCAN),
            "sinks": {"platform": {"kind": "mqtt", "host": "127.0.0.1", "port": broker.port}},
            # Small segments, so that kills also fall into their change.
            "page": {"enabled": False},
            "buffer": {"segment_bytes": "1MiB", "segment_age": "3s"},
        }
        self.plant = folder / "plant.yaml"
        self.plant.write_text(json.dumps(plant))

    @contextmanager
    def gateway(self) -> Iterator[Process]:
        with started("gateway", python("-m", "gateway", "run", self.plant), self.folder) as process:
            yield process

    def metric(self, name: str) -> float:
        return metric(self.status_port, name)

    def copy_store(self) -> None:
        """Keep what the store holds now, but for what an earlier copy has: what is in it was accepted."""
        copy = self.folder / f"copy{len(self.copies)}"
        newest = (
            max((each.name for each in self.copies[-1].glob("*.segment")), default="") if self.copies else ""
        )

        def kept(_folder: str, names: list[str]) -> list[str]:
            return [name for name in names if ".segment" in name and name.partition(".")[0] < newest[:20]]

        shutil.copytree(self.home / "data" / "buffer", copy, ignore=kept)
        self.copies.append(copy)

    def move(self, home: Path) -> None:
        """Let the gateway run elsewhere from now on."""
        self.home, self.plant = home, home / self.plant.name

    def verdict(self, until: int = 2**63) -> Report:
        """Judge; of what the copies hold, only what arrived before `until` must have been delivered."""

        def held(copy: Path) -> Iterator[StoredBatch]:
            return (batch for batch in batches(copy) if batch[3] < until)

        stores = [held(copy) for copy in self.copies]
        return verify([self.folder / "received.bin"], read_journals([self.folder / "journal.txt"]), stores)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    journal, port_file = tmp_path / "journal.txt", tmp_path / "ports.json"
    serve = python(ROOT / "tests/servers/modbus_plant.py", "--devices", str(DEVICES), "--values", str(VALUES))
    serve += ["--journal", journal, "--port-file", port_file]
    with Broker(tmp_path / "broker", persistence=True) as broker, started("plant", serve, tmp_path):
        wait_for(port_file.exists, "the simulator")
        listen = python("-m", "tests.verify.subscriber", "--port", str(broker.port))
        with started("subscriber", [*listen, "--out", tmp_path / "received.bin"], tmp_path) as subscriber:
            wait_for(lambda: subscriber.said("subscribed"), "the subscription")
            yield Rig(tmp_path, broker, json.loads(port_file.read_text())["ports"])


def deliver_the_rest(rig: Rig) -> None:
    """Run the gateway once more until nothing waits, and stop it as an operator would."""
    with rig.gateway() as gateway:
        wait_for(lambda: rig.metric("sink_up") >= 1, "the connection to the broker", 90)
        wait_for(lambda: rig.metric("sink_rows_total") > 5 * VALUES, "live rows")
        wait_for(
            lambda: rig.metric("sink_backlog_rows") < 2 * DEVICES * VALUES, "the end of the backlog", 120
        )
        assert gateway.end(signal.SIGTERM) == 0, gateway.log.read_text()
    rig.copy_store()
    wait_until_quiet(rig.folder / "received.bin")


def wait_until_quiet(received: Path) -> None:
    """Wait until a second has passed without a message."""
    seen = [(0, 0.0)]

    def is_quiet() -> bool:
        size, now = received.stat().st_size, time.monotonic()
        if size != seen[-1][0]:
            seen.append((size, now))
        return now - seen[-1][1] > 1.0

    wait_for(is_quiet, "the last message", 120)
