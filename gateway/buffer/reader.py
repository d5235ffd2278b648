"""Reading segments: bulk for the backlog, with every checksum proved before a row is believed."""

import sqlite3
import threading
import zlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from connectors import Delivery, Epoch
from gateway.buffer.codec import Undecodable, decode, unpack_tags
from gateway.buffer.segment import SCHEMA, Segment, SourceState, checksum, epoch_seed, source_row
from gateway.ledger import Rows
from gateway.sqlite import check_version, connect_for_reading

_OPEN_FILES: Final = 8
_SELECT: Final = "SELECT seq, source, arrived, rows, layout, tags, resume, crc, data FROM batches"


class Damaged(Exception):
    """A segment holds a batch that cannot be proved; it wants repair."""


@dataclass(frozen=True, slots=True)
class Raw:
    """A stored batch whose checksum held."""

    seq: int
    source: str
    arrived: int
    rows: int
    layout: int | None
    inline: bytes | None
    resume: bytes | None
    crc: int
    data: bytes
    tags: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Counts:
    """A segment's batches for counting, by seq: columns of equal length, unproved."""

    seqs: NDArray[np.int64]
    rows: NDArray[np.int64]
    sources: NDArray[np.int64]
    """Numbers in `names`."""
    names: dict[int, str]
    start: int = 0
    """Arrival of the first and the last batch, ns UTC."""
    end: int = 0

    def where(self, keep: NDArray[np.bool_]) -> "Counts":
        """Return the batches for which `keep` is true."""
        return replace(self, seqs=self.seqs[keep], rows=self.rows[keep], sources=self.sources[keep])

    def by_source(self, start: int = 0, stop: int = 2**62) -> Rows:
        """Return the rows of start ≤ seq < stop by source."""
        low, high = np.searchsorted(self.seqs, (start, stop))
        numbers, places = np.unique(self.sources[low:high], return_inverse=True)
        summed = np.zeros(len(numbers), np.int64)
        np.add.at(summed, places, self.rows[low:high])
        return {self.names[n]: rows for n, rows in zip(numbers.tolist(), summed.tolist(), strict=True)}


NO_COUNTS: Final = Counts(*(np.zeros(0, np.int64),) * 3, {})


class SegmentReader:
    """One file, open for reading. Used by one thread at a time."""

    def __init__(self, path: Path, *, sealed: bool, epoch: Epoch | None = None) -> None:
        """Open; `epoch` overrules the file's own. Raises sqlite3.Error, NewerFormat or Damaged."""
        self._connection = connect_for_reading(path, sealed=sealed)
        try:
            self.epoch = self._read_epoch(epoch)
        except BaseException:
            self._connection.close()
            raise
        self._seed = epoch_seed(self.epoch)
        self._sources: dict[int, str] = {}
        self._layouts: dict[int, NDArray[np.int32]] = {}
        self._keys: list[int] = []
        """Of layouts, as they lie in the file; it may still grow."""

    def close(self) -> None:
        """Release the file."""
        self._connection.close()

    def raw(self, start: int, stop: int) -> Iterator[Raw]:
        """Yield batches with start ≤ seq < stop; raises sqlite3.Error or Damaged at the first bad one."""
        query = f"{_SELECT} WHERE seq >= ? AND seq < ? ORDER BY seq"
        for row in self._connection.execute(query, (start, stop)):
            yield self._proved(row)

    def read(self, start: int, stop: int, max_rows: int, *, gapless: bool) -> list[Delivery]:
        """Return whole deliveries from `start` on: at least one if any, more while they fit `max_rows`.

        `gapless` tells that the file holds every seq of [start, stop). One that is not found then is damage:
        a flipped bit in an inner page of the tree makes SQLite pass over batches without a word.
        """
        found: list[Delivery] = []
        rows = 0
        expected = start
        for raw in self.raw(start, stop):
            if gapless and raw.seq != expected:
                raise Damaged(f"seq {expected} is not found")
            expected = raw.seq + 1
            rows += raw.rows
            if found and rows > max_rows:
                return found
            found.append(self.delivery(raw))
        if gapless and expected < stop:
            raise Damaged(f"seq {expected} is not found")
        return found

    def delivery(self, raw: Raw) -> Delivery:
        """Return what a batch of this file holds; raises Damaged."""
        try:
            batch = decode(raw.data, raw.tags, raw.arrived)
        except Undecodable as exc:
            raise Damaged(f"seq {raw.seq}: {exc}") from exc
        return Delivery(batch, self.epoch, raw.seq, source=raw.source)

    def counts(self) -> Counts:
        """Return what there is to count; raises sqlite3.Error, or Damaged when a source has no name."""
        query = "SELECT seq, rows, source, arrived FROM batches ORDER BY seq"
        try:
            table = np.array(self._connection.execute(query).fetchall(), np.int64).reshape(-1, 4)
        except (ValueError, TypeError, OverflowError) as exc:
            raise Damaged(f"what is no number stands where numbers do: {exc}") from exc
        names = dict(self._connection.execute("SELECT source, name FROM sources").fetchall())
        if not set(np.unique(table[:, 2]).tolist()) <= names.keys():
            raise Damaged("a source is missing")
        arrived = (int(table[0, 3]), int(table[-1, 3])) if len(table) else (0, 0)
        seqs, rows, sources = (table[:, column].copy() for column in range(3))
        return Counts(seqs, rows, sources, names, *arrived)

    def sources(self) -> dict[str, SourceState]:
        """Return what was known of each source when the file was begun, as far as checksums hold."""
        found = {}
        for row in self._connection.execute("SELECT * FROM sources").fetchall():
            number, name, arrived, resume, _ = row
            state = SourceState(arrived, resume)
            if source_row(number, name, state) == row:
                found[name] = state
        return found

    def tags(self) -> list[tuple[int, int, bytes]]:
        """Return the catalogue rows this file carries (number, checksum, record) whose checksum holds."""
        rows = self._connection.execute("SELECT number, crc, record FROM tags").fetchall()
        return [row for row in rows if zlib.crc32(row[2], row[0]) == row[1]]

    def bounds(self) -> tuple[int, int] | None:
        """Return the first and the last seq, None when there is no batch."""
        first, last = self._connection.execute("SELECT min(seq), max(seq) FROM batches").fetchone()
        return None if first is None else (first, last)

    def _read_epoch(self, known: Epoch | None) -> Epoch:
        if check_version(self._connection, SCHEMA) != len(SCHEMA):
            raise Damaged("this is not a segment")
        if known is not None:
            return known
        meta: dict[str, str] = dict(self._connection.execute("SELECT key, value FROM meta").fetchall())
        try:
            return Epoch(int(meta["epoch"]), int(meta["random"], 16))
        except (KeyError, ValueError) as exc:
            raise Damaged("the segment's epoch cannot be read") from exc

    def _proved(self, row: tuple[Any, ...]) -> Raw:
        seq, source, arrived, rows, layout, inline, resume, crc, data = row
        try:
            name = self._sources.get(source) or self._source(source)
            proved = checksum(
                self._seed, name, (seq, arrived, rows, layout or -1), tags=inline, resume=resume, data=data
            )
            if proved != crc:
                raise Damaged(f"seq {seq}: the checksum does not hold")
            tags = unpack_tags(inline, rows) if layout is None else self._layout(layout)
        except (Undecodable, TypeError, ValueError) as exc:
            raise Damaged(f"seq {seq}: {exc}") from exc
        return Raw(seq, name, arrived, rows, layout, inline, resume, crc, data, tags)

    def _source(self, number: int) -> str:
        found = self._connection.execute("SELECT name FROM sources WHERE source = ?", (number,)).fetchone()
        if found is None:
            raise Damaged(f"source {number} is missing")
        self._sources[number] = str(found[0])
        return self._sources[number]

    def _layout(self, number: int) -> NDArray[np.int32]:
        known = self._layouts.get(number)
        if known is None:
            # By a flipped bit in its key one layout passes for another: where keys don't ascend, none counts.
            if number not in self._keys:
                self._keys = [key for (key,) in self._connection.execute("SELECT layout FROM layouts")]
            if any(number in pair and pair[0] >= pair[1] for pair in pairwise(self._keys)):
                raise Damaged(f"layout {number} cannot be told from another")
            row = self._connection.execute(
                "SELECT crc, tags FROM layouts WHERE layout = ?", (number,)
            ).fetchone()
            if row is None or zlib.crc32(row[1]) != row[0]:
                raise Damaged(f"layout {number} is missing or damaged")
            known = self._layouts[number] = np.frombuffer(row[1], "<i4").astype(np.int32, copy=False)
        return known


class Readers:
    """The few segments open for reading; any thread may ask, one reads at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: OrderedDict[Path, SegmentReader] = OrderedDict()

    def read(self, segment: Segment, start: int, stop: int, max_rows: int) -> Sequence[Delivery]:
        """Return deliveries of one segment; raises Damaged, or FileNotFoundError when it was deleted."""
        start = max(start, segment.first_seq)
        with self._lock:
            if not segment.path.exists():
                raise FileNotFoundError(segment.path)
            try:
                return self._reader(segment).read(start, stop, max_rows, gapless=segment.is_gapless)
            except (sqlite3.Error, Damaged) as exc:
                self._close(segment.path)
                raise Damaged(f"{segment.path.name}: {exc}") from exc

    def counts(self, segment: Segment) -> Counts:
        """Return what there is to count in a segment; raises Damaged."""
        with self._lock:
            try:
                counts = self._reader(segment).counts()
            except (sqlite3.Error, OSError, Damaged) as exc:
                self._close(segment.path)
                raise Damaged(f"{segment.path.name}: {exc}") from exc
        return counts.where(counts.seqs <= segment.last_seq)

    def forget(self, path: Path) -> None:
        """Close a file that is about to be deleted, replaced or sealed."""
        with self._lock:
            self._close(path)

    def close(self) -> None:
        """Close all."""
        with self._lock:
            for path in list(self._open):
                self._close(path)

    def _reader(self, segment: Segment) -> SegmentReader:
        reader = self._open.get(segment.path)
        if reader is None:
            reader = self._open[segment.path] = SegmentReader(segment.path, sealed=segment.sealed)
            while len(self._open) > _OPEN_FILES:
                self._close(next(iter(self._open)))
        else:
            self._open.move_to_end(segment.path)
        return reader

    def _close(self, path: Path) -> None:
        reader = self._open.pop(path, None)
        if reader is not None:
            reader.close()
