"""The carbon inventory of one period: scope 1, and scope 2 by location and by market beside each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final, Literal

from config.problems import Language
from gateway.energy.carbon.choice import Choices
from gateway.energy.carbon.direct import direct
from gateway.energy.carbon.exact import rounded
from gateway.energy.carbon.figure import PLACES, Figure
from gateway.energy.carbon.indirect import Indirect, indirect
from gateway.energy.carbon.quantity import Entry, Period, period_of
from gateway.energy.carbon.refused import Refused

Way = Literal["location", "market"]
_KINDS: Final = ("co2_direct", "co2_location", "co2_market")


@dataclass(frozen=True, slots=True)
class Inventory:
    """Scopes 1 and 2; the two ways of scope 2 are never added to each other."""

    scope_1: Figure
    scope_2: Indirect

    def __post_init__(self) -> None:
        """Refuse figures of products and of standard coal."""
        kinds = tuple(each.kind for each in (self.scope_1, self.scope_2.location, self.scope_2.market))
        if kinds != _KINDS:
            raise Refused("E-FA-0001", kinds=list(kinds))

    def exact(self, way: Way) -> Fraction | None:
        """Return scopes 1 and 2 together, kgCO2; None while a choice is missing in either."""
        one, two = self.scope_1.exact, self._two(way).exact
        return None if one is None or two is None else one + two

    def total(self, way: Way) -> Decimal | None:
        """Return the same, rounded once to a gram."""
        exact = self.exact(way)
        return None if exact is None else rounded(exact, PLACES)

    def _two(self, way: Way) -> Figure:
        return self.scope_2.location if way == "location" else self.scope_2.market

    def as_dict(self, language: Language) -> dict[str, Any]:
        """Return the inventory with all of its arithmetic."""
        ways: tuple[Way, ...] = ("location", "market")
        totals = {way: self.total(way) for way in ways}
        return {
            "scope_1": self.scope_1.as_dict(language),
            "scope_2_location": self.scope_2.location.as_dict(language),
            "scope_2_market": self.scope_2.market.as_dict(language),
            "total": {way: None if value is None else f"{value:f}" for way, value in totals.items()},
            "unit": "kgCO2",
        }


def inventory(
    quantities: Sequence[Entry],
    choices: Choices,
    *,
    bought_heat: Sequence[str] = ("heat", "steam"),
    period: Period | None = None,
) -> Inventory:
    """Return the inventory of everything bought or burnt in a period, the quantities' span when absent.

    Media as the books name them: ``electricity`` taken from the grid, ``electricity_generation`` by own
    generators, ``electricity_export`` fed into the grid, fuels, heat. Media named in `bought_heat` come from
    others (steam from an own boiler is in its fuel and must not be among the quantities).

    Raises:
        Refused: see `direct` and `indirect`.
    """
    period = period or period_of(quantities)

    def of(*media: str) -> list[Entry]:
        return [each for each in quantities if each.medium in media]

    two = indirect(
        of("electricity"),
        choices,
        heat=of(*bought_heat),
        generated=of("electricity_generation"),
        exported=of("electricity_export"),
        period=period,
    )
    return Inventory(direct(quantities, choices, period, not_burnt=bought_heat), two)
