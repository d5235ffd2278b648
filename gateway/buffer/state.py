"""What the store knows beside the data: epochs, tag catalogue, cursors, totals, losses; one small database.

Everything here can be lost without losing a stored row: `recovery` rebuilds it from the segments under a new
epoch, and sinks then get duplicates. One transaction (`save`) moves cursors, counts losses and quarantines
refused rows, so that no crash can separate them.
"""

import sqlite3
import threading
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from connectors import Epoch, Tag
from gateway.buffer.codec import tag_from_json, tag_to_json
from gateway.sqlite import checkpoint, connect, is_healthy, migrate, transaction

NAME: Final = "state.sqlite"
SCHEMA: Final = (
    (
        "CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        """CREATE TABLE epochs(
            ordinal INTEGER PRIMARY KEY, random TEXT NOT NULL, started INTEGER NOT NULL,
            first_seq INTEGER NOT NULL, reason TEXT NOT NULL, crc INTEGER NOT NULL)""",
        "CREATE TABLE tags(number INTEGER PRIMARY KEY, crc INTEGER NOT NULL, record BLOB NOT NULL)",
        """CREATE TABLE cursors(
            sink TEXT PRIMARY KEY, head INTEGER NOT NULL, ranges TEXT NOT NULL,
            parked INTEGER, crc INTEGER NOT NULL) WITHOUT ROWID""",
        """CREATE TABLE segments(
            first_seq INTEGER PRIMARY KEY, last_seq INTEGER NOT NULL, batches INTEGER NOT NULL,
            rows INTEGER NOT NULL, sealed INTEGER NOT NULL, crc INTEGER NOT NULL)""",
        """CREATE TABLE gaps(
            id INTEGER PRIMARY KEY, noted INTEGER NOT NULL, reason TEXT NOT NULL, first_seq INTEGER NOT NULL,
            last_seq INTEGER NOT NULL, batches INTEGER NOT NULL, rows INTEGER NOT NULL,
            start INTEGER, end INTEGER)""",
        """CREATE TABLE drops(
            sink TEXT NOT NULL, reason TEXT NOT NULL, rows INTEGER NOT NULL,
            PRIMARY KEY(sink, reason)) WITHOUT ROWID""",
        """CREATE TABLE quarantine(
            id INTEGER PRIMARY KEY, sink TEXT NOT NULL, reason TEXT NOT NULL, noted INTEGER NOT NULL,
            ordinal INTEGER NOT NULL, random TEXT NOT NULL, seq INTEGER NOT NULL, arrived INTEGER NOT NULL,
            rows INTEGER NOT NULL, crc INTEGER NOT NULL, row_numbers BLOB NOT NULL, tags BLOB NOT NULL,
            data BLOB NOT NULL, retry INTEGER NOT NULL DEFAULT 0)""",
        "CREATE INDEX quarantine_retries ON quarantine(sink, id) WHERE retry = 1",
    ),
)


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """One epoch of this gateway."""

    epoch: Epoch
    started: int
    """ns UTC"""
    first_seq: int
    reason: str


@dataclass(frozen=True, slots=True)
class SavedCursor:
    """A sink's place: everything at or above `head` and inside `ranges` is still to be delivered."""

    sink: str
    head: int
    ranges: tuple[tuple[int, int], ...] = ()
    """[start, stop) in seq, ascending, below head"""
    parked: int | None = None
    """Since when no configured sink has this name, ns UTC; None while one has."""


@dataclass(frozen=True, slots=True)
class Totals:
    """What a segment held when it was last counted."""

    first_seq: int
    last_seq: int
    batches: int
    rows: int
    sealed: bool


@dataclass(frozen=True, slots=True)
class Gap:
    """Stored batches that are no longer there."""

    reason: str
    first_seq: int
    last_seq: int
    batches: int
    rows: int
    """0 when the damage left no way to count"""
    noted: int
    """ns UTC"""
    start: int | None = None
    """Arrival of the first and last lost batch, ns UTC, as far as known."""
    end: int | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """Refused rows on their way into quarantine."""

    sink: str
    reason: str
    noted: int
    epoch: Epoch
    seq: int
    arrived: int
    rows: int
    row_numbers: bytes
    """int32, little-endian: the rows' places in the stored batch"""
    tags: bytes
    data: bytes
    crc: int


@dataclass(slots=True)
class Changes:
    """One transaction on the state."""

    cursors: Sequence[SavedCursor] = ()
    forgotten: Sequence[str] = ()
    """Sinks whose parked cursor ends."""
    totals: Sequence[Totals] = ()
    gone: Sequence[int] = ()
    """First seqs of segments that no longer exist."""
    drops: Sequence[tuple[str, str, int]] = ()
    """(sink, reason, undelivered rows)"""
    gaps: Sequence[Gap] = ()
    held: Sequence[Held] = ()
    settled: Sequence[int] = ()
    """Quarantine entries that a retry has delivered."""
    meta: Mapping[str, str] = field(default_factory=dict)


class State:
    """The open state database. Any thread may call; one at a time is inside."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection = connect(path)
        try:
            migrate(self._connection, SCHEMA)
            self._read_all()
        except BaseException:
            self._connection.close()
            raise

    def _read_all(self) -> None:
        def rows(query: str) -> list[tuple[Any, ...]]:
            return self._connection.execute(query).fetchall()

        def proved(query: str) -> list[tuple[Any, ...]]:
            found = rows(query)
            if any(row != _with_crc(*row[:-1]) for row in found):
                raise sqlite3.DatabaseError(f"{self._path}: a checksum does not hold")
            return [row[:-1] for row in found]

        if not is_healthy(self._connection):
            raise sqlite3.DatabaseError(f"{self._path} fails its integrity check")
        # A page that decodes to nonsense must show now, while the file can still be set aside.
        try:
            self.meta: dict[str, str] = dict(rows("SELECT key, value FROM meta"))
            self.epochs = [
                EpochRecord(Epoch(o, int(r, 16)), started, first, reason)
                for o, r, started, first, reason in proved("SELECT * FROM epochs ORDER BY ordinal")
            ]
            self.tags: dict[int, Tag] = {
                n: tag_from_json(_proved_record(n, crc, record))
                for n, crc, record in rows("SELECT * FROM tags ORDER BY number")
            }
            self.cursors = {
                sink: SavedCursor(sink, head, tuple((a, b) for a, b in orjson.loads(ranges)), parked)
                for sink, head, ranges, parked in proved("SELECT * FROM cursors")
            }
            self.totals = {
                first: Totals(first, last, batches, count, bool(sealed))
                for first, last, batches, count, sealed in proved("SELECT * FROM segments")
            }
            self.drops: dict[tuple[str, str], int] = {
                (sink, reason): count for sink, reason, count in rows("SELECT * FROM drops")
            }
        except (ValueError, KeyError, TypeError) as exc:
            raise sqlite3.DatabaseError(f"{self._path}: {exc}") from exc

    def gaps(self) -> list[Gap]:
        """Return every recorded gap, oldest first."""
        with self._lock:
            found = self._connection.execute(
                "SELECT reason, first_seq, last_seq, batches, rows, noted, start, end FROM gaps ORDER BY id"
            ).fetchall()
        return [Gap(*row) for row in found]

    def persist(self, changed: Iterable[tuple[int, Tag]]) -> None:
        """Store new or changed tags; durable when it returns."""
        changed = list(changed)
        with self._lock, transaction(self._connection):
            self._connection.executemany(
                "INSERT OR REPLACE INTO tags VALUES (?, ?, ?)",
                [
                    (n, zlib.crc32(record, n), record)
                    for n, record in ((n, tag_to_json(tag)) for n, tag in changed)
                ],
            )
        self.tags.update(changed)
        self._tidy()

    def add_epoch(self, record: EpochRecord) -> None:
        """Store a new epoch; durable when it returns."""
        epoch = record.epoch
        with self._lock, transaction(self._connection):
            self._connection.execute(
                "INSERT INTO epochs VALUES (?, ?, ?, ?, ?, ?)",
                _with_crc(
                    *(epoch.ordinal, f"{epoch.random:016x}", record.started, record.first_seq, record.reason)
                ),
            )
        self.epochs.append(record)

    def save(self, changes: Changes) -> None:
        """Make all changes or none; durable when it returns. Raises sqlite3.Error."""
        with self._lock:
            with transaction(self._connection):
                self._apply(changes)
            for sink, reason, rows in changes.drops:
                self.drops[sink, reason] = self.drops.get((sink, reason), 0) + rows
        self._tidy()

    def query(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Read rows, e.g. of the quarantine."""
        with self._lock:
            return self._connection.execute(sql, values).fetchall()

    def execute(self, sql: str, values: Sequence[object] = ()) -> int:
        """Change rows in a transaction of its own; return how many."""
        with self._lock, transaction(self._connection):
            return self._connection.execute(sql, values).rowcount

    def close(self) -> None:
        """Close; everything saved stays saved."""
        with self._lock:
            self._connection.close()

    def _apply(self, changes: Changes) -> None:
        many = self._connection.executemany
        many(
            "INSERT OR REPLACE INTO cursors VALUES (?, ?, ?, ?, ?)",
            [_with_crc(c.sink, c.head, orjson.dumps(c.ranges).decode(), c.parked) for c in changes.cursors],
        )
        many("DELETE FROM cursors WHERE sink = ?", [(sink,) for sink in changes.forgotten])
        many(
            "INSERT OR REPLACE INTO segments VALUES (?, ?, ?, ?, ?, ?)",
            [_with_crc(t.first_seq, t.last_seq, t.batches, t.rows, int(t.sealed)) for t in changes.totals],
        )
        many("DELETE FROM segments WHERE first_seq = ?", [(first,) for first in changes.gone])
        many(
            "INSERT INTO drops VALUES (?, ?, ?)"
            " ON CONFLICT(sink, reason) DO UPDATE SET rows = rows + excluded.rows",
            changes.drops,
        )
        many(
            "INSERT INTO gaps(reason, first_seq, last_seq, batches, rows, noted, start, end)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (g.reason, g.first_seq, g.last_seq, g.batches, g.rows, g.noted, g.start, g.end)
                for g in changes.gaps
            ],
        )
        many(
            "INSERT INTO quarantine(sink, reason, noted, ordinal, random, seq, arrived, rows, crc,"
            " row_numbers, tags, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    *(h.sink, h.reason, h.noted, h.epoch.ordinal, f"{h.epoch.random:016x}", h.seq, h.arrived),
                    *(h.rows, h.crc, h.row_numbers, h.tags, h.data),
                )
                for h in changes.held
            ],
        )
        many("DELETE FROM quarantine WHERE id = ?", [(entry,) for entry in changes.settled])
        many("INSERT OR REPLACE INTO meta VALUES (?, ?)", list(changes.meta.items()))

    def _tidy(self) -> None:
        """Keep the WAL short; a reader in another process may postpone it."""
        wal = self._path.with_name(NAME + "-wal")
        if wal.stat().st_size > 1 << 20:
            with self._lock:
                checkpoint(self._connection, truncate=False)


def _with_crc(*row: int | str | None) -> tuple[Any, ...]:
    """Return the row with its checksum behind it: a page can be whole and yet hold a flipped bit."""
    return *row, zlib.crc32(orjson.dumps(row))


def _proved_record(number: int, crc: int, record: bytes) -> bytes:
    if zlib.crc32(record, number) != crc:
        raise ValueError(f"tag {number}: the checksum does not hold")
    return record
