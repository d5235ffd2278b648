"""A13: stores as earlier releases left them are read, delivered and gone on with; the state is kept beside.

`tests/cases/store/<state format>-<segment format>-<ending>.zip` was written by the release of that format: 30
batches, `sink` has twelfth to last still to come and one row in quarantine, `live` everything.
"""

import shutil
import sqlite3
from pathlib import Path

import pytest

from connectors import Order
from gateway.buffer.segment import SCHEMA as SEGMENT
from gateway.buffer.state import SCHEMA as STATE
from tests.faults.buffer.lab import drain, fill, number_of, opened, read_independently, rows_of

STORES = sorted((Path(__file__).parents[2] / "cases" / "store").glob("*.zip"))


def formats(store: Path) -> set[tuple[str, int]]:
    """Return (suffix, format) of the files of a store."""
    found = set()
    for path in [*store.glob("*.segment"), store / "state.sqlite"]:
        connection = sqlite3.connect(path)
        found.add((path.suffix, connection.execute("PRAGMA user_version").fetchone()[0]))
        connection.close()
    return found


@pytest.mark.fault("A13")
@pytest.mark.parametrize("archive", STORES, ids=lambda path: path.stem)
async def test_a_store_of_an_earlier_release_loses_nothing(
    tmp_path: Path, archive: Path, record_measure
) -> None:
    shutil.unpack_archive(archive, tmp_path)
    state, segment = map(int, archive.stem.split("-")[:2])
    async with opened(tmp_path) as buffer:
        sink, live = buffer.cursor("sink", Order.STRICT), buffer.cursor("live", Order.LIVE_FIRST)
        assert sink.backlog().rows == rows_of(range(12, 31))
        assert live.backlog().rows == rows_of(range(1, 31))
        assert [number_of(each) for each in await sink.next(10**6)] == list(range(12, 31))
        assert [number_of(each) for each in await drain(buffer)] == list(range(1, 31))
        (seq,) = await fill(buffer, [31])
        assert seq > 30
    assert sorted(read_independently(tmp_path).values()) == list(range(1, 32))
    assert formats(tmp_path) == {(".segment", len(SEGMENT)), (".sqlite", len(STATE))} | (
        {(".segment", segment)} if segment < len(SEGMENT) else set()
    )
    now = sqlite3.connect(tmp_path / "state.sqlite")
    assert now.execute("SELECT sink, rows FROM quarantine").fetchall() == [("sink", 1)]
    now.close()
    if state < len(STATE):
        kept = sqlite3.connect(tmp_path / f"state.sqlite.format-{state}")
        assert kept.execute("PRAGMA user_version").fetchone()[0] == state
        assert dict(kept.execute("SELECT sink, head FROM cursors")) == {"sink": 12, "live": 1}
        kept.close()
    record_measure(f"formats {state} and {segment}, {archive.stem.rpartition('-')[2]}: 30 of 30 batches")


def test_every_format_has_its_store() -> None:
    kept = {tuple(map(int, path.stem.split("-")[:2])) for path in STORES}
    assert (len(STATE), len(SEGMENT)) in kept, "keep a store of this format under tests/cases/store"
