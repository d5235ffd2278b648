"""Which shelves are put away next, and how many at once: memory and the head stay small."""

from pathlib import Path

from gateway.history.frames import Frame
from gateway.history.waiting import MOST_BLOCKS, Waiting
from tests.conftest import FakeClock
from tests.unit.history.lab import NOW, SECOND, delivery, opened, table


def frame(shelf: int, rows: int, sort: int = 0) -> Frame:
    return Frame(shelf, sort, 0, 0, rows, 0, b"")


def test_a_step_has_so_many_shelves_or_rows_and_the_fullest_come_first() -> None:
    waiting = Waiting()
    for shelf in range(100):
        waiting.add([frame(shelf, 20_000)] * (2 if shelf == 77 else 1))
    waiting.add([frame(shelf, 1, sort=2) for shelf in range(130)])
    steps = list(waiting.steps(1))
    large = [step.shelves for step in steps if step.sort == 0]
    assert large[0] == [77]
    assert all(len(shelves) == 2 for shelves in large[1:-1])
    assert sorted(each for shelves in large for each in shelves) == list(range(100))
    assert [len(step.shelves) for step in steps if step.sort == 2] == [64, 64, 2]
    waiting.remove(steps[0])
    assert [step.shelves for step in waiting.steps(2)] == []


def test_a_shelf_that_has_gathered_too_much_is_put_away_whatever_time_it_takes(tmp_path: Path) -> None:
    tags, clock = table(), FakeClock(NOW)
    with opened(tmp_path, tags, clock) as store:
        most = 0
        for seq in range(1, 3 * MOST_BLOCKS):
            booked = delivery(tags, seq, [(0, NOW + seq * SECOND, float(seq), 0)], at=NOW)
            store.book([booked], booked)
            store.put_away(0.0)
            most = max(most, store.fresh_rows)
    assert most == MOST_BLOCKS - 1
