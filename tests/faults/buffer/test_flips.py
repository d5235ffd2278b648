"""A4: one bit flips in any file of a store that was killed; nothing wrong is delivered, no number returns."""

import random
import shutil
from itertools import count
from pathlib import Path

import pytest

from connectors import Order
from tests.faults.buffer.lab import SCALE, T0, copy, drain, fill, flip, number_of, opened, read_independently
from tests.faults.buffer.test_kill import run_and_kill

FLIPS = max(30, round(400 * SCALE))


def killed_store(folder: Path) -> Path:
    """Return a store with sealed segments, an active one with its WAL, and the state with its own."""
    for attempt in count():
        store = folder / str(attempt) / "store"
        lines = run_and_kill(store, 1, 0.4, None, "slow")
        if any(store.glob("*.segment-wal")) and sum(line.startswith("accepted") for line in lines) > 50:
            return store
    raise AssertionError


@pytest.mark.fault("A4")
@pytest.mark.timeout(1800)
async def test_a_bit_that_flips_anywhere_in_a_killed_store_tells_nothing_wrong_and_no_number_twice(
    tmp_path: Path, record_measure
) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    store = killed_store(tmp_path)
    whole = read_independently(copy(store, tmp_path / "copy"))
    names = [path.name for path in sorted(store.iterdir()) if path.stat().st_size and path.suffix != ".lock"]
    assert {name.partition(".")[2] for name in names} >= {"segment", "segment-wal", "sqlite", "sqlite-wal"}
    lost = told = 0
    for k in range(FLIPS):
        damaged = copy(store, tmp_path / "copy")
        path = damaged / names[k % len(names)]
        print("flipped", path.name, flip(path, chance))
        async with opened(damaged) as buffer:
            buffer.cursor("slow", Order.STRICT)
            taken = {(str(each.epoch), each.seq): number_of(each) for each in await drain(buffer)}
            assert taken.items() <= whole.items()
            gone = [number for key, number in whole.items() if key not in taken]
            # A log's end that is cut off is in the gap told after a start: it begins at the newest arrival.
            hit = [number for number in gone if T0 + number <= (buffer.last_arrived("src") or 0)]
            gaps = buffer.gaps()
            assert gaps or not hit, "what was lost is told"
            counted = sum(gap.batches for gap in gaps)
            # The state is saved once a second: of what came since then it has no numbers to count by.
            assert counted <= len(hit)
            lost, told = max(lost, len(gone)), told + bool(hit)
            cursor = buffer.cursor("later", Order.STRICT)
            buffer.ready()
            await fill(buffer, [10_000])
            (new,) = await cursor.next(10_000)
            assert (str(new.epoch), new.seq) not in whole
            assert number_of(new) == 10_000
        shutil.rmtree(damaged)
    record_measure(
        f"{FLIPS} bits flipped in {len(names)} files of a killed store, state and WALs among them: no wrong "
        f"batch, no number twice, at most {lost} of {len(whole)} batches gone, each time told as a gap: "
        f"{told} times as damage, else as the time without a gateway"
    )
