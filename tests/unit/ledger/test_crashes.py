"""Crashes at the few instants the model's copies of the files do not fall on."""

import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from connectors import Order, Refusal
from gateway.buffer import DiskBuffer, Quarantine
from gateway.buffer.records import Changes
from gateway.buffer.segment import segment_path
from tests.faults.buffer.lab import fill, opened, rows_of


async def drop_oldest(buffer: DiskBuffer) -> None:
    shelf = buffer._shelf
    await shelf._in_writer(lambda: buffer._retention.drop(shelf.segments[0], "max_age"))


@pytest.mark.fault("A6")
async def test_a_file_a_crash_left_behind_its_count_is_not_taken_in_again(
    tmp_path: Path, record_measure
) -> None:
    store = tmp_path / "store"
    async with opened(store, segment_bytes=2048) as buffer:
        slow = buffer.cursor("slow", Order.STRICT)
        buffer.ready()
        for k in range(1, 40):
            await fill(buffer, [k])
        path = buffer._shelf.segments[0].path
        shutil.copy(path, tmp_path / path.name)
        await drop_oldest(buffer)
        before = slow.account()
    shutil.copy(tmp_path / path.name, store)  # as if we had died before it was deleted
    async with opened(store) as buffer:
        after = buffer.cursor("slow", Order.STRICT).account()
        assert not path.exists()
        assert after == before
        assert after.holds
        assert buffer.stats().dropped == {("slow", "max_age"): before.total.dropped["max_age"]}
    record_measure(
        f"{before.total.dropped['max_age']} rows counted as lost once, the file gone, the sum right"
    )


async def test_a_file_that_was_missing_and_is_back_is_acquired_once(tmp_path: Path) -> None:
    store = tmp_path / "store"
    async with opened(store, segment_bytes=2048) as buffer:
        buffer.cursor("slow", Order.STRICT)
        done = buffer.cursor("done", Order.STRICT)
        buffer.ready()
        for k in range(1, 40):
            await fill(buffer, [k])
        while done.backlog().rows:
            await done.next(10_000)
            await done.ack()
        segment = buffer._shelf.segments[1]
        rows = segment.rows
    shutil.move(segment.path, tmp_path / "away")
    async with opened(store) as buffer:
        slow, done = buffer.cursor("slow", Order.STRICT), buffer.cursor("done", Order.STRICT)
        buffer.ready()
        assert slow.account().total.dropped == {"missing": rows}
        assert done.account().total.dropped == {}
    shutil.move(tmp_path / "away", segment.path)
    async with opened(store) as buffer:
        slow, done = buffer.cursor("slow", Order.STRICT), buffer.cursor("done", Order.STRICT)
        everything = rows_of(range(1, 40))
        assert (slow.account().total.buffered, slow.account().total.again) == (everything, rows)
        assert (done.account().total.delivered, done.account().total.buffered) == (everything, 0)
        assert slow.account().holds
        assert done.account().holds


@pytest.mark.fault("A7")
async def test_a_loss_the_disk_could_not_record_is_recorded_when_it_can_and_counts_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path, segment_bytes=2048) as buffer:
        slow = buffer.cursor("slow", Order.STRICT)
        buffer.ready()
        for k in range(1, 40):
            await fill(buffer, [k])
        buffer._tick()
        await buffer.come_round()
        state, refused = buffer._state, []

        def refuse(changes: Changes) -> None:
            refused.append(changes)
            raise sqlite3.OperationalError("disk I/O error")

        monkeypatch.setattr(state, "save", refuse)
        await drop_oldest(buffer)
        monkeypatch.undo()
        assert refused
        assert not buffer.gaps()
        buffer._housekeeping = False
        buffer._tick()
        await buffer.come_round()
        lost = slow.account().total.dropped["max_age"]
        assert [(gap.reason, gap.rows) for gap in buffer.gaps()] == [("max_age", lost)]
        before = slow.account()
    async with opened(tmp_path) as buffer:
        assert buffer.cursor("slow", Order.STRICT).account() == before
        assert [gap.reason for gap in buffer.gaps()] == ["max_age"]


async def test_an_entry_deleted_while_it_is_sent_again_is_delivered_and_not_dropped(tmp_path: Path) -> None:
    async with opened(tmp_path) as buffer:
        cursor = buffer.cursor("mqtt", Order.STRICT)
        buffer.ready()
        await fill(buffer, [1])
        await cursor.next(100)
        await cursor.ack([Refusal(0, np.array([0, 1], np.int32), "no")])
        with Quarantine(tmp_path) as quarantine:
            quarantine.retry()
        (again,) = await cursor.next(100)
        assert len(again.batch) == 2
        with Quarantine(tmp_path) as quarantine:
            assert quarantine.delete() == 2
        for _ in range(2):
            buffer._housekeeping = False
            buffer._tick()
            await buffer.come_round()
        assert cursor.account().total.quarantined == 2  # its sink's answer will tell
        await cursor.ack()
        buffer._housekeeping = False
        buffer._tick()
        await buffer.come_round()
        total = cursor.account().total
        assert (total.delivered, total.quarantined, total.dropped) == (rows_of([1]), 0, {})
        assert cursor.account().holds
    async with opened(tmp_path) as buffer:
        assert buffer.cursor("mqtt", Order.STRICT).account().total == total


@pytest.mark.fault("A4")
async def test_a_schema_that_is_no_text_any_more_is_damage_like_any_other(tmp_path: Path) -> None:
    async with opened(tmp_path, segment_bytes=2048, memory=0) as buffer:
        for k in range(1, 40):
            await fill(buffer, [k])
        path = buffer._shelf.segments[1].path
        data = path.read_bytes()
        path.write_bytes(data.replace(b"TABLE layouts", b"TABL\xf2 layouts"))
        buffer._readers.close()
        reader = buffer.cursor("reader", Order.STRICT, start="oldest")
        while reader.backlog().rows:
            await reader.next(10_000)
            await reader.ack()
        assert [gap.reason for gap in buffer.gaps()] == ["damaged"]
        assert reader.account().total.dropped == {"damaged": buffer.gaps()[0].rows}
        assert reader.account().holds
    async with opened(tmp_path) as buffer:
        assert buffer.cursor("reader", Order.STRICT).account().holds


@pytest.mark.fault("A4")
async def test_a_count_that_was_flipped_is_not_believed(tmp_path: Path) -> None:
    async with opened(tmp_path, segment_bytes=2**20) as buffer:
        half = buffer.cursor("half", Order.STRICT)
        buffer.ready()
        for k in range(1, 21):
            await fill(buffer, [k])
        taken = await half.next(200)
        await half.ack()
        assert len(taken) < 15
    async with opened(tmp_path) as buffer:
        buffer.cursor("half", Order.STRICT)
        buffer.ready()
        await fill(buffer, [21])
    connection = sqlite3.connect(segment_path(tmp_path, 1))
    connection.execute("UPDATE batches SET rows = rows + 5 WHERE seq = 15")
    connection.commit()
    connection.close()
    async with opened(tmp_path) as buffer:
        half = buffer.cursor("half", Order.STRICT)
        buffer.ready()
        while half.backlog().rows:
            await half.next(10_000)
            await half.ack()
        total = half.account().total
        assert total.delivered == rows_of([*range(1, 15), *range(16, 22)])
        assert total.dropped == {"damaged": rows_of([15])}
        assert half.account().holds
        assert total.again == 0
