"""Is a meter's data complete and consistent enough for those it is reported to?

The bounds are rows of `config/data/factors/quality.csv`: 15 minutes (30 or 60 where allowed), at least 90 %
of the points, days and month within 5 %, a day's value within a minute of its time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from config.factor_rows import QualityRule
from config.factors import shipped
from gateway.energy.carbon.figure import Used, used
from gateway.energy.carbon.refused import Refused

_NS_PER_MINUTE: Final = 60_000_000_000
INTERVALS: Final = ("interval", "interval_relaxed", "interval_longest")


@cache
def rules() -> Mapping[str, QualityRule]:
    """Return the bounds by code."""
    rows: tuple[QualityRule, ...] = shipped(QualityRule)
    return {row.code: row for row in rows}


@dataclass(frozen=True, slots=True)
class Completeness:
    """Points that came, of those expected."""

    present: int
    expected: int
    rule: Used
    """The bound in %, with its source."""

    @property
    def exact(self) -> Fraction | None:
        """Return present ÷ expected; None where nothing was expected."""
        return Fraction(self.present, self.expected) if self.expected else None

    @property
    def is_enough(self) -> bool | None:
        """Tell whether the bound is kept; None where nothing was expected."""
        exact = self.exact
        return None if exact is None else exact * 100 >= Fraction(self.rule.value)


def presence(times: NDArray[np.int64], start: int, end: int, interval: str = "interval") -> NDArray[np.bool_]:
    """Return, for each interval of a period, whether a point lies in it; bool, one per interval.

    `times` are ns UTC of Good points in any order. `interval` is a code of `INTERVALS`; the period's last,
    shorter interval counts as one.
    """
    step = int(rules()[interval].value) * _NS_PER_MINUTE
    slots = -(-(end - start) // step)
    seen = np.zeros(max(slots, 0), dtype=np.bool_)
    inside = times[(start <= times) & (times < end)]
    seen[(inside - start) // step] = True
    return seen


def completeness(present: NDArray[np.bool_]) -> Completeness:
    """Return how complete one meter is over an array of intervals."""
    rule = rules()["completeness"]
    number = used("completeness", rule.value, rule.unit, rule)
    return Completeness(int(np.count_nonzero(present)), int(present.size), number)


def completeness_of_each(present: NDArray[np.bool_]) -> list[Completeness]:
    """Return the same for every meter of a table, a row per meter."""
    rule = rules()["completeness"]
    number = used("completeness", rule.value, rule.unit, rule)
    expected = present.shape[1]
    return [Completeness(int(each), expected, number) for each in np.count_nonzero(present, axis=1)]


@dataclass(frozen=True, slots=True)
class Agreement:
    """The sum of the days beside the month's own value."""

    days: Decimal
    month: Decimal
    rule: Used

    @property
    def deviation(self) -> Fraction | None:
        """Return |days − month| ÷ month; None for a month of 0 whose days are not."""
        if self.days == self.month:
            return Fraction(0)
        return (
            abs(Fraction(self.days) - Fraction(self.month)) / abs(Fraction(self.month))
            if self.month
            else None
        )

    @property
    def is_enough(self) -> bool:
        """Tell whether the bound is kept."""
        deviation = self.deviation
        return deviation is not None and deviation * 100 <= Fraction(self.rule.value)


def agreement(days: Decimal, month: Decimal) -> Agreement:
    """Return how well a month's days agree with it, in one unit."""
    rule = rules()["deviation"]
    return Agreement(days, month, used("deviation", rule.value, rule.unit, rule))


def is_in_time(taken: int, day_end: int) -> bool:
    """Tell whether a day's reading was taken within the allowed time of the day's end, ns UTC."""
    return abs(taken - day_end) <= int(rules()["day_time"].value) * _NS_PER_MINUTE


def interval_code(minutes: int) -> str:
    """Return the code of an interval of 15, 30 or 60 minutes.

    Raises:
        Refused: E-FA-0011, no rule allows this interval.
    """
    for code in INTERVALS:
        if int(rules()[code].value) == minutes:
            return code
    raise Refused("E-FA-0011", minutes=minutes)
