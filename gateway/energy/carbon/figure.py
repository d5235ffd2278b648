"""A figure with its arithmetic: what was measured, by which rows, by which formula, how it was rounded.

A `Line` is one quantity times one factor; a `Figure` is the sum of
its lines. Amounts and factors stay exact; the value is rounded once, when it is shown. Figures of different
kinds do not add: kgCO2 of an inventory, kgCO2e of a product and kgce are different things.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any, Final, Literal

from config.factor_rows import Row
from config.problems import Language, Phrase
from gateway.energy.carbon.exact import ROUNDING, rounded
from gateway.energy.carbon.quantity import Missing, Period, Quantity
from gateway.energy.carbon.refused import Refused

Kind = Literal[
    "energy",
    "cost",
    "coal_equivalent",
    "coal_primary",
    "co2_direct",
    "co2_location",
    "co2_market",
    "co2e_footprint",
]
"""Standard coal by heat content 当量值 and by primary energy 等价值; CO2 of scope 1, of scope 2 by location
and by market; CO2e of a product."""

UNITS: Final[dict[Kind, str]] = {
    "energy": "kWh",
    "cost": "CNY",
    "coal_equivalent": "kgce",
    "coal_primary": "kgce",
    "co2_direct": "kgCO2",
    "co2_location": "kgCO2",
    "co2_market": "kgCO2",
    "co2e_footprint": "kgCO2e",
}
PLACES: Final = 3
"""Decimal places of a figure's value: a gram."""
_ORDER: Final = {"high": 0, "entered": 1, "medium": 2, "low": 3}


@dataclass(frozen=True, slots=True)
class Used:
    """One number of a formula and where it comes from."""

    symbol: str
    value: Decimal
    unit: str
    row: str
    """Id of the row, or the key of the plant file where a person entered it."""
    hash: str
    """Version of the row; empty for an entered number."""
    source: str
    confidence: str
    """high, medium, low, or entered."""
    instrument: str = ""
    note: str = ""
    others: tuple[str, ...] = ()
    """Other rows in use for the same thing, with their values: the choice was the plant's."""

    def as_dict(self) -> dict[str, object]:
        """Return it for programs."""
        return {
            "symbol": self.symbol,
            "value": f"{self.value:f}",
            "unit": self.unit,
            "row": self.row,
            "hash": self.hash,
            "source": self.source,
            "confidence": self.confidence,
            "instrument": self.instrument,
            "note": self.note,
            "others": list(self.others),
        }


@lru_cache(maxsize=1_000)  # a row's version is a hash of all of it
def used(symbol: str, value: Decimal, unit: str, row: Row, others: tuple[str, ...] = ()) -> Used:
    """Return a number taken from a row."""
    about = (row.source, row.confidence, row.instrument, row.note)
    return Used(symbol, value, unit, row.id, row.hash, *about, others)


@dataclass(frozen=True, slots=True)
class Line:
    """One quantity times one factor."""

    quantity: Quantity
    amount: Fraction
    """The quantity in the factor's unit."""
    amount_unit: str
    factor: Fraction
    """Figure's unit per `amount_unit`."""
    formula: str
    """In the symbols of `used`; AD is the amount."""
    used: tuple[Used, ...] = ()
    rule: Phrase | None = None
    """Why it counts this way where that is a definition."""

    @property
    def exact(self) -> Fraction:
        """Return what the line comes to."""
        return self.amount * self.factor

    def as_dict(self, language: Language) -> dict[str, object]:
        """Return it for programs; exact numbers as fractions."""
        return {
            "quantity": self.quantity.as_dict(),
            "amount": str(self.amount),
            "amount_unit": self.amount_unit,
            "factor": str(self.factor),
            "formula": self.formula,
            "used": [each.as_dict() for each in self.used],
            "rule": self.rule.text(language) if self.rule else "",
            "exact": str(self.exact),
        }


@dataclass(frozen=True, slots=True)
class Shares:
    """Parts of a figure by how its quantities came about; they add up to 1, and are 0 in a figure of 0."""

    measured: Fraction
    estimated: Fraction
    manual: Fraction


@dataclass(frozen=True, slots=True)
class Figure:
    """A sum of lines of one kind over one period."""

    kind: Kind
    start: int
    end: int
    lines: tuple[Line, ...]
    missing: tuple[Missing, ...] = ()
    calibre: str = ""
    """Calibre of the electricity factor, where one is in it."""

    @property
    def unit(self) -> str:
        """Return the unit of `exact` and `value`."""
        return UNITS[self.kind]

    @property
    def exact(self) -> Fraction | None:
        """Return the sum of all lines, None while a choice is missing: a part is not the whole."""
        return None if self.missing else sum((line.exact for line in self.lines), Fraction(0))

    @property
    def value(self) -> Decimal | None:
        """Return the sum rounded once to a gram."""
        exact = self.exact
        return None if exact is None else rounded(exact, PLACES)

    @property
    def shares(self) -> Shares | None:
        """Return how much of the figure rests on measured, estimated and manual quantities."""
        if self.missing:
            return None
        parts = [Fraction(0), Fraction(0), Fraction(0)]
        for line in self.lines:
            amount = Fraction(line.quantity.amount)
            if amount:
                estimated, manual = Fraction(line.quantity.estimated), Fraction(line.quantity.manual)
                for i, part in enumerate((amount - estimated - manual, estimated, manual)):
                    parts[i] += line.exact * part / amount
        whole = sum(parts)
        return Shares(*(part / whole if whole else Fraction(0) for part in parts))

    @property
    def confidence(self) -> str:
        """Return the lowest confidence of the numbers in it; empty without any."""
        found = [each.confidence for line in self.lines for each in line.used]
        return max(found, key=_ORDER.__getitem__, default="")

    def as_dict(self, language: Language) -> dict[str, Any]:
        """Return the figure with all of its arithmetic, for `wanglian evidence` and exports."""
        exact, value, shares = self.exact, self.value, self.shares
        return {
            "kind": self.kind,
            "unit": self.unit,
            "calibre": self.calibre,
            "start_ns": self.start,
            "end_ns": self.end,
            "value": None if value is None else f"{value:f}",
            "exact": None if exact is None else str(exact),
            "rounding": {"places": PLACES, "mode": ROUNDING, "times": 1},
            "confidence": self.confidence,
            "shares": None if shares is None else shares_as_dict(shares),
            "lines": [line.as_dict(language) for line in self.lines],
            "missing": [
                {"choice": each.choice, "reason": each.reason.text(language)} for each in self.missing
            ],
        }


def shares_as_dict(shares: Shares) -> dict[str, str]:
    """Return the shares as decimals of four places."""
    parts = (("measured", shares.measured), ("estimated", shares.estimated), ("manual", shares.manual))
    return {name: f"{rounded(part, 4):f}" for name, part in parts}


def figure(
    kind: Kind, period: Period, lines: Sequence[Line], missing: Sequence[Missing], calibre: str = ""
) -> Figure:
    """Return a figure over a period; each missing choice once."""
    once = {(each.choice, each.reason.key): each for each in reversed(missing)}
    return Figure(kind, *period, tuple(lines), tuple(reversed(once.values())), calibre)


def total(figures: Sequence[Figure]) -> Figure:
    """Return the sum of figures of one kind and one calibre, e.g. of the days of a month or of all workshops.

    Raises:
        Refused: E-FA-0001, they are of different kinds; E-FA-0002, of different calibres.
    """
    kinds = list(dict.fromkeys(each.kind for each in figures))
    if len(kinds) != 1:
        raise Refused("E-FA-0001", kinds=kinds)
    calibres = list(dict.fromkeys(each.calibre for each in figures if each.calibre))
    if len(calibres) > 1:
        raise Refused("E-FA-0002", calibres=calibres)
    return Figure(
        kinds[0],
        min(each.start for each in figures),
        max(each.end for each in figures),
        tuple(line for each in figures for line in each.lines),
        tuple(missing for each in figures for missing in each.missing),
        calibres[0] if calibres else "",
    )
