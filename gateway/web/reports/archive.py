"""Reports that were made: files and a table of them, kept over restarts; beyond a bound the oldest go.

Whoever may not delete pushes out nobody's but their own, and has to wait where there is no place and none of
theirs: then all are over the bound by one report's size at most.

A row is written before its file is made, and says so once the file is on disk, whole: only then is it listed.
What a process left half done goes when the next report is ordered. Numbers are never used twice.
"""

import os
import re
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Final

from connectors import Clock
from gateway.security.files import make_private
from gateway.sqlite import (
    check_version,
    checkpoint,
    connect_for_reading,
    open_sound,
    sync_directory,
    transaction,
)

FOLDER: Final = "reports"
TABLE: Final = "reports.sqlite"
MOST: Final = 200
MOST_BYTES: Final = 500_000_000
_OURS: Final = re.compile(r"\.?(\d+)\.(xlsx|pdf)(\.part)?$")
_SCHEMA: Final[Sequence[Sequence[str]]] = (
    (
        """CREATE TABLE reports (
            number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, kind TEXT NOT NULL,
            period TEXT NOT NULL, interval TEXT NOT NULL, wording TEXT NOT NULL, ending TEXT NOT NULL,
            who TEXT NOT NULL, made INTEGER, rows INTEGER, bytes INTEGER, hash TEXT
        ) STRICT""",
    ),
)
_INSERT: Final = (
    "INSERT INTO reports (name, kind, period, interval, wording, ending, who) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_MADE: Final = "UPDATE reports SET made = ?, rows = ?, bytes = ?, hash = ? WHERE number = ?"
_HELD: Final = (
    "SELECT count(*), ifnull(sum(bytes), 0), ifnull(sum(who = ?), 0) FROM reports WHERE made IS NOT NULL"
)
_OLDEST: Final = (
    "SELECT number, bytes FROM reports WHERE made IS NOT NULL AND number <> ? "
    "AND (who = (SELECT who FROM reports WHERE number = ?) OR ?) ORDER BY number"
)
_COLUMNS: Final = "number, name, kind, period, interval, wording, ending, who, made, rows, bytes, hash"


@dataclass(frozen=True, slots=True)
class Ordered:
    """A report that is to be made."""

    name: str
    """Of the file for who fetches it."""
    kind: str
    period: str
    interval: str
    """Empty: by the period's length."""
    wording: str
    ending: str
    who: str


@dataclass(frozen=True, slots=True)
class Kept:
    """A report that was made."""

    number: int
    order: Ordered
    made: int
    """ns UTC."""
    rows: int
    bytes: int
    hash: str


class Full(Exception):
    """There is no place, and none of the asker's own reports to make some."""


class Archive:
    """The reports of one gateway; calls may come from any thread and wait for the disk.

    All raise NewerFormat, sqlite3.Error and OSError where files can't be read or written.
    """

    def __init__(self, data_dir: Path, clock: Clock, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        self.folder = data_dir / FOLDER
        self.most = most
        self.most_bytes = most_bytes
        self._clock = clock
        self._lock = threading.Lock()

    def begin(self, order: Ordered, *, may_delete: bool) -> int:
        """Return the number of a report that will be made; nothing else is being made meanwhile.

        Raises:
            Full: who orders it may not delete others', and there is no place.
        """
        make_private(self.folder)
        with self._writing() as table:
            table.execute("DELETE FROM reports WHERE made IS NULL")
            count, size, own = table.execute(_HELD, (order.who,)).fetchone()
            if not (may_delete or own or (count < self.most and size < self.most_bytes)):
                raise Full
            number = int(table.execute(_INSERT, astuple(order)).lastrowid or 0)
            known = {each for (each,) in table.execute("SELECT number FROM reports")}
        for file in self.folder.iterdir():
            found = _OURS.match(file.name)
            if found and (int(found[1]) not in known or found[3]):
                file.unlink(missing_ok=True)
        return number

    def finish(self, number: int, rows: int, digest: str, *, may_delete: bool) -> None:
        """List a report whose file is written; the oldest go where there are too many, or the oldest own."""
        file = next(self.folder.glob(f"{number}.*"))
        with file.open("rb+") as written:
            os.fsync(written.fileno())
        sync_directory(self.folder)
        with self._writing() as table:
            values = (self._clock.now(), rows, file.stat().st_size, digest, number)
            table.execute(_MADE, values)
            gone = [*self._too_many(table, number, may_delete=may_delete)]
            table.executemany("DELETE FROM reports WHERE number = ?", [(each,) for each in gone])
        self._unlink(gone)

    def drop(self, number: int) -> None:
        """Forget a report and delete its file."""
        with self._writing() as table:
            table.execute("DELETE FROM reports WHERE number = ?", (number,))
        self._unlink([number])

    def all(self) -> list[Kept]:
        """Return the reports whose files are there, the newest first."""
        if not (self.folder / TABLE).exists():
            return []
        query = f"SELECT {_COLUMNS} FROM reports WHERE made IS NOT NULL ORDER BY number DESC"  # noqa: S608
        with closing(connect_for_reading(self.folder / TABLE, sealed=False)) as table:
            check_version(table, _SCHEMA)
            found = [Kept(row[0], Ordered(*row[1:8]), *row[8:]) for row in table.execute(query)]
        return [each for each in found if self.file(each).exists()]

    def one(self, number: int) -> Kept | None:
        """Return a report; None for one that is not kept."""
        return next((each for each in self.all() if each.number == number), None)

    def file(self, kept: Kept) -> Path:
        """Return where a report lies."""
        return self.place(kept.number, kept.order.ending)

    def place(self, number: int, ending: str) -> Path:
        """Return where a report is to lie."""
        return self.folder / f"{number}.{ending}"

    def _too_many(self, table: sqlite3.Connection, newest: int, *, may_delete: bool) -> Iterator[int]:
        """Yield what is beyond a bound, the oldest first; the newest stays whatever its size."""
        count, size, _ = table.execute(_HELD, ("",)).fetchone()
        for number, length in table.execute(_OLDEST, (newest, newest, may_delete)).fetchall():
            if count <= self.most and size <= self.most_bytes:
                return
            count, size = count - 1, size - length
            yield number

    def _unlink(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            for file in self.folder.glob(f"{number}.*"):
                file.unlink(missing_ok=True)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, closing(open_sound(self.folder / TABLE, _SCHEMA)) as table:
            with transaction(table):
                yield table
            checkpoint(table, truncate=True)
