"""What was missed between two sessions, tag by tag, and what a history makes of it; columns only.

    last value told before ── missed ── first value told after

Where the history has the value at an end, or one beyond it, nothing is missing there; where it has not, a row
Bad_DataLost says from when on nothing is known. Nothing is ever made up. A tag whose first value is the last
one told has missed nothing.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from connectors.batch import Batch, Columns
from connectors.quality import BAD, BAD_DATA_LOST, has_overflowed

_BOUND_NOT_FOUND: Final = np.uint32(0x80D7_0000)
_OVERFLOWS: Final = 4
"""Of a tag, on average."""
_GROWTH: Final = 1024


@dataclass(slots=True)
class Window:
    """What was missed of one tag: after one value, before another, times of the source, ns UTC."""

    tag: int
    after: int
    before: int
    value: Any
    """What it was then."""
    dtype: "np.dtype[Any]"
    heard: int
    """Until when it is known that nothing else was told."""
    read: int = 0
    """Time of the newest value the history gave, 0 before the first."""
    point: bytes | None = None
    """Where the history goes on, in the session that asked."""
    unanswered: int = 0
    """How many requests for it brought no answer."""


@dataclass(slots=True)
class Past:
    """What is known of the time before a session."""

    times: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """When the newest row of each tag was true, by tag number; 0 is never."""
    heard: int = 0
    """When the server was heard last, by its clock, ns UTC."""
    windows: deque[Window] = field(default_factory=deque)
    """What waits to be filled."""


class Gaps:
    """Finds what was missed, from what is told at the beginning of a session."""

    def __init__(self, past: Past, *, is_resumed: bool) -> None:
        """Of a resumed session only what overflowed the server's queues can have been missed."""
        self._past = past
        self._after = past.times.copy()
        self._heard = past.heard
        self._waiting = (self._after > 0) & (not is_resumed)
        self._left = int(np.count_nonzero(self._waiting))
        self._overflows = _OVERFLOWS * len(self._after) if is_resumed else 0
        """How many more are taken for what the cut did; some queues overflow all the time."""

    def hear(self, time: int) -> None:
        """Learn when the server sent a message, by its clock, ns UTC."""
        self._past.heard = max(time, self._past.heard)

    def see(self, batch: Batch, *, is_report: bool = False) -> None:
        """Look at what was told; the first value of a tag ends what was missed of it.

        A report, of what was read when a session was resumed, ends nothing: what the server has queued comes
        after it.
        """
        if is_report:
            return
        for part in batch.parts:
            missing = int(part.tag.max()) + 1 - len(self._past.times)
            if missing > 0:
                self._past.times = np.append(self._past.times, np.zeros(missing + _GROWTH, np.int64))
            if self._left:
                self._find(part)
            if self._overflows > 0:
                self._find_overflows(part)
            self._past.times[part.tag] = part.time

    def _find(self, part: Columns) -> None:
        tag = np.minimum(part.tag, len(self._waiting) - 1)
        mine = self._waiting[tag] & (tag == part.tag) & (part.quality < np.uint32(BAD))
        if not mine.any():
            return
        found = part.where(mine)
        tags, first = np.unique(found.tag, return_index=True)
        found = found.take(first)
        self._waiting[tags] = False
        self._left -= len(tags)
        self._note(found, self._after[tags])

    def _find_overflows(self, part: Columns) -> None:
        """Note what was lost before each row with the overflow bit: since the row before of its tag."""
        if not has_overflowed(part.quality).any():
            return
        rows = part.take(np.argsort(part.tag, kind="stable"))
        before = self._past.times[rows.tag]
        again = np.flatnonzero(rows.tag[1:] == rows.tag[:-1]) + 1
        before[again] = rows.time[again - 1]
        lost = has_overflowed(rows.quality)
        lost &= before > 0
        self._overflows -= int(np.count_nonzero(lost))
        self._note(rows.where(lost), before[lost])

    def _note(self, ends: Columns, after: NDArray[np.int64]) -> None:
        missed = ends.time > after
        ends = ends.where(missed)
        self._past.windows += [
            Window(number, begin, end, value, ends.value.dtype, self._heard)
            for number, begin, end, value in zip(
                ends.tag.tolist(),
                after[missed].tolist(),
                ends.time.tolist(),
                ends.value.tolist(),
                strict=True,
            )
        ]


def filled(window: Window, told: Columns, *, is_last: bool) -> tuple[Columns, int]:
    """Return what is new to us of what a history told of a tag, in time's order, and how many gaps are in it.

    While the history has more to tell, what follows counts as lost: nobody knows whether it will be told.
    """
    told = told.where(told.quality != _BOUND_NOT_FOUND)
    known = told.where(told.quality < np.uint32(BAD))
    rows = told.where((told.time > max(window.after, window.read)) & (told.time < window.before))
    pieces = [rows]
    is_joined = window.read > 0 or bool((known.time <= window.after).any())
    is_whole = bool((known.time >= window.before).any()) or (
        len(known) > 0 and bool(known.value[-1] == window.value)
    )
    begin = min(max(window.after + 1, window.heard), window.before - 1)
    if not is_joined:
        pieces.insert(0, _lost(told, window.tag, min(begin, int(rows.time[0]) - 1) if len(rows) else begin))
    window.read = int(rows.time[-1]) if len(rows) else window.read
    if len(rows) and not (is_last and is_whole) and window.read + 1 < window.before:
        pieces.append(_lost(told, window.tag, window.read + 1))
    elif not len(rows) and is_joined and not is_whole and window.read == 0:
        pieces.append(_lost(told, window.tag, begin))
    return _joined(pieces), len(pieces) - 1


def _lost(like: Columns, tag: int, time: int) -> Columns:
    value = np.zeros(1, like.value.dtype)
    if value.dtype == object:
        value[:] = ""
    return Columns(
        np.array([tag], np.int32), np.array([time], np.int64), value, np.array([BAD_DATA_LOST], np.uint32)
    )


def _joined(pieces: list[Columns]) -> Columns:
    return Columns(
        np.concatenate([each.tag for each in pieces]),
        np.concatenate([each.time for each in pieces]),
        np.concatenate([each.value for each in pieces]),
        np.concatenate([each.quality for each in pieces]),
    )
