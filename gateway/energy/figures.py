"""What a question to the books is answered with: figures, what they are worth, and how they add up."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gateway.energy import flags as f
from gateway.energy.accounts.state import Integers
from gateway.energy.cells import Cells
from gateway.energy.periods import HOUR_NS, QUARTER_NS, Interval, Span
from gateway.energy.virtual import Made

APART: Final = Fraction(1, 100)
"""Meters are not read at one moment; figures read for times that differ by more are not set side by side."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One amount of one interval; `quanta` × `Answer.quantum` is the amount in `Answer.unit`."""

    span: Span
    quanta: int | None
    """None: nothing is known of it. Never 0 for what is not known."""
    gross: int
    """The same with every term counted positive; what the shares refer to."""
    estimated: int
    """Quanta whose spread over time, or amount, is estimated."""
    manual: int
    """Quanta between readings people took."""
    below: int
    """The truth is at least quanta - below (and 0) …"""
    above: int
    """… and at most quanta + above."""
    covered: Fraction
    """Completeness: share of the time (and of the meters) in which readings came as they should, 0 to 1."""
    revision: int
    flags: int
    is_closed: bool
    """All of it lies in a closed period: it is as it was settled."""
    since: int
    """Every meter was read from here …"""
    until: int
    """… to here, ns …"""
    read: int
    """… and between the two for so long, ns: of the meter that was read least."""

    @property
    def is_whole(self) -> bool:
        """Tell whether it is of all its interval: no meter began or stopped within it, or missed some of it.

        What passed between two readings is known, however long nobody read between them.
        """
        is_known = self.quanta is not None and not self.flags & f.UNKNOWN
        return is_known and self.read >= self.span.last - self.span.first

    def apart(self, other: "Figure") -> Fraction:
        """Return the time only one of two figures was read for, as a share of this one's."""
        ends = abs(self.since - other.since) + abs(self.until - other.until)
        return Fraction(max(ends, abs(self.read - other.read)), max(1, self.read))

    @property
    def measured(self) -> int:
        """Return the quanta that are neither estimated nor manual."""
        return self.gross - self.estimated - self.manual

    def shares(self) -> tuple[Fraction, Fraction, Fraction]:
        """Return the shares measured, estimated, manual, of 1; of nothing all is measured."""
        if not self.gross:
            return Fraction(1), Fraction(0), Fraction(0)
        return (
            Fraction(self.measured, self.gross),
            Fraction(self.estimated, self.gross),
            Fraction(self.manual, self.gross),
        )


@dataclass(frozen=True, slots=True)
class Peak:
    """Demand within an interval, in units an hour (kW): the highest quarter of an hour."""

    span: Span
    fixed: Fraction | None
    """By the clock."""
    fixed_at: int | None
    """Beginning of that quarter, ns UTC."""
    sliding: Fraction | None
    """By the minute; None where it is not followed: sums of meters, and manual meters."""
    flags: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What was asked and what came of it."""

    subject: str
    """The meter's name or the node's path."""
    medium: str
    interval: Interval
    made: Made
    figures: tuple[Figure, ...]
    total: Figure
    """Of all intervals: the sum of the figures, in every column."""

    @property
    def quantum(self) -> Fraction:
        """Return the units in one quantum."""
        return self.made.quantum

    @property
    def unit(self) -> str:
        """Return the unit's symbol."""
        return self.made.symbol

    def amount(self, figure: Figure) -> Fraction | None:
        """Return a figure's amount in `unit`, exactly."""
        return None if figure.quanta is None else figure.quanta * self.quantum

    def decimal(self, figure: Figure, places: int = 3) -> Decimal | None:
        """Return a figure's amount in `unit`, rounded half up for people to read."""
        amount = self.amount(figure)
        return None if amount is None else rounded(amount, places)


class Table(NamedTuple):
    """One amount for each of many meters and intervals: (meters, intervals)."""

    names: list[str]
    spans: list[Span]
    quanta: Integers
    known: NDArray[np.bool_]
    quantum: list[Fraction]
    """Of each meter."""
    flags: NDArray[np.uint16]


def rounded(amount: Fraction, places: int = 3) -> Decimal:
    """Return a fraction as a decimal, rounded half up (away from 0)."""
    scaled = abs(amount) * 10**places
    whole = (2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)
    return Decimal(-whole if amount < 0 else whole).scaleb(-places)


def edges(time: Integers, spans: Sequence[Span]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the first cell of each span and the first behind it."""
    begins = np.searchsorted(time, np.array([each.first for each in spans], np.int64))
    return begins, np.searchsorted(time, np.array([each.last for each in spans], np.int64))


def figures_of(parts: Sequence[Cells], made: Made, spans: Sequence[Span]) -> list[Figure]:
    """Return the figure of each span from the cells of each term."""
    if not spans:
        return []
    begins, ends = edges(parts[0].time, spans)
    alike = _alike(parts, made)
    return [
        _figure(parts, made, span, slice(int(begin), int(end)), alike)
        for span, begin, end in zip(spans, begins, ends, strict=True)
    ]


def _figure(
    parts: Sequence[Cells], made: Made, span: Span, within: slice, alike: NDArray[np.bool_]
) -> Figure:
    quanta = gross = estimated = manual = below = above = revision = 0
    covered, flags, is_known, is_closed = 0, made.flags, True, True
    since, until, read = *span[:2], span.last - span.first
    for cells, factor, (meter, _) in zip(parts, made.factors, made.terms, strict=True):
        where = np.flatnonzero(cells.known[0, within] & alike[within]) + within.start
        is_closed = is_closed and bool(cells.closed[within].all())
        if meter.overdue_from is not None and span.last > meter.overdue_from:
            flags |= f.OVERDUE
        if not len(where):
            is_known = False
            continue
        first, last = int(where[0]), int(where[-1])
        since, until = max(since, int(cells.since[0, first])), min(until, int(cells.until[0, last]))
        read = min(read, int((cells.until[0, where] - cells.since[0, where]).sum()))
        size = abs(factor)
        whole = {name: int(values[0, where].sum()) for name, values in cells.amounts.items()}
        quanta += factor * whole["total"]
        gross += size * whole["total"]
        estimated += size * whole["estimated"]
        manual += size * whole["manual"]
        low = int(cells.below[0, last + 1]) + int(cells.above[0, first]) + whole["slack"]
        high = int(cells.above[0, last + 1]) + int(cells.below[0, first]) + whole["slack"]
        below += size * (low if factor > 0 else high)
        above += size * (high if factor > 0 else low)
        covered += whole["covered"]
        flags |= int(np.bitwise_or.reduce(cells.flags[0, within]))
        revision = max(revision, int(cells.revision[0, within].max()))
    if all(factor > 0 for factor in made.factors):
        below = min(below, quanta)
    length = max(1, (span.last - span.first) * len(parts))
    if is_known and quanta < 0:
        flags |= f.NEGATIVE
    return Figure(
        span, quanta if is_known else None, gross, estimated, manual, below, above,
        Fraction(min(covered, length), length), revision, flags, is_closed and bool(parts), since, until,
        read,
    )  # fmt: skip


def _alike(parts: Sequence[Cells], made: Made) -> NDArray[np.bool_]:
    """Tell of each cell whether the terms of a difference were read for the same time, give or take scans.

    What a meter that stopped would have taken away is no energy. Of a sum all is told that is known.
    """
    alike = np.ones(len(parts[0].time) - 1, np.bool_)
    if all(factor > 0 for factor in made.factors):
        return alike
    for cells in parts:
        alike &= cells.known[0]
        for ends in ("since", "until"):
            alike &= abs(getattr(cells, ends)[0] - getattr(parts[0], ends)[0]) <= made.near
    return alike


def total_of(parts: Sequence[Cells], made: Made, figures: Sequence[Figure], span: Span) -> Figure:
    """Return the total; of figures that follow each other, bounded by the readings at its two ends."""
    total = sum_of(figures, span)
    follows = all(a.span.last == b.span.first for a, b in pairwise(figures))
    if not figures or not follows or any(each.quanta is None for each in figures):
        return total
    begins, ends = edges(parts[0].time, [total.span])
    within = slice(int(begins[0]), int(ends[0]))
    whole = _figure(parts, made, total.span, within, _alike(parts, made))
    return replace(total, below=whole.below, above=whole.above)


def sum_of(figures: Sequence[Figure], span: Span) -> Figure:
    """Return the total: what is known of the parts, and how much of the time that is."""
    known = [each for each in figures if each.quanta is not None]
    length = sum(each.span.last - each.span.first for each in figures) or 1
    covered = sum((each.covered * (each.span.last - each.span.first) for each in figures), Fraction(0))

    def total(column: Callable[[Figure], int]) -> int:
        return sum(column(each) for each in known)

    flags = 0
    for each in figures:
        flags |= each.flags
    return Figure(
        Span(figures[0].span.first, figures[-1].span.last) if figures else span,
        total(lambda each: each.quanta or 0) if known else None,
        total(lambda each: each.gross),
        total(lambda each: each.estimated),
        total(lambda each: each.manual),
        total(lambda each: each.below),
        total(lambda each: each.above),
        covered / length,
        max((each.revision for each in figures), default=0),
        flags,
        bool(figures) and all(each.is_closed for each in figures),
        min((each.since for each in known), default=span.first),
        max((each.until for each in known), default=span.first),
        sum(each.read for each in known),
    )


def peaks_of(parts: Sequence[Cells], made: Made, spans: Sequence[Span]) -> list[Peak]:
    """Return the highest demand within each span from the cells of each term."""
    if not spans:
        return []
    time = parts[0].time
    per_quarter = QUARTER_NS // int(time[1] - time[0])
    begins, ends = edges(time, spans)
    ends -= time[np.minimum(ends, len(time) - 1)] > np.array([each.last for each in spans])
    found = []
    wholes = [cells.whole[0] for cells in parts]
    for span, begin, end in zip(spans, begins.tolist(), ends.tolist(), strict=True):
        while begin < end and time[begin] % QUARTER_NS:
            begin += 1  # noqa: PLW2901  a quarter of an hour begins on the clock's
        count = (end - begin) // per_quarter
        cut = slice(begin, begin + count * per_quarter)
        energy = np.zeros(count, object)
        known, flags, sliding = np.ones(count, np.bool_), made.flags, None
        for cells, whole, factor in zip(parts, wholes, made.factors, strict=True):
            energy += factor * cells.amounts["total"][0, cut].reshape(count, -1).sum(axis=1).astype(object)
            known &= whole[cut].reshape(count, -1).all(axis=1)
            flags |= int(np.bitwise_or.reduce(cells.flags[0, begin:end], initial=0))
        if len(parts) == 1 and made.factors == [1] and end > begin:
            most = int(parts[0].peak[0, begin:end].max())
            sliding = None if most < 0 else most * made.quantum * HOUR_NS / QUARTER_NS
        fixed = fixed_at = None
        if known.any():
            best = max(np.flatnonzero(known).tolist(), key=lambda i: energy[i])
            fixed = int(energy[best]) * made.quantum * HOUR_NS / QUARTER_NS
            fixed_at = int(time[begin + best * per_quarter])
        found.append(Peak(span, fixed, fixed_at, sliding, flags))
    return found
