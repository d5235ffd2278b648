"""Report by exception: a change smaller than the deadband is not reported.

A tag may occur twice in one batch (an MQTT burst, an OPC UA queue), and then the second occurrence must be
compared with the first. Rows are therefore taken in turns in which every tag occurs once; the usual batch is
one turn. State is per session: what was reported before a reconnect is forgotten, so a session begins with a
full report.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from connectors import DTYPE_OF_PART, Columns, Stage, TagTable
from connectors.quality import is_bad
from gateway.pipeline.gather import PerColumn

_NEVER = np.uint32(0xFFFFFFFF)  # no StatusCode: a tag not reported yet


def turns(tag: NDArray[np.int32]) -> list[NDArray[np.intp]] | None:
    """Split rows into turns in which each tag occurs once, in order; None when that is already so."""
    order = np.argsort(tag, kind="stable")
    sorted_tag = tag[order]
    first = np.empty(len(tag), np.bool_)
    first[:1] = True
    np.not_equal(sorted_tag[1:], sorted_tag[:-1], out=first[1:])
    if first.all():
        return None
    starts = np.flatnonzero(first)
    turn = np.empty(len(tag), np.intp)
    turn[order] = np.arange(len(tag)) - np.repeat(starts, np.diff(np.append(starts, len(tag))))
    return [np.flatnonzero(turn == k) for k in range(turn.max() + 1)]


class _Reported:
    """What was last reported of each tag, for values of one dtype."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.value = np.zeros(0, dtype)
        self.time = np.zeros(0, np.int64)
        self.quality = np.zeros(0, np.uint32)

    def reach(self, size: int) -> None:
        """Make room for tag numbers below `size`."""
        missing = size - len(self.time)
        if missing > 0:
            self.value = np.append(self.value, np.zeros(missing, self.value.dtype))
            self.time = np.append(self.time, np.zeros(missing, np.int64))
            self.quality = np.append(self.quality, np.full(missing, _NEVER, np.uint32))


def deadband(tags: TagTable) -> Stage:
    """Return a stage that keeps the rows worth reporting.

    A row is kept when its tag has no deadband, was not reported in this session, changed quality, moved by
    more than the deadband (text: at all), or was last reported a heartbeat ago.
    """
    reported = {dtype: _Reported(dtype) for dtype in DTYPE_OF_PART.values()}
    is_wanted = PerColumn(tags, lambda tag: bool((~np.isnan(tags.deadband[tag])).any()))
    in_turns = PerColumn(tags, turns)

    def one_turn(columns: Columns) -> NDArray[np.bool_]:
        tag, last = columns.tag, reported[columns.value.dtype]
        band, heartbeat = tags.deadband[tag], tags.heartbeat[tag]
        keep: NDArray[np.bool_] = np.isnan(band) | (columns.quality != last.quality[tag])
        # A clock set back begins a new heartbeat: else nothing would beat until the old time is reached.
        silence = columns.time - last.time[tag]
        keep |= (heartbeat > 0) & ((silence >= heartbeat) | (silence < 0))
        moved = _moved(tags.sortable(columns), tags.sortable(columns, last.value[tag]), band)
        keep |= moved & ~is_bad(columns.quality)
        kept = tag[keep]
        # Not value[kept] = …: see LiveValues.
        last.value.put(kept, columns.value[keep])
        last.time.put(kept, columns.time[keep])
        last.quality.put(kept, columns.quality[keep])
        return keep

    def stage(columns: Columns) -> Columns:
        if not is_wanted(columns.tag):
            return columns
        reported[columns.value.dtype].reach(len(tags))
        keep = np.empty(len(columns), np.bool_)
        for rows in _rows_of(in_turns(columns.tag)):
            keep[rows] = one_turn(columns if rows is ... else columns.take(rows))
        return columns.where(keep)

    return stage


def _rows_of(split: list[NDArray[np.intp]] | None) -> Iterator[Any]:
    yield from (...,) if split is None else split


def _moved(value: NDArray[Any], last: NDArray[Any], band: NDArray[np.float64]) -> NDArray[np.bool_]:
    if value.dtype == object:
        return np.asarray(value != last, np.bool_)
    if value.dtype == np.int64:
        # The distance of two int64 needs 64 bits without sign; in float64 a change of 1 could vanish.
        high, low = np.maximum(value, last), np.minimum(value, last)
        return np.asarray((high.view(np.uint64) - low.view(np.uint64)) > np.nan_to_num(band, nan=0.0))
    return np.asarray(np.abs(value - last) > band)
