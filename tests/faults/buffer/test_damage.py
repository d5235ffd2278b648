"""A3, A4, A5, A11: torn, flipped, zeroed, deleted files; each time the store opens, goes on and counts."""

import asyncio
import contextlib
import random
import shutil
import sqlite3
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import pytest

from connectors import Epoch, Order
from gateway.alarms.look import Store as AlarmedStore
from gateway.buffer import StoreFailed
from gateway.buffer.repair import salvage
from gateway.buffer.segment import Segment, checksum, epoch_seed
from gateway.sqlite import NewerFormat, connect
from tests.faults.buffer.lab import (
    SCALE,
    batch_of,
    copy,
    drain,
    fill,
    flip,
    make_store,
    number_of,
    opened,
    read_independently,
    rows_of,
)
from tests.faults.buffer.test_kill import run_and_kill

STEP = max(1, round(8 / SCALE))


def places_of_a_cut() -> range:
    """Return how much is cut off the end, up to 4 KiB; each run takes other places."""
    first = random.randrange(STEP) + 1
    print("first cut", first)
    return range(first, 4097, STEP)


async def check_goes_on(directory: Path, stored: list[int], *, exact: bool = True) -> list[int]:
    """Open a damaged store: what is there is right, the rest is counted, and it takes new batches."""
    async with opened(directory) as buffer:
        slow = buffer.cursor("slow", Order.STRICT, start="oldest")
        waiting = slow.backlog().rows
        taken = await drain(buffer)
        numbers = [number_of(each) for each in taken]
        assert numbers == sorted(set(numbers))
        assert set(numbers) <= set(stored)
        lost = [k for k in stored if k not in numbers]
        if exact:
            assert sum(gap.batches for gap in buffer.gaps()) == len(lost)
            assert sum(gap.rows for gap in buffer.gaps()) == rows_of(lost)
            assert slow.backlog().rows == rows_of(numbers)
            assert waiting >= slow.backlog().rows
        before = max((each.seq for each in taken), default=0)
        (seq,) = await fill(buffer, [10_000])
        assert seq > before
        assert number_of((await drain(buffer, "another"))[-1]) == 10_000
    async with opened(directory) as buffer:
        assert [number_of(each) for each in await drain(buffer, "third")] == [*numbers, 10_000]
    read_independently(directory)
    return lost


@pytest.mark.fault("A3")
@pytest.mark.timeout(1800)
async def test_the_newest_segment_cut_anywhere_in_its_last_pages_keeps_the_rest_and_tells_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, record_measure
) -> None:
    stored = list(range(1, 60))
    await make_store(tmp_path / "store", stored)
    size = max((tmp_path / "store").glob("*.segment")).stat().st_size
    lost = []
    for cut in places_of_a_cut():
        damaged = copy(tmp_path / "store", tmp_path / "copy")
        with max(damaged.glob("*.segment")).open("r+b") as file:
            file.truncate(size - cut)
        caplog.clear()
        lost.append(await check_goes_on(damaged, stored))
        # Opened twice and read three times.
        assert [each.message for each in caplog.records].count("segment is damaged") <= 1
    assert any(lost)
    most = max(map(len, lost))
    assert most <= 2, "more than what lay in the torn page"
    record_measure(
        f"{len(lost)} places of a cut: opened each time, told once, at most {most} of "
        f"{len(stored)} batches gone"
    )


@pytest.mark.fault("A3")
@pytest.mark.timeout(1800)
async def test_a_torn_wal_loses_no_more_than_its_tail(tmp_path: Path) -> None:
    for attempt in count():
        lines = run_and_kill(tmp_path / f"{attempt}" / "store", 1, 0.3)
        wals = list((tmp_path / f"{attempt}" / "store").glob("*.segment-wal"))
        if wals and max(wals).stat().st_size > 4096:
            break  # else it was killed between two segments
    (tmp_path / f"{attempt}" / "store").rename(tmp_path / "store")
    accepted = [int(line.split()[1]) for line in lines if line.startswith("accepted")]
    whole = list(read_independently(copy(tmp_path / "store", tmp_path / "copy")).values())
    assert set(accepted) <= set(whole)
    wal = tmp_path / "store" / max(wals).name
    for cut in places_of_a_cut():
        damaged = copy(tmp_path / "store", tmp_path / "copy")
        with (damaged / wal.name).open("r+b") as file:
            file.truncate(wal.stat().st_size - cut)
        async with opened(damaged) as buffer:
            numbers = [number_of(each) for each in await drain(buffer)]
            assert numbers == whole[: len(numbers)]
            assert len(numbers) >= len(whole) - 6


@pytest.mark.fault("A4")
@pytest.mark.timeout(1800)
async def test_bit_flips_in_sealed_segments_cost_what_they_hit_and_are_counted(
    tmp_path: Path, record_measure
) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    stored = list(range(1, 400))
    await make_store(tmp_path / "store", stored, segment_bytes=32 * 1024)
    names = [path.name for path in sorted((tmp_path / "store").glob("*.segment"))]
    assert len(names) > 2
    flips = max(20, round(1000 * SCALE))
    for _ in range(flips):
        damaged = copy(tmp_path / "store", tmp_path / "copy")
        flip(damaged / chance.choice(names[:-1]), chance)
        await check_goes_on(damaged, stored)
    record_measure(f"{flips} bits flipped: no wrong batch, no reader held up")


def keys_of(data: bytes) -> list[int]:
    """Return where the key of each cell of each page of a table's tree begins (SQLite format, 1.6)."""
    places = []
    for page in range(4096, len(data), 4096):
        kind, cells = data[page], int.from_bytes(data[page + 3 : page + 5], "big")
        if kind not in (0x05, 0x0D):
            continue
        first = page + (12 if kind == 0x05 else 8)
        for pointer in range(first, first + 2 * cells, 2):
            place = page + int.from_bytes(data[pointer : pointer + 2], "big")
            if kind == 0x05:
                places.append(place + 4)  # behind the child's page number
                continue
            while data[place] & 0x80:  # the size of the payload
                place += 1
            places.append(place + 1)
    return places


@pytest.mark.fault("A4")
async def test_a_flipped_key_ends_no_reader_and_hides_no_loss(tmp_path: Path) -> None:
    """SQLite says nothing of it: it ends early or passes over batches, and a reader would wait for ever."""
    stored = list(range(1, 400))
    await make_store(tmp_path / "store", stored, segment_bytes=32 * 1024)
    name = sorted(path.name for path in (tmp_path / "store").glob("*.segment"))[1]
    data = (tmp_path / "store" / name).read_bytes()
    places = keys_of(data)
    assert len(places) > 100
    for place in places[:: max(1, round(1 / SCALE))]:
        damaged = copy(tmp_path / "store", tmp_path / "copy")
        flipped = bytearray(data)
        flipped[place] ^= 1 << (1 if place % 2 else 5)
        (damaged / name).write_bytes(flipped)
        async with asyncio.timeout(10):
            await check_goes_on(damaged, stored)


@pytest.mark.fault("A4")
@pytest.mark.parametrize("column", ["source", "arrived", "rows", "layout", "crc", "data"])
async def test_a_column_that_holds_another_type_is_damage(tmp_path: Path, column: str) -> None:
    """A flipped bit in a record's head makes a blob of what was a number."""
    stored = list(range(1, 400))
    await make_store(tmp_path / "store", stored, segment_bytes=32 * 1024)
    victim = sorted((tmp_path / "store").glob("*.segment"))[1]
    with contextlib.closing(sqlite3.connect(victim)) as connection, connection:
        value = "17" if column == "data" else "x'0011'"
        connection.execute(
            f"UPDATE batches SET {column} = {value} WHERE seq = (SELECT min(seq) + 3 FROM batches)"  # noqa: S608
        )
    async with asyncio.timeout(20):
        assert await check_goes_on(tmp_path / "store", stored)


@pytest.mark.fault("A4")
async def test_a_batch_whose_checksum_holds_and_whose_bytes_make_no_batch_costs_itself_alone(
    tmp_path: Path, record_measure
) -> None:
    """Memory that flips a bit before the checksum is made, or two flips that cancel each other in it."""
    stored = list(range(1, 400))
    await make_store(tmp_path / "store", stored, segment_bytes=32 * 1024)
    victim = sorted((tmp_path / "store").glob("*.segment"))[1]
    with contextlib.closing(sqlite3.connect(victim)) as connection, connection:
        meta = dict(connection.execute("SELECT key, value FROM meta"))
        seq, number, arrived, rows, layout, tags, resume, data = connection.execute(
            "SELECT seq, source, arrived, rows, layout, tags, resume, data FROM batches LIMIT 1 OFFSET 3"
        ).fetchone()
        source = dict(connection.execute("SELECT source, name FROM sources"))[number]
        seed = epoch_seed(Epoch(int(meta["epoch"]), int(meta["random"], 16)))
        facts = (seq, arrived, rows, layout or -1)
        proved = checksum(seed, source, facts, tags=tags, resume=resume, data=data[:-1])
        connection.execute("UPDATE batches SET data = ?, crc = ? WHERE seq = ?", (data[:-1], proved, seq))
    async with asyncio.timeout(20):
        lost = await check_goes_on(tmp_path / "store", stored)
    assert len(lost) == 1
    assert len(list((tmp_path / "store").glob("*.bad"))) == 1
    record_measure("a batch proved and not to be decoded: 1 lost, counted, and the segment around it kept")


@pytest.mark.fault("A4")
async def test_a_zeroed_segment_is_set_aside_and_counted(tmp_path: Path) -> None:
    stored = list(range(1, 400))
    await make_store(tmp_path / "store", stored, segment_bytes=32 * 1024)
    victim = sorted((tmp_path / "store").glob("*.segment"))[1]
    victim.write_bytes(bytes(victim.stat().st_size))
    assert await check_goes_on(tmp_path / "store", stored)
    assert list((tmp_path / "store").glob("*.bad"))


@pytest.mark.fault("A4")
async def test_damage_found_while_a_sink_reads_is_an_alarm_with_the_rows_it_cost(
    tmp_path: Path, record_measure
) -> None:
    async with opened(tmp_path / "store", segment_bytes=32 * 1024, memory=0) as buffer:
        slow = buffer.cursor("slow", Order.STRICT)
        buffer.ready()
        for start in range(1, 400, 5):
            await fill(buffer, range(start, start + 5))
        watch = AlarmedStore(buffer.stats())
        assert not any(each.holds for each in watch.look(buffer.stats()))
        victim = sorted((tmp_path / "store").glob("*.segment"))[1]
        victim.write_bytes(bytes(victim.stat().st_size))
        while slow.backlog().rows:
            await slow.next(5000)
            await slow.ack()
        (alarm,) = [each for each in watch.look(buffer.stats()) if each.holds]
        rows = sum(gap.rows for gap in buffer.gaps())
        assert (alarm.code, alarm.facts) == ("store_loss", {"rows": rows})
        assert rows > 0
    record_measure(f"a segment damaged under a running store: an alarm that names its {rows} rows")


@pytest.mark.fault("A11")
async def test_a_lost_newest_segment_begins_a_new_epoch_and_no_number_returns(
    tmp_path: Path, record_measure
) -> None:
    stored = list(range(1, 400))
    await make_store(tmp_path / "store", stored, segment_bytes=32 * 1024)
    max((tmp_path / "store").glob("*.segment")).unlink()
    async with opened(tmp_path / "store") as buffer:
        assert [record.reason for record in buffer.epochs()] == ["first start", "newest segment missing"]
        (seq,) = await fill(buffer, [10_000])
        assert seq > len(stored)
    assert await check_goes_on_counted(tmp_path / "store", stored)
    record_measure("newest file removed: a new epoch, no number again, what it held counted exactly")


async def check_goes_on_counted(directory: Path, stored: list[int]) -> bool:
    async with opened(directory) as buffer:
        numbers = [number_of(each) for each in await drain(buffer)]
        lost = [k for k in stored if k not in numbers]
        assert sum(gap.rows for gap in buffer.gaps()) == rows_of(lost)
        return bool(lost)


@pytest.mark.fault("A5")
@pytest.mark.parametrize("damage", ["deleted", "emptied", "zeroed", "garbage", "flipped"])
async def test_damaged_state_means_duplicates_not_loss_under_a_new_epoch(
    tmp_path: Path, damage: str, record_measure
) -> None:
    stored = list(range(1, 100))
    async with opened(tmp_path / "store") as buffer:
        cursor = buffer.cursor("sink", Order.STRICT)
        buffer.ready()
        await fill(buffer, stored)
        await cursor.next(500)
        await cursor.ack()
    state = tmp_path / "store" / "state.sqlite"
    size = state.stat().st_size
    match damage:
        case "deleted":
            state.unlink()
        case "emptied":
            state.write_bytes(b"")
        case "zeroed":
            state.write_bytes(bytes(size))
        case "garbage":
            state.write_bytes(random.Random(1).randbytes(size))
        case "flipped":
            data = bytearray(state.read_bytes())
            for place in range(4096, size, 97):
                data[place] ^= 0x55
            state.write_bytes(data)
    async with opened(tmp_path / "store") as buffer:
        assert {number for number, _ in buffer.catalogue()} == set(range(65))
        assert buffer.epochs()[-1].reason == "state lost"
        assert buffer.epoch.ordinal == 2
        cursor = buffer.cursor("sink", Order.STRICT)
        assert cursor.backlog().rows == rows_of(stored)
        assert [number_of(each) for each in await cursor.next(10**6)] == stored
        (seq,) = await fill(buffer, [10_000])
        assert seq > len(stored)
    assert bool(list((tmp_path / "store").glob("state.sqlite*.bad"))) == (
        damage not in ("deleted", "emptied")
    )
    record_measure(f"state {damage}: {len(stored)} batches, 0 lost, at most these delivered anew")


@pytest.mark.fault("A5")
async def test_an_older_state_means_duplicates_not_loss_and_no_number_returns(
    tmp_path: Path, record_measure
) -> None:
    stored = list(range(1, 200))
    async with opened(tmp_path / "store", segment_bytes=32 * 1024) as buffer:
        cursor = buffer.cursor("sink", Order.STRICT)
        buffer.ready()
        await fill(buffer, stored[:50])
        await cursor.next(500)
        await cursor.ack()
    copy(tmp_path / "store", tmp_path / "older")
    async with opened(tmp_path / "store", segment_bytes=32 * 1024) as buffer:
        cursor = buffer.cursor("sink", Order.STRICT)
        buffer.ready()
        await fill(buffer, stored[50:])
        while cursor.backlog().rows:
            await cursor.next(500)
            await cursor.ack()
    for file in (tmp_path / "store").glob("state.sqlite*"):
        file.unlink()
    for file in (tmp_path / "older").glob("state.sqlite*"):
        shutil.copy2(file, tmp_path / "store")
    async with opened(tmp_path / "store") as buffer:
        cursor = buffer.cursor("sink", Order.STRICT)
        waiting: list[int] = []
        while cursor.backlog().rows:
            waiting += [number_of(each) for each in await cursor.next(10**6)]
            await cursor.ack()
        assert waiting == [k for k in stored if k >= waiting[0]]
        assert waiting[0] <= 51
        assert [number_of(each) for each in await drain(buffer)] == stored
        (seq,) = await fill(buffer, [10_000])
        assert seq > len(stored)
    record_measure(
        f"an older state: {len(stored)} batches, 0 lost, {len(waiting)} delivered anew, no number again"
    )


@pytest.mark.fault("A11")
async def test_a_copied_store_is_another_epoch(tmp_path: Path, record_measure) -> None:
    await make_store(tmp_path / "store", [1, 2, 3])
    copy(tmp_path / "store", tmp_path / "clone")
    async with opened(tmp_path / "store") as original, opened(tmp_path / "clone") as clone:
        assert original.epoch.ordinal == 1
        assert clone.epoch.ordinal == 2
        assert clone.epochs()[-1].reason == "restored or cloned"
        assert [each.epoch.ordinal for each in await drain(clone)] == [1, 1, 1]
    record_measure("a copied directory: another epoch, no key twice")


@pytest.mark.fault("A11")
async def test_a_second_instance_is_refused_by_name(tmp_path: Path, record_measure) -> None:
    async with opened(tmp_path / "store"):
        with pytest.raises(StoreFailed, match="in use by another gateway"):
            async with opened(tmp_path / "store"):
                pass
    async with opened(tmp_path / "store"):
        pass
    record_measure("a second instance: refused, by name")


@pytest.mark.fault("A13")
async def test_a_store_of_a_later_release_is_not_touched(tmp_path: Path) -> None:
    await make_store(tmp_path / "store", [1, 2, 3])
    path = max((tmp_path / "store").glob("*.segment"))
    connection = connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.execute(f"PRAGMA application_id = {0x574C0000 | 99}")
    connection.close()
    with pytest.raises(NewerFormat, match="format 99"):
        async with opened(tmp_path / "store"):
            pass
    assert not list((tmp_path / "store").glob("*.bad"))


@pytest.mark.fault("A11")
async def test_a_deleted_directory_is_made_again_under_a_new_epoch(tmp_path: Path, record_measure) -> None:
    async with opened(tmp_path / "store") as buffer:
        cursor = buffer.cursor("sink", Order.STRICT)
        other = buffer.cursor("other", Order.STRICT)
        buffer.ready()
        await fill(buffer, [1, 2, 3])
        await cursor.next(10_000)
        await cursor.ack()
        shutil.rmtree(tmp_path / "store")
        await fill(buffer, [4, 5])
        assert buffer.epoch.ordinal == 2
        assert [number_of(each) for each in await other.next(10_000)] == [4, 5]
        assert [number_of(each) for each in await cursor.next(10_000)] == [4, 5]
        assert buffer.stats().dropped == {("other", "directory_lost"): rows_of([1, 2, 3])}
        with pytest.raises(StoreFailed, match="in use"):
            async with opened(tmp_path / "store"):
                pass
    async with opened(tmp_path / "store") as buffer:
        assert [number_of(each) for each in await drain(buffer)] == [4, 5]
        assert len(batch_of(4)) == len(
            (await buffer.cursor("x", Order.STRICT, start="oldest").next(1))[0].batch
        )
    record_measure("the directory deleted: made again under a new epoch, what was lost counted, no key twice")


@pytest.mark.fault("A4", "A13")
@pytest.mark.parametrize("place", [60, 61, 62, 63])  # user_version is the big-endian word at 60
@pytest.mark.parametrize("name", ["state.sqlite", "00000000000000000001.segment"])
async def test_a_flipped_version_is_damage_and_not_a_later_release(
    tmp_path: Path, name: str, place: int
) -> None:
    stored = list(range(1, 200))
    await make_store(tmp_path / "store", stored, segment_bytes=32 * 1024)
    path = tmp_path / "store" / name
    data = bytearray(path.read_bytes())
    data[place] ^= 2
    path.write_bytes(data)
    async with opened(tmp_path / "store") as buffer:
        numbers = [number_of(each) for each in await drain(buffer)]
        assert set(numbers) <= set(stored)
        assert sum(gap.rows for gap in buffer.gaps()) == rows_of([k for k in stored if k not in numbers])


@pytest.mark.fault("A4")
async def test_a_segment_that_is_damaged_again_behind_its_repair_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What proves itself to the repair and not to a reader would be repaired for ever."""
    stored = list(range(1, 400))
    await make_store(tmp_path / "store", stored, segment_bytes=32 * 1024)
    first = min((tmp_path / "store").glob("*.segment"))

    def damage(path: Path) -> None:
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE batches SET crc = crc + 1 WHERE seq = (SELECT min(seq) FROM batches)")

    def in_vain(path: Path, epochs: Sequence[Epoch], last_seq: int) -> Segment | None:
        left = salvage(path, epochs, last_seq)
        damage(path)
        return left

    monkeypatch.setattr("gateway.buffer.shelf.salvage", in_vain)
    async with asyncio.timeout(20), opened(tmp_path / "store") as buffer:
        damage(first)
        numbers = [number_of(each) for each in await drain(buffer)]
        lost = [k for k in stored if k not in numbers]
        assert lost == list(range(1, len(lost) + 1))
        assert sum(gap.batches for gap in buffer.gaps()) == len(lost)
    assert len(list((tmp_path / "store").glob(f"{first.name}*.bad"))) == 2
