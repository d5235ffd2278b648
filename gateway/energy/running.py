"""Where the running quarter of an hour of a meter or a place is heading: the sum of what its meters tell."""

from fractions import Fraction
from typing import Final

from gateway.energy.accounts.demand import Forecast
from gateway.energy.query import Query

MOST_TERMS: Final = 40
"""Each meter's newest readings are judged anew, a millisecond of work: of more nothing is told."""


def running(query: Query, subject: str, medium: str = "electricity") -> Forecast | None:
    """Return the forecast of a subject, as old as the oldest of its terms; it has no contract.

    None where a term does not tell, or they tell of different quarters. Raises as `Query.energy`.
    """
    terms = query.made(subject, medium).terms
    if not 0 < len(terms) <= MOST_TERMS:
        return None
    found = [query.running(meter.name) for meter, _ in terms]
    told = [each for each in found if each is not None]
    if len(told) < len(terms) or len({each.first for each in told}) != 1:
        return None
    energy, power, demand = (
        sum((getattr(each, name) * times for each, (_, times) in zip(told, terms, strict=True)), Fraction(0))
        for name in ("energy", "power", "demand")
    )
    return Forecast(told[0].first, min(each.at for each in told), energy, power, demand)
