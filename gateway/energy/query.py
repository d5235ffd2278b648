"""Figures out of the books: any meter or node, any medium, interval and period, each with what it is worth.

A total is the sum of its parts because both are sums of the same whole numbers. Opens the books read-only for
each question, beside the gateway that writes them and from any process.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from config.energy_meters import Meter, fraction
from gateway.energy.accounts.counter import judge
from gateway.energy.accounts.demand import Forecast, forecast
from gateway.energy.accounts.readings import NONE, Readings, decode, merged
from gateway.energy.accounts.state import Event, State, rules_of
from gateway.energy.bookkeeping.files import NAME, SCHEMA, quantum_text
from gateway.energy.bookkeeping.pages import Slots
from gateway.energy.cells import Cells, by_day, by_step, cut, is_on_grid, stored
from gateway.energy.columns import Pieces, pieces_of
from gateway.energy.figures import Answer, Figure, Peak, Table, edges, figures_of, peaks_of, rounded, total_of
from gateway.energy.periods import MINUTE_NS, Calendar, Interval, Span
from gateway.energy.virtual import Made, NoSuchFigure, made_of_meter, made_of_node
from gateway.sqlite import check_version, connect_for_reading

_MANY: Final = 400
"""More meters than this are not named one by one in a statement."""
_RUNNING_NS: Final = 40 * MINUTE_NS
"""So far back a running quarter of an hour is looked at, from the newest reading."""


class Closing(NamedTuple):
    """A closed period."""

    span: Span
    who: str
    at: int
    """When, ns UTC."""


class NoBooks(Exception):
    """Nothing has been booked in this data directory yet."""


class Query:
    """Questions to the books of a data directory."""

    def __init__(self, directory: Path, meters: Mapping[str, Meter], calendar: Calendar) -> None:
        self._directory = directory
        self.meters = meters
        self.calendar = calendar
        self._quantum = {name: meter.quantum for name, meter in meters.items()}
        self._filed = {name: quantum_text(meter) for name, meter in meters.items()}

    def energy(
        self, subject: str, interval: Interval, first: int, last: int, medium: str = "electricity"
    ) -> Answer:
        """Return the amounts of a meter (name) or a node (path) in each interval that begins in a period.

        `first` and `last` are ns UTC. Raises NoSuchFigure, NoBooks, sqlite3.Error.
        """
        made = self.made(subject, medium)
        name = self.meters[subject].medium.name if subject in self.meters else medium
        with _opened(self._directory) as db:
            spans = self._spans(db, subject, interval, first, last)
            parts = self._parts(db, made, spans)
        figures = figures_of(parts, made, spans)
        total = total_of(parts, made, figures, Span(first, last))
        return Answer(subject, name, interval, made, tuple(figures), total)

    def demand(
        self, subject: str, interval: Interval, first: int, last: int, medium: str = "electricity"
    ) -> list[Peak]:
        """Return the highest demand in each interval; ns UTC. Raises as `energy`."""
        made = self.made(subject, medium)
        with _opened(self._directory) as db:
            spans = self._spans(db, subject, interval, first, last)
            parts = self._parts(db, made, spans, by_quarter=True)
        return peaks_of(parts, made, spans)

    def pieces(
        self,
        subject: str,
        first: int,
        last: int,
        medium: str = "electricity",
        moments: Iterable[int] = (),
    ) -> Pieces:
        """Return all of a period in columns, cut at the books' own boundaries and at these moments.

        Raises as `energy`.
        """
        made = self.made(subject, medium)
        with _opened(self._directory) as db:
            parts = self._parts(db, made, [Span(first, last)], by_quarter=True)
        edges = {first, last, *moments}
        return pieces_of([cut(each, edges) for each in parts], made, Span(first, last))

    def table(self, names: Sequence[str], interval: Interval, first: int, last: int) -> Table:
        """Return amounts of many meters that are read at once; closed periods as the books are now."""
        quanta = [self._quantum[name] for name in names]
        spans = self.calendar.spans(interval, first, last)
        if not spans:
            nothing = np.zeros((len(names), 0), np.int64)
            return Table(list(names), [], nothing, nothing > 0, quanta, nothing.astype(np.uint16))
        with _opened(self._directory) as db:
            numbers = self._numbers(db, names)
            cells = self._cells(db, numbers, spans)
        begins, ends = edges(cells.time, spans)
        sums = np.concatenate(
            [np.zeros((len(names), 1), np.int64), np.cumsum(cells.amounts["total"], axis=1)], axis=1
        )
        count = np.concatenate([np.zeros((len(names), 1), np.int64), np.cumsum(cells.known, axis=1)], axis=1)
        flags = np.bitwise_or.reduceat(cells.flags, begins, axis=1)
        return Table(
            list(names), spans, sums[:, ends] - sums[:, begins], (count[:, ends] - count[:, begins]) > 0,
            quanta, flags,
        )  # fmt: skip

    def made(self, subject: str, medium: str = "electricity") -> Made:
        """Return what a subject's figures are made of."""
        if subject in self.meters:
            return made_of_meter(self.meters, subject)
        return made_of_node(self.meters, subject, medium)

    def adjustments(self, name: str) -> list[tuple[Span, int, int]]:
        """Return (closed period, when, quanta) of every adjustment of a meter."""
        with _opened(self._directory) as db:
            (number,) = self._numbers(db, [name])
            return [
                (Span(first, last), at, quanta)
                for first, last, at, quanta in db.execute(
                    "SELECT first, last, adjustments.at, quanta FROM adjustments"
                    " JOIN closings ON closings.id = closing WHERE meter = ? ORDER BY adjustments.id",
                    (number,),
                )
            ]

    def batches(self, node: str, first: int, last: int) -> list[tuple[str, str, int, int, str]]:
        """Return (node, name, first, last, product) of batches at or below a node that begin in a period."""
        with _opened(self._directory) as db:
            return db.execute(
                "SELECT node, name, first, last, coalesce(product, '') FROM batches"
                " WHERE (node = ? OR substr(node, 1, ?) = ?) AND first >= ? AND first < ?"
                " ORDER BY first, node",
                (node, len(node) + 1, f"{node}/", first, last),
            ).fetchall()

    def closings(self) -> list[Closing]:
        """Return the closed periods, in the order in which they were closed."""
        with _opened(self._directory) as db:
            rows = db.execute("SELECT first, last, who, at FROM closings ORDER BY id")
            return [Closing(Span(first, last), who, at) for first, last, who, at in rows]

    def readings(self, name: str, first: int, last: int) -> Readings:
        """Return the Good readings that are kept of a meter, first ≤ time < last, quanta as read."""
        with _opened(self._directory) as db:
            return _readings(db, self._numbers(db, [name])[0], first, last)

    def events(self, name: str, first: int, last: int) -> list[Event]:
        """Return what happened to a meter's counter, first ≤ time < last."""
        with _opened(self._directory) as db:
            (number,) = self._numbers(db, [name])
            rows = db.execute(
                "SELECT time, flag, before, after FROM events WHERE meter = ? AND time >= ? AND time < ?"
                " ORDER BY time, flag, after",
                (number, first, last),
            )
            return [Event(*row) for row in rows]

    def boundary(self, name: str, time: int) -> Slots:
        """Return what the books hold of a meter at a boundary, (1,) RECORD; MISSING where nothing."""
        with _opened(self._directory) as db:
            return stored(db, self._numbers(db, [name])[0], time)

    def running(self, name: str) -> Forecast | None:
        """Return where a meter's running quarter of an hour is heading; None: its readings do not tell."""
        meter = self.meters[name]
        if meter.kind not in ("counter", "manual"):
            return None
        with _opened(self._directory) as db:
            (number,) = self._numbers(db, [name])
            newest = db.execute("SELECT MAX(last) FROM readings WHERE meter = ?", (number,)).fetchone()[0]
            if newest is None:
                return None
            kept = _readings(db, number, newest - _RUNNING_NS, newest + 1)
        knots = judge(rules_of(meter), State(), kept.time, kept.raw, manual=kept.manual).knots
        contract = None if meter.options.contract is None else fraction(meter.options.contract)
        return forecast(knots.time, knots.total, meter.quantum, contract)

    def _numbers(self, db: sqlite3.Connection, names: Sequence[str]) -> list[int]:
        """Return the meters' numbers in the books, -1 where nothing was booked of one yet."""
        some = () if len(names) > _MANY else tuple(names)
        told = f" WHERE name IN ({','.join('?' * len(some))})" if some else ""
        rows = db.execute(f"SELECT id, name, quantum FROM meters{told}", some)  # noqa: S608
        known = {(name, filed): number for number, name, filed in rows}
        return [known.get((name, self._filed[name]), -1) for name in names]

    def _spans(
        self, db: sqlite3.Connection, subject: str, interval: Interval, first: int, last: int
    ) -> list[Span]:
        if interval != "batch":
            return self.calendar.spans(interval, first, last)
        node = self.meters[subject].node if subject in self.meters else subject
        rows = db.execute(
            "SELECT first, last, name FROM batches WHERE node = ? AND first BETWEEN ? AND ? ORDER BY first",
            (node, first, last - 1),
        )
        return [Span(*row) for row in rows]

    def _cells(
        self,
        db: sqlite3.Connection,
        numbers: Sequence[int],
        spans: Sequence[Span],
        *,
        by_quarter: bool = False,
    ) -> Cells:
        first, last = spans[0].first, max(each.last for each in spans)
        midnights = set(self.calendar.days(first, last))
        if not by_quarter and all({each.first, each.last} <= midnights for each in spans):
            return by_day(db, self.calendar, numbers, first, last)
        step = self.calendar.grid
        return by_step(db, numbers, first // step * step, -(-last // step) * step)

    def _parts(
        self, db: sqlite3.Connection, made: Made, spans: Sequence[Span], *, by_quarter: bool = False
    ) -> list[Cells]:
        """Return the cells of each term; those of closed periods as they were settled."""
        if not spans:
            return []
        closings = db.execute("SELECT id, first, last FROM closings").fetchall()
        parts = []
        for number in self._numbers(db, [meter.name for meter, _ in made.terms]):
            cells = self._cells(db, [number], spans, by_quarter=by_quarter)
            for closing, begin, end in closings:
                if begin < cells.time[-1] and end > cells.time[0] and is_on_grid(db, begin):
                    cells = _settled(db, cells, number, closing, Span(begin, end))
            moments = () if by_quarter else (moment for span in spans for moment in span[:2])
            parts.append(cut(cells, moments))
        return parts


def _settled(db: sqlite3.Connection, cells: Cells, number: int, closing: int, period: Span) -> Cells:
    """Return the cells with those of a closed period as they were when it was closed."""
    inside = (cells.time[:-1] >= period.first) & (cells.time[1:] <= period.last)
    if not inside.any():
        return cells
    where = np.flatnonzero(inside)
    first, last = int(cells.time[where[0]]), int(cells.time[where[-1] + 1])
    kept = by_step(db, [number], first, last, closing=closing)
    begins = np.searchsorted(kept.time, cells.time[where])
    amounts = {name: values.copy() for name, values in cells.amounts.items()}
    for name, values in amounts.items():
        values[:, where] = np.add.reduceat(kept.amounts[name], begins, axis=1)
    known, flags, revision = cells.known.copy(), cells.flags.copy(), cells.revision.copy()
    since, until = cells.since.copy(), cells.until.copy()
    known[:, where] = np.logical_or.reduceat(kept.known, begins, axis=1)
    flags[:, where] = np.bitwise_or.reduceat(kept.flags, begins, axis=1)
    revision[:, where] = np.maximum.reduceat(kept.revision, begins, axis=1)
    # Between a first and a newest reading nothing is unknown, so what was read is in one piece.
    since[:, where] = np.minimum.reduceat(np.where(kept.known, kept.since, kept.time[1:]), begins, axis=1)
    until[:, where] = np.maximum.reduceat(np.where(kept.known, kept.until, kept.time[:-1]), begins, axis=1)
    since[:, where] = np.where(known[:, where], since[:, where], cells.time[where])
    until[:, where] = np.where(known[:, where], until[:, where], since[:, where])
    return replace(
        cells, amounts=amounts, known=known, flags=flags, revision=revision, closed=cells.closed | inside,
        since=since, until=until,
    )  # fmt: skip


def _readings(db: sqlite3.Connection, number: int, first: int, last: int) -> Readings:
    rows = db.execute(
        "SELECT data FROM readings WHERE meter = ? AND last >= ? AND first < ? ORDER BY id",
        (number, first, last),
    )
    pieces = [decode(data) for (data,) in rows]
    return (merged(*pieces) if pieces else NONE).between(first, last)


class _opened:  # noqa: N801  reads as a verb where it is used
    """The books, read-only, in one view of one moment."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / NAME

    def __enter__(self) -> sqlite3.Connection:
        if not self._path.exists():
            raise NoBooks(str(self._path.parent))
        self._db = connect_for_reading(self._path, sealed=False)
        try:
            check_version(self._db, SCHEMA)
            self._db.execute("BEGIN")
        except BaseException:
            self._db.close()
            raise
        return self._db

    def __exit__(self, *_: object) -> None:
        self._db.close()


__all__ = [
    "Answer",
    "Closing",
    "Figure",
    "NoBooks",
    "NoSuchFigure",
    "Peak",
    "Query",
    "Table",
    "rounded",
]
