"""What one booking does to the books' tables: pages, local days, checkpoints, readings, events.

Lives within one transaction: pages are read once, changed in memory and written when the booking ends.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Final

import numpy as np

from gateway.energy.accounts.account import Stand, stand_from
from gateway.energy.accounts.intervals import Boundaries, grid
from gateway.energy.accounts.readings import NONE, Readings, decode, encode, merged
from gateway.energy.accounts.state import Event, Integers
from gateway.energy.bookkeeping import pages
from gateway.energy.bookkeeping.pages import MONTH_SLOTS, RECORD, Slots
from gateway.energy.flags import MISSING
from gateway.energy.periods import DAY_NS, HOUR_NS, Calendar, month_of

FOLD_AT: Final = 48
"""Pieces of one meter's readings before they are made into one an hour."""
LARGE_PIECE: Final = 4_000
"""Readings in a piece that is left as it is."""


class Books:
    """The tables, while something is booked into them."""

    def __init__(self, connection: sqlite3.Connection, calendar: Calendar, step: int) -> None:
        self._db = connection
        self._calendar = calendar
        self._step = step
        self._slots = DAY_NS // step
        self._pages: dict[tuple[int, int], Slots] = {}
        self._months: dict[tuple[int, int], Slots] = {}
        self._dirty: set[tuple[int, int]] = set()
        self.changed: dict[int, tuple[int, int]] = {}
        """By meter: first and last boundary that was written."""

    def put(self, meter: int, found: Boundaries) -> None:
        """Write boundaries, and the local midnights they complete."""
        if not len(found.time):
            return
        new = pages.records(found)
        day, slot = pages.slot_of(found.time, self._step)
        for each in np.unique(day).tolist():
            rows = day == each
            page = self._page(meter, each)
            pages.put(page, slot[rows], new[rows])
            self._dirty.add((meter, each))
        first, last = int(found.time[0]), int(found.time[-1])
        known = self.changed.get(meter, (first, last))
        self.changed[meter] = min(first, known[0]), max(last, known[1])
        self.file_days(meter, int(found.time[0]), int(found.time[-1]))

    def take_back(self, meter: int, after: int, until: int) -> None:
        """Clear the boundaries in after < time ≤ until: no accepted reading lies behind them any more."""
        time = grid(after, until, self._step)
        if not len(time):
            return
        day, slot = pages.slot_of(time, self._step)
        for each in np.unique(day).tolist():
            rows = day == each
            pages.put(self._page(meter, each), slot[rows], pages.empty(int(rows.sum())))
            self._dirty.add((meter, each))
        first, last = int(time[0]), int(time[-1])
        known = self.changed.get(meter, (first, last))
        self.changed[meter] = min(first, known[0]), max(last, known[1])
        for midnight in self._calendar.days(first - 1, last + 1):
            if midnight > after:
                self._put_day(meter, midnight, pages.empty(1))
        self.file_days(meter, first - 1, last)

    def write(self) -> None:
        """Write every changed page; one of which nothing is known any more goes."""
        written = {key: self._pages[key] for key in sorted(self._dirty)}
        gone = [key for key, page in written.items() if (page["flags"] & MISSING).all()]
        self._db.executemany(
            "INSERT OR REPLACE INTO pages VALUES (?, ?, ?)",
            [(*key, pages.encode(page)) for key, page in written.items() if key not in gone],
        )
        self._db.executemany("DELETE FROM pages WHERE meter = ? AND day = ?", gone)
        empty = [key for key, page in self._months.items() if (page["flags"] == MISSING).all()]
        self._db.executemany(
            "INSERT OR REPLACE INTO days VALUES (?, ?, ?)",
            [(*key, page.tobytes()) for key, page in sorted(self._months.items()) if key not in empty],
        )
        self._db.executemany("DELETE FROM days WHERE meter = ? AND month = ?", empty)
        self._dirty.clear()
        self._months.clear()
        self._pages.clear()

    def boundaries(self, meter: int, time: Integers) -> Slots:
        """Return the slots of boundaries on the grid, (n,); MISSING where there are none."""
        found = np.empty(len(time), RECORD)
        day, slot = pages.slot_of(time, self._step)
        for each in np.unique(day).tolist():
            rows = day == each
            found[rows] = self._page(meter, each)[slot[rows]]
        return found

    def checkpoint(self, meter: int, time: int) -> tuple[int, Stand] | None:
        """Return (day, stand) of the newest checkpoint not after a time."""
        row = self._db.execute(
            "SELECT day, stand FROM checkpoints WHERE meter = ? AND day <= ? ORDER BY day DESC LIMIT 1",
            (meter, time // DAY_NS),
        ).fetchone()
        return None if row is None else (row[0], stand_from(row[1]))

    def put_checkpoints(self, meter: int, cuts: Integers, stands: Sequence[Stand], keep_from: int) -> None:
        """Keep where an account stood when each of these days began."""
        rows = [
            (meter, cut // DAY_NS, stand.to_text())
            for cut, stand in zip(cuts.tolist(), stands, strict=True)
            if cut >= keep_from
        ]
        self._db.executemany("INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?)", rows)

    def readings(self, meter: int, since: int) -> Readings:
        """Return the readings that are kept of a meter from a time on."""
        rows = self._db.execute(
            "SELECT data FROM readings WHERE meter = ? AND last >= ? ORDER BY id", (meter, since)
        )
        pieces = [decode(data) for (data,) in rows]
        kept = merged(*pieces) if pieces else NONE
        return kept.where(kept.time >= since)

    def put_readings(self, meter: int, new: Readings, keep_from: int) -> None:
        """Keep readings, those from before `keep_from` excepted."""
        kept = new.where(new.time >= keep_from)
        if len(kept.time):
            piece = (meter, int(kept.time[0]), int(kept.time[-1]), len(kept.time), encode(kept))
            self._db.execute(
                "INSERT INTO readings (meter, first, last, rows, data) VALUES (?, ?, ?, ?, ?)", piece
            )

    def fold(self, meter: int, since: int) -> None:
        """Make a meter's small pieces from the hour of `since` on into one an hour."""
        hour = since // HOUR_NS * HOUR_NS
        small = (meter, hour, LARGE_PIECE)
        rows = self._db.execute(
            "SELECT data FROM readings WHERE meter = ? AND first >= ? AND rows < ? ORDER BY id", small
        )
        pieces = [decode(data) for (data,) in rows]
        if len(pieces) < 2:
            return
        self._db.execute("DELETE FROM readings WHERE meter = ? AND first >= ? AND rows < ?", small)
        kept = merged(*pieces)
        hours = kept.time // HOUR_NS
        for each in np.unique(hours).tolist():
            self.put_readings(meter, kept.where(hours == each), hour)

    def let_go(self, keep_from: int, spared: Sequence[int]) -> None:
        """Let go readings and checkpoints from before a time, those of some meters excepted."""
        others = f"AND meter NOT IN ({','.join(str(int(number)) for number in spared)})"
        self._db.execute(f"DELETE FROM readings WHERE last < ? {others}", (keep_from,))  # noqa: S608
        before = f"DELETE FROM checkpoints WHERE day < ? {others}"  # noqa: S608
        self._db.execute(before, (keep_from // DAY_NS,))

    def forget(self, meter: int, times: Integers) -> None:
        """Forget the readings people took at these times: others take their place."""
        kept = self.readings(meter, -(2**62))
        wrong = kept.manual & np.isin(kept.time, times)
        if wrong.any():
            self._db.execute("DELETE FROM readings WHERE meter = ?", (meter,))
            self.put_readings(meter, kept.where(~wrong), -(2**62))

    def put_events(self, meter: int, events: Iterable[Event], since: int | None = None) -> None:
        """Keep events; those behind `since` are judged anew and replaced."""
        if since is not None:
            self._db.execute("DELETE FROM events WHERE meter = ? AND time > ?", (meter, since))
        self._db.executemany(
            "INSERT OR REPLACE INTO events VALUES (?, ?, ?, ?, ?)", [(meter, *event) for event in events]
        )

    def file_days(self, meter: int, first: int, last: int) -> None:
        """Write the local midnights in first ≤ time ≤ last, and those whose day a change lies in."""
        midnights = self._calendar.days(first - 1, last + 1)
        for begin, end in pairwise(midnights):
            if begin == end:  # a day that never was, as Samoa's 30 December 2011
                continue
            cells = self.boundaries(meter, np.arange(begin, end + 1, self._step, dtype=np.int64))
            if cells["flags"][-1] & MISSING:
                self._put_running(meter, end, cells)
                if not cells["flags"][0] & MISSING:
                    self._put_day(meter, begin, cells[:1], only_as_begin=True)
                continue
            at_end = cells[-1:].copy()
            known = cells[1:][(cells["flags"][1:] & MISSING) == 0]
            at_end["flags"] = np.bitwise_or.reduce(known["flags"])
            at_end["peak"] = known["peak"].max()
            self._put_day(meter, end, at_end)
            if not cells["flags"][0] & MISSING:
                self._put_day(meter, begin, cells[:1], only_as_begin=True)

    def _put_running(self, meter: int, end: int, cells: Slots) -> None:
        """Leave flags and peak of a day that is not over where its end will be, still MISSING."""
        known = cells[1:][(cells["flags"][1:] & MISSING) == 0]
        if len(known):
            so_far = pages.empty(1)
            so_far["flags"] |= np.bitwise_or.reduce(known["flags"])
            so_far["peak"] = known["peak"].max()
            self._put_day(meter, end, so_far)

    def _put_day(self, meter: int, midnight: int, record: Slots, *, only_as_begin: bool = False) -> None:
        """Write a midnight into its month and, of a first of the month, behind the last one's end."""
        at = self._calendar.local(midnight)
        places = [(month_of(at), at.day - 1)]
        if at.day == 1:
            before = self._calendar.local(midnight - DAY_NS // 2)
            places.append((month_of(before), before.day))
        left_out = at - timedelta(days=1)
        if self._calendar.midnight(left_out.date()) == midnight:  # a day that never was begins where it ends
            places.append((month_of(left_out), left_out.day - 1))
        for month, slot in places:
            page = self._month(meter, month)
            if only_as_begin and not page["flags"][slot] & MISSING:
                continue
            pages.put(page, np.array([slot]), record)

    def _page(self, meter: int, day: int) -> Slots:
        page = self._pages.get((meter, day))
        if page is None:
            row = self._db.execute(
                "SELECT data FROM pages WHERE meter = ? AND day = ?", (meter, day)
            ).fetchone()
            page = pages.empty(self._slots) if row is None else pages.decode(row[0])
            self._pages[meter, day] = page
        return page

    def _month(self, meter: int, month: int) -> Slots:
        page = self._months.get((meter, month))
        if page is None:
            row = self._db.execute(
                "SELECT data FROM days WHERE meter = ? AND month = ?", (meter, month)
            ).fetchone()
            page = pages.empty(MONTH_SLOTS) if row is None else np.frombuffer(row[0], RECORD).copy()
            self._months[meter, month] = page
        return page
