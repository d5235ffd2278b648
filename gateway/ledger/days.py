"""The daily record: every sink's books as they stood at the end of each day of the plant's time zone.

Books only grow, so what a day moved is what stood at its end less what stood at the end before. Once a
minute, at the day's end and when the gateway stops, the books are written over the running day's. A kill may
move the line between two days by less than a minute; it costs no row of the sum.
"""

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import orjson

from connectors import Clock, NotConnected
from gateway.buffer.repair import set_aside
from gateway.history.files import is_damage
from gateway.ledger.books import Account, Entry
from gateway.sqlite import checkpoint, connect_for_reading, open_sound, transaction
from gateway.supervise import Link, LinkState

log = logging.getLogger(__name__)
DAYS: Final = "delivery.sqlite"
"""Where in the data directory the daily record lies."""
KEEP_DAYS: Final = 400
_EVERY_S: Final = 60.0
_SCHEMA: Final = (
    (
        """CREATE TABLE days(
            day TEXT NOT NULL, sink TEXT NOT NULL, source TEXT NOT NULL, since INTEGER NOT NULL,
            noted INTEGER NOT NULL, holds INTEGER NOT NULL, acquired INTEGER NOT NULL,
            delivered INTEGER NOT NULL, buffered INTEGER NOT NULL, not_selected INTEGER NOT NULL,
            quarantined INTEGER NOT NULL, again INTEGER NOT NULL, dropped TEXT NOT NULL,
            PRIMARY KEY(day, sink, source)) WITHOUT ROWID""",
    ),
)
_COUNTS: Final = ("acquired", "delivered", "buffered", "not_selected", "quarantined", "again")
_COLUMNS: Final = ", ".join(("day", "sink", "source", "since", "noted", "holds", *_COUNTS, "dropped"))


@dataclass(frozen=True, slots=True)
class Day:
    """One source at one sink on one day."""

    day: date
    sink: str
    since: int
    """When the sink's books began, ns UTC."""
    noted: int
    """When this was written last, ns UTC."""
    holds: bool
    """Whether the sink's books held then."""
    stood: Entry
    """The books at the day's end, or when they were written last."""
    moved: Entry
    """What this day added; `buffered` and `quarantined` may have become less."""


class DayBook:
    """Writes the record; one session a run, under `supervise`."""

    def __init__(
        self, link: Link, path: Path, zone: ZoneInfo, accounts: Callable[[], Sequence[Account]], clock: Clock
    ) -> None:
        self._link = link
        self._path = path
        self._zone = zone
        self._accounts = accounts
        self._clock = clock
        self._day = self._today()
        self._failing: set[str] = set()

    async def session(self) -> None:
        """Write once a minute and at midnight; NotConnected when the disk does not take it."""
        while True:
            await self.write()
            self._link.become(LinkState.CONNECTED)
            await asyncio.sleep(min(_EVERY_S, self._to_midnight_s()))

    async def write(self) -> None:
        """Write the books over those of the running day, at its end for the last time."""
        accounts, now = self._accounts(), self._clock.now()
        day, self._day = self._day, self._today()
        self._say(accounts)
        try:
            await asyncio.to_thread(_write, self._path, day, accounts, now)
        except (sqlite3.Error, OSError) as exc:
            self._day = day
            raise NotConnected(f"the daily record of delivery is not written: {exc}") from exc

    async def close(self) -> None:
        """Write for the last time in this run; what the disk refuses now the next run makes good."""
        with contextlib.suppress(NotConnected):
            await self.write()

    def _say(self, accounts: Sequence[Account]) -> None:
        """Say once that a sink's books do not hold: then rows are lost, or counted wrong."""
        failing = {each.sink for each in accounts if not each.holds}
        for sink in failing - self._failing:
            log.error("the books of a sink do not hold", extra={"code": "E-LE-0001", "sink": sink})
        self._failing = failing

    def _today(self) -> date:
        return datetime.fromtimestamp(self._clock.now() / 1e9, self._zone).date()

    def _to_midnight_s(self) -> float:
        now = self._clock.now() / 1e9
        midnight = datetime.combine(self._today() + timedelta(days=1), time(), self._zone)
        return max(0.0, midnight.timestamp() - now) + 0.01


def read_days(path: Path, first: date, last: date) -> list[Day]:
    """Return the record of these days, by day, sink and source; empty where there is none yet.

    Raises sqlite3.Error.
    """
    if not path.exists():
        return []
    with contextlib.closing(connect_for_reading(path, sealed=False)) as connection:
        rows = connection.execute(
            f"SELECT {_COLUMNS} FROM days WHERE day <= ? AND day >= ifnull("  # noqa: S608  our own names
            "(SELECT max(day) FROM days WHERE day < ?), ?) ORDER BY day, sink, source",
            (last.isoformat(), first.isoformat(), first.isoformat()),
        ).fetchall()
    before: dict[tuple[str, str], tuple[int, Entry]] = {}
    found = []
    for row in rows:
        day, sink, since, noted, holds, stood = _of_row(row)
        then, stood_then = before.get((sink, stood.source), (since, None))
        moved = _less(stood, stood_then if then == since else None)
        before[sink, stood.source] = since, stood
        if day >= first:
            found.append(Day(day, sink, since, noted, holds, stood, moved))
    return found


def _write(path: Path, day: date, accounts: Iterable[Account], now: int) -> None:
    with contextlib.closing(_opened(path)) as connection:
        with transaction(connection):
            connection.executemany(
                f"INSERT OR REPLACE INTO days ({_COLUMNS}) VALUES ({', '.join('?' * 13)})",  # noqa: S608
                [_row(day, account, entry, now) for account in accounts for entry in account.entries],
            )
            oldest = (day - timedelta(days=KEEP_DAYS)).isoformat()
            connection.execute("DELETE FROM days WHERE day < ?", (oldest,))
        checkpoint(connection, truncate=True)


def _opened(path: Path) -> sqlite3.Connection:
    """Open the record; a damaged one is set aside, a new one begins."""
    try:
        return open_sound(path, _SCHEMA)
    except sqlite3.DatabaseError as exc:
        if not is_damage(exc):
            raise
        bad = set_aside(path)
        log.error("the daily record is damaged and begins anew", extra={"file": bad.name, "reason": str(exc)})  # noqa: TRY400
        return open_sound(path, _SCHEMA)


def _row(day: date, account: Account, entry: Entry, now: int) -> tuple[Any, ...]:
    return (
        *(day.isoformat(), account.sink, entry.source, account.since, now, account.holds),
        *(getattr(entry, name) for name in _COUNTS),
        orjson.dumps(entry.dropped).decode(),
    )


def _of_row(row: Sequence[Any]) -> tuple[date, str, int, int, bool, Entry]:
    day, sink, source, since, noted, holds, *counts, dropped = row
    entry = Entry(source, dropped=orjson.loads(dropped), **dict(zip(_COUNTS, counts, strict=True)))
    return date.fromisoformat(day), sink, since, noted, bool(holds), entry


def _less(stood: Entry, before: Entry | None) -> Entry:
    if before is None:
        return stood
    counts = {name: getattr(stood, name) - getattr(before, name) for name in _COUNTS}
    dropped = {
        reason: rows - before.dropped.get(reason, 0)
        for reason, rows in stood.dropped.items()
        if rows != before.dropped.get(reason, 0)
    }
    return Entry(stood.source, dropped=dropped, **counts)
