"""A platform's stand-in: subscribes to what the gateway sends, keeps the last values, and counts."""

import json
import threading
import time
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from rich.console import Group
from rich.table import Table
from rich.text import Text

_SHOWN = (
    ("grid", "p"), ("grid", "e_import"), ("solar", "p"), ("press_1", "state"), ("press_1", "good"),
    ("press_meter", "p"), ("assembly_1", "good"), ("oven_1", "temperature"), ("oven_meter", "p"),
    ("compressor", "pressure"), ("compressor_meter", "p"), ("air_sensor", "flow"),
    ("climate_press_shop", "temperature"),
)  # fmt: skip
"""A few that tell what the plant does; the page shows all."""


_REMEMBERED = 10_000


class Platform:
    """Subscribes, keeps each tag's last value, and knows by the keys what is missing or came twice."""

    def __init__(self, port: int) -> None:
        self.last: dict[tuple[str, str], tuple[Any, int, int]] = {}
        """Value, quality and time by device (its last name) and tag."""
        self.units: dict[tuple[str, str], str] = {}
        self.rows = self.twice = 0
        self._recent: dict[int, set[tuple[str, int]]] = {}
        """Device and first row of the messages of the newest stored batches."""
        self._first = self._newest = self._batches = 0
        self._lock = threading.Lock()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id="demo-platform")
        self._client.on_connect = lambda client, *_: client.subscribe("wanglian/#", qos=1)
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    @property
    def missing(self) -> int:
        """Return how many stored batches between the first and the newest have not arrived."""
        return self._newest - self._first + 1 - self._batches if self._batches else 0

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        said = json.loads(message.payload)
        device = said.get("dev", "").rpartition("/")[2]
        with self._lock:
            if message.topic.endswith("/_tags"):
                for name, tag in said["tags"].items():
                    self.units[device, name] = "" if tag["symbol"] == "1" else tag["symbol"]
            elif "seq" in said:
                self._count(said["seq"], said.get("row", [0])[0], device)
                self.rows += len(said["v"])
                qualities = said.get("q") or [0] * len(said["v"])
                for name, value, quality in zip(said["tags"], said["v"], qualities, strict=True):
                    self.last[device, name] = (value, quality, said["t0"])

    def _count(self, batch: int, row: int, device: str) -> None:
        """Note a message by its key: the stored batch's number, the number of its first row."""
        if batch not in self._recent:
            self._recent[batch] = set()
            self._batches += 1
            self._first = min(self._first or batch, batch)
            self._newest = max(self._newest, batch)
            if len(self._recent) > _REMEMBERED:
                del self._recent[min(self._recent)]
        parts = self._recent[batch]
        self.twice += (device, row) in parts
        parts.add((device, row))

    def table(self, seconds: float, note: str = "") -> Group:
        """Return what is known now, for the terminal."""
        table = Table("设备 device", "测点 tag", "值 value", "单位 unit", "质量 quality", "龄 age")
        with self._lock:
            for device, name in _SHOWN:
                if (device, name) in self.last:
                    value, quality, t0 = self.last[device, name]
                    shown = f"{value:.2f}" if isinstance(value, float) else str(value)
                    grade = "Good" if quality == 0 else f"0x{quality:08X}"
                    age = f"{max(0.0, time.time() - t0 / 1e9):.1f} s"
                    table.add_row(device, name, shown, self.units.get((device, name), ""), grade, age)
            good = sum(quality == 0 for _, quality, _ in self.last.values())
            line = (
                f"{len(self.last)} 测点 tags, {good} Good · {seconds:.0f} s {self.rows} 行 rows"
                f" · 缺 missing {self.missing} · 重 twice {self.twice}"
            )
        return Group(table, Text(line), *([Text(note, style="red")] if note else []))
