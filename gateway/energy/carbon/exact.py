"""Exact arithmetic for figures people sign: fractions inside, one rounding at the end, half to even."""

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from functools import cache
from typing import Final

from config.units import Unit, find_unit
from gateway.energy.carbon.refused import Refused

ROUNDING: Final = "half to even"
"""As GB/T 8170 describes it (the standard was not read first-hand)."""
_TEN_THOUSAND: Final = {"10⁴m³": ("m³", 10_000)}
"""Units of tables that are multiples of one we know."""
_WIDE: Final = Context(prec=60, rounding=ROUND_HALF_EVEN)


Number = Decimal | Fraction
"""An exact amount: the books' fractions, or decimals as people write them."""


def text_of(number: Number) -> str:
    """Return an exact number as text: its digits where they end, a fraction where they do not."""
    if isinstance(number, Decimal):
        return f"{number:f}"
    rest, twos, fives = number.denominator, 0, 0
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    return f"{rounded(number, max(twos, fives)):f}" if rest == 1 else str(number)


def rounded(exact: Fraction, places: int) -> Decimal:
    """Return the number with this many decimal places, rounded once, half to even; never in exponent form."""
    scale = 10**places
    return _WIDE.scaleb(Decimal(round(exact * scale)), -places)


def telescoped(parts: Sequence[Fraction], places: int) -> list[Decimal]:
    """Return the parts rounded so that they add up to their rounded sum, each off by one last digit at most.

    Each is the difference of two rounded running sums, the way the books keep energy.
    """
    shown: list[Decimal] = []
    sum_, before = Fraction(0), Decimal(0)
    for part in parts:
        sum_ += part
        after = rounded(sum_, places)
        shown.append(after - before)
        before = after
    return shown


def converted(amount: Number, unit: str, target: str, density: Decimal | None = None) -> Fraction:
    """Return an amount in another unit, exactly; `density` (kg/L) leads from volume to mass and back.

    Raises:
        Refused: E-FA-0005, the units measure different quantities, or a unit is unknown.
    """
    return Fraction(amount) * _ratio(unit, target, density)


@cache
def _ratio(unit: str, target: str, density: Decimal | None) -> Fraction:
    source, source_times = _unit(unit)
    goal, goal_times = _unit(target)
    ratio = source_times * _factor(source) / (_factor(goal) * goal_times)
    if source.quantity == goal.quantity and not (source.offset or goal.offset):
        return ratio
    # kg/L is 1000 kg/m³, and the table's base units are kg and m³.
    match (source.quantity, goal.quantity, density):
        case ("volume", "mass", Decimal()):
            return ratio * Fraction(density) * 1000
        case ("mass", "volume", Decimal()):
            return ratio / (Fraction(density) * 1000)
    raise Refused("E-FA-0005", unit=unit, target=target)


def _unit(text: str) -> tuple[Unit, int]:
    symbol, times = _TEN_THOUSAND.get(text, (text, 1))
    unit = find_unit(symbol)
    if unit is None:
        raise Refused("E-FA-0005", unit=text, target="")
    return unit, times


def _factor(unit: Unit) -> Fraction:
    # The shortest text of the float is the number the units table holds.
    return Fraction(Decimal(repr(unit.factor)))
