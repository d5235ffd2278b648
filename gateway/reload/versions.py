"""Every plant file that ran: who applied it, when and why. The newest is what runs beside a bad file."""

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from connectors import Clock
from gateway.sqlite import checkpoint, open_sound, transaction

CONFIG: Final = "config.sqlite"
KEPT: Final = 1_000
_MS: Final = 1_000_000
State = Literal["applied", "failed"]
_SCHEMA: Final = (
    (
        """CREATE TABLE versions (number INTEGER PRIMARY KEY, time INTEGER NOT NULL, who TEXT NOT NULL,
        note TEXT NOT NULL, state TEXT NOT NULL, digest TEXT NOT NULL, text BLOB NOT NULL) STRICT""",
        """CREATE TABLE draft (one INTEGER PRIMARY KEY CHECK (one = 1), time INTEGER NOT NULL,
        who TEXT NOT NULL, base TEXT NOT NULL, text BLOB NOT NULL) STRICT""",
    ),
)


@dataclass(frozen=True, slots=True)
class Version:
    """One plant file as it was applied."""

    number: int
    time: int
    """ns UTC"""
    who: str
    note: str
    state: State
    """`failed`: it was taken back at once."""
    digest: str


@dataclass(frozen=True, slots=True)
class Draft:
    """What somebody is writing; there is one, and nobody's is overwritten by who has not seen it."""

    time: int
    """ns UTC"""
    who: str
    base: str
    """Digest of the file it began from."""
    text: bytes


class Taken(Exception):
    """Somebody else's draft would be overwritten; its words are the author's name."""


def digest(text: bytes) -> str:
    """Return what tells one text from another, 16 hex digits."""
    return hashlib.sha256(text).hexdigest()[:16]


class Versions:
    """The versions in a data directory; opened for each question, so that any process may ask."""

    def __init__(self, directory: Path, clock: Clock) -> None:
        self._path = directory / CONFIG
        self._clock = clock

    def add(self, text: bytes, who: str, note: str, state: State = "applied") -> int:
        """Keep a version; return its number. Raises sqlite3.Error, NewerFormat."""
        with self._open() as connection, transaction(connection):
            found = connection.execute("SELECT ifnull(max(number), 0) + 1 FROM versions").fetchone()
            number = int(found[0])
            connection.execute(
                "INSERT INTO versions VALUES (?, ?, ?, ?, ?, ?, ?)",
                (number, self._clock.now(), who, note, state, digest(text), text),
            )
            connection.execute("DELETE FROM versions WHERE number <= ?", (number - KEPT,))
        return number

    def all(self) -> list[Version]:
        """Return every version, the newest first."""
        if not self._path.exists():
            return []
        with self._open() as connection:
            rows = connection.execute(
                "SELECT number, time, who, note, state, digest FROM versions ORDER BY number DESC"
            ).fetchall()
        return [Version(*row) for row in rows]

    def text(self, number: int) -> bytes | None:
        """Return a version's text, None when there is none of this number."""
        if not self._path.exists():
            return None
        with self._open() as connection:
            row = connection.execute("SELECT text FROM versions WHERE number = ?", (number,)).fetchone()
        return None if row is None else bytes(row[0])

    def last_good(self) -> Version | None:
        """Return the newest version that ran."""
        return next((each for each in self.all() if each.state == "applied"), None)

    def draft(self) -> Draft | None:
        """Return what is being written."""
        if not self._path.exists():
            return None
        with self._open() as connection:
            row = connection.execute("SELECT time, who, base, text FROM draft").fetchone()
        return None if row is None else Draft(row[0], row[1], row[2], bytes(row[3]))

    def save_draft(self, text: bytes, who: str, base: str, over_ms: int | None = None) -> None:
        """Keep what is being written; `over_ms` is the time of the draft it goes on from.

        Raises:
            Taken: another's draft is there, and it is a later one than that, or none was seen.
        """
        with self._open() as connection, transaction(connection):
            row = connection.execute("SELECT who, time FROM draft WHERE who <> ?", (who,)).fetchone()
            if row is not None and over_ms != row[1] // _MS:
                raise Taken(row[0])
            connection.execute(
                "INSERT OR REPLACE INTO draft VALUES (1, ?, ?, ?, ?)", (self._clock.now(), who, base, text)
            )

    def drop_draft(self, text: bytes | None = None, who: str | None = None) -> None:
        """Forget it: whatever it is, or only where it is this text or is of this author."""
        if self._path.exists():
            with self._open() as connection, transaction(connection):
                whose = "? IS NULL OR text = ? OR who = ?"
                connection.execute(f"DELETE FROM draft WHERE {whose}", (text, text, who))  # noqa: S608  ours

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with closing(open_sound(self._path, _SCHEMA)) as connection:
            yield connection
            checkpoint(connection, truncate=True)
