"""A start on a full disk: the oldest segments go, as they would while it runs, counted and recorded."""

import errno
import logging
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gateway.buffer.contract import StoreFailed
from gateway.buffer.reader import Damaged, SegmentReader
from gateway.buffer.segment import SUFFIX
from gateway.buffer.state import Changes, Gap, SavedCursor
from gateway.sqlite import files_of, is_full

log = logging.getLogger(__name__)


class DiskFull(StoreFailed):
    """Putting the files in order takes room there is not; nothing is wrong with them."""


@dataclass(frozen=True, slots=True)
class Freed:
    """A segment that was deleted; its batches, empty when they could not be counted."""

    first_seq: int
    seqs: NDArray[np.int64]
    rows: NDArray[np.int64]
    start: int
    """Arrival of the first and the last batch, ns UTC."""
    end: int


def wants_room(error: BaseException) -> bool:
    """Tell whether an error says that the disk is full."""
    if isinstance(error, sqlite3.Error):
        no_room_for_index = getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_IOERR_SHMSIZE
        return is_full(error) or no_room_for_index
    return isinstance(error, OSError) and error.errno == errno.ENOSPC


def free_oldest(directory: Path) -> Freed | None:
    """Delete the oldest segment; None when there is but the newest, which proves where the log ends."""
    paths = sorted(path for path in directory.glob(f"*{SUFFIX}") if path.stem.isdigit())
    if len(paths) < 2:
        return None
    freed = _counted(paths[0], int(paths[1].stem))
    for each in files_of(paths[0]):
        each.unlink(missing_ok=True)
    log.error("disk full at the start, oldest data dropped", extra={"file": paths[0].name})
    return freed


def losses(freed: Sequence[Freed], cursors: Iterable[SavedCursor], now: int) -> Changes:
    """Return what each sink lost with the segments, and the gaps."""
    drops, gaps = [], []
    waiting = [cursor for cursor in cursors if cursor.parked is None]
    for each in freed:
        lost = {cursor.sink: int(each.rows[_undelivered(each.seqs, cursor)].sum()) for cursor in waiting}
        drops += [(sink, "disk_full", rows) for sink, rows in lost.items() if rows]
        if any(lost.values()) or not waiting or not len(each.seqs):
            last = int(each.seqs[-1]) if len(each.seqs) else each.first_seq
            counted = len(each.seqs), int(each.rows.sum())
            gaps.append(Gap("disk_full", each.first_seq, last, *counted, now, each.start, each.end))
    return Changes(drops=drops, gaps=gaps)


def _undelivered(seqs: NDArray[np.int64], cursor: SavedCursor) -> NDArray[np.bool_]:
    open_: NDArray[np.bool_] = seqs >= cursor.head
    for start, stop in cursor.ranges:
        open_ |= (seqs >= start) & (seqs < stop)
    return open_


def _counted(path: Path, stop: int) -> Freed:
    nothing = np.zeros(0, np.int64)
    try:
        reader = SegmentReader(path, sealed=not files_of(path)[1].exists())
    except (sqlite3.Error, Damaged):
        return Freed(int(path.stem), nothing, nothing, 0, 0)
    try:
        seqs, rows, start, end = reader.counts()
    except sqlite3.Error:
        return Freed(int(path.stem), nothing, nothing, 0, 0)
    finally:
        reader.close()
    return Freed(int(path.stem), seqs[seqs < stop], rows[seqs < stop], start, end)
