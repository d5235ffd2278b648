"""Every plant file that ran: who applied it, when and why. The newest is what runs beside a bad file."""

import hashlib
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from connectors import Clock
from gateway.reload.identity import identify
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
    # Whose a version is; of one an earlier release kept only its own text tells.
    ("ALTER TABLE versions ADD COLUMN file TEXT", "ALTER TABLE versions ADD COLUMN gateway TEXT"),
)
_COLUMNS: Final = "number, time, who, note, state, digest, file, gateway"


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
    file: str | None
    """The plant file, seen from the data directory; None where an earlier release kept the version."""
    gateway: str | None
    """`gateway.id`; None as well."""


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


def place(plant_file: Path | None, directory: Path) -> str:
    """Return where a plant file is, seen from the data directory: a plant that is moved keeps its versions.

    A link keeps its own name: where each new file comes as another the link leads to, it is still that file.
    """
    if plant_file is None:
        return ""
    file = plant_file.parent.resolve() / plant_file.name
    try:
        return os.path.relpath(file, directory.resolve())
    except ValueError:  # on another drive
        return str(file)


class Versions:
    """A plant file's versions in a data directory; opened for each question, so that any process may ask."""

    def __init__(self, directory: Path, clock: Clock, plant_file: Path | None) -> None:
        self._path = directory / CONFIG
        self._clock = clock
        self.file = place(plant_file, directory)
        """Whose versions they are."""
        self.directory = directory

    def add(self, text: bytes, gateway: str, who: str, note: str, state: State = "applied") -> int:
        """Keep a version; return its number. Raises sqlite3.Error, NewerFormat."""
        with self._open() as connection, transaction(connection):
            found = connection.execute("SELECT ifnull(max(number), 0) + 1 FROM versions").fetchone()
            number = int(found[0])
            connection.execute(
                "INSERT INTO versions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (number, self._clock.now(), who, note, state, digest(text), text, self.file, gateway),
            )
            connection.execute("DELETE FROM versions WHERE number <= ?", (number - KEPT,))
        return number

    def all(self) -> list[Version]:
        """Return every version, the newest first; also what no file is known of."""
        return [each for each in self._all() if each.file in (None, self.file)]

    def one(self, number: int) -> tuple[Version, bytes] | None:
        """Return a version and its text, whosever it is; None when there is none of this number.

        Where an earlier release kept it, its gateway is the one its text names.
        """
        if not self._path.exists():
            return None
        with self._open() as connection:
            query = f"SELECT {_COLUMNS}, text FROM versions WHERE number = ?"  # noqa: S608  ours
            row = connection.execute(query, (number,)).fetchone()
        if row is None:
            return None
        version, text = Version(*row[:-1]), bytes(row[-1])
        gateway = version.gateway or identify(text, (self.directory / self.file).parent).gateway
        return replace(version, gateway=gateway), text

    def text(self, number: int) -> bytes | None:
        """Return a version's text, None when there is none of this number."""
        found = self.one(number)
        return None if found is None else found[1]

    def last_good(self, gateway: str | None = None) -> Version | None:
        """Return the newest version that ran; where a gateway is named, not those known to be of another."""
        return next((each for each in _ran(self.all()) if gateway in (None, each.gateway or gateway)), None)

    def anybodys(self) -> Version | None:
        """Return the newest version that ran, whosever it is."""
        return next(_ran(self._all()), None)

    def of_another(self, gateway: str) -> Version | None:
        """Return the newest version that ran, where it is of another file and another `gateway.id`."""
        newest = self.anybodys()
        if newest is None or newest.file in (None, self.file) or newest.gateway == gateway:
            return None
        return newest

    def seen(self, file: str | None) -> str:
        """Return for people where a plant file is; of what an earlier release kept nobody knows."""
        return "?" if file is None else os.path.normpath(self.directory / file)

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

    def _all(self) -> list[Version]:
        if not self._path.exists():
            return []
        with self._open() as connection:
            query = f"SELECT {_COLUMNS} FROM versions ORDER BY number DESC"  # noqa: S608  ours
            return [Version(*row) for row in connection.execute(query)]

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with closing(open_sound(self._path, _SCHEMA)) as connection:
            yield connection
            checkpoint(connection, truncate=True)


def _ran(versions: Iterable[Version]) -> Iterator[Version]:
    return (each for each in versions if each.state == "applied")
