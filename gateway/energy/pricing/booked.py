"""The one way from the books to yuan: page, interface, reports, invoice and evidence all ask here."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final

import numpy as np

from gateway.energy.columns import Pieces
from gateway.energy.figures import APART, rounded
from gateway.energy.periods import HOUR_NS, QUARTER_NS, Span
from gateway.energy.pricing.amounts import Energy
from gateway.energy.pricing.bills import Bill, bills_of
from gateway.energy.pricing.cost import BillFacts, Cost, costs
from gateway.energy.pricing.power_factor import Reactive
from gateway.energy.pricing.spread import Spread, spread
from gateway.energy.pricing.timetable import Plan, Timetable, timetable
from gateway.energy.query import NoSuchFigure, Query

MEDIUM: Final = "electricity"
_PLACES: Final = 40
"""A quantum that does not end is cut here: no line is large enough to show it."""


@dataclass(frozen=True, slots=True)
class Priced:
    """What a subject's electricity costs in a period."""

    cost: Cost
    table: Timetable
    """Begins with the bill the period begins in."""
    energy: Energy
    """One row of it, from there on."""
    facts: BillFacts
    negative: int
    """Stretches in which meters contradict each other; they are not priced."""

    def spread(self, spans: Sequence[Span]) -> Spread:
        """Return what energy costs in spans that were told to `priced`; what adds up to the lines."""
        return spread(self.table, self.energy, spans)


def priced(
    query: Query,
    plan: Plan,
    subject: str,
    first: int,
    last: int,
    *,
    medium: str = MEDIUM,
    spans: Sequence[Span] = (),
    is_billed: bool = False,
) -> Priced:
    """Return what the energy of a meter or node costs from `first` to `last`, ns UTC.

    `spans` lie within and will be asked for by `Priced.spread`. `is_billed`: the supplier bills this subject,
    so whole bills have their basic charge and adjustment, of demand and reactive energy as booked.

    Raises as `Query.energy`.
    """
    of = query.meters[subject].medium.name if subject in query.meters else medium
    if of != MEDIUM:
        raise NoSuchFigure("E-EN-0018", medium=of)
    bills = bills_of(plan.billing, plan.zone, first, last)
    begin = bills[0].first
    table = timetable(plan, begin, last)
    moments = (moment for span in spans for moment in span[:2])
    pieces = query.pieces(subject, begin, last, of, {first, *moments})
    energy, negative = _energy(pieces, first)
    whole = [each for each in bills if first <= each.first and each.last <= last]
    facts = _facts(query, subject, pieces, whole) if is_billed else BillFacts()
    (found,) = costs(table, energy.as_row(), facts=[facts] if is_billed else None, since=first)
    return Priced(found, table, energy, facts, negative)


def _energy(pieces: Pieces, first: int) -> tuple[Energy, int]:
    """Return a subject's energy for pricing; what is not known, or below 0, is missing."""
    is_negative = pieces.quanta < 0
    quanta = np.where(is_negative, 0, pieces.quanta)
    estimated = np.minimum(pieces.estimated, quanta)
    manual = np.minimum(pieces.manual, quanta - estimated)
    quantum = _decimal(pieces.made.quantum)
    missing = ~pieces.known | is_negative
    energy = Energy(pieces.start, pieces.width, quanta, quantum, estimated, manual, missing)
    return energy, int((is_negative & (pieces.start >= first)).sum())


def _decimal(quantum: Fraction) -> Decimal:
    text = f"{rounded(quantum, _PLACES):f}"
    return Decimal(text.rstrip("0").rstrip("."))


def _facts(query: Query, subject: str, pieces: Pieces, bills: Sequence[Bill]) -> BillFacts:
    """Return the highest quarter of an hour and the reactive energy of each bill, as far as booked."""
    demand: dict[str, Decimal] = {}
    reactive: dict[str, Reactive] = {}
    for bill in bills:
        peak = _peak(pieces, bill)
        if peak is not None:
            demand[bill.name] = peak
        taken = _whole(query, subject, bill, "electricity_reactive")
        if taken is not None:
            fed_back = _whole(query, subject, bill, "electricity_reactive_export")
            reactive[bill.name] = Reactive(taken, fed_back or Decimal(0))
    return BillFacts(demand, reactive)


def _peak(pieces: Pieces, bill: Bill) -> Decimal | None:
    """Return the highest mean of a quarter of an hour that is known whole, kW, as `Query.demand`."""
    within = slice(*np.searchsorted(pieces.start, [bill.first, bill.last]).tolist())
    quarter = pieces.start[within] // QUARTER_NS
    begins = np.flatnonzero(np.append(True, np.diff(quarter) != 0)) if len(quarter) else quarter
    known = np.logical_and.reduceat(pieces.whole[within], begins) if len(quarter) else quarter
    if not known.any():
        return None
    most = max(np.add.reduceat(pieces.quanta[within], begins)[known].tolist())
    return _decimal(most * pieces.made.quantum * HOUR_NS / QUARTER_NS)


def _whole(query: Query, subject: str, bill: Bill, medium: str) -> Decimal | None:
    """Return a bill's kvarh; None where nothing of it is known, or it is of another time than the kWh."""
    try:
        answer = query.energy(subject, "whole", bill.first, bill.last, medium)
        active = query.energy(subject, "whole", bill.first, bill.last, MEDIUM)
    except NoSuchFigure:
        return None
    amount = answer.amount(answer.total)
    is_apart = active.total.apart(answer.total) > APART
    return None if amount is None or amount < 0 or is_apart else _decimal(amount)


__all__ = ["MEDIUM", "Priced", "priced"]
