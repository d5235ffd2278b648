"""Closed periods: what was settled stays as it was settled; what comes later becomes adjustment entries.

Closing keeps a copy of every page of the period, and figures of the period are read from that copy for good.
The books themselves go on being corrected; by how much they then differ from what was settled is entered,
meter by meter, as adjustments.
"""

import sqlite3
from collections.abc import Mapping

import numpy as np

from gateway.energy import pages
from gateway.energy.books import Books
from gateway.energy.entered import CLOSE, entries, settle
from gateway.energy.flags import MISSING
from gateway.energy.periods import DAY_NS, Calendar


def take(db: sqlite3.Connection, now: int) -> None:
    """Close the periods whose closing waits; one that meets a closed one is refused."""
    for entry in entries(db, CLOSE, waiting=True):
        first, last = int(str(entry.what["first"])), int(str(entry.what["last"]))
        met = db.execute(
            "SELECT COUNT(*) FROM closings WHERE first < ? AND last > ?", (last, first)
        ).fetchone()[0]
        if met or last > now:
            settle(db, entry, "refused")
            continue
        number = db.execute(
            "INSERT INTO closings (first, last, who, at) VALUES (?, ?, ?, ?)",
            (first, last, entry.who, entry.at),
        ).lastrowid
        db.execute(
            "INSERT INTO closed_pages SELECT ?, meter, day, data FROM pages WHERE day BETWEEN ? AND ?",
            (number, first // DAY_NS, last // DAY_NS),
        )
        settle(db, entry, "booked")


def adjust(db: sqlite3.Connection, books: Books, changed: Mapping[int, tuple[int, int]], now: int) -> None:
    """Enter by how much closed periods now differ, beyond what was entered already."""
    for meter, (since, until) in sorted(changed.items()):
        touched = db.execute(
            "SELECT id, first, last FROM closings WHERE first <= ? AND last >= ?", (until, since)
        ).fetchall()
        for number, first, last in touched:
            settled = settled_total(db, number, meter, first, last)
            ends = books.boundaries(meter, np.array([first, last], np.int64))
            if settled is None or (ends["flags"] & MISSING).any():
                continue
            known = db.execute(
                "SELECT COALESCE(SUM(quanta), 0) FROM adjustments WHERE closing = ? AND meter = ?",
                (number, meter),
            ).fetchone()[0]
            more = int(ends["total"][1] - ends["total"][0]) - settled - known
            if more:
                db.execute(
                    "INSERT INTO adjustments (closing, meter, at, quanta) VALUES (?, ?, ?, ?)",
                    (number, meter, now, more),
                )


def settled_total(db: sqlite3.Connection, closing: int, meter: int, first: int, last: int) -> int | None:
    """Return what a closed period was settled at, quanta; 0: nothing was known then, None: off the grid."""
    totals = []
    for time in (first, last):
        row = db.execute(
            "SELECT data FROM closed_pages WHERE closing = ? AND meter = ? AND day = ?",
            (closing, meter, time // DAY_NS),
        ).fetchone()
        if row is None:
            return 0
        page = pages.decode(row[0])
        step = DAY_NS // len(page)
        if time % step:
            return None
        record = page[time % DAY_NS // step]
        if record["flags"] & MISSING:
            return 0
        totals.append(int(record["total"]))
    return totals[1] - totals[0]


def change_calendar(db: sqlite3.Connection, was: int, now: int, calendar: Calendar) -> None:
    """File every boundary anew on another grid or in another zone; what the new one has beside is missing."""
    for meter, day, data in db.execute("SELECT meter, day, data FROM pages").fetchall():
        old, new = pages.decode(data), pages.empty(DAY_NS // now)
        if was != now:
            times = np.arange(len(old), dtype=np.int64) * was
            on = times % now == 0
            new[times[on] // now] = old[on]
            db.execute(
                "UPDATE pages SET data = ? WHERE meter = ? AND day = ?", (pages.encode(new), meter, day)
            )
    db.execute("DELETE FROM days")
    books = Books(db, calendar, now)
    for meter, first, last in db.execute(
        "SELECT meter, MIN(day), MAX(day) FROM pages GROUP BY meter"
    ).fetchall():
        books.file_days(meter, first * DAY_NS, (last + 1) * DAY_NS)
    books.write()
