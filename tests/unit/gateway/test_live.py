import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from connectors import Batch, Columns, Kind, Origin, Tag, TagTable
from connectors.quality import BAD_NO_COMMUNICATION
from gateway.live import LiveReader, LiveValues
from gateway.mapped import TEXT_BYTES, live_folder
from tests.fakes import T0, batch_of, simple_tags
from tests.processes import ROOT


@pytest.fixture
def tags() -> TagTable:
    table = TagTable()
    table.announce([*simple_tags(), Tag("s/a/l/d/name", Kind.TEXT, "C62", "meters")])
    return table


@pytest.fixture
def live(tmp_path: Path, tags: TagTable):
    values = LiveValues(tmp_path / "live", tags)
    yield values
    values.close()


def floats(snapshot) -> list[float]:
    return snapshot.value.view(np.float64).tolist()


def text_batch(text: str) -> Batch:
    one = np.array([3], np.int32), np.array([T0]), np.array([text], object), np.zeros(1, np.uint32)
    return Batch((Columns(*one),), T0)


def test_another_reader_sees_the_newest_row_of_every_tag(live: LiveValues) -> None:
    live.put(first := batch_of([1.0, 2.0]), first)
    live.put(second := batch_of([5.0], tags=[1], time=T0 + 7), second)
    seen = LiveReader(live.folder).snapshot()
    assert floats(seen)[:2] == [1.0, 5.0]
    assert seen.time.tolist()[:2] == [T0, T0 + 7]
    assert seen.rows.tolist() == [1, 2, 0, 0]
    assert seen.active.tolist() == [1, 1, 1, 1]


def test_of_a_tag_that_occurs_twice_in_a_batch_the_last_row_stays_and_both_count(live: LiveValues) -> None:
    live.put(batch := batch_of([1.0, 2.0, 3.0], tags=[0, 1, 0]), batch)
    seen = LiveReader(live.folder).snapshot()
    assert floats(seen)[:2] == [3.0, 2.0]
    assert seen.rows.tolist()[:2] == [2, 1]


def test_what_a_deadband_kept_back_was_read_all_the_same(live: LiveValues) -> None:
    live.put(first := batch_of([1.0, 2.0]), first)
    live.put(batch_of([1.1, 2.0], time=T0 + 9), None)
    seen = LiveReader(live.folder).snapshot()
    assert (seen.arrived.tolist()[:2], seen.time.tolist()[:2]) == ([T0 + 9] * 2, [T0] * 2)


def test_what_the_supervisor_says_of_a_lost_link_was_not_read(live: LiveValues) -> None:
    live.put(first := batch_of([1.0]), first)
    part = first.parts[0]
    bad = Columns(part.tag, part.time + 5, part.value, np.full(1, BAD_NO_COMMUNICATION, np.uint32))
    live.put(None, Batch((bad,), T0 + 5))
    seen = LiveReader(live.folder).snapshot()
    assert (seen.arrived[0], seen.good[0], seen.time[0]) == (T0, T0, T0 + 5)
    assert seen.quality[0] == BAD_NO_COMMUNICATION


def test_a_history_read_late_does_not_become_the_newest(live: LiveValues) -> None:
    live.put(now := batch_of([1.0, 2.0], time=T0), now)
    old = batch_of([8.0, 9.0], time=T0 - 1)
    live.put(old, Batch(old.parts, T0 + 1, Origin.BACKFILL))
    assert floats(LiveReader(live.folder).snapshot())[:2] == [1.0, 2.0]


def test_a_long_text_is_cut_at_a_character_for_the_page_and_whole_for_sinks(live: LiveValues) -> None:
    text = "订单" * 40
    live.put(batch := text_batch(text), batch)
    shown = LiveReader(live.folder).snapshot().text_of(3)
    assert text.startswith(shown)
    assert TEXT_BYTES - 3 <= len(shown.encode()) <= TEXT_BYTES
    (part,) = live.last(np.array([3], np.int32))
    assert part.value.tolist() == [text]


def test_sinks_get_the_last_rows_in_parts_and_nothing_of_tags_without_one(live: LiveValues) -> None:
    live.put(batch := batch_of([1.5], tags=[1]), batch)
    live.put(batch := text_batch("x"), batch)
    numbers, texts = live.last(np.array([0, 1, 2, 3], np.int32))
    assert (numbers.tag.tolist(), numbers.value.tolist(), numbers.time.tolist()) == ([1], [1.5], [T0])
    assert (texts.tag.tolist(), texts.value.tolist()) == ([3], ["x"])


def test_when_the_tags_outgrow_the_file_a_reader_follows_and_nothing_is_forgotten(
    tmp_path: Path, tags: TagTable
) -> None:
    live = LiveValues(tmp_path / "live", tags, capacity=4)
    reader = LiveReader(live.folder)
    live.put(batch := batch_of([7.0]), batch)
    assert floats(reader.snapshot())[0] == 7.0
    fresh = tags.announce([Tag(f"s/a/l/e/t{i}", Kind.FLOAT64, "KWT", "meters") for i in range(500)])
    live.put(batch := batch_of([9.0], tags=[int(fresh[-1])]), batch)
    seen = reader.snapshot()
    assert len(seen.value) == 504
    assert (floats(seen)[0], floats(seen)[503]) == (7.0, 9.0)
    assert len(list(live.folder.iterdir())) == 1
    live.close()


def test_a_tag_that_was_retired_is_no_longer_active(live: LiveValues, tags: TagTable) -> None:
    tags.keep_only("meters", np.array([0, 1], np.int32))
    live.refresh()
    assert LiveReader(live.folder).snapshot().active.tolist() == [1, 1, 0, 0]


def test_a_reader_finds_the_values_of_the_next_gateway(tmp_path: Path, tags: TagTable) -> None:
    killed = LiveValues(tmp_path / "live", tags)
    killed.put(batch := batch_of([1.0]), batch)
    reader = LiveReader(tmp_path / "live")
    assert floats(reader.snapshot())[0] == 1.0
    again = LiveValues(tmp_path / "live", tags)
    again.put(batch := batch_of([2.0]), batch)
    assert floats(reader.snapshot())[0] == 2.0
    again.close()
    assert reader.snapshot() is None


def test_without_a_place_for_the_file_collection_goes_on_and_sinks_still_see(
    tmp_path: Path, tags: TagTable, caplog
) -> None:
    (tmp_path / "live").write_text("not a folder")
    live = LiveValues(tmp_path / "live", tags)
    live.put(batch := batch_of([1.0]), batch)
    assert live.last(np.array([0], np.int32))[0].value.tolist() == [1.0]
    assert "can't see live values" in caplog.text
    assert LiveReader(tmp_path / "live").snapshot() is None
    live.close()


def test_a_folder_that_is_not_ours_is_not_trusted(tmp_path: Path) -> None:
    folder = live_folder(tmp_path, make=True)
    if folder.parent == tmp_path:  # no shared memory on this machine
        return
    folder.rmdir()
    try:
        folder.symlink_to(tmp_path)
        assert live_folder(tmp_path, make=True) == tmp_path / "live"
    finally:
        folder.unlink()
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    assert live_folder(tmp_path, make=True) == tmp_path / "live"
    folder.rmdir()


WRITER = """
import sys, time
from pathlib import Path
import numpy as np
from connectors import Batch, Columns, TagTable
from gateway.live import LiveValues
from tests.fakes import simple_tags

tags = TagTable()
numbers = tags.announce(simple_tags(2000))
live = LiveValues(Path(sys.argv[1]), tags)
i = 1
while not Path(sys.argv[2]).exists():
    n = len(numbers)
    # Everything in batch i says i; tag by tag in an order that a copy from front to back can't follow.
    part = Columns(numbers[::-1], np.full(n, i), np.full(n, float(i)), np.full(n, i % 1000, np.uint32))
    live.put(batch := Batch((part,), i), batch)
    i += 1
    time.sleep(0.0001)  # without any pause a reader may never have its turn, and says so
"""


def test_a_reader_in_another_process_never_sees_half_a_batch(tmp_path: Path) -> None:
    folder = tmp_path / "live"
    enough = tmp_path / "enough"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(folder), str(enough)], cwd=ROOT)
    reader = LiveReader(folder)
    seen: set[int] = set()
    deadline = time.monotonic() + 30
    try:
        while len(seen) < 30 and time.monotonic() < deadline:
            look(reader, seen)
    finally:
        enough.touch()
    assert writer.wait(10) == 0
    assert len(seen) >= 30


def look(reader: LiveReader, seen: set[int]) -> None:
    now = reader.snapshot()
    if now is not None and now.rows.any():
        said = {*now.time.tolist(), *(int(value) for value in floats(now)), *now.arrived.tolist()}
        assert len(said) == 1, "half a batch"
        assert set(now.quality.tolist()) == {said.copy().pop() % 1000}
        assert len(set(now.rows.tolist())) == 1
        seen |= said


@pytest.mark.parametrize("tags", [[0, 1, 2], [2, 0], [1], [2, 1, 0], [0, 2]])
def test_a_run_of_tags_and_any_others_are_put_alike(tmp_path: Path, tags: list[int]) -> None:
    table = TagTable()
    table.announce(simple_tags(3))
    live = LiveValues(tmp_path / "live", table)
    for i in (1, 2):
        live.put(batch := batch_of([10.0 * i + tag for tag in tags], tags=tags, time=T0 + i), batch)
    seen = LiveReader(live.folder).snapshot()
    assert seen.rows.tolist() == [2 * (tag in tags) for tag in range(3)]
    assert [floats(seen)[tag] for tag in tags] == [20.0 + tag for tag in tags]
    assert {(int(seen.time[tag]), int(seen.good[tag]), int(seen.arrived[tag])) for tag in tags} == {
        (T0 + 2, batch.arrived, batch.arrived)
    }


def test_a_row_whose_parts_do_not_belong_together_is_not_shown(live: LiveValues) -> None:
    # What a processor that reorders stores could leave behind, the sequence being even.
    live.put(batch := batch_of([1.0, 2.0]), batch)
    reader = LiveReader(live.folder)
    assert reader.snapshot() is not None
    live._file.column["value"][1] += 1
    assert reader.snapshot() is None


def test_what_was_read_from_a_history_is_neither_the_newest_value_nor_a_sign_of_life(
    live: LiveValues,
) -> None:
    live.put(now := batch_of([1.0], time=T0 + 9), now)
    missed = batch_of([7.0], time=T0 + 4)
    missed = Batch(missed.parts, T0 + 60, Origin.BACKFILL)
    live.put(missed, missed)
    seen = LiveReader(live.folder).snapshot()
    assert floats(seen)[0] == 1.0
    assert seen.arrived[0] == T0 + 9
