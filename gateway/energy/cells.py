"""What the books hold between two boundaries, read back: cells of a quarter of an hour or of a local day.

The stretch from the last boundary to the newest reading is a cell too, so that a figure of today tells what
there is. Of a closed period the cells are those that were settled.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gateway.energy.accounts.account import ENDS
from gateway.energy.accounts.intervals import grid
from gateway.energy.accounts.state import Integers
from gateway.energy.bookkeeping import pages
from gateway.energy.bookkeeping.pages import RECORD, Slots
from gateway.energy.flags import GAP, MISSING
from gateway.energy.periods import DAY_NS, Calendar, month_of

AMOUNTS: Final = ("total", "estimated", "manual", "slack", "covered")
_BYTES: Final = np.dtype((np.void, RECORD.itemsize))
_MANY: Final = 400
"""More meters than this are not named one by one in a query."""


@dataclass(frozen=True, slots=True)
class Cells:
    """Differences between boundaries: (meters, cells); the edges are (meters, cells + 1)."""

    time: Integers
    """Boundaries, ns, (cells + 1,)."""
    amounts: dict[str, Integers]
    """total, estimated, manual, slack in quanta; covered in ns."""
    known: NDArray[np.bool_]
    below: Integers
    """At the boundaries: the truth is at least so far below …"""
    above: Integers
    peak: Integers
    flags: NDArray[np.uint16]
    revision: NDArray[np.uint16]
    closed: NDArray[np.bool_]
    """Cells of a closed period, (cells,)."""
    since: Integers
    """From when, ns, a cell's amount was read: its beginning, or the meter's first reading within it …"""
    until: Integers
    """… until when: its end, or the newest reading; `since` of a cell that is not known. (meters, cells)."""

    @property
    def whole(self) -> NDArray[np.bool_]:
        """Tell of each cell whether it was read from end to end."""
        is_whole: NDArray[np.bool_] = (self.since == self.time[:-1]) & (self.until == self.time[1:])
        return self.known & is_whole


def by_day(
    db: sqlite3.Connection, calendar: Calendar, numbers: Sequence[int], first: int, last: int
) -> Cells:
    """Return the local days from `first` to `last`, both local midnights."""
    time = np.array(calendar.days(first, last), np.int64)
    slots = _nothing(len(numbers), len(time))
    place = {number: i for i, number in enumerate(numbers)}
    for month, at, slot in _months(calendar, time):
        found, blobs = [], []
        for number, data in _rows(db, "days", "month", month, numbers):
            if number in place:
                found.append(place[number])
                blobs.append(data)
        if blobs:
            # Moved as bytes, and in runs: field by field, and slot by slot, takes three times as long.
            whole = np.frombuffer(b"".join(blobs), np.uint8).reshape(len(blobs), -1)
            rows: slice | list[int] = found
            if found == list(range(found[0], found[0] + len(found))):
                rows = slice(found[0], found[0] + len(found))
            slots.view(np.uint8).reshape(len(numbers), -1)[rows, _bytes(at)] = whole[:, _bytes(slot)]
    return _cells(db, numbers, time, slots)


def _months(calendar: Calendar, time: Integers) -> Iterator[tuple[int, slice, slice]]:
    """Yield (month, which of the midnights, which of its slots); one stands behind its month's end too."""
    days = [calendar.local(each) for each in time.tolist()]
    begin = 0
    while begin < len(days):
        month, end = month_of(days[begin]), begin
        while end < len(days) and month_of(days[end]) == month:
            end += 1
        first = days[begin].day - 1
        if end == len(days) - 1:
            end += 1
        yield month, slice(begin, end), slice(first, first + end - begin)
        begin = end


def _bytes(slots: slice) -> slice:
    return slice(slots.start * RECORD.itemsize, slots.stop * RECORD.itemsize)


def by_step(
    db: sqlite3.Connection, numbers: Sequence[int], first: int, last: int, *, closing: int | None = None
) -> Cells:
    """Return the cells from `first` to `last`, both on the grid; of one closing's copy if given."""
    step = _step(db)
    time = grid(first - 1, last, step)
    return _cells(db, numbers, time, _from_pages(db, numbers, time, step, closing), closing)


def cut(cells: Cells, moments: Iterable[int]) -> Cells:
    """Return the cells with boundaries at these moments too, on the line between the ones around each.

    What lies in a cell that is cut is estimated, and its two halves say GAP.
    """
    for moment in np.setdiff1d(np.array([*moments], np.int64), cells.time).tolist():
        i = int(np.searchsorted(cells.time, moment)) - 1
        if 0 <= i < len(cells.time) - 1 and cells.time[i + 1] != moment:
            cells = _cut(cells, i, moment)
    return cells


def _cut(cells: Cells, i: int, moment: int) -> Cells:
    # What was read lies between the readings, which may be less than the cell.
    since, until = cells.since[:, i], cells.until[:, i]
    middle = np.clip(moment, since, until)
    shares = list(zip((middle - since).tolist(), np.maximum(1, until - since).tolist(), strict=True))

    def halves(values: Integers) -> tuple[Integers, Integers]:
        left = [
            (2 * int(each) * passed + length) // (2 * length)
            for each, (passed, length) in zip(values.tolist(), shares, strict=True)
        ]
        first = np.array(left, np.int64)
        return first, values - first

    def put(values: NDArray[Any], left: NDArray[Any], right: NDArray[Any]) -> NDArray[Any]:
        return np.column_stack([values[:, :i], left, right, values[:, i + 1 :]])

    def twice(values: NDArray[Any]) -> NDArray[Any]:
        return put(values, values[:, i], values[:, i])

    amounts = {name: put(values, *halves(values[:, i])) for name, values in cells.amounts.items()}
    total, manual = amounts["total"], amounts["manual"]
    amounts["estimated"][:, i : i + 2] = total[:, i : i + 2] - manual[:, i : i + 2]
    slack = cells.amounts["slack"][:, i]
    below = total[:, i] + cells.below[:, i] + slack
    above = total[:, i + 1] + cells.above[:, i + 1] + slack
    flags = twice(cells.flags)
    flags[:, i : i + 2] |= np.where(cells.known[:, i : i + 1], GAP, 0).astype(np.uint16)
    peak = put(cells.peak, np.full(len(total), -1), np.full(len(total), -1))
    known = put(cells.known, cells.known[:, i] & (since < middle), cells.known[:, i] & (middle < until))
    return Cells(
        np.insert(cells.time, i + 1, moment),
        amounts,
        known,
        np.insert(cells.below, i + 1, below, axis=1),
        np.insert(cells.above, i + 1, above, axis=1),
        peak,
        flags,
        twice(cells.revision),
        np.insert(cells.closed, i, cells.closed[i]),
        put(cells.since, since, middle),
        put(cells.until, middle, until),
    )


def stored(db: sqlite3.Connection, number: int, time: int) -> Slots:
    """Return what the books hold at one boundary, (1,); MISSING where nothing, or it is off the grid."""
    step = _step(db)
    if time % step:
        return pages.empty(1)
    found: Slots = _from_pages(db, [number], np.array([time], np.int64), step, None)[0]
    return found


def is_on_grid(db: sqlite3.Connection, time: int) -> bool:
    """Tell whether the books have a boundary at this time."""
    return time % _step(db) == 0


def _nothing(meters: int, boundaries: int) -> Slots:
    slots = np.empty((meters, boundaries), RECORD)
    slots.view(_BYTES)[:] = pages.empty(1).view(_BYTES)
    return slots


def _step(db: sqlite3.Connection) -> int:
    row = db.execute("SELECT json_extract(value, '$.step') FROM meta WHERE key = 'calendar'").fetchone()
    return int(row[0])


def _rows(
    db: sqlite3.Connection, table: str, column: str, value: int, numbers: Sequence[int]
) -> sqlite3.Cursor:
    some = "" if len(numbers) > _MANY else f" AND meter IN ({','.join(str(int(n)) for n in numbers)})"
    return db.execute(f"SELECT meter, data FROM {table} WHERE {column} = ?{some}", (value,))  # noqa: S608


def _from_pages(
    db: sqlite3.Connection, numbers: Sequence[int], time: Integers, step: int, closing: int | None
) -> Slots:
    slots = _nothing(len(numbers), len(time))
    day, slot = pages.slot_of(time, step)
    table = "pages WHERE" if closing is None else f"closed_pages WHERE closing = {int(closing)} AND"
    for row, number in enumerate(numbers):
        query = f"SELECT day, data FROM {table} meter = ? AND day BETWEEN ? AND ?"  # noqa: S608
        for each, data in db.execute(query, (number, int(day[0]), int(day[-1]))):
            page = pages.decode(data)
            at = slice(*np.searchsorted(day, [each, each + 1]).tolist())
            if len(page) * step == DAY_NS:
                slots[row, at] = page[slot[at]]
    return slots


def _cells(
    db: sqlite3.Connection, numbers: Sequence[int], time: Integers, slots: Slots, closing: int | None = None
) -> Cells:
    is_known = (slots["flags"] & MISSING) == 0
    known = is_known[:, 1:] & is_known[:, :-1]
    amounts = {name: np.where(known, np.diff(slots[name].astype(np.int64), axis=1), 0) for name in AMOUNTS}
    flags = np.where(known, slots["flags"][:, 1:], 0).astype(np.uint16)
    below, above = slots["below"].astype(np.int64), slots["above"].astype(np.int64)
    since = np.tile(time[:-1], (len(numbers), 1))
    until = np.where(known, time[1:], since)
    _add_ends(
        db, numbers, time, slots, closing=closing,
        is_known=is_known, known=known, amounts=amounts, flags=flags, below=below, above=above,
        since=since, until=until,
    )  # fmt: skip
    return Cells(
        time,
        amounts,
        known,
        below,
        above,
        np.where(known, slots["peak"][:, 1:], -1),
        flags,
        np.where(known, np.maximum(slots["revision"][:, 1:], slots["revision"][:, :-1]), 0).astype(np.uint16),
        np.zeros(len(time) - 1, np.bool_),
        since,
        until,
    )


def _add_ends(
    db: sqlite3.Connection,
    numbers: Sequence[int],
    time: Integers,
    slots: Slots,
    *,
    closing: int | None,
    is_known: NDArray[np.bool_],
    known: NDArray[np.bool_],
    amounts: dict[str, Integers],
    flags: NDArray[np.uint16],
    below: Integers,
    above: Integers,
    since: Integers,
    until: Integers,
) -> None:
    """Fill the cells a meter's first and newest reading lie in: from that reading on, and up to it."""
    if is_known.all() or not len(time):
        return
    some = f"IN ({','.join(str(int(n)) for n in numbers)})" if len(numbers) <= _MANY else "IS NOT NULL"
    if closing is None:
        blobs = dict(db.execute(f"SELECT id, ends FROM meters WHERE id {some}"))  # noqa: S608
    else:
        told = f"SELECT meter, ends FROM closed_ends WHERE closing = ? AND meter {some}"  # noqa: S608
        blobs = dict(db.execute(told, (closing,)))
    there = np.flatnonzero([number in blobs for number in numbers])
    if not len(there):
        return
    ends = np.frombuffer(b"".join(blobs[numbers[row]] for row in there.tolist()), ENDS)
    # The cell of the newest reading begins at a boundary that is known and ends at one that is not yet.
    cell = np.searchsorted(time, ends["time"]) - 1
    within = (cell >= 0) & (cell < len(time) - 1)
    rows, at, new = there[within], cell[within], ends[within]
    opens = is_known[rows, at] & ~is_known[rows, at + 1]
    rows, at, new = rows[opens], at[opens], new[opens]
    for name in AMOUNTS:
        amounts[name][rows, at] = new[name] - slots[name][rows, at]
    known[rows, at] = True
    until[rows, at] = new["time"]
    flags[rows, at] = new["open_flags"] | (slots["flags"][rows, at + 1] & (MISSING - 1))
    below[rows, at + 1] = above[rows, at + 1] = new["width"]
    # That of the first reading begins at one that never was, and ends at the first there is, or nowhere yet.
    cell = np.searchsorted(time, ends["first"], "right") - 1
    within = (cell >= 0) & (cell < len(time) - 1) & (ends["first"] >= 0)
    rows, at, old = there[within], cell[within], ends[within]
    begins = ~is_known[rows, at]
    rows, at, old = rows[begins], at[begins], old[begins]
    has_end = is_known[rows, at + 1]
    is_short = ~has_end & (old["time"] <= time[at + 1])
    for name in AMOUNTS:
        begun = old["first_total"] if name == "total" else 0
        end = np.where(has_end, slots[name][rows, at + 1], np.where(is_short, old[name], begun))
        amounts[name][rows, at] = end - begun
    is_filled = has_end | (is_short & (old["time"] > old["first"]))
    known[rows, at] = is_filled
    since[rows, at] = old["first"]
    until[rows, at] = np.where(has_end, time[at + 1], np.where(is_filled, old["time"], old["first"]))
    so_far = slots["flags"][rows, at + 1] & (MISSING - 1)
    flags[rows, at] = np.where(has_end, so_far, so_far | old["open_flags"])
    below[rows, at] = above[rows, at] = old["first_width"]
    short = rows[~has_end], at[~has_end] + 1
    below[short] = above[short] = old["width"][~has_end]
