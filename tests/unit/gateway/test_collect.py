import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import numpy as np
import pytest

from connectors import Batch, NotConnected, Order, Origin, Tag, TagTable
from connectors.quality import BAD_DATA_LOST, BAD_NO_COMMUNICATION, GOOD, UNCERTAIN
from gateway.buffer import MemoryBuffer
from gateway.buffer.contract import StoreFailed
from gateway.collect import Collector, bad_batch
from gateway.ledger.gap import AWAY, LINK_DOWN
from gateway.supervise import Link, LinkState, supervise
from tests.fakes import T0, ReplaySource, batch_of, simple_tags


@pytest.fixture
async def buffer(clock) -> AsyncIterator[MemoryBuffer]:
    async with MemoryBuffer(clock) as opened:
        yield opened


async def stored(buffer: MemoryBuffer) -> list[tuple[list[int], list[float], set[int]]]:
    cursor = buffer.cursor("look", Order.STRICT, start="oldest")
    found = []
    with_all = buffer.stored()
    while sum(len(tags) for tags, _, _ in found) < with_all:
        async with asyncio.timeout(2):
            for delivery in await cursor.next(1000):
                for part in delivery.batch.parts:
                    found.append((part.tag.tolist(), part.value.tolist(), set(part.quality.tolist())))
        await cursor.ack()
    return found


def collector(buffer: MemoryBuffer, clock, *sources: ReplaySource, tags: TagTable) -> Collector:
    waiting = list(sources)
    return Collector(Link("meters", "source", clock), lambda: waiting.pop(0), tags, buffer, clock)


async def test_what_was_read_is_stored_and_then_acknowledged_in_order(buffer, clock) -> None:
    tags = TagTable()
    batches = [batch_of([float(i)] * 3) for i in range(5)]
    source = ReplaySource(tags, simple_tags(), [*batches, NotConnected("end")])
    with pytest.RaisesGroup(NotConnected):
        await collector(buffer, clock, source, tags=tags).session()
    assert source.acked == batches[: len(source.acked)]
    assert [values[0] for _, values, quality in await stored(buffer) if quality == {GOOD}] == [0, 1, 2, 3, 4]


async def test_a_batch_of_which_nothing_is_stored_is_acknowledged_too(buffer, clock) -> None:
    tags = TagTable()
    same = [Tag("s/a/l/d/t0", simple_tags()[0].kind, "KWT", "meters", deadband=1.0)]
    source = ReplaySource(tags, same, [batch_of([1.0]), batch_of([1.0]), batch_of([9.0])])
    task = asyncio.create_task(collector(buffer, clock, source, tags=tags).session())
    async with asyncio.timeout(2):
        while len(source.acked) < 3:
            await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [values for _, values, _ in await stored(buffer)] == [[1.0], [9.0]]


async def test_a_lost_link_marks_its_tags_bad_once_and_not_again_until_something_was_read(
    buffer, clock
) -> None:
    tags = TagTable()
    reads = ReplaySource(tags, simple_tags(), [batch_of([1.0] * 3), NotConnected("cable")])
    refused = ReplaySource(tags, simple_tags(), [])
    refused.refuse_entry = NotConnected("refused")
    again = ReplaySource(tags, simple_tags(), [batch_of([2.0] * 3), NotConnected("cable")])
    collects = collector(buffer, clock, reads, refused, again, tags=tags)
    for _ in range(3):
        with pytest.raises((NotConnected, ExceptionGroup)):
            await collects.session()
        await collects.lost()
    assert [quality for _, _, quality in await stored(buffer)] == [
        {GOOD},
        {BAD_NO_COMMUNICATION},
        {GOOD},
        {BAD_NO_COMMUNICATION},
    ]


async def test_a_device_that_is_away_at_the_first_start_is_bad_not_silent(buffer, clock) -> None:
    tags = TagTable()
    source = ReplaySource(tags, simple_tags(), [])
    source.refuse_entry = NotConnected("refused")
    away = collector(buffer, clock, source, tags=tags)
    with pytest.raises((NotConnected, ExceptionGroup)):
        await away.session()
    await away.lost()
    assert [(len(tag), quality) for tag, _, quality in await stored(buffer)] == [(3, {BAD_NO_COMMUNICATION})]


@pytest.mark.fault("C6")
async def test_our_own_absence_is_a_gap_record_stored_before_anything_else(buffer, clock) -> None:
    tags = TagTable()
    tags.announce(simple_tags())
    await (await buffer.append("meters", batch_of([1.0] * 3, time=T0)))
    clock.move(3600)
    source = ReplaySource(tags, simple_tags(), [batch_of([2.0] * 3), NotConnected("end")])
    collects = collector(buffer, clock, source, tags=tags)
    with pytest.raises((NotConnected, ExceptionGroup)):
        await collects.session()
    await collects.lost()
    assert [quality for _, _, quality in await stored(buffer)] == [
        {GOOD},
        {BAD_DATA_LOST},
        {GOOD},
        {BAD_NO_COMMUNICATION},
    ]
    cursor = buffer.cursor("gap", Order.STRICT, start="oldest")
    gap = (await cursor.next(1000))[1].batch
    assert set(gap.parts[0].time.tolist()) == {T0 + 1}
    assert gap.arrived == clock.now()


@pytest.mark.fault("C1")
async def test_rows_are_uncertain_after_the_clock_was_set_although_the_link_was_away_or_drops(
    buffer, clock
) -> None:
    tags = TagTable()
    sessions = [
        ReplaySource(tags, simple_tags(), [batch_of([1.0] * 3), NotConnected("cable")]) for _ in "abcd"
    ]
    collects = collector(buffer, clock, *sessions, tags=tags)

    async def session() -> None:
        with pytest.RaisesGroup(NotConnected):
            await collects.session()

    await session()
    clock.wall += 3600 * 10**9  # while nobody is connected
    await session()
    clock.move(59)
    await session()
    clock.move(1)
    await session()
    assert [quality for _, _, quality in await stored(buffer)] == [{GOOD}, {UNCERTAIN}, {UNCERTAIN}, {GOOD}]


async def test_a_bug_in_a_source_comes_through(buffer, clock) -> None:
    tags = TagTable()
    source = ReplaySource(tags, simple_tags(), [ZeroDivisionError("bug")])
    with pytest.RaisesGroup(ZeroDivisionError):
        await collector(buffer, clock, source, tags=tags).session()


async def test_a_bug_in_a_source_marks_its_tags_bad_too(buffer, clock) -> None:
    tags = TagTable()
    source = ReplaySource(tags, simple_tags(), [batch_of([1.0] * 3), ZeroDivisionError("bug")])
    collects = collector(buffer, clock, source, tags=tags)
    stopped = asyncio.Event()

    async def stop(_: float) -> None:
        stopped.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(supervise(collects._link, collects.session, lost=collects.lost, sleep=stop))
    await stopped.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [quality for _, _, quality in await stored(buffer)] == [{GOOD}, {BAD_NO_COMMUNICATION}]


class ResumingSource(ReplaySource):
    """Its token is the number of batches read."""

    def resume_from(self, token: bytes | None) -> None:
        pass

    def resume_token(self, batch: Batch) -> bytes:
        return b"%f" % batch.parts[0].value[0]


class SlowBuffer(MemoryBuffer):
    """Resolves its receipts when told."""

    def __init__(self, clock) -> None:
        super().__init__(clock)
        self.receipts: list[asyncio.Future[int]] = []

    async def append(self, _source: str, _batch: Batch, resume: bytes | None = None) -> asyncio.Future[int]:
        assert resume is not None
        self.receipts.append(asyncio.get_running_loop().create_future())
        return self.receipts[-1]


@pytest.mark.fault("A1")
async def test_a_token_is_stored_only_behind_batches_that_are(clock) -> None:
    tags = TagTable()
    async with SlowBuffer(clock) as buffer:
        source = ResumingSource(tags, simple_tags(), [batch_of([float(i)] * 3) for i in range(3)])
        task = asyncio.create_task(collector(buffer, clock, source, tags=tags).session())
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(buffer.receipts) == 1, "the second waits for the first to be on disk"
        buffer.receipts[0].set_result(1)
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(buffer.receipts) == 2
        buffer.receipts[1].set_exception(StoreFailed("full"))
        with pytest.RaisesGroup(StoreFailed):
            await task
        assert len(buffer.receipts) == 2, "nothing is appended behind what failed"
        assert len(source.acked) == 1


class RefusingBuffer(MemoryBuffer):
    """Takes batches into its queue and refuses to store what `refuses` says so of."""

    def __init__(self, clock) -> None:
        super().__init__(clock)
        self.refuses: Callable[[int], bool] = lambda _: False
        self.asked = 0

    async def append(self, source: str, batch: Batch, resume: bytes | None = None) -> asyncio.Future[int]:
        self.asked += 1
        if not self.refuses(self.asked):
            return await super().append(source, batch, resume)
        refused: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(0.01, refused.set_exception, StoreFailed("the disk"))
        return refused


@pytest.mark.fault("A8")
async def test_what_the_store_refused_is_within_the_gap_and_not_counted(clock) -> None:
    async with RefusingBuffer(clock) as buffer:
        buffer.refuses = lambda asked: asked > 1
        reads = [batch_of([float(i)] * 3, time=T0 + 1000 * i) for i in range(4)]
        source = ReplaySource(TagTable(), simple_tags(), [])
        collects = collector(buffer, clock, source, tags=source._tags)
        source._script.extend(reads)
        with pytest.RaisesGroup(StoreFailed):
            await collects.session()
        clock.move(5)
        with contextlib.suppress(StoreFailed):
            await collects.lost()
        (down,) = buffer.gaps
        assert down.start is not None
        assert reads[0].arrived < down.start <= reads[1].arrived
        assert collects._link.rows_total == 3


@pytest.mark.fault("A8")
async def test_a_link_that_is_lost_while_the_store_refuses_is_bad_once_it_takes_rows_again(clock) -> None:
    async with RefusingBuffer(clock) as buffer:
        buffer.refuses = lambda asked: asked == 2
        tags = TagTable()
        reads = ReplaySource(tags, simple_tags(), [batch_of([1.0] * 3), NotConnected("cable")])
        again = ReplaySource(tags, simple_tags(), [batch_of([2.0] * 3), NotConnected("cable")])
        collects = collector(buffer, clock, reads, again, tags=tags)
        with pytest.RaisesGroup(NotConnected):
            await collects.session()
        with pytest.raises(StoreFailed):
            await collects.lost()
        await collects.lost()
        assert [quality for _, _, quality in await stored(buffer)] == [{GOOD}, {BAD_NO_COMMUNICATION}]
        with pytest.RaisesGroup(NotConnected):
            await collects.session()
        begun, ended = buffer.gaps
        assert (begun.lasts, ended.start, ended.end) == (True, None, T0)


@pytest.mark.fault("A8")
async def test_our_absence_is_told_once_and_its_rows_are_stored_once_the_store_takes_them(clock) -> None:
    async with RefusingBuffer(clock) as buffer:
        tags = TagTable()
        tags.announce(simple_tags())
        await buffer.append("meters", batch_of([1.0] * 3))
        buffer.refuses = lambda asked: asked == 2
        sources = [ReplaySource(tags, simple_tags(), [NotConnected("cable")]) for _ in range(2)]
        collects = collector(buffer, clock, *sources, tags=tags)
        for expected in (StoreFailed, ExceptionGroup):
            with pytest.raises(expected):
                await collects.session()
        assert [quality for _, _, quality in await stored(buffer)] == [{GOOD}, {BAD_DATA_LOST}]
        assert [each.reason for each in buffer.gaps] == [LINK_DOWN, AWAY]


class Converter(ReplaySource):
    """Accepts the connection; whether anybody answers behind it is another question."""

    is_heard = False

    async def read(self) -> Batch:
        batch = await super().read()
        self.is_heard = not any(part.quality.any() for part in batch.parts)
        return batch


async def test_a_link_is_connected_only_once_a_device_behind_it_has_answered(buffer, clock) -> None:
    tags = TagTable()
    tags.announce(simple_tags())
    silent = bad_batch(tags, np.arange(3, dtype=np.int32), T0, BAD_NO_COMMUNICATION, T0)
    nobody = [Converter(tags, simple_tags(), [silent, NotConnected("nobody answers")]) for _ in range(3)]
    answering = Converter(tags, simple_tags(), [silent, batch_of([1.0] * 3), NotConnected("cable")])
    collects = collector(buffer, clock, *nobody, answering, tags=tags)
    link = collects._link
    for _ in nobody:
        with pytest.RaisesGroup(NotConnected):
            await collects.session()
        await collects.lost()
        assert link.sessions_total == 0
    assert len([1 for _, _, quality in await stored(buffer) if quality == {BAD_NO_COMMUNICATION}]) == 3 + 1
    with pytest.RaisesGroup(NotConnected):
        await collects.session()
    assert (link.state, link.sessions_total) == (LinkState.CONNECTED, 1)


async def test_what_was_read_from_a_history_does_not_move_the_deadband_of_what_is(buffer, clock) -> None:
    tags = TagTable()
    band = [Tag("s/a/l/d/t0", simple_tags()[0].kind, "KWT", "meters", deadband=1.0)]
    missed = replace(batch_of([5.0], time=T0 - 9), origin=Origin.BACKFILL)
    source = ReplaySource(tags, band, [batch_of([1.0]), missed, batch_of([1.5]), NotConnected("end")])
    with pytest.RaisesGroup(NotConnected):
        await collector(buffer, clock, source, tags=tags).session()
    assert [values for _, values, _ in await stored(buffer)] == [[1.0], [5.0]]


async def test_a_source_that_can_read_a_history_learns_once_when_each_tag_was_known_last(
    buffer, clock
) -> None:
    """Rows the gateway wrote about a gap are no values."""
    tags = TagTable()
    tags.announce(simple_tags())
    for batch in (
        batch_of([1.0, 2.0], time=T0),
        batch_of([3.0], tags=[1], time=T0 + 5),
        bad_batch(tags, np.array([0, 1, 2], np.int32), T0 + 9, BAD_NO_COMMUNICATION, T0 + 9),
    ):
        await buffer.append("meters", batch)
    learned = []

    class Repairer(ReplaySource):
        def stored_until(self, times, heard) -> None:
            learned.append((times.tolist(), heard))

    ends = [Repairer(tags, simple_tags(), [NotConnected("end")]) for _ in range(2)]
    link = collector(buffer, clock, *ends, tags=tags)
    for _ in range(2):
        with pytest.RaisesGroup(NotConnected):
            await link.session()
    assert learned == [([T0, T0 + 5, 0], T0 + 9)]
