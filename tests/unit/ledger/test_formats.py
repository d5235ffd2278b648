"""A store of the release before is taken up whole: nothing is lost, and its books begin where it stood."""

import sqlite3
import tarfile
from pathlib import Path

import pytest

from connectors import Order
from gateway.buffer import DiskBuffer, Quarantine
from gateway.buffer.state import SCHEMA
from gateway.sqlite import NewerFormat, connect
from tests.faults.buffer.lab import drain, fill, number_of, options, rows_of
from tests.processes import ROOT

FORMAT_1 = ROOT / "tests/cases/store/format-1.tar.gz"
"""Made by the release before the books: batches 33 to 60; `done` has them all, `half` refused two rows of an
earlier one, `slow` and `idle` have none; a segment before had been dropped for its age."""
STORED = rows_of(range(33, 61))
DROPPED = {"half": 394, "slow": 1072, "idle": 1072}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    with tarfile.open(FORMAT_1) as archive:
        archive.extractall(tmp_path / "store", filter="data")
    return tmp_path / "store"


@pytest.mark.fault("A13")
async def test_a_store_of_format_1_gives_every_row_and_its_books_hold(store: Path, record_measure) -> None:
    async with DiskBuffer(store, options()) as buffer:
        cursors = {
            sink: buffer.cursor(sink, Order.STRICT, required=sink != "idle") for sink in ("done", *DROPPED)
        }
        buffer.ready()
        assert buffer.stats().dropped == {(sink, "max_age"): rows for sink, rows in DROPPED.items()}
        for sink, cursor in cursors.items():
            total = cursor.account().total
            waits = 0 if sink == "done" else STORED
            assert (total.buffered, sum(cursor.counted().values())) == (waits, waits)
            assert total.quarantined == (2 if sink == "half" else 0)
            assert total.dropped == ({"max_age": DROPPED[sink]} if sink in DROPPED else {})
            assert total.acquired == waits + total.quarantined + DROPPED.get(sink, 0)
            assert cursor.account().holds
        (held,) = [each for each in cursors["half"].account().entries if each.quarantined]
        assert held.source == "src"
        await fill(buffer, [61, 62])
        while cursors["slow"].backlog().rows:
            await cursors["slow"].next(10_000)
            await cursors["slow"].ack()
        assert [number_of(each) for each in await drain(buffer)] == list(range(33, 63))
    async with DiskBuffer(store, options()) as buffer:
        cursor = buffer.cursor("slow", Order.STRICT)
        total = cursor.account().total
        assert (total.delivered, total.dropped) == (rows_of(range(33, 63)), {"max_age": 1072})
        assert cursor.account().holds
        assert "unknown" not in {reason for _, reason in buffer.stats().dropped}
    connection = sqlite3.connect(store / "state.sqlite")
    assert connection.execute("PRAGMA user_version").fetchone() == (len(SCHEMA),)
    assert connection.execute("SELECT count(*) FROM drops").fetchone() == (0,)
    connection.close()
    record_measure(f"a store of format 1 taken up: {STORED} rows, 0 lost, the books hold")


async def test_a_command_before_the_first_start_finds_the_refused_rows(store: Path) -> None:
    with Quarantine(store) as quarantine:
        (entry,) = quarantine.list("half")
        assert quarantine.delete() == len(entry.delivery.batch) == 2
    async with DiskBuffer(store, options()) as buffer:
        cursor = buffer.cursor("half", Order.STRICT)
        buffer.ready()
        buffer._tick()
        await buffer._shelf._in_writer(lambda: None)
        await buffer.come_round()
        total = cursor.account().total
        assert (total.quarantined, total.dropped["discarded"]) == (0, 2)
        assert cursor.account().holds


@pytest.mark.fault("A13")
async def test_a_state_of_a_later_release_is_not_touched(store: Path) -> None:
    connection = connect(store / "state.sqlite")
    connection.execute("PRAGMA user_version = 99")
    connection.execute(f"PRAGMA application_id = {0x574C0000 | 99}")
    connection.close()
    with pytest.raises(NewerFormat, match="format 99"):
        async with DiskBuffer(store, options()):
            pass
    with pytest.raises(NewerFormat, match="format 99"), Quarantine(store):
        pass


@pytest.mark.parametrize("table", ["books", "retired", "segment_rows"])
async def test_books_that_do_not_prove_themselves_begin_anew_and_cost_no_row(store: Path, table: str) -> None:
    async with DiskBuffer(store, options()) as buffer:
        buffer.cursor("slow", Order.STRICT)
        buffer.ready()
    connection = sqlite3.connect(store / "state.sqlite")
    connection.execute(f"UPDATE {table} SET rows = replace(rows, '914', '915')")  # noqa: S608  one of three
    connection.execute(f"UPDATE {table} SET rows = replace(rows, '1072', '1073')")  # noqa: S608
    if table == "retired":
        connection.execute("UPDATE retired SET rows = '{\"src\":5}'")
    connection.commit()
    connection.close()
    async with DiskBuffer(store, options()) as buffer:
        cursor = buffer.cursor("slow", Order.STRICT)
        assert cursor.account().holds
        assert cursor.account().total.buffered == cursor.backlog().rows == STORED
        assert buffer.epoch.ordinal == 2
        assert [number_of(each) for each in await drain(buffer)] == list(range(33, 61))
