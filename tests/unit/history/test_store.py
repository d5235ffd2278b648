import json
import logging
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from config.plant import HistoryOptions
from connectors import Delivery, Epoch, TagTable
from connectors.quality import BAD_DATA_LOST
from gateway.booking import read_after
from gateway.history.away import PutAwayFailed
from gateway.history.files import periods
from gateway.history.reader import Reader
from tests.conftest import FakeClock
from tests.processes import ROOT
from tests.unit.history.lab import DAY, EPOCH, MINUTE, NOW, SECOND, delivery, opened, table

START, END = NOW - 40 * DAY, NOW + DAY


@pytest.fixture
def tags() -> TagTable:
    return table()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


def values(tags: TagTable, seq: int, first: int, count: int, *, at: int = NOW) -> Delivery:
    """Rows of tag 0, a second apart."""
    rows = [(0, at + (first + i) * SECOND, float(first + i), 0) for i in range(count)]
    return delivery(tags, seq, rows, at=at)


def stored(directory: Path, start: int = START, end: int = END) -> list[float]:
    return Reader(directory).read_now(0, start, end).value.tolist()


def hurt(path: Path, at: float = 0.6) -> None:
    data = bytearray(path.read_bytes())
    place = int(len(data) * at) & ~0xFFF
    data[place : place + 4096] = b"\xa5" * 4096
    path.write_bytes(data)


def test_a_delivery_that_comes_again_is_booked_once(tmp_path: Path, tags: TagTable, clock: FakeClock) -> None:
    with opened(tmp_path, tags, clock) as store:
        first, second = values(tags, 1, 0, 3), values(tags, 2, 3, 3)
        assert store.book([first], first) == 3
        assert store.book([first, second], second) == 3
    with opened(tmp_path, tags, clock) as store:
        assert store.booked == {EPOCH: 2}
        assert store.book([first, second], second) == 0
        store.put_away(10, everything=True)
    assert stored(tmp_path) == [0, 1, 2, 3, 4, 5]
    (trend,) = Reader(tmp_path).trend_now([0], NOW - DAY, NOW + DAY, 10)
    assert trend.good.sum() == 6


def test_a_minute_without_good_rows_says_so(tmp_path: Path, tags: TagTable, clock: FakeClock) -> None:
    start = NOW // MINUTE * MINUTE - 10 * MINUTE
    rows = [(0, start + i * MINUTE, 5.0, 0x800A0000 if i == 1 else 0) for i in range(3)]
    with opened(tmp_path, tags, clock) as store:
        store.book([delivery(tags, 1, rows)], delivery(tags, 1, rows))
        for _ in ("fresh", "put away"):
            (trend,) = Reader(tmp_path).trend_now([0], start, start + 3 * MINUTE, 3)
            assert trend.width == MINUTE
            assert trend.good.tolist() == [1, 0, 1]
            assert trend.bad.tolist() == [0, 1, 0]
            assert np.isnan(trend.mean).tolist() == [False, True, False]
            assert trend.worst.tolist() == [0, 0x800A0000, 0]
            store.put_away(10, everything=True)


def test_a_late_row_lands_in_its_minute(tmp_path: Path, tags: TagTable, clock: FakeClock) -> None:
    with opened(tmp_path, tags, clock) as store:
        for seq, first in enumerate((100, 0, 200, 50), 1):
            late = values(tags, seq, first, 10)
            store.book([late], late)
            store.put_away(10, everything=True)
    assert stored(tmp_path) == sorted(stored(tmp_path))
    assert len(stored(tmp_path)) == 40
    with opened(tmp_path, tags, clock):
        (trend,) = Reader(tmp_path).trend_now([0], NOW - DAY, NOW + DAY, 1)
        assert (trend.good.sum(), trend.low.min(), trend.high.max()) == (40, 0, 209)


def test_small_pieces_are_joined(tmp_path: Path, tags: TagTable, clock: FakeClock) -> None:
    with opened(tmp_path, tags, clock) as store:
        for seq in range(40):
            each = values(tags, seq, seq * 10, 10)
            store.book([each], each)
            store.put_away(10, everything=True)
    for layer in ("raw", "minute"):
        for _, path in periods(tmp_path, layer):
            with sqlite3.connect(path) as file:
                assert file.execute("SELECT COUNT(*) FROM pieces").fetchone()[0] <= 8
            file.close()
    assert stored(tmp_path) == list(range(400))


def test_what_is_too_old_goes_by_whole_files(tmp_path: Path, tags: TagTable, clock: FakeClock) -> None:
    options = HistoryOptions(raw="2d", minute="20d")
    with opened(tmp_path, tags, clock, options) as store:
        for day in range(40):
            each = values(tags, day, 0, 5, at=NOW + day * DAY)
            clock.move(DAY / SECOND if day else 0)
            store.book([each], each)
            store.put_away(10, everything=True)
            store.let_go()
        assert 3 <= len(periods(tmp_path, "raw")) <= 4
        assert 3 <= len(periods(tmp_path, "minute")) <= 5
        # A row older than any file that is kept begins none.
        late = values(tags, 100, 0, 5, at=NOW + 30 * DAY)
        store.book([late], late)
        store.put_away(10, everything=True)
        assert 3 <= len(periods(tmp_path, "raw")) <= 4
        future = values(tags, 101, 0, 5, at=NOW + 80 * DAY)
        assert store.book([future], future) == 0
        assert store.out_of_time == 5
    (trend,) = Reader(tmp_path).trend_now([0], NOW + 34 * DAY, NOW + 41 * DAY, 7)
    assert trend.good.sum() == 30


def test_a_wall_clock_that_jumps_ahead_deletes_nothing(
    tmp_path: Path, tags: TagTable, clock: FakeClock
) -> None:
    with opened(tmp_path, tags, clock, HistoryOptions(raw="2d", minute="20d")) as store:
        each = values(tags, 1, 0, 5)
        store.book([each], each)
        store.put_away(10, everything=True)
        clock.wall += 3000 * DAY
        store.let_go()
    assert stored(tmp_path) == [0, 1, 2, 3, 4]


def test_above_its_bytes_the_oldest_values_go_first(tmp_path: Path, tags: TagTable, clock: FakeClock) -> None:
    with opened(tmp_path, tags, clock) as store:
        for day in range(6):
            each = values(tags, day, 0, 5, at=NOW - (5 - day) * DAY)
            store.book([each], each)
        store.put_away(10, everything=True)
        store._options = HistoryOptions().model_copy(update={"max_bytes": 1})
        store.let_go()
        assert [start for start, _ in periods(tmp_path, "raw")] == [(NOW // DAY - 1) * DAY, NOW // DAY * DAY]
        assert len(periods(tmp_path, "minute")) == 1
    assert len(stored(tmp_path)) == 10


@pytest.mark.fault("A4")
@pytest.mark.parametrize("name", ["raw", "minute"])
def test_a_damaged_period_is_set_aside_and_shown_as_a_gap(
    name: str, tmp_path: Path, tags: TagTable, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(tmp_path, tags, clock) as store:
        each = values(tags, 1, 0, 5000)
        store.book([each], each)
        store.put_away(10, everything=True)
    ((start, path),) = periods(tmp_path, name)
    hurt(path, 0.0)
    caplog.set_level(logging.ERROR)
    with opened(tmp_path, tags, clock) as store:
        more = values(tags, 2, 5000, 10)
        store.book([more], more)
        store.put_away(10, everything=True)
    assert "E-HI-0001" in {record.__dict__.get("code") for record in caplog.records}
    assert path.with_name(path.name + ".bad").exists()
    rows = Reader(tmp_path).read_now(0, START, END)
    (trend,) = Reader(tmp_path).trend_now([0], START, END, 1000)
    if name == "raw":
        assert rows.time[0] == start
        assert rows.quality[0] == BAD_DATA_LOST
        assert rows.value[1:].tolist() == list(range(5000, 5010))
        assert trend.good.sum() == 5010
    else:
        assert len(rows) == 5010
        assert (trend.good[0], trend.bad[0], trend.worst[0]) == (0, 1, BAD_DATA_LOST)
        assert trend.good.sum() == 10


@pytest.mark.fault("A4")
def test_a_damaged_head_costs_nothing_the_log_still_has(
    tmp_path: Path, tags: TagTable, clock: FakeClock
) -> None:
    log = [values(tags, seq, seq * 100, 100) for seq in range(1, 30)]
    with opened(tmp_path, tags, clock) as store:
        store.book(log[:20], log[19])
        store.put_away(10, everything=True)
        store.book(log[20:], log[-1])
    hurt(tmp_path / "head.sqlite", 0.0)
    with opened(tmp_path, tags, clock) as store:
        assert store.booked == {}
        assert store.book(log, log[-1]) == 900
        store.put_away(10, everything=True)
    assert (tmp_path / "head.sqlite.bad").exists()
    assert stored(tmp_path) == list(range(100, 3000))


@pytest.mark.fault("A4")
def test_a_damaged_piece_is_a_gap_and_the_others_are_read(
    tmp_path: Path, tags: TagTable, clock: FakeClock
) -> None:
    with opened(tmp_path, tags, clock) as store:
        for seq, first in enumerate((0, 10_000, 20_000), 1):
            each = values(tags, seq, first, 5000)
            store.book([each], each)
            store.put_away(10, everything=True)
        paths = [path for _, path in periods(tmp_path, "raw")]
    for path in paths:
        with sqlite3.connect(path) as file:
            file.execute(
                "UPDATE pieces SET data = zeroblob(100) WHERE first < ? AND last >= ?",
                (NOW + 10_001 * SECOND, NOW + 10_000 * SECOND),
            )
        file.close()
    rows = Reader(tmp_path).read_now(0, START, END)
    assert (rows.quality == BAD_DATA_LOST).any()
    good = rows.value[rows.quality == 0].tolist()
    assert good[:5000] == list(range(5000))
    assert good[-1] == 24_999
    gap = rows.time[rows.quality == BAD_DATA_LOST][0]
    assert NOW + 4999 * SECOND < gap <= NOW + 10_000 * SECOND


@pytest.mark.fault("A8")
def test_a_file_that_cannot_be_written_keeps_its_rows_in_the_head(
    tmp_path: Path, tags: TagTable, clock: FakeClock
) -> None:
    each = values(tags, 1, 0, 5)
    with opened(tmp_path, tags, clock) as store:
        store.book([each], each)
        real = store._away._file

        def failing(layer: str, start: int) -> sqlite3.Connection:
            if layer == "minute":
                raise sqlite3.OperationalError("disk I/O error")
            return real(layer, start)  # type: ignore[arg-type]

        store._away._file = failing  # type: ignore[method-assign, assignment]
        with pytest.raises(PutAwayFailed):
            store.put_away(10, everything=True)
        assert stored(tmp_path) == [0, 1, 2, 3, 4]
    with opened(tmp_path, tags, clock) as store:
        store.put_away(10, everything=True)
        assert store.fresh_rows == 0
    assert stored(tmp_path) == [0, 1, 2, 3, 4]
    (trend,) = Reader(tmp_path).trend_now([0], NOW - DAY, NOW + DAY, 1)
    assert trend.good.sum() == 5


def test_a_gap_of_the_log_is_a_gap_of_the_trend(tmp_path: Path, tags: TagTable, clock: FakeClock) -> None:
    with opened(tmp_path, tags, clock) as store:
        before = values(tags, 1, 0, 5, at=NOW - 3 * DAY)
        store.book([before], before)
        store.note_gap(store.until, NOW)
        after = values(tags, 50, 0, 5)
        store.book([after], after)
        rows = Reader(tmp_path).read_now(0, START, END)
        assert (rows.quality == BAD_DATA_LOST).any()
        assert NOW - 3 * DAY <= rows.time[rows.quality == BAD_DATA_LOST][0] <= NOW


def test_another_process_reads_while_this_one_writes(
    tmp_path: Path, tags: TagTable, clock: FakeClock
) -> None:
    with opened(tmp_path, tags, clock) as store:
        for seq in range(1, 40):
            each = values(tags, seq, seq * 10, 10)
            store.book([each], each)
        store.put_away(10)
        last = values(tags, 50, 400, 10)
        store.book([last], last)
        program = (
            "import json, sys; from pathlib import Path; from gateway.history import Reader;"
            f"print(json.dumps(Reader(Path(sys.argv[1])).read_now(0, {START}, {END}).value.tolist()))"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        assert json.loads(done.stdout) == list(range(10, 410))
        assert Reader(tmp_path).tags()[0].path == "s/a/l/d/t0"


def test_nothing_is_read_where_nothing_is(tmp_path: Path) -> None:
    reader = Reader(tmp_path / "none")
    assert len(reader.read_now(3, START, END)) == 0
    assert len(reader.trend_now([3], START, END, 10)[0].time) == 0
    assert reader.tags() == {}
    shutil.rmtree(tmp_path)


@pytest.mark.parametrize(
    ("booked", "after"),
    [
        ({}, -1),
        ({Epoch(1, 1): 500}, 500),
        ({Epoch(1, 1): 1500}, 999),
        ({Epoch(1, 1): 900, Epoch(2, 2): 1200}, 1200),
        ({Epoch(9, 9): 77}, -1),
    ],
)
def test_reading_begins_behind_what_is_booked(booked: dict[Epoch, int], after: int) -> None:
    assert read_after(dict(booked), [(Epoch(1, 1), 1), (Epoch(2, 2), 1000)]) == after
