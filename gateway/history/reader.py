"""Reading trends, beside the gateway that writes them and from any process.

The head is read first and the files of the periods after it: what moves from the one to the others meanwhile
is then seen twice, never not at all, and each file's mark tells which blocks of the head it already has.

Where something was lost a Bad row is told (Bad_DataLost), so that no line is drawn across it.
"""

import asyncio
import logging
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from connectors import DTYPE_OF_PART, PART_OF_KIND, Columns, Kind, Tag
from connectors.quality import BAD_DATA_LOST
from gateway.buffer.codec import tag_from_json
from gateway.history.buckets import MINUTE_NS, Buckets, buckets_of, concatenated, joined
from gateway.history.codec import SHELF_BITS, Undecodable
from gateway.history.files import (
    HEAD,
    HEAD_SCHEMA,
    PERIOD_NS,
    PERIOD_SCHEMA,
    Layer,
    listed,
    mark_from_text,
    open_for_reading,
    periods,
)
from gateway.history.frames import COLUMNS, Frame
from gateway.history.trend import Trend, trend_of_minutes, trend_of_rows
from gateway.sqlite import NewerFormat

log = logging.getLogger(__name__)
_UNREADABLE: Final = (sqlite3.Error, NewerFormat, OSError, ValueError)


class Reader:
    """Implements `connectors.HistoryReader`; opens its files for each call and holds nothing."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def read(self, tag: int, start: int, end: int) -> Columns:
        """Return the rows of one tag with start ≤ time < end, in time order; of equal times as they came."""
        return await asyncio.to_thread(self.read_now, tag, start, end)

    async def trend(self, tags: Sequence[int], start: int, end: int, points: int) -> list[Trend]:
        """Return about `points` rows per tag: stored rows where they are few, else buckets of equal width.

        A width below a minute is taken from the raw values while they are kept; any other from the minutes,
        and is a multiple of one.
        """
        return await asyncio.to_thread(self.trend_now, tags, start, end, points)

    def tags(self) -> dict[int, Tag]:
        """Return every tag the history has rows of, by number; blocks."""
        try:
            head = open_for_reading(self._directory / HEAD, HEAD_SCHEMA)
        except _UNREADABLE:
            return {}
        try:
            return {n: tag_from_json(record) for n, record in head.execute("SELECT number, record FROM tags")}
        finally:
            head.close()

    def read_now(self, tag: int, start: int, end: int) -> Columns:
        """Return what `read` returns; blocks."""
        return _Query(self._directory, [tag], start, end).rows()[tag]

    def trend_now(self, tags: Sequence[int], start: int, end: int, points: int) -> list[Trend]:
        """Return what `trend` returns; blocks."""
        if start >= end or points < 1:
            raise ValueError("a trend needs a stretch of time and at least one point")
        width = -(-(end - start) // points)
        if width < MINUTE_NS and self._has_raw(start):
            query = _Query(self._directory, tags, start, end)
            rows = query.rows()
            return [trend_of_rows(n, rows[n], points, width, unsigned=query.is_unsigned(n)) for n in tags]
        width = -(-width // MINUTE_NS) * MINUTE_NS
        query = _Query(self._directory, tags, start // width * width, -(-end // width) * width)
        minutes = query.minutes()
        return [trend_of_minutes(n, minutes[n], width, unsigned=query.is_unsigned(n)) for n in tags]

    def _has_raw(self, start: int) -> bool:
        """Tell whether raw values reach back to `start`, or as far as the minutes do."""
        raw, minute = periods(self._directory, "raw"), periods(self._directory, "minute")
        return not minute or (bool(raw) and raw[0][0] <= max(start, minute[0][0]))


@dataclass(slots=True)
class _Found:
    """What there is of one tag."""

    parts: list[list[NDArray[Any]]] = field(default_factory=list)
    """Columns without the tag, in booking order."""
    lost: list[int] = field(default_factory=list)
    """From when on something is missing, ns UTC."""


class _Query:
    """One question to all files."""

    def __init__(self, directory: Path, tags: Iterable[int], start: int, end: int) -> None:
        self._directory = directory
        self._found = {tag: _Found() for tag in tags}
        self._wanted: dict[int, list[int]] = defaultdict(list)
        for tag in self._found:
            self._wanted[tag >> SHELF_BITS].append(tag)
        self._start, self._end = start, end
        self._tags: dict[int, Tag] = {}
        self._moved: dict[tuple[int, int, int], int] = {}

    def is_unsigned(self, tag: int) -> bool:
        """Tell whether a tag's int64 is a UINT64's bits."""
        known = self._tags.get(tag)
        return known is not None and known.kind is Kind.UINT64

    def rows(self) -> dict[int, Columns]:
        """Return each tag's rows, in time order; of equal times in booking order."""
        self._gather("raw")
        result = {}
        for tag, found in self._found.items():
            lost = _lost(found.lost, self._dtype(tag))
            time, value, quality = (np.concatenate(each) for each in zip(*found.parts, lost, strict=True))
            inside = np.flatnonzero((time >= self._start) & (time < self._end))
            order = inside[np.argsort(time[inside], kind="stable")]
            number = np.full(len(order), tag, np.int32)
            result[tag] = Columns(number, time[order], value[order], quality[order].astype(np.uint32))
        return result

    def minutes(self) -> dict[int, Buckets]:
        """Return each tag's minutes, in time order."""
        self._gather("minute")
        result = {}
        for tag, found in self._found.items():
            found.parts.append(self._as_minutes(tag, _lost(found.lost, self._dtype(tag))))
            parts = [Buckets(np.full(len(part[0]), tag, np.int32), *part) for part in found.parts]
            everything = concatenated(parts)
            one = joined(everything, np.full(len(everything), self.is_unsigned(tag)))
            time = one.slot * MINUTE_NS
            result[tag] = one.where((time >= self._start) & (time < self._end))
        return result

    def _dtype(self, tag: int) -> np.dtype[Any]:
        known = self._tags.get(tag)
        return np.dtype(DTYPE_OF_PART[PART_OF_KIND[Kind.FLOAT64 if known is None else known.kind]])

    def _as_minutes(self, tag: int, rows: list[NDArray[Any]]) -> list[NDArray[Any]]:
        time, value, quality = rows
        n = len(time)
        unsigned = np.full(n, self.is_unsigned(tag))
        return buckets_of(np.full(n, tag, np.int32), time, value, quality, unsigned).columns()[1:]

    def _gather(self, layer: Layer) -> None:
        width = PERIOD_NS[layer]
        fresh = self._read_head()
        for start, path in periods(self._directory, layer):
            if start < self._end and start + width > self._start:
                try:
                    self._read_period(path, start)
                except _UNREADABLE as exc:
                    self._miss(path, start, exc)
        for block, *rest in fresh:
            frame = Frame(*rest)
            for tag in self._wanted[frame.shelf]:
                columns = self._unpacked(frame, tag)
                if columns is not None:
                    self._take_fresh(tag, frame, block, columns, layer)

    def _take_fresh(
        self, tag: int, frame: Frame, block: int, columns: list[NDArray[Any]], layer: Layer
    ) -> None:
        period = columns[0] // PERIOD_NS[layer] * PERIOD_NS[layer]
        for start in np.unique(period).tolist():
            if self._moved.get((start, frame.shelf, frame.sort), -1) < block:
                mine = [column[period == start] for column in columns]
                self._found[tag].parts.append(mine if layer == "raw" else self._as_minutes(tag, mine))

    def _read_head(self) -> list[tuple[Any, ...]]:
        try:
            head = open_for_reading(self._directory / HEAD, HEAD_SCHEMA)
        except _UNREADABLE:
            return []
        try:
            numbers = listed(self._found)
            self._tags = {
                number: tag_from_json(record)
                for number, record in head.execute(
                    f"SELECT number, record FROM tags WHERE number IN ({numbers})"  # noqa: S608  numbers
                )
            }
            return head.execute(
                f"SELECT block, {COLUMNS} FROM fresh WHERE shelf IN ({listed(self._wanted)})"  # noqa: S608
                " AND last >= ? AND first < ? ORDER BY block",
                (self._start, self._end),
            ).fetchall()
        except _UNREADABLE as exc:
            log.warning("a history file can't be read", extra={"file": HEAD, "reason": str(exc)})
            return []
        finally:
            head.close()

    def _read_period(self, path: Path, start: int) -> None:
        shelves = listed(self._wanted)
        file = open_for_reading(path, PERIOD_SCHEMA)
        try:
            marks = file.execute(f"SELECT shelf, sort, mark FROM moved WHERE shelf IN ({shelves})")  # noqa: S608
            for shelf, sort, text in marks:
                self._moved[start, shelf, sort] = mark_from_text(text)[0]
            for shelf, first, last in file.execute("SELECT shelf, first, last FROM holes"):
                if first < self._end and last >= self._start:
                    self._lose(self._found if shelf is None else self._wanted.get(shelf, ()), first)
            pieces = file.execute(
                f"SELECT {COLUMNS} FROM pieces WHERE shelf IN ({shelves})"  # noqa: S608  numbers
                " AND last >= ? AND first < ? ORDER BY id",
                (self._start, self._end),
            )
            for piece in pieces:
                frame = Frame(*piece)
                for tag in self._wanted[frame.shelf]:
                    columns = self._unpacked(frame, tag)
                    if columns is not None:
                        self._found[tag].parts.append(columns)
        finally:
            file.close()

    def _unpacked(self, frame: Frame, tag: int) -> list[NDArray[Any]] | None:
        """Return a tag's columns in a frame; None when it has none, or they are damaged and told as lost."""
        try:
            columns = frame.unpacked(tag)[1]
        except Undecodable:
            self._lose([tag], frame.first)
            return None
        return columns if len(columns[0]) else None

    def _miss(self, path: Path, start: int, exc: Exception) -> None:
        if path.exists():
            # The writer sets it aside when it next needs it. What retention deleted meanwhile is not lost.
            log.warning("a history file can't be read", extra={"file": path.name, "reason": str(exc)})
            self._lose(self._found, start)

    def _lose(self, tags: Iterable[int], first: int) -> None:
        for tag in tags:
            self._found[tag].lost.append(max(first, self._start))


def _lost(times: Sequence[int], dtype: np.dtype[Any]) -> list[NDArray[Any]]:
    """Return a Bad row at each of these times, as columns without the tag."""
    time = np.array(sorted(set(times)), np.int64)
    value = np.zeros(len(time), dtype)
    if dtype.kind == "O":
        value[:] = ""
    return [time, value, np.full(len(time), BAD_DATA_LOST, np.int64)]
