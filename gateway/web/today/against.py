"""Days side by side: each quarter of an hour that is over today with the one of the same clock before."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Final

from gateway.energy.carbon.exact import rounded
from gateway.energy.figures import Figure
from gateway.web.energy_books import Accounts
from gateway.web.today.days import Earlier
from gateway.web.today.models import TodayAgainst

Known = Sequence[Fraction | None]
_ENOUGH: Final = Fraction(9, 10)
"""Of today's quarters so many must be known of the earlier day: else nothing is compared."""


def paired(
    accounts: Accounts, today: Sequence[Figure], now: Known, before: Sequence[Figure], then: Known
) -> list[tuple[int, int]]:
    """Return which quarters of two days belong together; none where too much of the earlier is unknown."""
    local = accounts.query.calendar.local

    def clock(figure: Figure) -> tuple[int, int, int]:
        at = local(figure.span.first)
        return at.hour, at.minute, at.fold

    earlier = {clock(each): j for j, each in enumerate(before) if then[j] is not None and each.is_whole}
    over = over_of(accounts, today, now)
    found = [(i, earlier[key]) for i in over if (key := clock(today[i])) in earlier]
    return found if found and Fraction(len(found), len(over)) >= _ENOUGH else []


def over_of(accounts: Accounts, today: Sequence[Figure], now: Known) -> list[int]:
    """Return the quarters that are over and known to their end: a meter may not have been read since."""
    at = accounts.now()
    return [
        i for i, each in enumerate(today) if now[i] is not None and each.is_whole and each.span.last <= at
    ]


def against(day: Earlier, now: Fraction | None, then: Fraction | None, places: int) -> TodayAgainst:
    """Return a comparison; of what was 0 or less there is no share."""
    if now is None or then is None:
        return TodayAgainst(day=day, value=None, part=None)
    part = float(now / then - 1) if then > 0 else None
    return TodayAgainst(day=day, value=f"{rounded(then, places):f}", part=part)


def sum_of(values: Known) -> Fraction | None:
    """Return the sum of what is known; None of nothing."""
    known = [each for each in values if each is not None]
    return sum(known, Fraction(0)) if known else None
