"""What a closed and reopened store still knows."""

import sqlite3
from pathlib import Path

import numpy as np
import orjson
import pytest

from connectors import Kind, Order, Refusal, Tag, TagTable
from gateway.buffer import DiskBuffer, Quarantine, StoreFailed
from tests.conftest import FakeClock
from tests.faults.buffer.lab import batch_of, copy, drain, fill, number_of, opened, options, rows_of


async def test_cursors_ranges_and_tokens_are_where_they_were(tmp_path: Path) -> None:
    clock = FakeClock()
    async with DiskBuffer(tmp_path, options(), clock) as buffer:
        TagTable(buffer.catalogue(), buffer.persist).announce([Tag("a/b/c/d/e", Kind.FLOAT64, "1", "s")] * 1)
        buffer.persist([(n, Tag(f"a/b/c/d/v_{n}", Kind.FLOAT64, "1", "s")) for n in range(1, 65)])
        cursor = buffer.cursor("a", Order.LIVE_FIRST)
        buffer.ready()
        for k in range(1, 7):
            await (await buffer.append("src", batch_of(k), b"token %d" % k if k < 4 else None))
        clock.move(10)
        taken = await cursor.next(rows_of([1, 2]))
        await cursor.ack()
        assert [number_of(each) for each in taken] == [1, 2]
    async with DiskBuffer(tmp_path, options(), clock) as buffer:
        assert buffer.resume_token("src") == b"token 3"
        assert buffer.last_arrived("src") == batch_of(6).arrived
        cursor = buffer.cursor("a", Order.LIVE_FIRST)
        assert cursor.backlog().rows == rows_of([3, 4, 5, 6])
        assert cursor.backlog().oldest == batch_of(3).arrived
        left = await cursor.next(10_000)
        assert [number_of(each) for each in left] == [3, 4, 5, 6]
        assert all(each.historical for each in left)


@pytest.mark.fault("A1")
async def test_where_a_new_sink_begins_is_on_disk_before_the_first_batch_is(
    tmp_path: Path, record_measure
) -> None:
    async with opened(tmp_path / "a") as buffer:
        buffer.cursor("new", Order.LIVE_FIRST)
        await fill(buffer, [1, 2])
        copy(tmp_path / "a", tmp_path / "b")
    async with opened(tmp_path / "b") as buffer:
        assert buffer.cursor("new", Order.LIVE_FIRST).backlog().rows == rows_of([1, 2])
    record_measure("killed with two batches accepted and none sent in a sink's first second: L = 0")


async def test_tokens_survive_rotation_and_deleted_segments(tmp_path: Path) -> None:
    async with opened(tmp_path, segment_bytes=4096, max_bytes=256 * 1024) as buffer:
        await (await buffer.append("quiet", batch_of(1), b"mine"))
        for start in range(2, 400, 10):
            await fill(buffer, range(start, start + 10))
        assert buffer.stats().segments > 2
    async with opened(tmp_path) as buffer:
        assert (buffer.resume_token("quiet"), buffer.last_arrived("quiet")) == (b"mine", batch_of(1).arrived)
        assert (await drain(buffer))[0].seq > 1


async def test_an_orderly_stop_leaves_no_hole_in_seq_a_crash_leaves_a_million(tmp_path: Path) -> None:
    async with opened(tmp_path / "a") as buffer:
        await fill(buffer, [1, 2])
        copy(tmp_path / "a", tmp_path / "b")
    async with opened(tmp_path / "a") as buffer:
        assert await fill(buffer, [3]) == [3]
    async with opened(tmp_path / "b") as buffer:
        assert (await fill(buffer, [3]))[0] > 1_000_000
        assert [number_of(each) for each in await drain(buffer)] == [1, 2, 3]


async def test_a_removed_sink_pins_nothing_and_resumes_within_seven_days(tmp_path: Path) -> None:
    clock = FakeClock()
    async with DiskBuffer(tmp_path, options(), clock) as buffer:
        buffer.persist([(n, Tag(f"a/b/c/d/v_{n}", Kind.FLOAT64, "1", "s")) for n in range(65)])
        for sink in ("early", "late"):
            buffer.cursor(sink, Order.STRICT)
        await fill(buffer, [1, 2])
    async with DiskBuffer(tmp_path, options(), clock) as buffer:
        buffer.ready()
    clock.move(6 * 86400)
    async with DiskBuffer(tmp_path, options(), clock) as buffer:
        assert buffer.cursor("early", Order.STRICT).backlog().rows == rows_of([1, 2])
        buffer.ready()
    clock.move(2 * 86400)
    async with DiskBuffer(tmp_path, options(), clock) as buffer:
        assert buffer.cursor("late", Order.STRICT).backlog().rows == 0


@pytest.mark.fault("B16")
async def test_delivered_segments_go_when_keep_is_over_and_others_stay(tmp_path: Path) -> None:
    clock = FakeClock(batch_of(1).arrived)
    async with DiskBuffer(tmp_path, options(segment_bytes=4096, keep=10**9), clock) as buffer:
        buffer.persist([(n, Tag(f"a/b/c/d/v_{n}", Kind.FLOAT64, "1", "s")) for n in range(65)])
        cursor, idle = buffer.cursor("a", Order.STRICT), buffer.cursor("idle", Order.STRICT, required=False)
        buffer.ready()
        for start in range(1, 200, 10):
            await fill(buffer, range(start, start + 10))
        many = buffer.stats().segments
        clock.move(3600)
        buffer._tick()
        await buffer._shelf._in_writer(lambda: None)
        assert buffer.stats().segments == many
        while cursor.backlog().rows:
            await cursor.next(10_000)
            await cursor.ack()
        buffer._tick()
        await buffer._shelf._in_writer(lambda: None)
        assert buffer.stats().segments == 1
        dropped = buffer.stats().dropped
        assert list(dropped) == [("idle", "not_required")]
        assert dropped["idle", "not_required"] + idle.backlog().rows == rows_of(range(1, 201))


async def test_a_wall_clock_step_ages_no_data(tmp_path: Path) -> None:
    clock = FakeClock(batch_of(1).arrived)
    async with DiskBuffer(tmp_path, options(segment_bytes=4096, max_age=86_400 * 10**9), clock) as buffer:
        buffer.persist([(n, Tag(f"a/b/c/d/v_{n}", Kind.FLOAT64, "1", "s")) for n in range(65)])
        buffer.ready()
        for start in range(1, 100, 10):
            await fill(buffer, range(start, start + 10))
        clock.wall += 80 * 365 * 86_400 * 10**9
        buffer._tick()
        await buffer._shelf._in_writer(lambda: None)
        assert len(await drain(buffer)) == 100


async def test_a_changed_tag_reaches_the_segment_that_uses_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as buffer:
        await fill(buffer, [1])
        buffer.persist([(0, Tag("s/a/l/d/renamed", Kind.FLOAT64, "1", "src", was="s/a/l/d/v_0"))])
        await fill(buffer, [1])
    (tmp_path / "state.sqlite").unlink()
    async with DiskBuffer(tmp_path, options()) as buffer:
        assert dict(buffer.catalogue())[0].path == "s/a/l/d/renamed"


async def test_a_new_epoch_on_request_marks_what_comes_after(tmp_path: Path) -> None:
    async with opened(tmp_path) as buffer:
        await fill(buffer, [1])
        assert (await buffer.begin_new_epoch("restored")).ordinal == 2
        await fill(buffer, [2])
        assert [each.epoch.ordinal for each in await drain(buffer)] == [1, 2]
    async with opened(tmp_path) as buffer:
        assert buffer.epoch.ordinal == 2
        assert [each.epoch.ordinal for each in await drain(buffer, "another")] == [1, 2]


async def test_a_closed_store_accepts_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as buffer:
        pass
    with pytest.raises(StoreFailed):
        await (await buffer.append("src", batch_of(1)))


async def test_refused_rows_are_held_shown_retried_and_deleted(tmp_path: Path) -> None:
    async with opened(tmp_path) as buffer:
        cursor = buffer.cursor("mqtt", Order.LIVE_FIRST)
        buffer.ready()
        await fill(buffer, [1, 2])
        await cursor.next(10_000)
        await cursor.ack([Refusal(0, np.array([0, 8], np.int32), "too odd"), Refusal(1, None, "too large")])
        saved = sqlite3.connect(tmp_path / "state.sqlite").execute("SELECT head FROM cursors").fetchall()
        assert saved == [(3,)]
        with Quarantine(tmp_path) as quarantine:
            lines = [orjson.loads(line) for line in quarantine.export("mqtt")]
            assert len(lines) == 2 + len(batch_of(2))
            assert (lines[0]["path"], lines[0]["row"], lines[0]["reason"]) == ("s/a/l/d/v_0", 0, "too odd")
            assert (lines[1]["value"], lines[1]["row"], lines[1]["quality"]) == ("1", 8, "Good")
            first, second = quarantine.list()
            assert quarantine.delete(entries=[second.id]) == len(batch_of(2))
            assert quarantine.retry("mqtt") == 2
        (again,) = await cursor.next(10_000)
        assert again.historical
        assert (again.seq, again.epoch) == (first.delivery.seq, first.delivery.epoch)
        assert [rows.tolist() for rows in again.row_numbers()] == [[0], [8]]
        await cursor.ack()
        with Quarantine(tmp_path) as quarantine:
            assert list(quarantine.list()) == []


async def test_a_failed_retry_is_held_again(tmp_path: Path) -> None:
    async with opened(tmp_path) as buffer:
        cursor = buffer.cursor("mqtt", Order.STRICT)
        await fill(buffer, [1])
        await cursor.next(100)
        await cursor.ack([Refusal(0, np.array([3], np.int32), "first")])
        with Quarantine(tmp_path) as quarantine:
            quarantine.retry()
        await cursor.next(100)
        await cursor.ack([Refusal(0, None, "second")])
        with Quarantine(tmp_path) as quarantine:
            (entry,) = quarantine.list()
            assert (entry.reason, [rows.tolist() for rows in entry.delivery.row_numbers()]) == (
                "second",
                [[3]],
            )
