"""What the store knows beside the data: epochs, tag catalogue, cursors, totals, losses; one small database.

Everything here can be lost without losing a stored row: `recovery` rebuilds it from the segments under a new
epoch, and sinks then get duplicates. One transaction (`save`) moves cursors, books what that means and
quarantines refused rows, so that no crash can separate them. Books that don't prove themselves begin anew.
"""

import logging
import sqlite3
import threading
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import orjson

from connectors import Epoch, Tag
from gateway.buffer.codec import tag_from_json, tag_to_json
from gateway.buffer.records import Changes, EpochRecord, Retired, SavedCursor, Totals
from gateway.ledger import Books, Gap, Rows
from gateway.ledger.gap import COLUMNS as GAP
from gateway.ledger.gap import from_row, to_row
from gateway.sqlite import checkpoint, connect, is_full, is_healthy, keep_older, migrate, transaction

log = logging.getLogger(__name__)
NAME: Final = "state.sqlite"
_WAL_BYTES: Final = 1 << 18
"""Beyond this the WAL is moved into the file: a full disk shall not be full of it."""
_PUT_GAP: Final = f"INSERT OR REPLACE INTO gaps ({GAP}) VALUES ({', '.join('?' for _ in GAP.split(','))})"  # noqa: S608
MOST_GAPS: Final = 20_000
"""Beyond this the oldest records of gaps go."""
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
    (
        "CREATE TABLE books(sink TEXT PRIMARY KEY, rows TEXT NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID",
        "CREATE TABLE segment_rows(first_seq INTEGER PRIMARY KEY, rows TEXT NOT NULL, crc INTEGER NOT NULL)",
        "CREATE TABLE retired(below INTEGER PRIMARY KEY, rows TEXT NOT NULL, crc INTEGER NOT NULL)",
        """CREATE TABLE discards(
            id INTEGER PRIMARY KEY AUTOINCREMENT, entry INTEGER NOT NULL, sink TEXT NOT NULL,
            source TEXT NOT NULL, rows INTEGER NOT NULL, reason TEXT NOT NULL)""",
        "ALTER TABLE quarantine ADD COLUMN source TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE gaps ADD COLUMN sources TEXT NOT NULL DEFAULT '{}'",
        "ALTER TABLE gaps ADD COLUMN sinks TEXT NOT NULL DEFAULT '{}'",
        "ALTER TABLE gaps ADD COLUMN devices TEXT NOT NULL DEFAULT '[]'",
        "ALTER TABLE gaps ADD COLUMN tags INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE gaps ADD COLUMN revision INTEGER NOT NULL DEFAULT 0",
        "CREATE INDEX gap_revisions ON gaps(revision)",
        "CREATE TABLE gaps_told(sink TEXT PRIMARY KEY, revision INTEGER NOT NULL) WITHOUT ROWID",
    ),
    (
        "ALTER TABLE gaps ADD COLUMN epoch TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE gaps ADD COLUMN place INTEGER NOT NULL DEFAULT 0",
        """UPDATE gaps SET epoch = ifnull(
            (SELECT ordinal || '-' || random FROM epochs ORDER BY ordinal DESC LIMIT 1), '')""",
    ),
)


class State:
    """The open state database. Any thread may call; one at a time is inside."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection = connect(path)
        # Else a WAL that was once longer stays so, and every save after it moves it into the file. Not less:
        # what it has on the disk it can still write when the disk is full.
        self._connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
        try:
            keep_older(self._connection, path, SCHEMA)
            migrate(self._connection, SCHEMA)
            self._read_all()
            self._revisions_before = 0
            self.gap_revision = self._revision() - 1
            """The newest revision of a gap that is on disk."""
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
            self.retired, books, counted = self._read_books()
            self.cursors = {
                sink: SavedCursor(
                    sink, head, tuple((a, b) for a, b in orjson.loads(ranges)), parked, books.get(sink)
                )
                for sink, head, ranges, parked in proved("SELECT * FROM cursors")
            }
            self.totals = {
                first: Totals(first, last, batches, count, bool(sealed), counted.get(first))
                for first, last, batches, count, sealed in proved("SELECT * FROM segments")
            }
            self.drops: dict[tuple[str, str], int] = {
                (sink, reason): count for sink, reason, count in rows("SELECT * FROM drops")
            }
        except (ValueError, KeyError, TypeError) as exc:
            raise sqlite3.DatabaseError(f"{self._path}: {exc}") from exc

    def _read_books(self) -> tuple[Retired, dict[str, Books], dict[int, Rows]]:
        """Return what is gone, the books by sink, rows by segment; what doesn't prove itself is not there."""

        def proved(table: str) -> Iterator[tuple[Any, str]]:
            for key, text, crc in self._connection.execute(f"SELECT * FROM {table}"):  # noqa: S608  our own
                if (key, text, crc) == _with_crc(key, text):
                    yield key, text
                else:
                    log.error("a row of the books is damaged", extra={"table": table, "key": key})

        counted = {first: orjson.loads(text) for first, text in proved("segment_rows")}
        books = {sink: Books.from_json(text) for sink, text in proved("books")}
        retired = [Retired(below, orjson.loads(text)) for below, text in proved("retired")]
        if not retired:
            # Without it nothing tells what was acquired before: every sink's books begin anew.
            return Retired(0, {}), {}, counted
        return retired[-1], books, counted

    def gaps(self, after: int = -1) -> list[Gap]:
        """Return the recorded gaps noted or changed after a revision, in that order."""
        found = self.query(f"SELECT {GAP} FROM gaps WHERE revision > ? ORDER BY revision, id", (after,))  # noqa: S608
        return [from_row(row) for row in found]

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

    def take_over(self, old: "State") -> None:
        """Go on where another State ended whose file was deleted; with its gaps if they can still be read."""
        self.persist(old.tags.items())
        for record in old.epochs:
            self.add_epoch(record)
        self._revisions_before = self.gap_revision = old.gap_revision
        try:
            gaps, told = old.gaps(), old.query("SELECT sink, revision FROM gaps_told")
        except sqlite3.Error as exc:
            log.error("the gaps told so far are lost with the directory", extra={"reason": str(exc)})  # noqa: TRY400
            return
        with self._lock, transaction(self._connection):
            self._connection.executemany(_PUT_GAP, [to_row(gap, gap.id, gap.revision) for gap in gaps])
            self._connection.executemany("INSERT INTO gaps_told VALUES (?, ?)", told)

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
            if changes.gaps:
                self.gap_revision = self._revision() - 1
            booked = {cursor.sink for cursor in changes.cursors if cursor.books is not None}
            self.drops = {key: rows for key, rows in self.drops.items() if key[0] not in booked}
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
        booked = [(c.sink, c.books.to_json()) for c in changes.cursors if c.books is not None]
        many("INSERT OR REPLACE INTO books VALUES (?, ?, ?)", [_with_crc(*each) for each in booked])
        # What an earlier release counted without a source is in the books by now.
        many("DELETE FROM drops WHERE sink = ?", [(sink,) for sink, _ in booked])
        many("DELETE FROM cursors WHERE sink = ?", [(sink,) for sink in changes.forgotten])
        many("DELETE FROM books WHERE sink = ?", [(sink,) for sink in changes.forgotten])
        many(
            "INSERT OR REPLACE INTO segments VALUES (?, ?, ?, ?, ?, ?)",
            [_with_crc(t.first_seq, t.last_seq, t.batches, t.rows, int(t.sealed)) for t in changes.totals],
        )
        many(
            "INSERT OR REPLACE INTO segment_rows VALUES (?, ?, ?)",
            [_with_crc(t.first_seq, _text(t.sources)) for t in changes.totals if t.sources is not None],
        )
        many("DELETE FROM segments WHERE first_seq = ?", [(first,) for first in changes.gone])
        many("DELETE FROM segment_rows WHERE first_seq = ?", [(first,) for first in changes.gone])
        if changes.retired is not None:
            self._connection.execute("DELETE FROM retired")
            row = _with_crc(changes.retired.below, _text(changes.retired.sources))
            self._connection.execute("INSERT INTO retired VALUES (?, ?, ?)", row)
        for revision, gap in enumerate(changes.gaps, self._revision()):
            self._note(gap, revision)
        many("INSERT OR REPLACE INTO gaps_told VALUES (?, ?)", list(changes.gaps_told.items()))
        many(
            # A number that was given once is not given again.
            "INSERT INTO quarantine(sink, reason, noted, ordinal, random, seq, arrived, rows, crc,"
            " row_numbers, tags, data, source, id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1 + max("
            "(SELECT ifnull(max(id), 0) FROM quarantine), (SELECT ifnull(max(entry), 0) FROM discards),"
            " (SELECT ifnull(max(CAST(value AS INTEGER)), 0) FROM meta WHERE key = 'entries')))",
            [
                (
                    *(h.sink, h.reason, h.noted, h.epoch.ordinal, f"{h.epoch.random:016x}", h.seq, h.arrived),
                    *(h.rows, h.crc, h.row_numbers, h.tags, h.data, h.source),
                )
                for h in changes.held
            ],
        )
        if changes.held:
            self._connection.execute("INSERT OR REPLACE INTO meta SELECT 'entries', max(id) FROM quarantine")
        many("DELETE FROM quarantine WHERE id = ?", [(entry,) for entry in changes.settled])
        # Somebody deleted it while it was being sent again: what its sink says counts.
        many("DELETE FROM discards WHERE entry = ?", [(entry,) for entry in changes.settled])
        many("DELETE FROM discards WHERE id = ?", [(each,) for each in changes.counted])
        many(
            "INSERT INTO discards(entry, sink, source, rows, reason) VALUES (?, ?, ?, ?, ?)",
            [(d.entry, d.sink, d.source, d.rows, d.reason) for d in changes.discards],
        )
        many("INSERT OR REPLACE INTO meta VALUES (?, ?)", list(changes.meta.items()))

    def _note(self, gap: Gap, revision: int) -> None:
        """Store a gap; what goes on with one that is there changes that one."""
        joined = None
        if not gap.epoch and self.epochs:
            gap = replace(gap, epoch=str(self.epochs[-1].epoch))
        if not gap.first_seq:
            query = f"SELECT {GAP} FROM gaps WHERE reason = ? AND sources = ? ORDER BY id DESC LIMIT 1"  # noqa: S608
            key = (gap.reason, _text(dict(gap.sources)))
            found = self._connection.execute(query, key).fetchone()
            joined = None if found is None else gap.joined(from_row(found))
            if joined is None and gap.start is None:
                return  # the end of what never began
        row = to_row(joined or gap, joined.id if joined else None, revision)
        stored = self._connection.execute(_PUT_GAP, row)
        oldest = (stored.lastrowid or 0) - MOST_GAPS
        if joined is None and oldest > 0:
            self._connection.execute("DELETE FROM gaps WHERE id <= ?", (oldest,))

    def _revision(self) -> int:
        """Return the revision the next gap gets."""
        (found,) = self._connection.execute("SELECT ifnull(max(revision), 0) FROM gaps").fetchone()
        return max(int(found), self._revisions_before) + 1

    def _tidy(self) -> None:
        """Keep the WAL short; a reader in another process may postpone it."""
        wal = self._path.with_name(NAME + "-wal")
        if wal.stat().st_size > _WAL_BYTES:
            try:
                with self._lock:
                    checkpoint(self._connection, truncate=False)
            except sqlite3.Error as exc:
                if not is_full(exc):
                    raise
                # What was saved is saved, in the WAL; it goes into the file when there is room.
                log.debug("no room to shorten the state's WAL")


def _with_crc(*row: int | str | None) -> tuple[Any, ...]:
    """Return the row with its checksum behind it: a page can be whole and yet hold a flipped bit."""
    return *row, zlib.crc32(orjson.dumps(row))


def _text(rows: Rows) -> str:
    return orjson.dumps(rows).decode()


def _proved_record(number: int, crc: int, record: bytes) -> bytes:
    if zlib.crc32(record, number) != crc:
        raise ValueError(f"tag {number}: the checksum does not hold")
    return record
