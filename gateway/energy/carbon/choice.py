"""The plant's chosen factors as time lines: which row counts when, and what was never chosen.

A factor for an inventory and one for products are different types; neither can be made from the other's row.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from fractions import Fraction
from typing import Final, Generic, TypeVar
from zoneinfo import ZoneInfo

from config.carbon import CarbonOptions, GreenContract, GridPick, MediumPick, Pick, PrimaryPick
from config.factor_rows import Calibre, ElectricityFactor, HeatFactor
from config.factors import Factors
from config.problems import Phrase
from gateway.energy.carbon.figure import Line
from gateway.energy.carbon.quantity import Missing, Quantity
from gateway.energy.carbon.refused import Refused

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
P = TypeVar("P", bound=Pick)

UTC: Final = ZoneInfo("UTC")
SINCE_EVER: Final = -(2**63)
_INVENTORY: Final[tuple[Calibre, ...]] = ("average", "excl_market_nonfossil", "fossil")


@dataclass(frozen=True, slots=True)
class InventoryFactor:
    """kgCO2 per kWh, for an enterprise's inventory."""

    row: ElectricityFactor

    def __post_init__(self) -> None:
        """Refuse a factor of products or of allowances."""
        if self.row.calibre not in _INVENTORY or self.row.unit != "kgCO2/kWh":
            raise Refused("E-FA-0002", calibres=[self.row.calibre, "inventory"])


@dataclass(frozen=True, slots=True)
class FootprintFactor:
    """kgCO2e per kWh, for the footprint of products."""

    row: ElectricityFactor

    def __post_init__(self) -> None:
        """Refuse a factor of inventories or of allowances."""
        if self.row.calibre != "product_footprint" or self.row.unit != "kgCO2e/kWh":
            raise Refused("E-FA-0002", calibres=[self.row.calibre, "product_footprint"])


@dataclass(frozen=True, slots=True)
class Timeline(Generic[T_co]):
    """What was chosen under one key of the plant file, by the time it counts from."""

    choice: str
    """Key of the plant file."""
    entries: tuple[tuple[int, T_co], ...] = ()
    """First ns UTC and choice, in order."""
    zone: ZoneInfo = UTC
    """The plant's, for messages."""

    def at(self, quantity: Quantity) -> T_co | Missing:
        """Return what counts for a quantity, or what is missing.

        Raises:
            Refused: E-FA-0004, the choice changes within the quantity's period: only the books can split it.
        """
        inside = [start for start, _ in self.entries if quantity.start < start < quantity.end]
        if inside:
            raise Refused("E-FA-0004", choice=self.choice, instant=instant(inside[0], self.zone))
        found = [each for start, each in self.entries if start <= quantity.start]
        if found:
            return found[-1]
        reason = Phrase(
            "carbon.not_chosen", {"choice": self.choice, "since": instant(quantity.start, self.zone)}
        )
        return Missing(self.choice, reason, quantity.start, quantity.end)


@dataclass(frozen=True, slots=True)
class Covering:
    """A contract for green electricity, in ns UTC and kWh."""

    contract: GreenContract
    start: int
    end: int
    kwh: Fraction


@dataclass(frozen=True, slots=True)
class Choices:
    """Everything a plant chose, with the rows found."""

    factors: Factors
    electricity: Timeline[InventoryFactor]
    residual: Timeline[InventoryFactor]
    footprint: Timeline[FootprintFactor]
    primary: Timeline[PrimaryPick]
    heat: Timeline[HeatFactor]
    media: Mapping[str, Timeline[MediumPick]]
    contracts: tuple[Covering, ...]

    def medium(self, name: str) -> Timeline[MediumPick]:
        """Return the choices for one medium; an empty line where there are none."""
        return self.media.get(name, Timeline(f"carbon.media.{name}", zone=self.electricity.zone))

    def changes(self, start: int, end: int) -> tuple[int, ...]:
        """Return the times strictly within a period at which any choice or contract changes, in order.

        Quantities handed to the calculations must not span one: ask the books for each part.
        """
        lines: Sequence[Timeline[object]] = (
            self.electricity,
            self.residual,
            self.footprint,
            self.primary,
            self.heat,
            *self.media.values(),
        )
        times = [first for line in lines for first, _ in line.entries]
        times += itertools.chain.from_iterable((each.start, each.end) for each in self.contracts)
        return tuple(sorted({each for each in times if start < each < end}))


_OF_A_CHOICE: Final = ("E-FA-0005", "E-FA-0006", "E-FA-0007")


def or_missing(choice: str, quantity: Quantity, make: Callable[[], Line]) -> Line | Missing:
    """Return the line, or what is missing where the choice can't take this quantity: unit, row, steam.

    So one wrong choice empties the figures it is in, by name, and no others.
    """
    try:
        return make()
    except Refused as error:
        if error.code not in _OF_A_CHOICE:
            raise
        return Missing(choice, Phrase(error.code, error.args_of_text), quantity.start, quantity.end)


def choices(options: CarbonOptions, factors: Factors, zone: ZoneInfo) -> Choices:
    """Return the plant's choices with their rows; days begin at midnight in `zone`.

    Raises:
        Refused: E-FA-0006, a chosen row is not there; E-FA-0002, it is of another calibre. A plant file that
            passed its checks causes neither.
    """

    def grid(pick: GridPick) -> ElectricityFactor:
        row = factors.electricity(pick.area, pick.year, pick.calibre)
        return _there(row, f"electricity/{pick.area}/{pick.year}/{pick.calibre}")

    media = {
        name: Timeline(f"carbon.media.{name}", _dated(picks, picks, zone), zone)
        for name, picks in options.media.items()
    }
    electricity = [InventoryFactor(grid(each)) for each in options.electricity]
    residual = [InventoryFactor(grid(each)) for each in options.residual]
    footprint = [FootprintFactor(grid(each)) for each in options.footprint]
    heat = [_there(factors.heat(each.set), f"heat/{each.set}") for each in options.heat]
    return Choices(
        factors,
        Timeline("carbon.electricity", _dated(options.electricity, electricity, zone), zone),
        Timeline("carbon.residual", _dated(options.residual, residual, zone), zone),
        Timeline("carbon.footprint", _dated(options.footprint, footprint, zone), zone),
        Timeline("carbon.primary", _dated(options.primary, options.primary, zone), zone),
        Timeline("carbon.heat", _dated(options.heat, heat, zone), zone),
        media,
        tuple(
            Covering(each, midnight(each.from_, zone), midnight(each.to, zone), Fraction(each.mwh) * 1000)
            for each in options.contracts
        ),
    )


def midnight(day: date, zone: ZoneInfo) -> int:
    """Return the first ns UTC of a local day."""
    return int(datetime.combine(day, time(), zone).timestamp()) * 1_000_000_000


def instant(ns: int, zone: ZoneInfo) -> str:
    """Return a time as messages write it: the plant's own, a date where it is midnight."""
    local = datetime.fromtimestamp(ns // 1_000_000_000, zone)
    return f"{local:%Y-%m-%d}" if local.time() == time() else f"{local:%Y-%m-%d %H:%M}"


def _dated(picks: Sequence[Pick], chosen: Sequence[T], zone: ZoneInfo) -> tuple[tuple[int, T], ...]:
    starts = [SINCE_EVER if pick.from_ is None else midnight(pick.from_, zone) for pick in picks]
    return tuple(zip(starts, chosen, strict=True))


def _there(row: T | None, row_id: str) -> T:
    if row is None:
        raise Refused("E-FA-0006", row=row_id)
    return row
