"""A log followed from outside: every batch once, in order; what is not there is told, never passed over."""

import asyncio
import random
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway.buffer.contract import STORE
from gateway.stream import Lost, Page, Position, StoredLog
from tests.faults.buffer.lab import fill, make_store, number_of, opened, rows_of


def follow(log: StoredLog, position: Position, max_rows: int = 300) -> tuple[list[int], list[Page], Position]:
    """Read page by page to the end; return the batches, the pages and where it ended."""
    numbers, pages = [], []
    while True:
        page = log.read(position, max_rows)
        if page.after == position:
            return numbers, pages, position
        numbers += [number_of(each) for each in page.deliveries]
        pages.append(page)
        position = page.after


def gone_on(directory: Path, place: Position) -> str:
    with pytest.raises(Lost) as lost:
        StoredLog(directory).read(place, 100)
    return lost.value.reason


async def test_a_follower_gets_every_batch_once_while_the_gateway_writes(tmp_path: Path) -> None:
    log = StoredLog(tmp_path)
    numbers: list[int] = []
    async with opened(tmp_path / STORE, segment_bytes=16_384) as buffer:
        await fill(buffer, [1])
        position = log.ends().before_all
        for start in range(2, 600, 7):
            await fill(buffer, range(start, start + 7))
            found, _, position = await asyncio.to_thread(follow, log, position)
            numbers += found
        assert buffer.stats().segments > 3
    found, _, position = follow(log, position)
    numbers += found
    assert numbers == list(range(1, 604))
    assert str(position).startswith("1-")
    async with opened(tmp_path / STORE) as buffer:
        await fill(buffer, [604, 605])
        assert follow(log, position)[0] == [604, 605]
    log.close()


async def test_a_page_holds_whole_batches_up_to_its_rows_and_says_whether_there_is_more(
    tmp_path: Path,
) -> None:
    await make_store(tmp_path / STORE, range(1, 30))
    log = StoredLog(tmp_path)
    start = log.ends().before_all
    page = log.read(start, rows_of([1, 2, 3]))
    assert [number_of(each) for each in page.deliveries] == [1, 2, 3]
    assert page.more
    assert len(log.read(start, 1).deliveries) == 1
    last = log.read(log.ends().newest, 100)
    assert (last.after, last.more, last.deliveries) == (log.ends().newest, False, [])


async def test_what_retention_deleted_before_it_was_read_is_refused_with_what_there_is(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path / STORE, segment_bytes=4096, max_bytes=128 * 1024) as buffer:
        await fill(buffer, [1])
        first = StoredLog(tmp_path).ends().before_all
        for start in range(2, 800, 10):
            await fill(buffer, range(start, start + 10))
        assert buffer.oldest() > 1
    with pytest.raises(Lost) as lost:
        StoredLog(tmp_path).read(first, 100)
    assert lost.value.reason == "expired"
    numbers, _, _ = follow(StoredLog(tmp_path), lost.value.ends.before_all)
    assert numbers == list(range(numbers[0], 802))


async def test_a_new_epoch_is_gone_through_and_a_foreign_one_refused(tmp_path: Path) -> None:
    async with opened(tmp_path / STORE) as buffer:
        await fill(buffer, [1, 2])
        log = StoredLog(tmp_path)
        position = follow(log, log.ends().before_all)[2]
        await buffer.begin_new_epoch("restored")
        await fill(buffer, [3, 4])
        numbers, _, after = follow(log, position)
        assert numbers == [3, 4]
        assert (position.epoch[0], after.epoch[0]) == ("1", "2")
        assert [each.reason for each in log.ends().epochs][-1] == "restored"
    assert gone_on(tmp_path, Position("1-00000000000000ff", 1)) == "unknown"
    assert gone_on(tmp_path, Position(position.epoch, after.seq)) == "ahead"


async def test_a_place_an_older_copy_has_not_come_to_is_refused(tmp_path: Path) -> None:
    await make_store(tmp_path / "now" / STORE, range(1, 10))
    shutil.copytree(tmp_path / "now", tmp_path / "copy")
    async with opened(tmp_path / "now" / STORE) as buffer:
        await fill(buffer, [10, 11])
    position = StoredLog(tmp_path / "now").ends().newest
    assert gone_on(tmp_path / "copy", position) == "ahead"


async def test_what_is_damaged_is_told_as_a_gap_and_the_rest_is_read_right(tmp_path: Path) -> None:
    stored = list(range(1, 120))
    await make_store(tmp_path / "whole" / STORE, stored, segment_bytes=8192)
    chance = random.Random(7)
    lost_some = 0
    for attempt in range(40):
        copy = tmp_path / str(attempt)
        shutil.copytree(tmp_path / "whole", copy)
        file = chance.choice(sorted((copy / STORE).glob("*.segment")))
        content = bytearray(file.read_bytes())
        content[chance.randrange(4096, len(content))] ^= 1 << chance.randrange(8)
        file.write_bytes(content)
        log = StoredLog(copy)
        numbers, pages, _ = follow(log, log.ends().before_all)
        gaps = [gap for page in pages for gap in page.gaps]
        missing = sorted(set(stored) - set(numbers))
        assert numbers == sorted(set(numbers))
        assert missing == told(gaps)
        lost_some += bool(missing)
    assert lost_some


def told(gaps: Sequence[object]) -> list[int]:
    return sorted(seq for gap in gaps for seq in range(gap.first_seq, gap.last_seq + 1))  # type: ignore[attr-defined]


@pytest.mark.parametrize("which", [1, -1])
async def test_losses_the_gateway_recorded_are_among_what_follows_a_place(tmp_path: Path, which: int) -> None:
    await make_store(tmp_path / STORE, range(1, 60), segment_bytes=4096)
    place = StoredLog(tmp_path).read(StoredLog(tmp_path).ends().before_all, 1).after
    sorted((tmp_path / STORE).glob("*.segment"))[which].unlink()
    async with opened(tmp_path / STORE):
        pass  # finds it missing, and records that
    numbers, pages, _ = follow(StoredLog(tmp_path), place)
    (gap,) = [gap for page in pages for gap in page.gaps]
    assert gap.reason == "missing"
    assert sorted([*numbers, *range(gap.first_seq, gap.last_seq + 1)]) == list(range(2, 60))
