"""Networking rate and collection rate, with numerator, denominator and the list they were counted from.

No public formula was found for either; these are our definitions, printed with every rate:

- networking rate 设备联网率 = production devices connected and collected ÷ production devices
- collection rate 数据采集率 = points collected by machine ÷ points that should be collected
- numerical control 关键工序数控化率 = key processes under numerical control ÷ key processes
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

from config.problems import Language, Phrase
from gateway.energy.carbon.exact import rounded

RateName = Literal["networking", "collection", "numerical_control"]


@dataclass(frozen=True, slots=True)
class Item:
    """One device, point or process of the denominator."""

    name: str
    counts: bool
    """True: it is in the numerator."""
    reason: Phrase | None = None
    """Why not."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate that shows what it was counted from."""

    name: RateName
    items: tuple[Item, ...]

    @property
    def numerator(self) -> int:
        """Return how many count."""
        return sum(item.counts for item in self.items)

    @property
    def denominator(self) -> int:
        """Return how many there are."""
        return len(self.items)

    @property
    def percent(self) -> Decimal | None:
        """Return the rate in %, two places, rounded once; None where there is nothing to count."""
        if not self.items:
            return None
        return rounded(Fraction(100 * self.numerator, self.denominator), 2)

    def as_dict(self, language: Language) -> dict[str, Any]:
        """Return rate, definition and list."""
        percent = self.percent
        return {
            "rate": self.name,
            "definition": Phrase(f"rate.{self.name}").text(language),
            "numerator": self.numerator,
            "denominator": self.denominator,
            "percent": None if percent is None else f"{percent:f}",
            "items": [
                {
                    "name": each.name,
                    "counts": each.counts,
                    "reason": each.reason.text(language) if each.reason else "",
                }
                for each in self.items
            ],
        }


@dataclass(frozen=True, slots=True)
class Device:
    """A device as the inventory has it."""

    name: str
    is_production: bool
    is_connected: bool
    """Its link answered within the period."""
    is_collected: bool
    """At least one of its values was stored within the period."""


def networking_rate(devices: Sequence[Device]) -> Rate:
    """Return the networking rate over production devices; others are not counted at all."""
    items = [
        Item(each.name, each.is_connected and each.is_collected, _reason(each))
        for each in devices
        if each.is_production
    ]
    return Rate("networking", tuple(items))


def _reason(device: Device) -> Phrase | None:
    if not device.is_connected:
        return Phrase("rate.not_connected")
    return None if device.is_collected else Phrase("rate.not_collected")


def collection_rate(points: Sequence[Item]) -> Rate:
    """Return the collection rate; a point entered by hand is in the denominator only."""
    return Rate("collection", tuple(points))


def numerical_control_rate(processes: Sequence[Item]) -> Rate:
    """Return the share of key processes under numerical control."""
    return Rate("numerical_control", tuple(processes))
