"""The ledger: books deliveries into the energy books, each row exactly once, and closes periods.

    deliveries ─gather─▶ readings by meter ─account─▶ boundaries ─books─▶ energy.sqlite
                                                                          with the position, one transaction

Readings behind everything seen of a meter go on from where its account stands. One that comes late sends the
account back to its last checkpoint and books what followed again: boundaries that then hold something else
get the next revision, and a closed period an adjustment entry.

Everything here blocks and belongs to one thread at a time.
"""

import hashlib
import json
import logging
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from config.energy_meters import Meter
from connectors import Clock, Delivery, TagTable
from gateway.energy.accounts.account import Booking, Stand, book, stand_from
from gateway.energy.accounts.readings import Readings, merged
from gateway.energy.accounts.state import Rules, rules_of
from gateway.energy.bookkeeping import closing, entered, pages
from gateway.energy.bookkeeping.books import FOLD_AT, Books
from gateway.energy.bookkeeping.files import NAME, about, open_books, quantum_text
from gateway.energy.bookkeeping.gather import Wanted, gather
from gateway.energy.periods import DAY_NS, Calendar, zone_rules
from gateway.history.files import Booked, mark_from_text, mark_to_text
from gateway.sqlite import checkpoint, files_of, transaction

log = logging.getLogger(__name__)
_WAL_BYTES: Final = 8 * 2**20
_MOST_EPOCHS: Final = 16
_KEEP_LEAST: Final = 40 * DAY_NS


class Account:
    """One meter in memory."""

    def __init__(self, number: int, meter: Meter, stand: Stand) -> None:
        self.number = number
        self.meter = meter
        self.rules: Rules = rules_of(meter)
        self.stand = stand
        self.unfolded: list[int] = []
        """First times of pieces of readings that are not folded yet."""
        self.has_peaks = meter.medium.name in ("electricity", "electricity_export") and meter.kind != "manual"


class Ledger:
    """The books of a data directory, opened by `open` and closed by `close`."""

    def __init__(
        self,
        directory: Path,
        meters: Mapping[str, Meter],
        calendar: Calendar,
        tags: TagTable,
        clock: Clock,
        *,
        keep: int = _KEEP_LEAST,
    ) -> None:
        self.booked: Booked = {}
        """Up to which seq everything is in the books, by epoch."""
        self.rows_total = 0
        self.revised = 0
        """Boundaries' stretches booked again because readings came late."""
        self.too_late = 0
        """Readings that came after those around them were let go."""
        self._directory = directory
        self._meters = {name: each for name, each in meters.items() if each.is_read}
        self._calendar = calendar
        self._tags = tags
        self._clock = clock
        self._keep = keep
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self._accounts: list[Account] = []
        self._let_go = 0

    def open(self) -> None:
        """Open or create; set aside what is damaged. Raises sqlite3.Error, OSError, NewerFormat."""
        with self._lock:
            self._db = open_books(self._directory)
            self._wanted = Wanted(self._meters, self._tags)
            self._step = self._calendar.grid
            with transaction(self._db):
                self._check_calendar(self._db)
                self._accounts = [self._account(self._db, each) for each in self._meters.values()]
            reached = self._db.execute("SELECT value FROM meta WHERE key = 'reached'").fetchone()
            self.booked = {} if reached is None else mark_from_text(reached[0])[1]

    def book(self, deliveries: Sequence[Delivery], reached: Delivery | None = None) -> int:
        """Book rows, and that all up to and with `reached` is booked; return how many readings counted.

        All in one transaction; deliveries booked before are left out. What people entered meanwhile is booked
        with them. Raises sqlite3.Error: then nothing is booked.
        """
        with self._lock:
            db = self._opened()
            found = gather(deliveries, self.booked, self._wanted, latest=self._clock.now() + DAY_NS)
            booked = dict(self.booked)
            for each in (*deliveries, *(() if reached is None else (reached,))):
                booked[each.epoch] = max(each.seq, booked.get(each.epoch, -1))
            if len(booked) > _MOST_EPOCHS:
                booked = dict(sorted(booked.items())[-_MOST_EPOCHS:])
            before = [account.stand for account in self._accounts]
            try:
                with transaction(db):
                    books = Books(db, self._calendar, self._step)
                    if self._let_go != self._keep_from():
                        self._let_go = self._keep_from()
                        by_hand = [each.number for each in self._accounts if each.rules.is_manual]
                        books.let_go(self._let_go, by_hand)
                    for at, readings in entered.take_readings(db, self._meters, self._clock.now()).items():
                        found[at] = merged(found[at], readings) if at in found else readings
                    rows = sum(
                        self._book_meter(books, self._accounts[at], each) for at, each in found.items()
                    )
                    books.write()
                    self._write_accounts(db, [self._accounts[at] for at in found])
                    closing.adjust(db, books.changed, self._clock.now())
                    closing.take(db, self._clock.now(), self._step)
                    db.execute(
                        "INSERT OR REPLACE INTO meta VALUES ('reached', ?)", (mark_to_text(0, booked),)
                    )
            except BaseException:
                for account, stand in zip(self._accounts, before, strict=True):
                    account.stand = stand
                raise
            self.booked = booked
            self.rows_total += rows
            self._shorten(db)
            return rows

    def has_entries(self) -> bool:
        """Tell whether something that people entered waits."""
        with self._lock:
            found = self._opened().execute("SELECT 1 FROM entered WHERE outcome IS NULL LIMIT 1")
            return found.fetchone() is not None

    def close(self) -> None:
        """Close the file; what is booked stays booked."""
        with self._lock:
            if self._db is not None:
                try:
                    checkpoint(self._db, truncate=True)
                except sqlite3.Error as exc:
                    log.debug("the energy books were closed unchecked", extra={"reason": str(exc)})
                self._db.close()
                self._db = None

    def digest(self) -> str:
        """Return a SHA-256 over everything the books say, however they came to say it."""
        with self._lock:
            return digest(self._opened(), self._calendar, self._step)

    def _opened(self) -> sqlite3.Connection:
        if self._db is None:
            raise sqlite3.OperationalError("the energy books are closed")
        return self._db

    def _check_calendar(self, db: sqlite3.Connection) -> None:
        """File boundaries anew on another grid, or days of another zone or of other rules: never mixed."""
        zone = self._calendar.zone
        now = {"step": self._step, "zone": str(zone), "rules": zone_rules(zone)}
        kept = db.execute("SELECT value FROM meta WHERE key = 'calendar'").fetchone()
        said = json.dumps(now)
        if (
            kept is not None and now | json.loads(kept[0]) != now
        ):  # books from before rules were kept have none
            closing.change_calendar(db, json.loads(kept[0])["step"], self._step, self._calendar)
            log.warning(
                "shifts, the zone or its rules changed: the books' boundaries are filed anew",
                extra={"code": "E-EN-0002", "was": kept[0], "now": said},
            )
        db.execute("INSERT OR REPLACE INTO meta VALUES ('calendar', ?)", (said,))

    def _account(self, db: sqlite3.Connection, meter: Meter) -> Account:
        quantum = quantum_text(meter)
        names = [meter.name, *(old for old in meter.formerly if old not in self._meters)]
        rows = db.execute("SELECT name, id, stand FROM meters WHERE quantum = ?", (quantum,)).fetchall()
        known = {name: found for name, *found in rows}
        row = next((known[each] for each in names if each in known), None)
        if row is None:
            stand = Stand()
            number = db.execute(
                "INSERT INTO meters (name, quantum, about, stand, ends) VALUES (?, ?, ?, ?, ?)",
                (meter.name, quantum, about(meter), stand.to_text(), stand.ends()),
            ).lastrowid
            return Account(int(number or 0), meter, stand)
        db.execute("UPDATE meters SET name = ?, about = ? WHERE id = ?", (meter.name, about(meter), row[0]))
        return Account(row[0], meter, stand_from(row[1]))

    def _book_meter(self, books: Books, account: Account, readings: Readings) -> int:
        """Book one meter's new readings; return how many counted."""
        keep_from = self._keep_from(account)
        seen = account.stand.state.seen
        if int(readings.time[0]) <= seen:
            new = self._book_late(books, account, readings, keep_from)
        else:
            result = self._run(account, account.stand, readings)
            self._put(books, account, result, readings, keep_from=keep_from)
            new = len(readings.time)
        if not new:
            return 0
        first = int(readings.time[0])
        account.unfolded.append(first)
        if len(account.unfolded) >= FOLD_AT:
            books.fold(account.number, max(min(account.unfolded), keep_from))
            account.unfolded = []
        return new

    def _keep_from(self, account: Account | None = None) -> int:
        """Return since when readings are kept: those people took, for good."""
        if account is not None and account.rules.is_manual:
            return -(2**62)
        return (self._clock.now() - self._keep) // DAY_NS * DAY_NS

    def _book_late(self, books: Books, account: Account, readings: Readings, keep_from: int) -> int:
        """Go back to the last checkpoint before the first late reading and book from there again."""
        is_kept = readings.time >= keep_from
        is_new = readings.time > account.stand.state.seen
        lost = ~is_kept & ~is_new
        if lost.any():
            self.too_late += int(lost.sum())
            log.warning(
                "readings came too late to be booked: those around them are no longer kept",
                extra={"code": "E-EN-0003", "meter": account.meter.name, "readings": int(lost.sum())},
            )
        readings = readings.where(~lost)
        if not len(readings.time):
            return 0
        if int(readings.time[0]) > account.stand.state.seen:
            result = self._run(account, account.stand, readings)
            self._put(books, account, result, readings, keep_from=keep_from)
            return len(readings.time)
        at = books.checkpoint(account.number, int(readings.time[0]))
        if at is None and account.stand.state.first < keep_from:
            self.too_late += len(readings.time)
            return 0
        since, stand = (-(2**62), Stand()) if at is None else (at[0] * DAY_NS, at[1])
        if readings.manual.any():
            # Who enters a reading again corrects it.
            books.forget(account.number, readings.time[readings.manual])
        kept = books.readings(account.number, since)
        again = merged(kept, readings)
        if len(again.time) == len(kept.time) and all(
            (a == b).all() for a, b in zip(again, kept, strict=True)
        ):
            return 0
        result = self._run(account, stand, again)
        self.revised += 1
        books.put_events(account.number, (), stand.state.time)
        before, reached = account.stand.state.time, result.stand.state.time
        if reached < before:
            books.take_back(account.number, reached, before)
        self._put(books, account, result, again, keep_from=keep_from, new=readings)
        return len(readings.time)

    def _run(self, account: Account, stand: Stand, readings: Readings) -> Booking:
        first = stand.state.seen if stand.state.seen >= 0 else int(readings.time[0])
        days = np.arange(first // DAY_NS + 1, int(readings.time[-1]) // DAY_NS + 1, dtype=np.int64)
        self._cuts = days[days * DAY_NS >= self._keep_from(account)] * DAY_NS
        return book(
            account.rules, stand, readings, step=self._step, cuts=self._cuts, has_peaks=account.has_peaks
        )

    def _put(
        self,
        books: Books,
        account: Account,
        result: Booking,
        readings: Readings,
        *,
        keep_from: int,
        new: Readings | None = None,
    ) -> None:
        account.stand = result.stand
        books.put(account.number, result.boundaries)
        books.put_checkpoints(account.number, self._cuts, result.snapshots, keep_from)
        books.put_readings(account.number, new or readings, keep_from)
        books.put_events(account.number, result.events)

    def _write_accounts(self, db: sqlite3.Connection, accounts: Sequence[Account]) -> None:
        db.executemany(
            "UPDATE meters SET stand = ?, ends = ? WHERE id = ?",
            [(each.stand.to_text(), each.stand.ends(), each.number) for each in accounts],
        )

    def _shorten(self, db: sqlite3.Connection) -> None:
        wal = files_of(self._directory / NAME)[1]
        if wal.exists() and wal.stat().st_size > _WAL_BYTES:
            checkpoint(db, truncate=True)


def digest(db: sqlite3.Connection, calendar: Calendar, step: int) -> str:
    """Return a SHA-256 over boundaries, local days, events and kept readings; revisions left out."""
    sha = hashlib.sha256()
    names = dict(db.execute("SELECT id, name || ' ' || quantum FROM meters ORDER BY 2"))
    books = Books(db, calendar, step)
    for number, name in names.items():
        sha.update(name.encode())
        for day, data in db.execute("SELECT day, data FROM pages WHERE meter = ? ORDER BY day", (number,)):
            page = pages.decode(data)
            page["revision"] = 0
            sha.update(b"%d" % day + page.tobytes())
        for month, data in db.execute(
            "SELECT month, data FROM days WHERE meter = ? ORDER BY month", (number,)
        ):
            page = np.frombuffer(data, pages.RECORD).copy()
            page["revision"] = 0
            sha.update(b"%d" % month + page.tobytes())
        events = db.execute("SELECT * FROM events WHERE meter = ? ORDER BY time, flag, after", (number,))
        sha.update(repr([row[1:] for row in events]).encode())
        kept = books.readings(number, -(2**62))
        for column in kept:
            sha.update(column.tobytes())
    return sha.hexdigest()
