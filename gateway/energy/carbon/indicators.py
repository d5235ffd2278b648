"""Indicators: energy, cost and carbon per piece, tonne or square metre, and performance against a baseline.

The ratio and the simple regression are the two forms energy management standards describe (GB/T 23331 and
GB/T 36713, not read first-hand). Everything is exact until it is shown; a regression is a model and says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from config.problems import Language
from gateway.energy.carbon.exact import Number, converted, rounded, text_of
from gateway.energy.carbon.figure import Figure, Line, Shares, figure, shares_as_dict
from gateway.energy.carbon.quantity import Entry, Period, Quantity, parted, period_of
from gateway.energy.carbon.refused import Refused

PLACES: Final = 6
"""Decimal places of an indicator's value."""
_FEWEST: Final = 3
"""Two points always lie on a line; r² would say nothing."""


@dataclass(frozen=True, slots=True)
class Output:
    """What a period brought forth, or how much area it served."""

    amount: Number
    unit: str
    """piece, t or m² of the units table."""
    start: int
    end: int
    node: str


@dataclass(frozen=True, slots=True)
class Indicator:
    """A figure per unit of output."""

    figure: Figure
    output: Output

    @property
    def unit(self) -> str:
        """Return e.g. kgCO2/t."""
        return f"{self.figure.unit}/{self.output.unit}"

    @property
    def exact(self) -> Fraction | None:
        """Return the ratio; None without output or while the figure misses a choice."""
        exact = self.figure.exact
        return None if exact is None or not self.output.amount else exact / Fraction(self.output.amount)

    @property
    def value(self) -> Decimal | None:
        """Return the ratio rounded once."""
        exact = self.exact
        return None if exact is None else rounded(exact, PLACES)

    @property
    def shares(self) -> Shares | None:
        """Return how much of it rests on measured, estimated and manual quantities."""
        return self.figure.shares

    def as_dict(self, language: Language) -> dict[str, Any]:
        """Return it with all of its arithmetic."""
        value, shares = self.value, self.shares
        return {
            "value": None if value is None else f"{value:f}",
            "unit": self.unit,
            "places": PLACES,
            "output": text_of(self.output.amount),
            "shares": None if shares is None else shares_as_dict(shares),
            "figure": self.figure.as_dict(language),
        }


def energy(quantities: Sequence[Entry], period: Period | None = None) -> Figure:
    """Return the energy of these quantities in kWh, each converted from its own unit of energy.

    Raises:
        Refused: E-FA-0005, one is no energy: gas and steam take `standard_coal`.
    """
    known, missing = parted(quantities)
    lines = [Line(each, converted(each.amount, each.unit, "kWh"), "kWh", Fraction(1), "AD") for each in known]
    return figure("energy", period or period_of(quantities), lines, missing)


def cost(quantities: Sequence[tuple[Quantity, Decimal]], period: Period | None = None) -> Figure:
    """Return the cost in yuan of quantities whose cost the tariff has worked out."""
    lines = []
    for quantity, yuan in quantities:
        if not quantity.amount and yuan:
            raise Refused("E-FA-0003", medium=quantity.medium, amount=quantity.amount)
        per = Fraction(yuan) / Fraction(quantity.amount) if quantity.amount else Fraction(0)
        lines.append(Line(quantity, Fraction(quantity.amount), quantity.unit, per, "AD × p"))
    return figure("cost", period or period_of(each for each, _ in quantities), lines, ())


def intensity(of: Figure, output: Output) -> Indicator:
    """Return a figure per unit of output of the same period.

    Raises:
        Refused: E-FA-0009, the periods differ; E-FA-0003, the output is negative.
    """
    if (of.start, of.end) != (output.start, output.end):
        raise Refused("E-FA-0009")
    if not (isinstance(output.amount, Fraction) or output.amount.is_finite()) or output.amount < 0:
        raise Refused("E-FA-0003", medium=output.unit, amount=output.amount)
    return Indicator(of, output)


@dataclass(frozen=True, slots=True)
class Performance:
    """An indicator against its baseline."""

    baseline: Indicator
    now: Indicator

    @property
    def exact(self) -> Fraction | None:
        """Return now ÷ baseline; below 1 is better. None where either has no value or the baseline is 0."""
        before, after = self.baseline.exact, self.now.exact
        return None if not before or after is None else after / before

    @property
    def value(self) -> Decimal | None:
        """Return the ratio rounded once."""
        exact = self.exact
        return None if exact is None else rounded(exact, PLACES)


def performance(baseline: Indicator, now: Indicator) -> Performance:
    """Return an indicator against its baseline.

    Raises:
        Refused: E-FA-0001, they are of different kinds or units; E-FA-0002, of different calibres.
    """
    if (baseline.figure.kind, baseline.unit) != (now.figure.kind, now.unit):
        raise Refused("E-FA-0001", kinds=[baseline.unit, now.unit])
    if baseline.figure.calibre != now.figure.calibre:
        raise Refused("E-FA-0002", calibres=[baseline.figure.calibre, now.figure.calibre])
    return Performance(baseline, now)


@dataclass(frozen=True, slots=True)
class Regression:
    """A model of the baseline, not a measurement: consumption = base + slope × production."""

    base: Fraction
    slope: Fraction
    r2: Fraction
    """Share of the variation that production explains."""
    points: int
    low: Fraction
    """Least production it was made from; below it the model says nothing."""
    high: Fraction
    """Greatest."""

    def expected(self, production: Decimal) -> tuple[Fraction, bool]:
        """Return the modelled consumption and whether the production lies within the model's range."""
        at = Fraction(production)
        return self.base + self.slope * at, self.low <= at <= self.high

    def as_dict(self) -> dict[str, object]:
        """Return it for programs, marked as a model."""
        numbers = {"base": self.base, "slope": self.slope, "r2": self.r2, "low": self.low, "high": self.high}
        shown = {name: f"{rounded(number, PLACES):f}" for name, number in numbers.items()}
        return {"is_model": True, "formula": "y = base + slope × x", "points": self.points, **shown}


def regression(production: Sequence[Decimal], consumption: Sequence[Decimal]) -> Regression:
    """Return the line through pairs of production and consumption of equal periods; exact fractions.

    Raises:
        Refused: E-FA-0010, fewer than three pairs, or all of the same production or consumption.
    """
    x, y = [Fraction(each) for each in production], [Fraction(each) for each in consumption]
    if len(x) != len(y) or len(x) < _FEWEST or len(set(x)) < 2 or len(set(y)) < 2:
        raise Refused("E-FA-0010", fewest=_FEWEST)
    n = len(x)
    sum_x, sum_y = sum(x), sum(y)
    spread_x = n * sum((each * each for each in x), Fraction(0)) - sum_x**2
    spread_y = n * sum((each * each for each in y), Fraction(0)) - sum_y**2
    both = n * sum((a * b for a, b in zip(x, y, strict=True)), Fraction(0)) - sum_x * sum_y
    slope = both / spread_x
    r2 = both * both / (spread_x * spread_y)
    return Regression((sum_y - slope * sum_x) / n, slope, r2, n, min(x), max(x))
