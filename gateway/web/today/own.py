"""Own generation beside the grid: which of the two the site's electricity measures, and what is used in all.

The site's figure is of its supply's meters: taken from the grid. Where a virtual meter with own generation in
it measures the site, the figure is what was used. Of the other numbers as many are told as are metered:
used = taken + generated - fed in, of the numbers as they are shown, so that they add up by hand.
"""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Final, NamedTuple

from gateway.energy.figures import rounded
from gateway.energy.query import NoSuchFigure
from gateway.web.energy_figures import PLACES, Found, amounts_of, rows
from gateway.web.today.days import MEDIUM, Days
from gateway.web.today.figures import DOUBTS
from gateway.web.today.models import TodayOwn

_GENERATED: Final = "electricity_generation"
_FED_IN: Final = "electricity_export"
_ENOUGH: Final = 0.9
"""Where less than this of a meter's day is known, nothing is added up."""


class _Part(NamedTuple):
    amount: Decimal | None
    """kWh; None where nothing is known."""
    completeness: float
    flags: frozenset[str]


def own_of(days: Days) -> TodayOwn | None:
    """Return what belongs beside the site's electricity of today; None where nothing is generated.

    Raises as `Query.energy`, and NotYet.
    """
    terms = days.accounts.query.made(days.site, MEDIUM).terms
    is_used = any(meter.medium.name == _GENERATED and times > 0 for meter, times in terms)

    def part(medium: str) -> _Part | None:
        if not is_used:
            return _of_site(days, medium)
        chosen = [(meter.name, abs(times)) for meter, times in terms if meter.medium.name == medium]
        return _sum(days, [(days.energy_behind(name), times) for name, times in chosen])

    figure, generated, fed_in = _sum(days, [(days.energy(), Fraction(1))]), part(_GENERATED), part(_FED_IN)
    if figure is None or (generated is None and not (fed_in and fed_in.amount)):
        return None
    # A virtual meter of the supply alone that subtracts what was fed in tells neither of the two.
    is_net = not is_used and any(meter.medium.name == _FED_IN for meter, _ in terms)
    beside = None if is_net else _difference(figure, generated, fed_in)
    other = None
    if figure.amount is not None and beside is not None:
        other = figure.amount - beside if is_used else figure.amount + beside
    return TodayOwn(
        measures="used" if is_used else "taken",
        other=None if other is None else f"{other:f}",
        generated=_text(generated),
        fed_in=_text(fed_in),
        is_generation_metered=generated is not None,
        is_feed_in_metered=fed_in is not None,
        doubts=[each for each in DOUBTS if any(each in some.flags for some in (generated, fed_in) if some)],
    )


def _of_site(days: Days, medium: str) -> _Part | None:
    """Return the site's amount of a medium; None where it is not metered."""
    try:
        return _sum(days, [(amounts_of(days.quarters(0, medium)), Fraction(1))])
    except NoSuchFigure:
        return None


def _sum(days: Days, founds: Sequence[tuple[Found, Fraction]]) -> _Part | None:
    """Return so many times each; None of nothing."""
    if not founds:
        return None
    totals = [(rows(days.accounts, found)[1], times) for found, times in founds]
    known = [Fraction(row.value) * times for row, times in totals if row.value is not None]
    return _Part(
        rounded(sum(known, Fraction(0)), PLACES) if len(known) == len(totals) else None,
        min(row.completeness for row, _ in totals),
        frozenset(flag for row, _ in totals for flag in row.flags),
    )


def _difference(figure: _Part, generated: _Part | None, fed_in: _Part | None) -> Decimal | None:
    """Return what is used beyond what is taken; None where one of the three is not known well enough."""
    if generated is None or fed_in is None or generated.amount is None or fed_in.amount is None:
        return None
    is_known = min(each.completeness for each in (figure, generated, fed_in)) >= _ENOUGH
    return generated.amount - fed_in.amount if is_known else None


def _text(part: _Part | None) -> str | None:
    return None if part is None or part.amount is None else f"{part.amount:f}"
