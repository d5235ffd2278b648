"""Balance: what a meter measured, what the meters behind it found, and the share nobody accounts for."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from config.energy_meters import children, fraction
from gateway.energy.periods import Interval, Span
from gateway.energy.query import Answer, Query


@dataclass(frozen=True, slots=True)
class Balance:
    """One interval; amounts in the parent's unit, exactly. None where a meter's amount is not known.

    Nothing is unaccounted for while a meter was read for a part of the interval only: it may have stopped.
    """

    span: Span
    measured: Fraction | None
    found: Fraction | None
    unaccounted: Fraction | None
    """Measured minus found; below 0 where the children found more than the parent measured."""
    share: Fraction | None
    """Of the measured; None too where nothing was measured."""
    uncertainty: Fraction
    """How far `unaccounted` may be off by what the readings leave open."""
    is_alarm: bool
    """Above the meter's `unaccounted`, by more than the readings leave open; or as far below 0."""
    flags: int


def balance(query: Query, parent: str, interval: Interval, first: int, last: int) -> list[Balance]:
    """Return the balance of a meter in each interval; ns UTC. Raises as `Query.energy`.

    Children that count another quantity than the parent (a generator behind a supply meter is not one of
    them: put it into a virtual parent) are compared in the parent's unit.
    """
    whole = query.energy(parent, interval, first, last)
    parts = [query.energy(name, interval, first, last) for name in children(query.meters, parent)]
    limit = query.meters[parent].options.unaccounted
    allowed = None if limit is None else fraction(limit) / 100
    return [_balance(whole, parts, i, allowed) for i in range(len(whole.figures))]


def _balance(whole: Answer, parts: Sequence[Answer], i: int, allowed: Fraction | None) -> Balance:
    figure = whole.figures[i]
    measured = whole.amount(figure)
    amounts = [part.amount(part.figures[i]) for part in parts]
    is_known = bool(parts) and all(amount is not None for amount in amounts)
    found = sum((amount for amount in amounts if amount is not None), Fraction(0)) if is_known else None
    flags = figure.flags
    uncertainty = max(figure.below, figure.above) * whole.quantum
    for part in parts:
        flags |= part.figures[i].flags
        uncertainty += max(part.figures[i].below, part.figures[i].above) * part.quantum
    is_whole = figure.is_whole and all(part.figures[i].is_whole for part in parts)
    if measured is None or found is None or not is_whole:
        return Balance(figure.span, measured, found, None, None, uncertainty, is_alarm=False, flags=flags)
    rest = measured - found
    share = rest / measured if measured > 0 else None
    is_alarm = allowed is not None and abs(rest) > allowed * abs(measured) + uncertainty
    return Balance(figure.span, measured, found, rest, share, uncertainty, is_alarm, flags)
