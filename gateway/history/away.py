"""Putting away: fresh rows of some shelves into the days they belong to, and their minutes into the weeks.

Each file is written in one transaction with its own mark of how far it is, so a step that is cut anywhere is
done again without doubling. In a file a shelf's rows lie in pieces; new rows take the newest pieces up with
them as long as those are not more than twice as many, so there are few pieces and each row is rewritten a few
times at most.
"""

import logging
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from connectors import Clock, Kind, TagTable
from gateway.history.buckets import MINUTE_NS, Buckets, buckets_of, joined
from gateway.history.codec import Undecodable, shelf_of
from gateway.history.files import (
    LAYERS,
    PERIOD_NS,
    PERIOD_SCHEMA,
    Booked,
    Layer,
    is_damage,
    listed,
    mark_from_text,
    mark_to_text,
    open_checked,
    path_of,
    put_aside,
)
from gateway.history.frames import COLUMNS, Frame, framed
from gateway.sqlite import checkpoint, transaction

log = logging.getLogger(__name__)
_LEVEL: Final = 6
_MOST_ROWS: Final[dict[Layer, int]] = {"raw": 8_192, "minute": 16_384}
"""A piece of a shelf that has grown so large is left as it is."""
_MOST_OPEN: Final = 6


class PutAwayFailed(Exception):
    """A period's file could not be written; the rows are still in the head."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Fresh rows in booking order; all (n,)."""

    tag: NDArray[np.int32]
    time: NDArray[np.int64]
    value: NDArray[Any]
    quality: NDArray[np.int64]
    block: NDArray[np.int64]
    """Which booking each came with."""

    def where(self, keep: NDArray[np.bool_]) -> "Rows":
        """Return the rows for which `keep` is true."""
        return Rows(*(getattr(self, name)[keep] for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class Load:
    """What a step puts away."""

    sort: int
    rows: Rows | None
    lost: Sequence[tuple[int, int, int]]
    """Damaged frames: shelf, first, last."""
    marks: dict[int, int]
    """Each shelf's last block."""
    booked: Booked


class Away:
    """The period files that are open for writing."""

    def __init__(self, directory: Path, tags: TagTable, clock: Clock, cutoff: Callable[[Layer], int]) -> None:
        self._directory = directory
        self._tags = tags
        self._clock = clock
        self._cutoff = cutoff
        self._files: dict[tuple[Layer, int], sqlite3.Connection] = {}

    def move(self, head: sqlite3.Connection, sort: int, shelves: Sequence[int], booked: Booked) -> int:
        """Put away what these shelves have in the head; return the rows it held."""
        wanted = f"FROM fresh WHERE sort = {sort} AND shelf IN ({listed(shelves)})"
        stored = head.execute(f"SELECT block, {COLUMNS} {wanted} ORDER BY shelf, block").fetchall()
        if not stored:
            return 0
        fresh = [(block, Frame(*rest)) for block, *rest in stored]
        rows, lost = _read(fresh)
        load = Load(sort, rows, lost, {frame.shelf: block for block, frame in fresh}, booked)
        for layer in LAYERS:
            self._put(layer, load)
        with transaction(head):
            head.execute(f"DELETE {wanted}")
        return sum(frame.rows for _, frame in fresh)

    def forget(self, layer: Layer, start: int) -> None:
        """Close a period's file."""
        connection = self._files.pop((layer, start), None)
        if connection is not None:
            connection.close()

    def close(self) -> None:
        """Close all, with nothing left beside them."""
        for connection in self._files.values():
            _close(connection)
        self._files.clear()

    def tell_hole(self, layer: Layer, start: int, first: int, last: int) -> None:
        """Record in a period that something between two instants is missing, of every tag."""
        width = PERIOD_NS[layer]

        def write(file: sqlite3.Connection) -> None:
            with transaction(file):
                hole = (None, max(first, start), min(last, start + width - 1))
                file.execute("INSERT INTO holes VALUES (?, ?, ?)", hole)

        self._write(layer, start, write)

    def _put(self, layer: Layer, load: Load) -> None:
        width = PERIOD_NS[layer]
        begins = {first // width * width for _, first, _ in load.lost}
        start_of = np.zeros(0, np.int64)
        if load.rows is not None:
            start_of = load.rows.time // width * width
            begins |= set(np.unique(start_of).tolist())
        for start in sorted(begins):
            if start + width > self._cutoff(layer):
                rows = None if load.rows is None else load.rows.where(start_of == start)
                lost = [hole for hole in load.lost if hole[1] // width * width == start]
                mine = replace(load, rows=rows, lost=lost)
                self._write(layer, start, partial(self._put_into, layer=layer, load=mine))

    def _write(self, layer: Layer, start: int, write: Callable[[sqlite3.Connection], None]) -> None:
        """Run a write on a period's file; once more, on a new one, when the file is damaged."""
        path = path_of(self._directory, layer, start)
        try:
            try:
                write(self._file(layer, start))
            except sqlite3.DatabaseError as exc:
                self.forget(layer, start)
                if not is_damage(exc):
                    raise
                put_aside(path, str(exc))
                file = self._file(layer, start)
                self._begin_with_hole(file, layer, start)
                write(file)
        except sqlite3.DatabaseError as exc:
            self.forget(layer, start)
            raise PutAwayFailed(f"{path.name}: {exc}") from exc

    def _put_into(self, file: sqlite3.Connection, layer: Layer, load: Load) -> None:
        shelves = np.array(sorted(load.marks))
        with transaction(file):
            marks = file.execute(
                "SELECT shelf, mark FROM moved"  # noqa: S608  numbers
                f" WHERE sort = {load.sort} AND shelf IN ({listed(load.marks)})"
            )
            moved = {shelf: mark_from_text(text)[0] for shelf, text in marks}
            file.executemany("INSERT INTO holes VALUES (?, ?, ?)", load.lost)
            touched: set[int] = {shelf for shelf, _, _ in load.lost}
            if load.rows is not None:
                done = np.array([moved.get(shelf, -1) for shelf in shelves.tolist()], np.int64)
                shelf = shelf_of(load.rows.tag)
                rows = load.rows.where(load.rows.block > done[np.searchsorted(shelves, shelf)])
                if len(rows.tag):
                    touched |= set(np.unique(shelf_of(rows.tag)).tolist())
                    self._merge_in(file, layer, load.sort, rows)
            file.executemany(
                "INSERT OR REPLACE INTO moved VALUES (?, ?, ?)",
                [
                    (shelf, load.sort, mark_to_text(load.marks[shelf], load.booked))
                    for shelf in sorted(touched)
                ],
            )

    def _merge_in(self, file: sqlite3.Connection, layer: Layer, sort: int, rows: Rows) -> None:
        new: list[NDArray[Any]] = [rows.tag, rows.time, rows.value, rows.quality]
        if layer == "minute":
            unsigned = self._unsigned(rows.tag)
            new = buckets_of(rows.tag, rows.time, rows.value, rows.quality, unsigned).columns()
        columns, replaced = self._with_newest(file, layer, sort, new)
        if layer == "minute":
            buckets = joined(Buckets(*columns), self._unsigned(columns[0]))
            columns = buckets.columns()
            first, last = buckets.slot * MINUTE_NS, (buckets.slot + 1) * MINUTE_NS - 1
        else:
            order = np.lexsort((columns[1], columns[0]))
            columns = [column[order] for column in columns]
            first = last = columns[1]
        frames = framed(sort, columns[0], columns[1:], first, last, level=_LEVEL)
        file.executemany("DELETE FROM pieces WHERE id = ?", [(each,) for each in replaced])
        file.executemany(
            f"INSERT INTO pieces ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608  our own names
            frames,
        )

    def _with_newest(
        self, file: sqlite3.Connection, layer: Layer, sort: int, new: list[NDArray[Any]]
    ) -> tuple[list[NDArray[Any]], list[int]]:
        """Return the new rows behind those of the pieces they take up, and the pieces' ids."""
        shelves, counts = np.unique(shelf_of(new[0]), return_counts=True)
        taken: list[list[NDArray[Any]]] = []
        replaced: list[int] = []
        for shelf, count in zip(shelves.tolist(), counts.tolist(), strict=True):
            gathered = count
            mine = []
            for number, *rest in file.execute(
                f"SELECT id, {COLUMNS} FROM pieces WHERE shelf = ? AND sort = ? ORDER BY id DESC",  # noqa: S608
                (shelf, sort),
            ):
                piece = Frame(*rest)
                if piece.rows > 2 * gathered or piece.rows + gathered > _MOST_ROWS[layer]:
                    break
                try:
                    tag, columns = piece.unpacked()
                except Undecodable:
                    break  # left where it is: the reader tells that it is lost
                gathered += piece.rows
                mine.append([tag, *columns])
                replaced.append(number)
            taken += reversed(mine)
        everything = [*taken, new]
        return [np.concatenate(column) for column in zip(*everything, strict=True)], replaced

    def _unsigned(self, tag: NDArray[np.int32]) -> NDArray[np.bool_]:
        unsigned: NDArray[np.bool_] = self._tags.kind[tag] == Kind.UINT64
        return unsigned

    def _file(self, layer: Layer, start: int) -> sqlite3.Connection:
        file = self._files.pop((layer, start), None)
        if file is None:
            file, was_damaged = open_checked(path_of(self._directory, layer, start), PERIOD_SCHEMA)
            if was_damaged:
                self._begin_with_hole(file, layer, start)
            while len(self._files) >= _MOST_OPEN:
                _close(self._files.pop(next(iter(self._files))))
        self._files[layer, start] = file
        return file

    def _begin_with_hole(self, file: sqlite3.Connection, layer: Layer, start: int) -> None:
        last = min(self._clock.now(), start + PERIOD_NS[layer] - 1)
        with transaction(file):
            file.execute("INSERT INTO holes VALUES (NULL, ?, ?)", (start, last))


def _read(fresh: Sequence[tuple[int, Frame]]) -> tuple[Rows | None, list[tuple[int, int, int]]]:
    """Return the rows, and (shelf, first, last) of frames that are damaged."""
    parts, lost = [], []
    for block, frame in fresh:
        try:
            tag, columns = frame.unpacked()
        except Undecodable as exc:
            log.error(  # noqa: TRY400  the reason is enough
                "rows of history are damaged and are missing from the trends",
                extra={"code": "E-HI-0002", "rows": frame.rows, "reason": str(exc)},
            )
            lost.append((frame.shelf, frame.first, frame.last))
            continue
        parts.append((tag, *columns, np.full(len(tag), block, np.int64)))
    if not parts:
        return None, lost
    return Rows(*(np.concatenate(column) for column in zip(*parts, strict=True))), lost


def _close(connection: sqlite3.Connection) -> None:
    try:
        checkpoint(connection, truncate=True)
    except sqlite3.Error as exc:
        log.debug("a period of history was closed with a log beside it", extra={"reason": str(exc)})
    connection.close()
