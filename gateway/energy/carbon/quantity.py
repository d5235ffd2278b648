"""What the books hand over: quantities, and periods of which they know nothing."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from config.base import Text
from config.energy import media
from config.problems import Phrase
from gateway.energy.carbon.exact import Number, text_of
from gateway.energy.carbon.refused import Refused


@dataclass(frozen=True, slots=True)
class Quantity:
    """What was used of one medium at one node in one period, and how much of it was not measured."""

    medium: str
    amount: Number
    unit: str
    """Symbol of the units table: kWh, m³, t, L, GJ."""
    start: int
    """ns UTC."""
    end: int
    """ns UTC, exclusive."""
    node: str
    """Path of the meter, machine, line or site."""
    estimated: Number = Decimal(0)
    """Part of the amount that was estimated, in its unit."""
    manual: Number = Decimal(0)
    """Part of it that was read and entered by hand."""

    def __post_init__(self) -> None:
        """Refuse what no meter can have counted."""
        numbers = (self.amount, self.estimated, self.manual)
        if not all(isinstance(each, Fraction) or each.is_finite() for each in numbers):
            raise Refused("E-FA-0003", medium=self.medium, amount=self.amount)
        amount, estimated, manual = (Fraction(each) for each in numbers)
        if min(estimated, manual, amount - estimated - manual) < 0 or self.end <= self.start:
            raise Refused("E-FA-0003", medium=self.medium, amount=text_of(self.amount))

    def as_dict(self) -> dict[str, object]:
        """Return it for programs; numbers as text, so that no digit is lost."""
        return {
            "medium": self.medium,
            "amount": text_of(self.amount),
            "unit": self.unit,
            "start_ns": self.start,
            "end_ns": self.end,
            "node": self.node,
            "estimated": text_of(self.estimated),
            "manual": text_of(self.manual),
        }


@dataclass(frozen=True, slots=True)
class Unknown:
    """A medium, node and period of which the books know nothing: figures it belongs to have no value."""

    medium: str
    start: int
    end: int
    node: str


Entry = Quantity | Unknown


@dataclass(frozen=True, slots=True)
class Missing:
    """A choice nobody made, or a number nobody entered; the figure has no value until then."""

    choice: str
    """Key of the plant file, e.g. ``carbon.electricity``."""
    reason: Phrase
    start: int
    end: int


Period = tuple[int, int]
"""First ns UTC, and the first one after."""


def period_of(quantities: Iterable[Entry]) -> Period:
    """Return the span of these quantities; (0, 0) without any."""
    spans = [(each.start, each.end) for each in quantities] or [(0, 0)]
    return min(start for start, _ in spans), max(end for _, end in spans)


def parted(entries: Iterable[Entry]) -> tuple[list[Quantity], list[Missing]]:
    """Return what is known, and what is missing for every unknown: a part is not the whole."""
    known: list[Quantity] = []
    missing: list[Missing] = []
    for entry in entries:
        if isinstance(entry, Quantity):
            known.append(entry)
        else:
            of = media().get(entry.medium)
            words = {"medium": Text(zh=of.zh, en=of.en) if of else entry.medium, "node": entry.node}
            choice = f"{entry.node}/{entry.medium}"
            missing.append(Missing(choice, Phrase("carbon.unknown", words), entry.start, entry.end))
    return known, missing
