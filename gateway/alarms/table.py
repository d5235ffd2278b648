"""The table of alarms on disk: one row an occurrence, and every event of its life in order.

    began ─▶ active ─┬─ acknowledged ─▶ ┐      An event has a number that only grows: who tells events (the
                     └────────────────▶ cleared  log's own tags, a webhook) remembers the last it told.

Shelving belongs to the subject, not the occurrence: what begins meanwhile is noted and told to nobody.
What was goes after 400 days on which something happened: a clock set far ahead makes one such day.
"""

import secrets
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, cast, get_args

import orjson

from config.alarms import Severity
from gateway.alarms.condition import AlarmKind, Condition, Facts, Key, Turn
from gateway.sqlite import check_version, checkpoint, connect_for_reading, open_sound, transaction

ALARMS: Final = "alarms.sqlite"
KEPT_DAYS: Final = 400
DAY_NS: Final = 86_400_000_000_000
What = Literal["began", "raised", "cleared", "acknowledged", "shelved", "unshelved"]
Which = Literal["active", "unacknowledged", "cleared", "all"]
WHICH: Final[tuple[Which, ...]] = get_args(Which)
_SCHEMA: Final = (
    (
        """CREATE TABLE alarms (
            id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, subject TEXT NOT NULL,
            code TEXT NOT NULL, severity TEXT NOT NULL, facts TEXT NOT NULL, began INTEGER NOT NULL,
            cleared INTEGER NOT NULL DEFAULT 0, acknowledged INTEGER NOT NULL DEFAULT 0,
            who TEXT NOT NULL DEFAULT '', note TEXT NOT NULL DEFAULT ''
        ) STRICT""",
        "CREATE UNIQUE INDEX standing ON alarms(kind, subject) WHERE cleared = 0",
        "CREATE INDEX by_began ON alarms(began)",
        """CREATE TABLE events (
            number INTEGER PRIMARY KEY AUTOINCREMENT, alarm INTEGER NOT NULL, what TEXT NOT NULL,
            at INTEGER NOT NULL, who TEXT NOT NULL, quiet INTEGER NOT NULL
        ) STRICT""",
        """CREATE TABLE shelves (
            kind TEXT NOT NULL, subject TEXT NOT NULL, until INTEGER NOT NULL, who TEXT NOT NULL,
            note TEXT NOT NULL, PRIMARY KEY (kind, subject)
        ) STRICT, WITHOUT ROWID""",
        "CREATE TABLE told (who TEXT PRIMARY KEY, number INTEGER NOT NULL) STRICT, WITHOUT ROWID",
        "CREATE TABLE identity (id TEXT NOT NULL) STRICT",
    ),
)
_ALARM: Final = (
    "id, a.kind, a.subject, code, severity, facts, began, cleared, acknowledged, a.who, a.note, "
    "ifnull(s.until, 0), ifnull(s.who, '')"
)
_OF_IT: Final = "s.kind = a.kind AND s.subject = a.subject"
_JOINED: Final = f"alarms a LEFT JOIN shelves s ON {_OF_IT}"
_WHERE: Final[dict[Which, str]] = {
    "active": "cleared = 0",
    "unacknowledged": "cleared = 0 AND acknowledged = 0",
    "cleared": "cleared > 0",
    "all": "1",
}
_CHOSEN: Final = "(? IS NULL OR a.kind = ?) AND instr(lower(a.subject), lower(?)) > 0"
_TOLD: Final = "AND ifnull(s.until, 0) <= ?"


@dataclass(frozen=True, slots=True)
class Alarm:
    """One occurrence; times are ns UTC, 0 is not."""

    id: int
    kind: AlarmKind
    subject: str
    code: str
    severity: Severity
    facts: Facts
    began: int
    cleared: int
    acknowledged: int
    who: str
    """Who acknowledged it, and what that one noted."""
    note: str
    shelved_until: int
    shelved_by: str


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to an alarm."""

    number: int
    what: What
    at: int
    who: str
    quiet: bool
    """It was shelved then: no webhook tells it."""
    alarm: Alarm


class Table:
    """Written by the gateway; one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._looked = -1
        self._shelf_ends: int | None = None
        """When the first shelf ends; None without any."""
        self.identity = ""
        """Tells this table from one that took its place."""

    def open(self) -> None:
        """Open or make the file. Raises sqlite3.Error, NewerFormat."""
        self.close()
        self._connection = open_sound(self._path, _SCHEMA)
        with transaction(self._db):
            if self._db.execute("SELECT 1 FROM identity").fetchone() is None:
                self._db.execute("INSERT INTO identity VALUES (?)", (secrets.token_hex(8),))
        self.identity = self._db.execute("SELECT id FROM identity").fetchone()[0]
        self._look_at_shelves()

    def close(self) -> None:
        """Let the file go."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def standing(self) -> dict[Key, Condition]:
        """Return the alarms that stand, as conditions that hold."""
        found = _alarms(self._db, "cleared = 0", ())
        return {
            (each.kind, each.subject): Condition(
                each.kind, each.subject, holds=True, code=each.code, severity=each.severity, facts=each.facts
            )
            for each in found
        }

    def write(self, turns: Iterable[Turn], now: int) -> None:
        """Return once what turned is on disk, with its events; drop what is older than is kept."""
        with transaction(self._db):
            for turn in turns:
                self._turn(turn, now)
            self._end_shelves(now)
            self._shorten(now)
        self._look_at_shelves()
        checkpoint(self._db, truncate=False)

    def has_shelves_to_end(self, now: int) -> bool:
        """Tell whether somebody's time is up; looks at no disk, so any thread may ask."""
        ends = self._shelf_ends
        return ends is not None and ends <= now

    def acknowledge(self, number: int, now: int, who: str, note: str) -> Alarm | None:
        """Note that somebody has seen it, once; None where there is no such alarm."""
        with transaction(self._db):
            alarm = self._get(number)
            if alarm is not None and not alarm.acknowledged:
                self._db.execute(
                    "UPDATE alarms SET acknowledged = ?, who = ?, note = ? WHERE id = ?",
                    (now, who, note, number),
                )
                self._event(alarm, "acknowledged", now, who)
        return self._get(number)

    def shelve(self, number: int, now: int, who: str, note: str, *, until: int) -> Alarm | None:
        """Let nobody be told of an alarm's subject until then; a time that is over ends it."""
        with transaction(self._db):
            alarm = self._get(number)
            if alarm is not None:
                if until > now:
                    self._event(alarm, "shelved", now, who)
                    self._db.execute(
                        "INSERT OR REPLACE INTO shelves VALUES (?, ?, ?, ?, ?)",
                        (alarm.kind, alarm.subject, until, who, note),
                    )
                elif alarm.shelved_until:
                    self._unshelve(alarm.kind, alarm.subject, now, who)
        self._look_at_shelves()
        return self._get(number)

    def events(self, after: int, most: int) -> Sequence[Event]:
        """Return events behind a number, in order."""
        rows = self._db.execute(
            f"SELECT e.number, e.what, e.at, e.who, e.quiet, {_ALARM} FROM events e "  # noqa: S608  our own words
            f"JOIN alarms a ON a.id = e.alarm LEFT JOIN shelves s ON {_OF_IT} "
            "WHERE e.number > ? ORDER BY e.number LIMIT ?",
            (after, most),
        )
        return [Event(row[0], row[1], row[2], row[3], bool(row[4]), _alarm(row[5:])) for row in rows]

    def counts(self, now: int) -> dict[str, int]:
        """Return how many alarms of each kind stand and nobody has shelved, and `unacknowledged` of all."""
        standing = f"SELECT a.kind, count(*) FROM {_JOINED} WHERE {_WHERE['active']} {_TOLD} GROUP BY a.kind"  # noqa: S608
        found = dict(self._db.execute(standing, (now,)).fetchall())
        waiting = f"SELECT count(*) FROM {_JOINED} WHERE {_WHERE['unacknowledged']} {_TOLD}"  # noqa: S608
        found["unacknowledged"] = self._db.execute(waiting, (now,)).fetchone()[0]
        return found

    def told(self, who: str) -> int | None:
        """Return the last event somebody has told; None: never any."""
        row = self._db.execute("SELECT number FROM told WHERE who = ?", (who,)).fetchone()
        return None if row is None else row[0]

    def tell(self, who: str, number: int) -> None:
        """Remember the last event somebody has told."""
        with transaction(self._db):
            self._db.execute("INSERT OR REPLACE INTO told VALUES (?, ?)", (who, number))

    def newest(self) -> int:
        """Return the number of the newest event; 0 before the first."""
        row = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
        return 0 if row is None else row[0]

    @property
    def _db(self) -> sqlite3.Connection:
        if self._connection is None:
            raise sqlite3.OperationalError("the table of alarms is not open")
        return self._connection

    def _turn(self, turn: Turn, now: int) -> None:
        each = turn.condition
        facts = orjson.dumps(each.facts).decode()
        if turn.what == "began":
            self._db.execute(
                "INSERT INTO alarms (kind, subject, code, severity, facts, began) VALUES (?, ?, ?, ?, ?, ?)",
                (each.kind, each.subject, each.code, each.severity, facts, now),
            )
        standing = _alarms(self._db, "a.kind = ? AND a.subject = ? AND cleared = 0", each.key)
        if not standing:
            return
        number = standing[0].id
        if turn.what == "raised":
            self._db.execute(
                "UPDATE alarms SET code = ?, severity = ?, facts = ?, acknowledged = 0, who = '', note = '' "
                "WHERE id = ?",
                (each.code, each.severity, facts, number),
            )
        elif turn.what == "cleared":
            self._db.execute("UPDATE alarms SET cleared = ? WHERE id = ?", (now, number))
        self._event(standing[0], turn.what, now)

    def _event(self, alarm: Alarm, what: What, now: int, who: str = "") -> None:
        self._db.execute(
            "INSERT INTO events (alarm, what, at, who, quiet) VALUES (?, ?, ?, ?, ?)",
            (alarm.id, what, now, who, int(alarm.shelved_until > now)),
        )

    def _look_at_shelves(self) -> None:
        self._shelf_ends = self._db.execute("SELECT min(until) FROM shelves").fetchone()[0]

    def _end_shelves(self, now: int) -> None:
        over = self._db.execute("SELECT kind, subject FROM shelves WHERE until <= ?", (now,)).fetchall()
        for kind, subject in over:
            self._unshelve(kind, subject, now, "")

    def _unshelve(self, kind: str, subject: str, now: int, who: str) -> None:
        self._db.execute("DELETE FROM shelves WHERE kind = ? AND subject = ?", (kind, subject))
        for alarm in _alarms(self._db, "a.kind = ? AND a.subject = ? AND cleared = 0", (kind, subject)):
            self._event(alarm, "unshelved", now, who)

    def _shorten(self, now: int) -> None:
        if now // DAY_NS == self._looked:
            return
        self._looked = now // DAY_NS
        days = "SELECT max(number) AS last FROM events GROUP BY at / ? ORDER BY last DESC LIMIT 1 OFFSET ?"
        row = self._db.execute(days, (DAY_NS, KEPT_DAYS)).fetchone()
        if row is not None:
            later = "SELECT alarm FROM events WHERE number > ?"
            self._db.execute(f"DELETE FROM alarms WHERE cleared > 0 AND id NOT IN ({later})", row)  # noqa: S608
            self._db.execute("DELETE FROM events WHERE alarm NOT IN (SELECT id FROM alarms)")

    def _get(self, number: int) -> Alarm | None:
        found = _alarms(self._db, "id = ?", (number,))
        return found[0] if found else None


def read(
    path: Path,
    which: Which = "all",
    offset: int = 0,
    limit: int = 100,
    *,
    kind: AlarmKind | None = None,
    subject: str = "",
) -> tuple[int, list[Alarm]]:
    """Return how many alarms there are and some of them: those that stand first, the newest first.

    `kind` and `subject`, a part of its name, leave out all others.

    Raises sqlite3.Error, NewerFormat.
    """
    if not path.exists():
        return 0, []
    connection = connect_for_reading(path, sealed=False)
    try:
        check_version(connection, _SCHEMA)
        where, asked = f"{_WHERE[which]} AND {_CHOSEN}", (kind, kind, subject)
        total = connection.execute(f"SELECT count(*) FROM alarms a WHERE {where}", asked).fetchone()[0]  # noqa: S608
        order = f"{where} ORDER BY cleared > 0, began DESC, id DESC LIMIT ? OFFSET ?"
        return total, _alarms(connection, order, (*asked, limit, offset))
    finally:
        connection.close()


def _alarms(connection: sqlite3.Connection, where: str, values: Sequence[Any]) -> list[Alarm]:
    rows = connection.execute(f"SELECT {_ALARM} FROM {_JOINED} WHERE {where}", values)  # noqa: S608
    return [_alarm(row) for row in rows]


def _alarm(row: Sequence[Any]) -> Alarm:
    facts = cast("Facts", orjson.loads(row[5]))
    return Alarm(row[0], row[1], row[2], row[3], row[4], facts, *row[6:])
