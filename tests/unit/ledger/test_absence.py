import asyncio
import time

import pytest

from connectors import SystemClock, TagTable
from gateway.buffer import MemoryBuffer
from gateway.collect import Collector
from gateway.lateness import Lateness
from gateway.ledger.absence import STOOD_NS, look_for_absence
from gateway.ledger.gap import AWAY
from gateway.pipeline import ClockWatch
from gateway.supervise import Link
from tests.conftest import FakeClock
from tests.fakes import T0, ReplaySource, batch_of, simple_tags

S = 1_000_000_000


class Over(Exception):
    """No more looks."""


async def looks(clock: FakeClock, watch: ClockWatch, stood, *passing: tuple[float, float]) -> None:
    """Look once each time the monotonic and the wall clock have moved by so many seconds."""
    steps = iter(passing)

    async def sleep(_: float) -> None:
        try:
            steady, wall = next(steps)
        except StopIteration:
            raise Over from None
        clock.steady += int(steady * S)
        clock.wall += int(wall * S)

    with pytest.raises(Over):
        await look_for_absence(watch, stood, Lateness(), sleep)


@pytest.mark.fault("C6")
async def test_ten_minutes_asleep_are_a_gap_and_no_clock_that_was_set(clock, record_measure) -> None:
    told: list[tuple[int, int]] = []
    watch = ClockWatch(clock)
    await looks(clock, watch, lambda *gap: told.append(gap), (1, 1), (600, 600), (1, 1))
    assert told == [(T0 + S, T0 + 601 * S)]
    assert not watch.is_unsettled()
    record_measure("10 min asleep by both clocks: one gap of 600 s, rows good")


@pytest.mark.fault("C1")
async def test_a_clock_that_is_set_is_no_absence(clock) -> None:
    told: list[tuple[int, int]] = []
    watch = ClockWatch(clock)
    await looks(clock, watch, lambda *gap: told.append(gap), (1, 3600), (1, -7200), (STOOD_NS / S, 5))
    assert not told
    assert watch.is_unsettled()


async def test_an_absence_during_which_the_clock_was_set_is_told_by_the_new_time(clock) -> None:
    told: list[tuple[int, int]] = []
    await looks(clock, ClockWatch(clock), lambda *gap: told.append(gap), (600, 600 - 7200))
    assert told == [(T0 - 7200 * S, T0 - 6600 * S)]


async def test_a_step_that_nobody_read_through_is_over_a_minute_later(clock) -> None:
    watch = ClockWatch(clock)
    await looks(clock, watch, print, (1, 3600), *[(1, 1)] * 60)
    assert not watch.is_unsettled()


@pytest.mark.fault("C6")
async def test_a_source_has_the_gap_of_standing_still_once(clock) -> None:
    tags = TagTable()
    tags.announce(simple_tags())
    async with MemoryBuffer(clock) as buffer:
        await (await buffer.append("meters", batch_of([1.0] * 3, time=T0)))
        clock.move(60)
        source = ReplaySource(tags, simple_tags(), [])
        collects = Collector(Link("meters", "source", clock), lambda: source, tags, buffer, clock)
        collects.stood_still(T0 + 10 * S, T0 + 20 * S)
        assert not buffer.gaps, "it was not there yet, and its first gap holds this one"
        task = asyncio.create_task(collects.session())
        async with asyncio.timeout(2):
            while not buffer.gaps:
                await asyncio.sleep(0)
        del buffer.gaps[:]
        collects.stood_still(T0 + 70 * S, T0 + 80 * S)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        found = [(each.reason, each.start, each.end, dict(each.sources), each.tags) for each in buffer.gaps]
    assert found == [(AWAY, T0 + 70 * S, T0 + 80 * S, {"meters": 0}, 3)]


def test_the_machines_clock_goes_on_while_it_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "clock_gettime_ns", lambda which: which)
    assert SystemClock().monotonic() == time.CLOCK_BOOTTIME
