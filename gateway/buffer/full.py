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
from gateway.buffer.reader import NO_COUNTS, Counts, Damaged, SegmentReader
from gateway.buffer.records import SavedCursor
from gateway.buffer.segment import SUFFIX
from gateway.ledger import Gap
from gateway.sqlite import files_of, is_full

log = logging.getLogger(__name__)


class DiskFull(StoreFailed):
    """Putting the files in order takes room there is not; nothing is wrong with them."""


@dataclass(frozen=True, slots=True)
class Freed:
    """A segment that was deleted; its batches, empty when they could not be counted."""

    first_seq: int
    counts: Counts


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


def gaps(freed: Sequence[Freed], cursors: Iterable[SavedCursor], now: int) -> list[Gap]:
    """Return the gaps of those segments some sink had not got; the books count them when it opens."""
    found = []
    waiting = [cursor for cursor in cursors if cursor.parked is None]
    for each in freed:
        counts = each.counts
        lost = {c.sink: int(counts.rows[_undelivered(counts.seqs, c)].sum()) for c in waiting}
        lost = {sink: rows for sink, rows in lost.items() if rows}
        if lost or not waiting or not len(counts.seqs):
            last = int(counts.seqs[-1]) if len(counts.seqs) else each.first_seq
            sizes = len(counts.seqs), int(counts.rows.sum())
            found.append(
                Gap(
                    *("disk_full", each.first_seq, last, *sizes, now, counts.start, counts.end),
                    sources=counts.by_source(),
                    sinks=lost,
                )
            )
    return found


def _undelivered(seqs: NDArray[np.int64], cursor: SavedCursor) -> NDArray[np.bool_]:
    open_: NDArray[np.bool_] = seqs >= cursor.head
    for start, stop in cursor.ranges:
        open_ |= (seqs >= start) & (seqs < stop)
    return open_


def _counted(path: Path, stop: int) -> Freed:
    try:
        reader = SegmentReader(path, sealed=not files_of(path)[1].exists())
    except (sqlite3.Error, Damaged):
        return Freed(int(path.stem), NO_COUNTS)
    try:
        counts = reader.counts()
    except (sqlite3.Error, Damaged):
        return Freed(int(path.stem), NO_COUNTS)
    finally:
        reader.close()
    return Freed(int(path.stem), counts.where(counts.seqs < stop))
