"""Readings, batches and closings people enter: written down at once, booked by whoever keeps the books."""

import re
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

from config.energy_meters import Meter
from config.sheets import read_sheet
from connectors import Clock, TagTable
from gateway.buffer.contract import StoreFailed
from gateway.buffer.identity import StoreLock
from gateway.energy.bookkeeping.entered import BATCH, CLOSE, READING, enter, entries, quanta_of
from gateway.energy.bookkeeping.files import NAME, open_books
from gateway.energy.bookkeeping.ledger import Ledger
from gateway.energy.periods import Calendar
from gateway.sqlite import connect, transaction

_SLASHED: Final = re.compile(r"(\d{4})/(\d{1,2})/(\d{1,2})(?:[ T](\d{1,2}):(\d{2})(?::(\d{2}))?)?")
"""As Excel shows a time in Chinese, the year first: it can be read in no other way."""
_READINGS: Final = {"meter", "time", "value"}
_BATCHES: Final = {"batch", "at", "from", "to"}


class Refused(ValueError):
    """What was entered can't be; `line` is the row of a file, 0 where there is none."""

    def __init__(self, reason: str, what: str, line: int = 0) -> None:
        super().__init__(f"{reason}: {what}")
        self.reason = reason
        """meter, value, time, columns."""
        self.what = what
        self.line = line


class Entering(NamedTuple):
    """One thing to enter."""

    kind: str
    what: dict[str, object]


def reading(meters: Mapping[str, Meter], name: str, value: str, at: int, now: int) -> Entering:
    """Return a reading to enter; raise Refused."""
    if name not in meters or not meters[name].is_read or meters[name].kind == "power":
        raise Refused("meter", name)
    if quanta_of(meters[name], value) is None:
        raise Refused("value", value)
    if at > now:
        raise Refused("time", str(at))
    return Entering(READING, {"meter": name, "value": value, "time": at})


def closing_of(first: int, last: int, now: int) -> Entering:
    """Return a closing to enter; raise Refused for a period that is not over."""
    if not first < last <= now:
        raise Refused("time", str(last))
    return Entering(CLOSE, {"first": first, "last": last})


def from_csv(
    text: str, meters: Mapping[str, Meter], calendar: Calendar, site: str, now: int
) -> list[Entering]:
    """Return what a table holds: readings (meter,time,value) or batches (batch,at,from,to[,product]).

    Times are the plant's own. Nothing of a table with a mistake is entered: raises Refused or SheetRefused
    with its line.
    """
    sheet = read_sheet(text)
    figures = sheet.figures("value") if set(sheet.columns) >= _READINGS else None
    if figures is None and not set(sheet.columns) >= _BATCHES:
        raise Refused("columns", ", ".join(sheet.columns))
    found = []
    for row in sheet.rows:
        cells = sheet.named(row)
        try:
            if figures is None:
                found.append(_batch(cells, calendar, site))
            else:
                value = figures.plain(cells["value"], row.line)
                found.append(reading(meters, cells["meter"], value, moment(calendar, cells["time"]), now))
        except Refused as exc:
            exc.line = row.line
            raise
    return found


def _batch(row: Mapping[str, str], calendar: Calendar, site: str) -> Entering:
    first, last = moment(calendar, row["from"]), moment(calendar, row["to"])
    if first >= last:
        raise Refused("time", row["to"])
    node = site if row["at"] in ("-", "") else f"{site}/{row['at']}"
    what: dict[str, object] = {"name": row["batch"], "node": node, "first": first, "last": last}
    return Entering(BATCH, {**what, "product": row.get("product")})


def moment(calendar: Calendar, text: str) -> int:
    """Return ns UTC of a local date or time as people write it; raise Refused."""
    slashed = _SLASHED.fullmatch(text.strip())
    if slashed:
        parts = [f"{each:0>2}" for each in slashed.groups("00")]
        text = f"{'-'.join(parts[:3])}T{':'.join(parts[3:])}"
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        raise Refused("time", text) from None
    if at.tzinfo is not None:
        return round(at.timestamp()) * 1_000_000_000
    return calendar.moment(at)


def write_down(directory: Path, entering: list[Entering], who: str, now: int) -> list[int]:
    """Write down what was entered, durably; return the entries' numbers. Raises sqlite3.Error."""
    directory.mkdir(parents=True, exist_ok=True)
    opened = connect(directory / NAME) if (directory / NAME).exists() else open_books(directory)
    with closing(opened) as db, transaction(db):
        return [enter(db, each.kind, now, who, each.what) for each in entering]


def book_now(
    directory: Path, meters: Mapping[str, Meter], calendar: Calendar, clock: Clock, *, keep: int
) -> bool:
    """Book what waits, unless a running gateway keeps the books: it does it itself, within seconds."""
    directory.mkdir(parents=True, exist_ok=True)
    try:
        with StoreLock(directory):
            ledger = Ledger(directory, meters, calendar, TagTable(), clock, keep=keep)
            ledger.open()
            try:
                ledger.book([])
            finally:
                ledger.close()
    except StoreFailed:
        return False
    return True


def outcomes(directory: Path, numbers: list[int]) -> list[str | None]:
    """Return what became of entries; None: they wait."""
    with closing(sqlite3.connect(directory / NAME)) as db:
        known = {each.number: each.outcome for each in entries(db)}
    return [known.get(number) for number in numbers]
