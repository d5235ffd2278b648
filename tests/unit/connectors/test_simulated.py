"""The simulated source on a clock that only moves when told."""

import asyncio

import pytest

from config.connections import SimulatedSource
from connectors import TagTable
from connectors.simulated import Simulated

MS = 1_000_000
NOON = 1_800_000_000_000 * MS


class Slow:
    """A wall clock on which every sleep ends early by so much."""

    def __init__(self, early: int) -> None:
        self.wall = NOON + 7 * MS
        self._early = early

    def now(self) -> int:
        return self.wall

    def monotonic(self) -> int:
        return self.wall

    async def sleep(self, seconds: float) -> None:
        self.wall += max(0, round(seconds * 1e9) - self._early)


async def test_a_sleep_that_ends_early_does_not_read_a_scan_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    options = SimulatedSource.model_validate(
        {"kind": "simulated", "devices": {name: {"scan": "50ms", "tags": {"x": {}}} for name in "ab"}}
    )
    clock = Slow(early=MS // 2)
    monkeypatch.setattr(asyncio, "sleep", clock.sleep)
    async with Simulated("sim", options, site="s", tags=TagTable(), clock=clock) as source:
        batches = [await source.read() for _ in range(20)]
    times = [int(batch.parts[0].time[0]) - NOON for batch in batches]
    assert times == [50 * MS * i for i in range(1, 11) for _ in "ab"]
