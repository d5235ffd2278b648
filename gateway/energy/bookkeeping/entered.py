"""What people enter: meter readings and batches. It waits in the books until the ledger takes it up.

Any process may enter; only the ledger books. So the command line and the running gateway never write the same
account.
"""

import json
import sqlite3
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Final, NamedTuple

import numpy as np

from config.energy_meters import Meter
from gateway.energy.accounts.readings import Readings, merged, sorted_readings
from gateway.energy.accounts.state import LARGEST

READING: Final = "reading"
BATCH: Final = "batch"
CLOSE: Final = "close"
_FARTHEST: Final = 30
"""Digits a reading's first one may be from the point: 1e99999999, written out, takes minutes."""


class Entry(NamedTuple):
    """One thing a person entered."""

    number: int
    kind: str
    at: int
    """When it was entered, ns UTC."""
    who: str
    what: dict[str, object]
    outcome: str | None
    """None: it waits."""


def enter(db: sqlite3.Connection, kind: str, at: int, who: str, what: Mapping[str, object]) -> int:
    """Write down what a person entered; return its number. Within the caller's transaction."""
    row = (kind, at, who, json.dumps(what, ensure_ascii=False, sort_keys=True))
    return int(
        db.execute("INSERT INTO entered (kind, at, who, what) VALUES (?, ?, ?, ?)", row).lastrowid or 0
    )


def entries(db: sqlite3.Connection, kind: str | None = None, *, waiting: bool = False) -> list[Entry]:
    """Return what was entered, in order."""
    rows = db.execute("SELECT id, kind, at, who, what, outcome FROM entered ORDER BY id")
    found = [Entry(n, k, at, who, json.loads(what), outcome) for n, k, at, who, what, outcome in rows]
    return [
        each
        for each in found
        if (kind is None or each.kind == kind) and not (waiting and each.outcome is not None)
    ]


def settle(db: sqlite3.Connection, entry: Entry, outcome: str) -> None:
    """Say what became of an entry."""
    db.execute("UPDATE entered SET outcome = ? WHERE id = ?", (outcome, entry.number))


def quanta_of(meter: Meter, value: str) -> int | None:
    """Return a reading as a person wrote it, in the meter's unit, in quanta; None where it can't be one."""
    try:
        number = Decimal(value)
        if abs(number.adjusted()) > _FARTHEST:
            return None
        exact = Fraction(number) * meter.to_unit / meter.quantum
    except (ArithmeticError, ValueError):
        return None
    quanta = (2 * exact.numerator + exact.denominator) // (2 * exact.denominator)
    return quanta if 0 <= quanta < LARGEST else None


def take_readings(db: sqlite3.Connection, meters: Mapping[str, Meter], now: int) -> dict[int, Readings]:
    """Return the readings that wait, by meter (its place), and settle them; batches are filed."""
    place = {name: i for i, name in enumerate(meters)}
    found: dict[int, Readings] = {}
    for entry in entries(db, waiting=True):
        if entry.kind == BATCH:
            what = entry.what
            db.execute(
                "INSERT OR REPLACE INTO batches VALUES (?, ?, ?, ?, ?)",
                (what["node"], what["name"], what["first"], what["last"], what.get("product")),
            )
            settle(db, entry, "booked")
        if entry.kind != READING:
            continue
        name, time = str(entry.what["meter"]), int(str(entry.what["time"]))
        quanta = quanta_of(meters[name], str(entry.what["value"])) if name in meters else None
        if quanta is None or time > now:
            settle(db, entry, "refused")
            continue
        one = sorted_readings(
            np.array([time], np.int64), np.array([quanta], np.int64), np.array([True], np.bool_)
        )
        at = place[name]
        found[at] = merged(found[at], one) if at in found else one
        settle(db, entry, "booked")
    return found
