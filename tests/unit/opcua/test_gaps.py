"""What was missed is found once, and a history fills it: never twice, never made up, what is lost is said."""

from typing import Any

import numpy as np
import pytest

from connectors import Batch, Columns
from connectors.opcua.gaps import Gaps, Past, Window, filled
from connectors.quality import BAD_DATA_LOST, BAD_NODE_ID_UNKNOWN, GOOD

OVERFLOW, BOUND_NOT_FOUND = 0x480, 0x80D70000


def columns(*rows: tuple[int, int, float], quality: int = GOOD) -> Columns:
    tag, time, value = zip(*rows, strict=True) if rows else ((), (), ())
    return Columns(
        np.array(tag, np.int32),
        np.array(time, np.int64),
        np.array(value, np.float64),
        np.full(len(tag), quality, np.uint32),
    )


def past(*, heard: int = 150, **times: int) -> Past:
    told = np.zeros(10, np.int64)
    for name, time in times.items():
        told[int(name[1:])] = time
    return Past(told, heard)


def told(window: Window, *pieces: Columns, is_last: bool = True) -> list[tuple[int, Any]]:
    """Return (time, value) of what is stored, None for a gap."""
    all_of = columns() if not pieces else _joined(*pieces)
    rows, gaps = filled(window, all_of, is_last=is_last)
    assert (np.diff(rows.time) > 0).all(), "in time's order, nothing twice"
    lost = rows.quality == BAD_DATA_LOST
    assert gaps == lost.sum()
    return [
        (time, None if is_lost else value)
        for time, value, is_lost in zip(rows.time.tolist(), rows.value.tolist(), lost.tolist(), strict=True)
    ]


def _joined(*pieces: Columns) -> Columns:
    return Columns(
        *(
            np.concatenate([getattr(each, name) for each in pieces])
            for name in ("tag", "time", "value", "quality")
        )
    )


def window(**more: Any) -> Window:
    return Window(
        **{"tag": 1, "after": 100, "before": 200, "value": 9.0, "dtype": np.dtype(np.float64), "heard": 150}
        | more
    )


def test_the_first_value_of_a_tag_ends_what_was_missed_of_it_and_no_later_one() -> None:
    known = past(t1=100, t2=100, t3=0)
    gaps = Gaps(known, is_resumed=False)
    gaps.see(Batch((columns((1, 200, 9.0), (1, 210, 9.5), (2, 100, 1.0), (3, 205, 2.0), (11, 205, 2.0)),), 0))
    gaps.see(Batch((columns((1, 220, 9.9), (2, 230, 1.1)),), 0))
    assert [(each.tag, each.after, each.before) for each in known.windows] == [(1, 100, 200)]
    assert (known.times[[1, 2, 11]] == [220, 230, 205]).all()


def test_a_bad_row_ends_nothing() -> None:
    known = past(t1=100)
    gaps = Gaps(known, is_resumed=False)
    gaps.see(Batch((columns((1, 190, 0.0), quality=BAD_NODE_ID_UNKNOWN),), 0))
    gaps.see(Batch((columns((1, 200, 9.0)),), 0))
    assert [(each.after, each.before) for each in known.windows] == [(100, 200)]


def test_of_a_resumed_session_only_what_overflowed_was_missed() -> None:
    known = past(t1=100, t2=100)
    gaps = Gaps(known, is_resumed=True)
    gaps.see(Batch((columns((1, 300, 9.0), (2, 300, 9.0)),), 0), is_report=True)
    gaps.see(Batch((columns((1, 200, 9.0)),), 0))
    gaps.see(Batch((columns((2, 200, 9.0), quality=OVERFLOW),), 0))
    assert [each.tag for each in known.windows] == [2]


def test_a_history_that_has_both_ends_fills_the_gap() -> None:
    history = columns((1, 100, 1.0), (1, 120, 2.0), (1, 180, 3.0), (1, 200, 9.0))
    assert told(window(), history) == [(120, 2.0), (180, 3.0)]


@pytest.mark.parametrize(
    ("history", "stored"),
    [
        ([], [(150, None)]),
        ([(1, 100, 1.0), (1, 200, 9.0)], []),
        ([(1, 100, 1.0)], [(150, None)]),
        ([(1, 160, 2.0), (1, 200, 9.0)], [(150, None), (160, 2.0)]),
        ([(1, 120, 2.0), (1, 200, 9.0)], [(119, None), (120, 2.0)]),
        ([(1, 100, 1.0), (1, 160, 2.0)], [(160, 2.0), (161, None)]),
        ([(1, 160, 2.0)], [(150, None), (160, 2.0), (161, None)]),
        ([(1, 90, 1.0), (1, 160, 9.0)], [(160, 9.0)]),
    ],
    ids=[
        "nothing is known",
        "nothing changed",
        "the history ends before",
        "it begins later",
        "it begins later but before the server was heard last",
        "it ends early",
        "it has the middle",
        "the bound before and the same value as told since: a polled tag",
    ],
)
def test_what_a_history_does_not_have_is_a_gap(history: list[Any], stored: list[Any]) -> None:
    assert told(window(), columns(*history)) == stored


def test_a_bound_that_was_not_found_is_no_value() -> None:
    missing = columns((1, 100, 0.0), quality=BOUND_NOT_FOUND)
    late = columns((1, 200, 0.0), quality=BOUND_NOT_FOUND)
    assert told(window(), missing, columns((1, 160, 2.0)), late) == [(150, None), (160, 2.0), (161, None)]


def test_a_history_told_in_pieces_leaves_no_false_calm_behind_a_piece() -> None:
    """Should the rest never come, what follows the first piece is not known."""
    it = window()
    first = columns((1, 100, 1.0), (1, 120, 2.0))
    assert told(it, first, is_last=False) == [(120, 2.0), (121, None)]
    assert told(it, columns((1, 120, 2.0), (1, 150, 3.0), (1, 200, 9.0))) == [(150, 3.0)]


def test_a_gap_never_lies_outside_its_window() -> None:
    assert told(window(heard=5_000)) == [(199, None)]
    assert told(window(heard=0)) == [(101, None)]
