"""`make demo`: a simulated plant, a broker, the gateway, and a platform that counts what it gets.

Everything listens on loopback and free ports and ends with Ctrl-C; nothing stays but a folder under the
system's temporary directory, which goes too.
"""

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

console = Console()


class Platform:
    """Subscribes, keeps each tag's last value, and knows by the keys what is missing or came twice."""

    def __init__(self, port: int) -> None:
        self.last: dict[tuple[str, str], tuple[Any, str, int]] = {}
        self.units: dict[tuple[str, str], str] = {}
        self.seen: set[int] = set()
        self.rows = self.twice = 0
        self._lock = threading.Lock()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id="demo-platform")
        self._client.on_connect = lambda client, *_: client.subscribe("wanglian/#", qos=1)
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    @property
    def missing(self) -> int:
        """Return how many stored batches between the first and the newest have not arrived."""
        return max(self.seen) - min(self.seen) + 1 - len(self.seen) if self.seen else 0

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        said = json.loads(message.payload)
        with self._lock:
            if message.topic.endswith("/_tags"):
                for name, tag in said["tags"].items():
                    self.units[said["dev"], name] = "" if tag["symbol"] == "1" else tag["symbol"]
            elif "seq" in said:
                self.twice += said["seq"] in self.seen
                self.seen.add(said["seq"])
                self.rows += len(said["v"])
                qualities = said.get("q") or [0] * len(said["v"])
                for name, value, quality in zip(said["tags"], said["v"], qualities, strict=True):
                    self.last[said["dev"], name] = (
                        value,
                        "Good" if quality == 0 else f"0x{quality:08X}",
                        said["t0"],
                    )

    def table(self, seconds: float) -> Group:
        """Return what is known now, for the terminal."""
        table = Table("设备 device", "测点 tag", "值 value", "单位 unit", "质量 quality", "龄 age")
        with self._lock:
            for (device, name), (value, quality, t0) in sorted(self.last.items()):
                shown = f"{value:.2f}" if isinstance(value, float) else str(value)
                age = f"{max(0.0, time.time() - t0 / 1e9):.1f} s"
                table.add_row(
                    device.rpartition("/")[2], name, shown, self.units.get((device, name), ""), quality, age
                )
            line = (
                f"{self.rows} rows in {seconds:.0f} s · {self.missing} batches missing · {self.twice} twice"
                f"   {self.rows} 行 · 缺 {self.missing} 批 · 重 {self.twice} 批"
            )
        return Group(table, Text(line))


def free_port() -> int:
    """Return a port of loopback nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def child(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program; end it when the demo ends."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)  # noqa: S603  our own words
    try:
        yield process
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(12)
        process.kill()


def write_plant(folder: Path, broker_port: int, status_port: int, page_port: int) -> Path:
    """Write the shipped demo plant with the ports of this run."""
    text = (resources.files("config") / "data" / "plants" / "demo.yaml").read_text(encoding="utf-8")
    text = text.replace("  id: demo\n", f"  id: demo\n  http_port: {status_port}\n")
    text = text.replace("    host: localhost\n", f"    host: 127.0.0.1\n    port: {broker_port}\n")
    text += f"page: {{port: {page_port}}}\n"
    plant = folder / "plant.yaml"
    plant.write_text(text, encoding="utf-8")
    return plant


def wait_for_port(port: int, within_s: float = 10.0) -> None:
    """Return once somebody listens."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def main() -> None:
    """Run until Ctrl-C, or for as many seconds as the first argument says."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    limit = float(sys.argv[1]) if len(sys.argv) > 1 else float("inf")
    mosquitto = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    broker_port, status_port, page_port = free_port(), free_port(), free_port()
    with tempfile.TemporaryDirectory(prefix="wanglian-demo-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        plant = write_plant(folder, broker_port, status_port, page_port)
        stack.enter_context(child([mosquitto, "-p", str(broker_port)], folder / "broker.log"))
        wait_for_port(broker_port)
        platform = Platform(broker_port)
        run = [sys.executable, "-m", "gateway", "run", str(plant)]
        gateway = stack.enter_context(child(run, folder / "gateway.log"))
        wait_for_port(page_port, 60)
        console.print(f"页面 page  http://127.0.0.1:{page_port}/     Ctrl-C 退出 ends it all")
        began = time.monotonic()
        with contextlib.suppress(KeyboardInterrupt), Live(console=console, refresh_per_second=2) as live:
            while (passed := time.monotonic() - began) < limit and gateway.poll() is None:
                live.update(platform.table(passed))
                time.sleep(0.5)
        if gateway.poll() is not None:
            console.print((folder / "gateway.log").read_text(encoding="utf-8"))
            raise SystemExit(1)


if __name__ == "__main__":
    main()
