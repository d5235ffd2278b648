"""Closed periods: what was settled stays as it was settled; what comes later becomes adjustment entries.

Closing keeps a copy of every page of the period, and figures of the period are read from that copy for good.
The books themselves go on being corrected; by how much they then differ from what was settled is entered,
meter by meter, as adjustments.
"""

import sqlite3
from collections.abc import Mapping

import numpy as np

from gateway.energy.bookkeeping import pages
from gateway.energy.bookkeeping.books import Books
from gateway.energy.bookkeeping.entered import CLOSE, entries, settle
from gateway.energy.cells import by_step
from gateway.energy.periods import DAY_NS, Calendar


def take(db: sqlite3.Connection, now: int, step: int) -> None:
    """Close the periods whose closing waits; refuse one that meets a closed one, or begins off the grid."""
    for entry in entries(db, CLOSE, waiting=True):
        first, last = int(str(entry.what["first"])), int(str(entry.what["last"]))
        met = db.execute(
            "SELECT COUNT(*) FROM closings WHERE first < ? AND last > ?", (last, first)
        ).fetchone()[0]
        if met or last > now or first % step or last % step:
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
        db.execute("INSERT INTO closed_ends SELECT ?, id, ends FROM meters", (number,))
        settle(db, entry, "booked")


def adjust(db: sqlite3.Connection, changed: Mapping[int, tuple[int, int]], now: int) -> None:
    """Enter by how much closed periods now differ, beyond what was entered already.

    `changed` holds, by meter, the first and last time whose boundaries changed; they are written already.
    """
    for meter, (since, until) in sorted(changed.items()):
        touched = db.execute(
            "SELECT id, first, last FROM closings WHERE first <= ? AND last >= ?", (until, since)
        ).fetchall()
        for number, first, last in touched:
            settled = by_step(db, [meter], first, last, closing=number).amounts["total"].sum()
            is_now = by_step(db, [meter], first, last).amounts["total"].sum()
            known = db.execute(
                "SELECT COALESCE(SUM(quanta), 0) FROM adjustments WHERE closing = ? AND meter = ?",
                (number, meter),
            ).fetchone()[0]
            more = int(is_now) - int(settled) - known
            if more:
                db.execute(
                    "INSERT INTO adjustments (closing, meter, at, quanta) VALUES (?, ?, ?, ?)",
                    (number, meter, now, more),
                )


def change_calendar(db: sqlite3.Connection, was: int, now: int, calendar: Calendar) -> None:
    """File every boundary anew on another grid or in another zone; what the new one has beside is missing."""
    if was != now:
        for table in ("pages", "closed_pages"):
            for row, data in db.execute(f"SELECT rowid, data FROM {table}").fetchall():  # noqa: S608
                old, new = pages.decode(data), pages.empty(DAY_NS // now)
                times = np.arange(len(old), dtype=np.int64) * was
                on = times % now == 0
                new[times[on] // now] = old[on]
                update = f"UPDATE {table} SET data = ? WHERE rowid = ?"  # noqa: S608
                db.execute(update, (pages.encode(new), row))
    db.execute("DELETE FROM days")
    books = Books(db, calendar, now)
    for meter, first, last in db.execute(
        "SELECT meter, MIN(day), MAX(day) FROM pages GROUP BY meter"
    ).fetchall():
        books.file_days(meter, first * DAY_NS, (last + 1) * DAY_NS)
    books.write()
