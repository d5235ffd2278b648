"""Sources of meters over the lab's line, and what they read."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from config.connections import Dlt645Source
from connectors import Batch, SystemClock, TagTable
from connectors import dlt645 as spoken
from connectors.cjt188 import Cjt188
from connectors.dlt645 import Dlt645
from gateway.lab.meters.line import Asked, Replies, reply

A, B = "000000000001", "000000000002"
ENERGY, VOLTAGE, POWER = "00010000", "02010100", "02030000"


def energy(hundredths: int) -> bytes:
    return bytes.fromhex(f"{hundredths:08}")[::-1]


def meters() -> dict[str, dict[str, bytes]]:
    """Return two meters whose readings tell them apart."""
    return {
        A: {ENERGY: energy(12345678), VOLTAGE: bytes.fromhex("0522"), POWER: bytes.fromhex("341200")},
        B: {ENERGY: energy(87654321), VOLTAGE: bytes.fromhex("1022"), POWER: bytes.fromhex("341280")},
    }


def source(port: int | Path, table: TagTable | None = None, **options: Any) -> Dlt645:
    """Return a source behind a TCP port, or of a serial one."""
    where = {"host": "127.0.0.1", "tcp_port": port}
    if isinstance(port, Path):
        where = {"port": str(port), "parity": "none"}
    tags = {"e_import": {"di": ENERGY}, "u": {"di": VOLTAGE}, "p": {"di": POWER}}
    devices = {
        name: {"address": address, "scan": "20ms", "tags": tags}
        for name, address in zip("ab", (A, B), strict=True)
    }
    read = Dlt645Source.model_validate(
        {
            "kind": "dlt645",
            **where,
            "timeout": "60ms",
            "quiet": "30ms",
            "devices": devices,
            **options,
        }
    )
    line = spoken.line(read)
    tags_of = TagTable() if table is None else table
    return Dlt645("line", read, line, site="s", tags=tags_of, clock=SystemClock())


def shown(batch: Batch, table: TagTable) -> dict[str, tuple[float, int]]:
    """Return value and quality by device/tag."""
    part = batch.parts[0]
    rows = zip(part.tag.tolist(), part.value.tolist(), part.quality.tolist(), strict=True)
    return {"/".join(table[tag].path.rsplit("/", 2)[1:]): (value, quality) for tag, value, quality in rows}


TRUE = {
    "a/e_import": 123456.78,
    "a/u": 220.5,
    "a/p": 0.1234,
    "b/e_import": 876543.21,
    "b/u": 221.0,
    "b/p": -0.1234,
}


def wrong(batches: Sequence[Batch], table: TagTable) -> list[tuple[str, float]]:
    """Return every Good value that is not what its meter has."""
    rows = [row for batch in batches for row in shown(batch, table).items()]
    return [(name, value) for name, (value, quality) in rows if not quality and value != TRUE[name]]


class Moving:
    """A script: each meter's counter moves with every request, and some replies are late.

    Nothing in a reply says which request it answers: what is late differs from what is asked for.
    """

    def __init__(self, seed: int, latest: dict[str, int], data: Callable[[int], bytes]) -> None:
        self.late = self.found = self.wrong = 0
        self._chance = random.Random(seed)
        self._latest = latest
        self._data = data

    def __call__(self, asked: Asked) -> Replies:
        self._latest[asked.address] += 1
        is_late = self._chance.random() < 0.15
        self.late += is_late
        delay = self._chance.uniform(0.065, 0.1) if is_late else 0.01
        return [(delay, reply(asked, data=self._data(self._latest[asked.address])))]

    async def ask(self, reading: Dlt645 | Cjt188, table: TagTable, tag: str, address: str, polls: int) -> str:
        """Ask the same again and again, for only time tells what a reply answers; return what came of it."""
        for _ in range(polls):
            value, quality = shown(await reading.scan("a"), table)[tag]
            if not quality:
                self.found += 1
                self.wrong += value != self._latest[address] / 100
        assert self.late > polls / 20
        assert self.found > polls / 2
        assert self.wrong == 0
        return f"{self.late} late replies, {self.found} values, 0 wrong"
