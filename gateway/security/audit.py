"""The audit log: who did what, when, from where; each entry holds the hash of the one before.

Entries are only ever appended, by the page and by commands alike. What is changed, taken out or put in
between breaks the chain; what is cut off at the end, or a chain made anew from some entry on, shows against a
hash that was noted elsewhere (`wanglian audit verify` prints it, every start of the page logs it). Entries go
after 400 days, never before six months (Cybersecurity Law of China, art. 21); going is an entry too, and
names the hash the chain then begins with. Days are those on which something was noted: a clock that is
set 80 years ahead, and back, makes one or two of them, so a wrong clock takes nothing away. A quiet gateway
keeps its entries longer.
"""

import hashlib
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import orjson

from connectors import Clock
from gateway.security.files import make_private
from gateway.sqlite import check_version, checkpoint, connect_for_reading, open_sound, transaction

Act = Literal[
    "setup.done", "setup.refused", "login", "login.refused", "logout", "password", "password.refused",
    "user.added", "user.role", "user.enabled", "user.disabled", "user.password",
    "token.added", "token.removed",
    "audit.verified", "audit.exported", "audit.shortened", "exported",
    "config.apply", "config.rollback", "config.applied", "config.refused", "config.draft",
    "certificate.trusted", "certificate.rejected", "certificate.renewed", "quarantine.deleted",
    "quarantine.retried",
    "report.ordered", "report.made", "report.deleted",
    "alarm.acknowledged", "alarm.shelved", "alarm.unshelved",
]  # fmt: skip
"""What can be done; the page has a word for each."""
AUDIT: Final = "audit.sqlite"
DAY_NS: Final = 86_400_000_000_000
LEAST_DAYS: Final = 184
"""Six months, whichever."""
KEPT_DAYS: Final = 400
SHORTENED: Final[Act] = "audit.shortened"
_START: Final = bytes(32)
_SCHEMA: Final[Sequence[Sequence[str]]] = (
    (
        """CREATE TABLE entries (
            number INTEGER PRIMARY KEY, at INTEGER NOT NULL, who TEXT NOT NULL, address TEXT NOT NULL,
            what TEXT NOT NULL, about TEXT NOT NULL, previous BLOB NOT NULL, hash BLOB NOT NULL
        ) STRICT""",
        """CREATE TRIGGER never_changed BEFORE UPDATE ON entries
            BEGIN SELECT RAISE(ABORT, 'an entry of the audit log never changes'); END""",
        """CREATE TRIGGER kept_long_enough BEFORE DELETE ON entries
            WHEN OLD.at > CAST(strftime('%s', 'now') AS INTEGER) * 1000000000 - 15897600000000000
            BEGIN SELECT RAISE(ABORT, 'an entry of the audit log is kept for six months'); END""",
    ),
    (
        "DROP TRIGGER kept_long_enough",
        """CREATE TRIGGER kept_long_enough BEFORE DELETE ON entries
            WHEN (SELECT what FROM entries ORDER BY number DESC LIMIT 1) IS NOT 'audit.shortened'
            BEGIN SELECT RAISE(ABORT, 'an entry of the audit log goes only where an entry says so'); END""",
    ),
)
_COLUMNS: Final = "number, at, who, address, what, about, previous, hash"


@dataclass(frozen=True, slots=True)
class Entry:
    """Something somebody did."""

    number: int
    at: int
    who: str
    address: str
    what: str
    about: str
    """JSON."""
    previous: bytes
    hash: bytes

    def made(self) -> bytes:
        """Return the hash this entry must have."""
        said = [self.number, self.at, self.who, self.address, self.what, self.about, self.previous.hex()]
        return hashlib.sha256(orjson.dumps(said)).digest()

    def as_dict(self) -> dict[str, Any]:
        """Return the entry for programs."""
        return {
            "number": self.number,
            "at": self.at,
            "who": self.who,
            "address": self.address,
            "what": self.what,
            "about": orjson.loads(self.about),
            "previous": self.previous.hex(),
            "hash": self.hash.hex(),
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a look at the whole chain found."""

    first: int
    last: int
    head: str
    """Hash of the last entry; empty without one."""
    wrong: tuple[int, ...]
    """Numbers of entries that are not as they were written, or do not follow the one before."""

    @property
    def is_whole(self) -> bool:
        """Tell whether nothing was changed, taken out or put in."""
        return not self.wrong


class Audit:
    """The log of one gateway; calls may come from any thread, and wait for the disk."""

    def __init__(self, directory: Path, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock
        self._looked = -1
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def append(self, who: str, address: str, what: Act, about: Mapping[str, object] | None = None) -> Entry:
        """Return once the entry is on disk. Raises NewerFormat, sqlite3.Error: then do nothing else."""
        with self._lock:
            if self._connection is None:
                make_private(self._directory)
                self._connection = open_sound(self._directory / AUDIT, _SCHEMA)
            with transaction(self._connection):
                self._shorten(self._connection)
                entry = self._add(self._connection, who, address, what, about or {})
            checkpoint(self._connection, truncate=False)
        return entry

    def close(self) -> None:
        """Let the file go."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _add(
        self, connection: sqlite3.Connection, who: str, address: str, what: str, about: Mapping[str, object]
    ) -> Entry:
        last = connection.execute("SELECT number, hash FROM entries ORDER BY number DESC LIMIT 1").fetchone()
        number, previous = (last[0] + 1, last[1]) if last else (1, _START)
        text = orjson.dumps(about, option=orjson.OPT_SORT_KEYS).decode()
        unsigned = Entry(number, self._clock.now(), who, address, what, text, previous, b"")
        entry = Entry(number, unsigned.at, who, address, what, text, previous, unsigned.made())
        values = (number, entry.at, who, address, what, text, previous, entry.hash)
        connection.execute(f"INSERT INTO entries ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)  # noqa: S608
        return entry

    def _shorten(self, connection: sqlite3.Connection) -> None:
        """Drop what has enough days behind it, by the entries themselves; look once a day."""
        today = self._clock.now() // DAY_NS
        oldest = connection.execute("SELECT at FROM entries ORDER BY number LIMIT 1").fetchone()
        if today == self._looked or oldest is None or today - oldest[0] // DAY_NS <= KEPT_DAYS:
            return
        self._looked = today
        days = "SELECT max(number) AS last FROM entries GROUP BY at / ? ORDER BY last DESC LIMIT 1 OFFSET ?"
        row = connection.execute(days, (DAY_NS, KEPT_DAYS)).fetchone()
        if row is None:
            return
        hash_ = connection.execute("SELECT hash FROM entries WHERE number = ?", row).fetchone()[0]
        self._add(connection, "", "", SHORTENED, {"up_to": row[0], "hash": hash_.hex()})
        connection.execute("DELETE FROM entries WHERE number <= ?", row)


def entries(
    directory: Path,
    *,
    start: int = 0,
    end: int = 2**63 - 1,
    below: int = 2**63 - 1,
    newest_first: bool = False,
) -> Iterator[Entry]:
    """Yield entries by number, `start <= at < end` in ns UTC, `number < below`. Raises as `Audit.append`."""
    path = directory / AUDIT
    if not path.exists():
        return
    order = "DESC" if newest_first else "ASC"
    query = f"SELECT {_COLUMNS} FROM entries WHERE at >= ? AND at < ? AND number < ? ORDER BY number {order}"  # noqa: S608
    with closing(connect_for_reading(path, sealed=False)) as connection:
        check_version(connection, _SCHEMA)
        for row in connection.execute(query, (start, end, below)):
            yield Entry(*row)


def newest_of(directory: Path) -> Entry | None:
    """Return the last entry, None while there is none. Raises as `Audit.append`."""
    return next(entries(directory, newest_first=True), None)


def verify(directory: Path, noted: tuple[int, str] | None = None) -> Verdict:
    """Look at the whole chain; `noted` is a number and the hash it had once. Raises as `Audit.append`."""
    wrong: list[int] = []
    first: Entry | None = None
    before: Entry | None = None
    begins: dict[str, Any] | None = None
    days: set[int] = set()
    seen = ""
    for entry in entries(directory):
        first = first or entry
        follows = before is None or (entry.number == before.number + 1 and entry.previous == before.hash)
        if not follows or entry.hash != entry.made():
            wrong.append(entry.number)
        if entry.what == SHORTENED:
            begins = orjson.loads(entry.about) | {"days": len(days)}
        days.add(entry.at // DAY_NS)
        if noted is not None and entry.number == noted[0]:
            seen = entry.hash.hex()
        before = entry
    if first is None or before is None:
        return Verdict(0, 0, "", () if noted is None else (noted[0],))
    if not _begins_rightly(first, begins):
        wrong.insert(0, first.number)
    if noted is not None and noted[0] >= first.number and seen != noted[1]:
        wrong.append(noted[0])
    return Verdict(first.number, before.number, before.hash.hex(), tuple(dict.fromkeys(wrong)))


def _begins_rightly(first: Entry, begins: dict[str, Any] | None) -> bool:
    if begins is None:
        return first.number == 1 and first.previous == _START
    is_cut_there = (begins["up_to"] + 1, begins["hash"]) == (first.number, first.previous.hex())
    return is_cut_there and begins["days"] >= LEAST_DAYS
