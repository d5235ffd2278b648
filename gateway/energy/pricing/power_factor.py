"""The month's power factor and what it adds to the bill or takes off, (83)水电财字第215号.

Decided in whole numbers: a hair above 0.895 is 0.90 and a hair below is 0.89, which floats do not tell
them apart. Exactly on the half no power factor can be: P / S = n / 200 with odd n would be a right triangle
of whole sides whose longest side, in lowest terms, is even, and there is none.
"""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cache
from importlib import resources
from typing import Annotated, Final

from pydantic import Field

from config.bands import Confidence
from config.base import Model, Name, Text
from config.exact import Exact, ExactPositive
from config.reading.structure import validate
from config.reading.yaml_tree import read_document
from config.tariffs import Source


class Step(Model):
    """So many percent for each 0.01 between two power factors, going away from the standard."""

    from_: Annotated[Exact, Field(alias="from")]
    to: Exact
    percent: Exact
    """Above zero: added to the bill."""
    source: Name
    confidence: Confidence


class Table(Model):
    """The adjustment of one standard."""

    standard: ExactPositive
    source: Name
    """Of the standard itself; a name among the measures' sources."""
    steps: Annotated[tuple[Step, ...], Field(min_length=1, strict=False)]


class Base(Model):
    """Which charges the percentage is of."""

    parts: Annotated[tuple[Name, ...], Field(min_length=1, strict=False)]
    source: Name
    confidence: Confidence


class Measures(Model):
    """The notice."""

    title: Text
    instrument: str
    sources: dict[Name, Source]
    tables: Annotated[tuple[Table, ...], Field(min_length=1, strict=False)]
    base: Base
    readings: Annotated[tuple[Text, ...], Field(strict=False)]


@dataclass(frozen=True, slots=True)
class Reactive:
    """Reactive energy of a month, kvarh."""

    taken: Decimal
    fed_back: Decimal = Decimal(0)


_HUNDREDTHS: Final = 100


@cache
def measures() -> Measures:
    """Return the notice's tables as they come with the gateway."""
    file = resources.files("config") / "data" / "tariffs" / "adjustment" / "power_factor.yaml"
    document, _ = read_document(file.read_bytes(), str(file))
    if document is None:
        raise ValueError(f"{file} is damaged")
    found = validate(document, Measures)
    if found.model is None or found.problems:
        raise ValueError(f"{file} is damaged: {[each.render('en') for each in found.problems]}")
    return found.model


def standards() -> tuple[Decimal, ...]:
    """Return the standards whose tables are known."""
    return tuple(table.standard for table in measures().tables)


def power_factor(active: Decimal, reactive: Decimal) -> Decimal | None:
    """Return the power factor of energies (kWh, kvarh; not below zero) to two decimals, the nearest.

    None where there is no energy. P / sqrt(P² + Q²) is at least k hundredths less a half exactly when
    (200 P)² is at least (2k - 1)² (P² + Q²).

    Raises:
        ValueError: an energy is below zero.
    """
    if active < 0 or reactive < 0:
        raise ValueError("energies of a power factor are not below zero")
    p, q = Fraction(active), Fraction(reactive)
    square = p * p + q * q
    if square == 0:
        return None
    k = 0
    while k < _HUNDREDTHS and (200 * p) ** 2 >= (2 * (k + 1) - 1) ** 2 * square:
        k += 1
    return Decimal(k).scaleb(-2)


def adjustment_percent(factor: Decimal, standard: Decimal) -> Decimal:
    """Return by how many percent a power factor of two decimals changes the bill; above zero is a surcharge.

    Raises:
        KeyError: the standard's table is not known.
    """
    table = {each.standard: each for each in measures().tables}[standard]
    total = Decimal(0)
    for step in table.steps:
        low, high = sorted((step.from_, step.to))
        passed = min(max(factor, low), high)
        total += abs(passed - step.from_) * _HUNDREDTHS * step.percent
    return total
