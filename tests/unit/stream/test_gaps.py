"""Gaps in a followed log: each before the rows behind it, once per position, and again when it ends."""

import asyncio
import json
import random
from pathlib import Path

import pytest

from gateway.buffer import DiskBuffer
from gateway.buffer.contract import STORE
from gateway.ledger import Gap
from gateway.ledger.gap import LINK_DOWN
from gateway.stream import KnownTags, Lines, Page, Position, StoredLog
from gateway.web.stream import Found, _events_of, _in_order
from tests.faults.buffer.lab import T0, fill, number_of, opened


async def note(buffer: DiskBuffer, source: str, start: int | None, end: int | None) -> None:
    buffer.note(Gap(LINK_DOWN, noted=T0, start=start, end=end, sources={source: 0}))
    await buffer.come_round()
    await asyncio.sleep(0)


def told(page: Page) -> list[tuple[int, bool]]:
    return [(gap.id, gap.end is None) for gap in page.gaps]


async def test_a_source_that_is_away_is_told_at_once_and_when_it_is_back(tmp_path: Path) -> None:
    log = StoredLog(tmp_path)
    async with opened(tmp_path / STORE) as buffer:
        await fill(buffer, [1])
        place = log.read(log.ends().before_all, 100).after
        await note(buffer, "a", T0, None)
        page = log.read(place, 100)
        assert (told(page), page.deliveries) == ([(1, True)], [])
        assert page.after != place
        assert log.read(page.after, 100).after == page.after, "told twice at one place"
        await fill(buffer, [2])
        between = log.read(page.after, 100).after
        await note(buffer, "a", None, T0 + 5)
        await fill(buffer, [3])
        again = log.read(between, 100)
        assert told(again) == [(1, False)]
        assert [number_of(each) for each in again.deliveries] == [3]
        # Who only kept the key of the last row is told of all since then.
        assert told(log.read(Position(between.epoch, between.seq), 100)) == [(1, False)]
    log.close()


async def test_how_far_gaps_were_told_means_nothing_in_another_epoch(tmp_path: Path) -> None:
    """A state that was lost counts anew: its first gap is no old one."""
    log = StoredLog(tmp_path)
    async with opened(tmp_path / STORE) as buffer:
        await fill(buffer, [9])  # it has rows of every tag, so that the catalogue comes back whole
        for source in ("a", "b", "c"):
            await note(buffer, source, T0, None)
        place = log.read(log.ends().before_all, 100).after
        assert place.told == 3
    for file in (tmp_path / STORE).glob("state.sqlite*"):
        file.unlink()
    async with opened(tmp_path / STORE) as buffer:
        await fill(buffer, [2, 3])
        await note(buffer, "d", T0, None)
        await fill(buffer, [4])
        found = []
        while (page := log.read(place, 1)).after != place:
            found += [*told(page), *(number_of(each) for each in page.deliveries)]
            place = page.after
        assert found == [2, (1, True), 3, 4]
    log.close()


async def test_a_revision_that_never_was_hides_no_gap(tmp_path: Path) -> None:
    log = StoredLog(tmp_path)
    async with opened(tmp_path / STORE) as buffer:
        await fill(buffer, [1])
        place = log.ends().newest._replace(told=9_999)
        await note(buffer, "a", T0, None)
        page = log.read(place, 100)
        assert told(page) == [(1, True)]
        assert page.after == place._replace(told=1)
        assert told(log.read(page.after, 100)) == []
    log.close()


async def test_over_pages_restarts_and_new_epochs_every_gap_is_told_before_the_rows_behind_it(
    tmp_path: Path,
) -> None:
    """A story by chance: gaps, rows, restarts, a new epoch, a lost state; read in pages of any size."""
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    log = StoredLog(tmp_path)
    noted: dict[tuple[str, int], int] = {}
    place: Position | None = None
    heard: dict[tuple[str, int], int] = {}
    rows: list[int] = []
    k = 0
    for run in range(6):
        async with opened(tmp_path / STORE, segment_bytes=8192) as buffer:
            if chance.random() < 0.5:
                await buffer.begin_new_epoch("for the test")
            for _ in range(chance.randrange(4, 12)):
                if chance.random() < 0.5:
                    await note(buffer, f"s{chance.randrange(10**9)}", T0 + k, None)
                    newest = buffer.gaps()[-1]
                    noted[newest.epoch, newest.id] = k
                for _ in range(chance.randrange(3)):
                    k += 1
                    await fill(buffer, [k])
                if chance.random() < 0.4 or run == 5:
                    place = place or log.ends().before_all
                    while True:
                        page = await asyncio.to_thread(log.read, place, chance.choice([1, 80, 1000]))
                        last = [number_of(each) for each in page.deliveries]
                        for gap in page.gaps:
                            heard.setdefault((gap.epoch, gap.id), max([0, *rows]))
                        rows += last
                        if page.after == place:
                            break
                        place = Position.parse(str(page.after))
        if run == 3 and chance.random() < 0.5:
            (tmp_path / STORE / "state.sqlite").unlink()
            noted = {key: after for key, after in noted.items() if key in heard}
    assert rows == list(range(1, k + 1))
    assert heard.keys() == noted.keys()
    # `rows` held at most what was stored when the gap was noted: so it came before what followed.
    assert all(heard[key] <= noted[key] for key in noted)
    log.close()


@pytest.mark.parametrize("text", ["1-00", "1-00,x", "1-00,1,2,3", ",", "1-00,-1", f"1-00,1,{2**63}"])
def test_what_is_no_position_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no position"):
        Position.parse(text)


async def test_as_events_a_gap_has_the_place_behind_it_and_a_loss_lies_between_two_rows(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path / STORE) as buffer:
        await fill(buffer, [9])
        await note(buffer, "a", T0, None)
        await fill(buffer, [10])
        await note(buffer, "b", T0, None)
        loss = Gap("max_age", 1, 1, 1, 7, T0, sources={"src": 7})
        buffer._shelf.note(loss)
        await buffer.come_round()
        buffer._tick()
        await buffer.come_round()
        log = StoredLog(tmp_path)
        after = log.ends().before_all
        page = log.read(after, 10_000)
        lines = Lines("gw-1", KnownTags(tmp_path), [])
        found = Found(list(_in_order(page, after, lines)), page.after, page.more)
        epoch = str(buffer.epoch)
    assert [(kind, place.removeprefix(epoch)) for kind, place, _ in found.told] == [
        ("gap", ""), ("rows", ",1"), ("gap", ",1,1"), ("rows", ",2,1"), ("gap", ",2,2"),
    ]  # fmt: skip
    events = b"".join(_events_of(found)).split(b"\n\n")
    assert [each.partition(b"\n")[0] for each in events if each] == [
        b"event: gap", b"event: rows", b"event: gap", b"event: rows", b"event: gap",
    ]  # fmt: skip
    said = [json.loads(line)["gap"] for kind, _, some in found.told if kind == "gap" for line in some]
    assert [(each["reason"], each.get("seq"), each.get("rows")) for each in said] == [
        ("max_age", [1, 1], 7), (LINK_DOWN, None, None), (LINK_DOWN, None, None),
    ]  # fmt: skip
    assert [(each["gw"], each["epoch"], each["gap"]) for each in said] == [
        ("gw-1", epoch, 3), ("gw-1", epoch, 1), ("gw-1", epoch, 2),
    ]  # fmt: skip
    assert str(found.after) == f"{epoch},2,2"
