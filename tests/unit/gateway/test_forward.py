import asyncio
from collections.abc import AsyncIterator, Sequence

import numpy as np
import pytest

from config.select import SelectRule
from connectors import Delivery, Epoch, NotConnected, Order, Refusal, Rejected, TagTable
from gateway.buffer import MemoryBuffer
from gateway.buffer.contract import Backlog
from gateway.forward import REFUSED_LEAST, Forwarder, RefusedShare
from gateway.select import Rules, Selection
from gateway.supervise import Link
from tests.fakes import RecordingSink, batch_of, simple_tags


@pytest.fixture
async def buffer(clock) -> AsyncIterator[MemoryBuffer]:
    async with MemoryBuffer(clock) as opened:
        yield opened


class Setup:
    def __init__(self, buffer: MemoryBuffer, clock, path: str = "**") -> None:
        self.tags = TagTable()
        self.tags.announce(simple_tags())
        self.sink = RecordingSink()
        self.link = Link("cloud", "sink", clock)
        self.cursor = buffer.cursor("cloud", Order.STRICT, start="oldest")
        rules = Rules("cloud", [SelectRule(path=path)], self.tags)
        selection = Selection(rules)
        self.forwarder = Forwarder(self.link, self.sink, self.cursor, selection, clock)

    async def run_until_empty(self) -> None:
        task = asyncio.create_task(self.forwarder.session())
        try:
            async with asyncio.timeout(2):
                while self.cursor.backlog().rows and not task.done():
                    await asyncio.sleep(0)
            if task.done():
                await task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def values(self) -> list[float]:
        return [v for each in self.sink.written for part in each.batch.parts for v in part.value.tolist()]


async def fill(buffer: MemoryBuffer, *batches) -> None:
    for batch in batches:
        await (await buffer.append("meters", batch))


async def test_everything_stored_is_written_and_acknowledged(buffer, clock) -> None:
    rig = Setup(buffer, clock)
    await fill(buffer, batch_of([1.0, 2.0]), batch_of([3.0]))
    await rig.run_until_empty()
    assert rig.values() == [1.0, 2.0, 3.0]
    assert rig.link.rows_total == 3


async def test_a_sink_that_was_away_receives_what_it_missed(buffer, clock) -> None:
    rig = Setup(buffer, clock)
    await fill(buffer, batch_of([1.0]))
    rig.sink.raising = [NotConnected("gone")]
    with pytest.raises(NotConnected):
        await rig.run_until_empty()
    await fill(buffer, batch_of([2.0]))
    await rig.run_until_empty()
    assert rig.values() == [1.0, 2.0]
    assert rig.sink.sessions == 2


class SlowSink(RecordingSink):
    """Takes a hundred rows a second, of a clock that is moved."""

    def __init__(self, clock) -> None:
        super().__init__()
        self._clock = clock
        self.sizes: list[int] = []

    async def write(self, deliveries: Sequence[Delivery]) -> None:
        await super().write(deliveries)
        self.sizes.append(sum(len(each.batch) for each in deliveries))
        self._clock.move(self.sizes[-1] / 100)


@pytest.mark.fault("B3")
async def test_one_write_is_what_a_slow_sink_takes_in_two_seconds(buffer, clock) -> None:
    rig = Setup(buffer, clock)
    sink = SlowSink(clock)
    rig.forwarder = Forwarder(
        rig.link, sink, rig.cursor, Selection(Rules("cloud", [SelectRule()], rig.tags)), clock
    )
    await fill(buffer, *(batch_of([float(each)]) for each in range(3_000)))
    await rig.run_until_empty()
    assert sink.sizes[:3] == [1_000, 200, 200]
    assert max(sink.sizes[1:]) == 200


async def test_a_quick_sink_that_was_away_gets_large_writes_again(buffer, clock) -> None:
    rig = Setup(buffer, clock)
    await fill(buffer, *(batch_of([float(each)]) for each in range(30_050)))
    rig.sink.raising = [NotConnected("gone")] * 3
    for _ in range(3):
        with pytest.raises(NotConnected):
            await rig.run_until_empty()
    await rig.run_until_empty()
    assert len(rig.sink.written) == 30_050
    assert rig.sink.calls <= 4


async def test_what_is_not_selected_is_counted_and_passed(buffer, clock) -> None:
    rig = Setup(buffer, clock, path="**/t1")
    await fill(buffer, batch_of([1.0, 2.0, 3.0]), batch_of([4.0], tags=[0]))
    await rig.run_until_empty()
    assert rig.values() == [2.0]
    assert rig.sink.written[0].row_numbers()[0].tolist() == [1]
    assert rig.link.counts["not_selected"] == 3


async def test_refused_rows_are_set_aside_and_the_rest_goes_on(buffer, clock) -> None:
    rig = Setup(buffer, clock, path="**")
    await fill(buffer, batch_of([1.0, 2.0, 3.0]), batch_of([4.0]))
    rig.sink.raising = [Rejected([Refusal(0, np.array([1], np.int32), "too large")])]
    await rig.run_until_empty()
    assert rig.link.counts["quarantined"] == 1
    assert rig.link.rows_total == 3


async def test_a_refusal_of_a_selected_delivery_names_only_the_rows_that_were_sent(buffer, clock) -> None:
    rig = Setup(buffer, clock, path="**/t2")
    refused = []
    acked = rig.cursor.ack

    async def watch(refusals=(), wanted=None) -> None:
        refused.extend(refusals)
        await acked(refusals, wanted)

    rig.cursor.ack = watch  # type: ignore[method-assign]
    await fill(buffer, batch_of([9.0], tags=[0]), batch_of([1.0, 2.0, 3.0]))
    rig.sink.raising = [Rejected([Refusal(0, None, "no")])]
    await rig.run_until_empty()
    assert [(each.delivery, each.rows.tolist()) for each in refused] == [(1, [2])]


class RetryCursor:
    """Has what somebody wants sent again, out of quarantine."""

    def __init__(self, *waiting: Delivery) -> None:
        self.waiting = waiting

    async def next(self, max_rows: int) -> Sequence[Delivery]:  # noqa: ARG002
        if not self.waiting:
            await asyncio.Event().wait()
        return self.waiting

    async def ack(self, refused: Sequence[Refusal] = (), wanted: Sequence[int] | None = None) -> None:  # noqa: ARG002
        self.waiting = ()

    def backlog(self) -> Backlog:
        return Backlog(len(self.waiting), None)


async def test_rows_that_leave_quarantine_are_counted_so_that_the_books_balance(buffer, clock) -> None:
    rig = Setup(buffer, clock, path="**/t1")
    rows = (np.array([4, 5], np.int32),)
    rig.cursor = RetryCursor(Delivery(batch_of([1.0, 2.0]), Epoch(1, 2), 3, historical=True, rows=rows))
    selection = Selection(Rules("cloud", [SelectRule(path="**/t1")], rig.tags))
    rig.forwarder = Forwarder(rig.link, rig.sink, rig.cursor, selection, clock)
    await rig.run_until_empty()
    counts = rig.link.counts
    assert counts["retried"] == 2
    assert rig.link.rows_total + counts["not_selected"] + counts["quarantined"] - counts["retried"] == 0


def test_too_many_refusals_within_a_minute_call_a_person(clock) -> None:
    share = RefusedShare(clock)
    with pytest.raises(NotConnected) as raised:
        for _ in range(REFUSED_LEAST):
            share.look(10, 1)
    assert raised.value.needs_a_person


def test_a_few_refusals_among_many_rows_or_spread_over_hours_do_not(clock) -> None:
    share = RefusedShare(clock)
    for _ in range(500):
        share.look(1000, 10)
        clock.move(1)
    few = RefusedShare(clock)
    for _ in range(2 * REFUSED_LEAST):
        few.look(1, 1)
        clock.move(61)
