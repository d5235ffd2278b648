"""What every Buffer promises; the one in memory and the one on disk pass the same suite."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from config.plant import BufferOptions
from connectors import Batch, Columns, Delivery, Kind, Order, Origin, Refusal, Tag, TagTable
from gateway.buffer import DiskBuffer, MemoryBuffer

SECOND = 1_000_000_000


class HandClock:
    """A clock the test moves."""

    def __init__(self) -> None:
        self.wall = 1_700_000_000 * SECOND
        self.mono = 0

    def now(self) -> int:
        return self.wall

    def monotonic(self) -> int:
        return self.mono

    def move(self, seconds: float) -> None:
        self.wall += int(seconds * SECOND)
        self.mono += int(seconds * SECOND)


def make_batch(rows: int, first: float = 0.0, arrived: int = 1_700_000_000 * SECOND) -> Batch:
    column = Columns(
        np.arange(rows, dtype=np.int32),
        np.full(rows, arrived, np.int64),
        first + np.arange(rows, dtype=np.float64),
        np.zeros(rows, np.uint32),
    )
    return Batch((column,), arrived)


def values(deliveries: Any) -> list[float]:
    return [float(each.batch.parts[0].value[0]) for each in deliveries]


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


Opening = Callable[[], AbstractAsyncContextManager[Any]]


@pytest.fixture(params=["memory", "disk", "disk without memory"])
def opening(request: pytest.FixtureRequest, tmp_path: Path, clock: HandClock) -> Opening:
    if request.param == "memory":
        return lambda: MemoryBuffer(clock)
    options = BufferOptions.model_construct(min_free=0, memory=32 * 2**20 if request.param == "disk" else 0)
    return lambda: DiskBuffer(tmp_path / "store", options, clock)


@pytest.fixture
async def buffer(opening: Opening) -> AsyncIterator[Any]:
    async with opening() as opened:
        if isinstance(opened, DiskBuffer):
            table = TagTable(opened.catalogue(), opened.persist)
            table.announce([Tag(f"s/a/l/d/v_{i}", Kind.FLOAT64, "1", "src") for i in range(50)])
        yield opened


async def store(buffer: Any, *batches: Batch, source: str = "src") -> list[int]:
    return [await (await buffer.append(source, batch)) for batch in batches]


async def test_receipts_count_the_batches(buffer: Any) -> None:
    assert await store(buffer, make_batch(3), make_batch(1), make_batch(7)) == [1, 2, 3]


async def test_a_sink_gets_what_was_appended_unchanged(buffer: Any) -> None:
    cursor = buffer.cursor("a", Order.STRICT)
    parts = (
        Columns(
            np.array([0, 1], np.int32),
            np.array([5, -9]),
            np.array([-0.0, np.pi]),
            np.array([0, 0x80310000], np.uint32),
        ),
        Columns(np.array([2], np.int32), np.array([7]), np.array([-(2**63)]), np.zeros(1, np.uint32)),
        Columns(np.array([3], np.int32), np.array([8]), np.array(["压力"], object), np.zeros(1, np.uint32)),
    )
    await store(buffer, Batch(parts, 77, Origin.INITIAL))
    (delivery,) = await cursor.next(100)
    assert (delivery.batch.arrived, delivery.batch.origin, delivery.historical) == (77, Origin.INITIAL, False)
    for got, sent in zip(delivery.batch.parts, parts, strict=True):
        for column in ("tag", "time", "value", "quality"):
            assert getattr(got, column).tolist() == getattr(sent, column).tolist()
            assert getattr(got, column).dtype == getattr(sent, column).dtype


async def test_next_repeats_until_ack(buffer: Any) -> None:
    cursor = buffer.cursor("a", Order.LIVE_FIRST)
    await store(buffer, make_batch(3, 1), make_batch(3, 2))
    first = await cursor.next(3)
    assert [each.seq for each in await cursor.next(100)] == [each.seq for each in first] == [1]
    await cursor.ack()
    assert [each.seq for each in await cursor.next(100)] == [2]


async def test_deliveries_are_whole_and_fit_max_rows_but_for_the_first(buffer: Any) -> None:
    cursor = buffer.cursor("a", Order.STRICT)
    await store(buffer, *(make_batch(n) for n in (10, 4, 4, 4)))
    sizes = []
    for _ in range(3):
        sizes.append([len(each.batch) for each in await cursor.next(8)])
        await cursor.ack()
    assert sizes == [[10], [4, 4], [4]]


async def test_who_takes_thousands_of_batches_lets_everybody_else_have_a_turn(buffer: Any) -> None:
    cursor = buffer.cursor("books", Order.STRICT, start="oldest")
    small = make_batch(1)
    receipts = [await buffer.append("plc", small) for _ in range(5_000)]
    await receipts[-1]
    turns = 0

    async def everybody_else() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    others = asyncio.create_task(everybody_else())
    taken = await cursor.next(10_000)
    others.cancel()
    assert len(taken) == 5_000
    assert turns >= 4
    await cursor.ack()
    assert cursor.backlog().rows == 0


async def test_next_waits_for_a_batch(buffer: Any) -> None:
    cursor = buffer.cursor("a", Order.STRICT)
    waiting = asyncio.create_task(cursor.next(10))
    await asyncio.sleep(0)
    assert not waiting.done()
    await store(buffer, make_batch(2, 5))
    assert values(await waiting) == [5]


async def test_a_cancelled_next_loses_nothing(buffer: Any) -> None:
    cursor = buffer.cursor("a", Order.STRICT)
    waiting = asyncio.create_task(cursor.next(10))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await store(buffer, make_batch(2, 5))
    assert values(await cursor.next(10)) == [5]


async def test_two_cursors_do_not_disturb_each_other(buffer: Any) -> None:
    fast, slow = buffer.cursor("fast", Order.STRICT), buffer.cursor("slow", Order.STRICT)
    await store(buffer, make_batch(2, 1), make_batch(2, 2))
    await fast.next(100)
    await fast.ack()
    assert (fast.backlog().rows, slow.backlog().rows) == (0, 4)
    assert values(await slow.next(100)) == [1, 2]


async def test_a_new_sink_starts_now_or_at_the_oldest(buffer: Any) -> None:
    await store(buffer, make_batch(2, 1))
    now, oldest = buffer.cursor("now", Order.STRICT), buffer.cursor("old", Order.STRICT, start="oldest")
    await store(buffer, make_batch(2, 2))
    assert values(await now.next(100)) == [2]
    assert values(await oldest.next(100)) == [1, 2]


async def test_a_sink_with_its_own_position_continues_behind_it(buffer: Any) -> None:
    await store(buffer, *(make_batch(2, n) for n in range(4)))
    cursor = buffer.cursor("ledger", Order.STRICT, after=2)
    assert cursor.backlog().rows == 4
    assert [each.seq for each in await cursor.next(100)] == [3, 4]


async def test_backlog_is_exact_in_rows_and_tells_the_oldest(buffer: Any, clock: HandClock) -> None:
    cursor = buffer.cursor("a", Order.LIVE_FIRST)
    assert (cursor.backlog().rows, cursor.backlog().oldest) == (0, None)
    await store(buffer, make_batch(3, arrived=clock.now()))
    clock.move(60)
    await store(buffer, make_batch(4, arrived=clock.now()))
    assert (cursor.backlog().rows, cursor.backlog().oldest) == (7, clock.now() - 60 * SECOND)
    await cursor.next(3)
    assert cursor.backlog().rows == 7
    await cursor.ack()
    assert (cursor.backlog().rows, cursor.backlog().oldest) == (4, clock.now())
    await cursor.next(100)
    await cursor.ack()
    assert (cursor.backlog().rows, cursor.backlog().oldest) == (0, None)


async def drain(cursor: Any, rows: int, max_rows: int = 100) -> list[Delivery]:
    taken: list[Delivery] = []
    while sum(len(each.batch) for each in taken) < rows:
        taken += await cursor.next(max_rows)
        await cursor.ack()
    return taken


async def test_a_late_head_jumps_and_the_skipped_comes_as_history(buffer: Any, clock: HandClock) -> None:
    cursor = buffer.cursor("a", Order.LIVE_FIRST)
    await store(buffer, *(make_batch(2, n) for n in range(4)))
    clock.move(6)
    await store(buffer, make_batch(2, 9))
    clock.move(6)
    waiting = asyncio.create_task(drain(cursor, 12))
    await store(buffer, make_batch(2, 10))
    taken = await waiting
    live = [value for value, each in zip(values(taken), taken, strict=True) if not each.historical]
    late = [value for value, each in zip(values(taken), taken, strict=True) if each.historical]
    assert sorted(live + late) == [0, 1, 2, 3, 9, 10]
    assert late == sorted(late)
    assert 0 in late
    assert cursor.backlog().rows == 0


async def test_live_is_served_before_the_backlog(buffer: Any, clock: HandClock) -> None:
    cursor = buffer.cursor("a", Order.LIVE_FIRST)
    await store(buffer, *(make_batch(2, n) for n in range(4)))
    clock.move(6)
    assert (await cursor.next(2))[0].historical
    await cursor.ack()
    await store(buffer, make_batch(2, 9))
    live = await cursor.next(2)
    assert (values(live), live[0].historical) == ([9], False)


async def test_what_was_under_way_when_the_link_broke_comes_as_history_once_it_is_late(
    buffer: Any, clock: HandClock
) -> None:
    cursor = buffer.cursor("a", Order.LIVE_FIRST)
    await store(buffer, make_batch(2, 1), make_batch(2, 2))
    (sent,) = await cursor.next(2)
    assert not sent.historical
    clock.move(4.0)
    assert [each.historical for each in await cursor.next(2)] == [False]
    clock.move(3596.0)
    assert [(each.seq, each.historical) for each in await drain(cursor, 4)] == [(1, True), (2, True)]
    assert cursor.backlog().rows == 0


async def test_a_steady_flow_does_not_starve_the_backlog(buffer: Any, clock: HandClock) -> None:
    cursor = buffer.cursor("a", Order.LIVE_FIRST)
    await store(buffer, *(make_batch(2, n) for n in range(3)))
    clock.move(6)
    marks = []
    for n in range(8):
        await store(buffer, make_batch(2, 100 + n))
        marks.append((await cursor.next(2))[0].historical)
        await cursor.ack()
    assert marks.count(True) == 4
    assert cursor.backlog().rows == 2 * (3 + 8) - 2 * 8


async def test_a_strict_sink_gets_everything_in_order_unmarked(buffer: Any, clock: HandClock) -> None:
    cursor = buffer.cursor("a", Order.STRICT)
    for n in range(5):
        await store(buffer, make_batch(2, n))
        clock.move(10)
    taken = await drain(cursor, 10)
    assert values(taken) == [0, 1, 2, 3, 4]
    assert not any(each.historical for each in taken)


async def test_the_replay_rate_limits_the_backlog_only(buffer: Any, clock: HandClock) -> None:
    cursor = buffer.cursor("a", Order.LIVE_FIRST, replay_rate=4)
    await store(buffer, *(make_batch(4, n) for n in range(3)))
    clock.move(6)
    assert values(await cursor.next(100)) == [0]
    await cursor.ack()
    waiting = asyncio.create_task(cursor.next(100))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    await store(buffer, make_batch(4, 9))
    assert values(await waiting) == [9]
    await cursor.ack()
    clock.move(1)
    assert values(await cursor.next(100)) == [1]


async def test_an_ack_with_refusals_moves_on(buffer: Any) -> None:
    cursor = buffer.cursor("a", Order.STRICT)
    await store(buffer, make_batch(4, 1), make_batch(4, 5))
    await cursor.next(100)
    await cursor.ack([Refusal(1, np.array([2], np.int32), "too large")])
    assert cursor.backlog().rows == 0


async def test_the_last_arrival_and_token_of_each_source_are_kept(buffer: Any) -> None:
    assert (buffer.last_arrived("a"), buffer.resume_token("a")) == (None, None)
    await (await buffer.append("a", make_batch(1, arrived=5), b"one"))
    await (await buffer.append("a", make_batch(1, arrived=6)))
    await (await buffer.append("b", make_batch(1, arrived=4)))
    assert (buffer.last_arrived("a"), buffer.resume_token("a")) == (6, b"one")
    assert (buffer.last_arrived("b"), buffer.resume_token("b")) == (4, None)


async def test_a_released_sink_resumes_where_it_was(buffer: Any) -> None:
    cursor = buffer.cursor("a", Order.STRICT)
    await store(buffer, make_batch(2, 1), make_batch(2, 2))
    await cursor.next(2)
    await cursor.ack()
    buffer.release("a")
    await store(buffer, make_batch(2, 3))
    assert values(await buffer.cursor("a", Order.STRICT).next(100)) == [2, 3]


async def test_asking_again_for_a_cursor_continues_at_the_same_place(buffer: Any) -> None:
    cursor = buffer.cursor("a", Order.STRICT)
    await store(buffer, make_batch(2, 1), make_batch(2, 2))
    await cursor.next(2)
    await cursor.ack()
    assert values(await buffer.cursor("a", Order.STRICT).next(100)) == [2]
