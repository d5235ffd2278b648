"""What a plant file says about energy: meters, how they hang together, shifts, billing. Small by default.

A counter whose name says what it counts (`e_import`, `e_export`, `gas_total` …, see
`config/data/energy/media.csv`) is a meter by itself; the section only adds and corrects.
"""

import csv
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Annotated, Literal

from pydantic import Field

from config.base import Duration, Model, Name, Number
from config.energy_identifiers import Identifier
from config.energy_times import DateText, Moment, TimeOfDay
from config.tags import UnitName
from config.units import Unit, find_unit

Positive = Annotated[Number, Field(gt=0)]


@dataclass(frozen=True, slots=True)
class Medium:
    """What is metered: one row of the table of media."""

    name: str
    zh: str
    en: str
    unit: Unit
    """Of the books."""
    quantities: tuple[str, ...]
    """A meter's unit is of one of these; see `config.units`."""
    maximum: Decimal
    """Units an hour no meter passes, where the plant file gives none."""
    suffix: str
    """Behind the device's name in the name of a meter that comes by itself."""
    names: tuple[str, ...]
    """Counters that are such a meter by themselves, the best first."""


@cache
def media() -> dict[str, Medium]:
    """Return the table of media by name, in its order."""
    text = (resources.files("config") / "data" / "energy" / "media.csv").read_text(encoding="utf-8")
    found: dict[str, Medium] = {}
    for row in csv.DictReader(line for line in text.splitlines() if not line.startswith("#")):
        unit = find_unit(row["unit"])
        if unit is None:
            raise ValueError(f"media.csv: {row['unit']} is no unit")
        found[row["medium"]] = Medium(
            row["medium"], row["zh"], row["en"], unit, tuple(row["quantities"].split("|")),
            Decimal(row["maximum"]), row["suffix"], tuple(row["names"].split()),
        )  # fmt: skip
    return found


class Ratio(Model):
    """Transformer ratios in force from a date on, for a counter that shows the secondary side."""

    from_: Moment = Field(alias="from")
    ct: Positive = 1.0
    """200 A / 5 A is 40."""
    pt: Positive = 1.0


class Swap(Model):
    """The meter was taken off and another put in its place."""

    at: Moment
    start: Annotated[Number, Field(ge=0)]
    """What the new meter showed when it was put in."""
    final: Annotated[Number, Field(ge=0)] | None = None
    """What the old one showed last; without it nothing is booked from its last reading to the swap."""


class MeterOptions(Model):
    """A meter: one that comes by itself, corrected, or another. One of tag, power, expression, manual."""

    tag: str | None = None
    """The counter, by its full path site/area/line/device/tag."""
    power: str | None = None
    """There is no counter: power is added up, and every figure is marked estimated."""
    expression: str | None = None
    """A virtual meter: a sum of meters by name, e.g. ``grid + solar - grid.export``."""
    manual: bool = False
    """Read by people: ``wanglian energy read``."""
    medium: str | None = None
    """What it counts: a name of the table of media, e.g. electricity, natural_gas, water."""
    unit: UnitName | None = None
    """Of a manual meter's readings; of the books when absent."""
    at: str | None = None
    """What it measures in the tree, e.g. ``press_shop/line_1``; ``-`` is the whole site. Absent: its
    device."""
    parent: Name | None = None
    """The meter behind which it hangs: the balance compares a meter with those that name it."""
    resolution: Positive | None = None
    """Smallest step of the reading, in the books' unit; from the register when absent."""
    rollover: Positive | None = None
    """The reading begins again at 0 when it reaches this, in the books' unit, e.g. 1000000."""
    width: Literal[16, 32, 48, 64] | None = None
    """Bits of the register that rolls over, where `rollover` is not known."""
    maximum: Positive | None = None
    """Most that can pass in an hour, in the books' unit (kWh: kW). Half as much again is not believed."""
    ratios: Annotated[tuple[Ratio, ...], Field(strict=False)] = ()
    swaps: Annotated[tuple[Swap, ...], Field(strict=False)] = ()
    contract: Positive | None = None
    """Contract demand, kW: the alarm comes before the mean of a quarter of an hour reaches it."""
    unaccounted: Annotated[Number, Field(ge=0, le=100)] | None = None
    """Alarm when more than this share, in percent, of what it measured is not found in its children."""
    title: str | None = None
    maker: str | None = None
    serial: str | None = None
    accuracy: str | None = None
    """Class on the name plate, e.g. ``0.5S``."""
    verified: DateText | None = None
    verify_by: DateText | None = None
    """From the day after, figures are marked: verification overdue."""
    identifier: Identifier | None = None
    enabled: bool = True
    """false: no meter, although the counter's name says so."""


class Break(Model):
    """A pause within a shift."""

    from_: TimeOfDay = Field(alias="from")
    to: TimeOfDay


Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DayType = Literal["workday", "make_up", "weekend", "holiday"]
DAY_TYPES: tuple[DayType, ...] = ("workday", "make_up", "weekend", "holiday")


class Shift(Model):
    """A shift; one that ends before it begins goes over midnight and belongs to the day it began."""

    from_: TimeOfDay = Field(alias="from")
    to: TimeOfDay
    breaks: Annotated[tuple[Break, ...], Field(strict=False)] = ()
    days: Annotated[tuple[Weekday | DayType, ...], Field(min_length=1, strict=False)] = WEEKDAYS
    """On which days it begins: days of the week, and types of day by `calendar`: ``workday`` (make-up working
    days too), ``make_up`` (a Saturday or Sunday that is worked), ``weekend``, ``holiday``."""
    not_on: Annotated[tuple[DayType, ...], Field(strict=False)] = ()
    """Types of day on which it does not begin whatever `days` says, e.g. ``[holiday]``."""

    @property
    def follows_calendar(self) -> bool:
        """Tell whether holidays decide when it begins."""
        return bool(self.not_on) or not set(self.days) <= set(WEEKDAYS)

    def begins_on(self, weekday: Weekday, day_type: DayType | None) -> bool | None:
        """Tell whether it begins on such a day; None where that depends on a type that is not known."""
        if not self.follows_calendar:
            return weekday in self.days
        if day_type is None:
            return None
        types = {day_type, "workday"} if day_type == "make_up" else {day_type}
        return (weekday in self.days or not types.isdisjoint(self.days)) and types.isdisjoint(self.not_on)

    @property
    def minutes(self) -> int:
        """Return how long it is by the clock, in minutes."""
        return (self.to - self.from_) % 1440 or 1440


class Billing(Model):
    """The supplier's period."""

    day: Annotated[int, Field(ge=1, le=28)] = 1
    hour: Annotated[int, Field(ge=0, le=23)] = 0


class Demand(Model):
    """How demand is watched, for meters with a contract value."""

    warn_at: Annotated[Number, Field(gt=0, le=100)] = 95.0
    """Alarm when the forecast of the running quarter of an hour passes this percentage of the contract."""


class Identifiers(Model):
    """Identifiers of what is no meter."""

    site: Identifier | None = None
    assets: dict[str, Identifier] = Field(default_factory=dict)
    """By path within the site, e.g. ``press_shop/line_1/press_1``."""
    products: dict[Name, Identifier] = Field(default_factory=dict)


class EnergyOptions(Model):
    """Energy books on this machine's disk."""

    enabled: bool = True
    keep_readings: Annotated[Duration, Field(ge=40 * 86_400_000_000_000)] = 40 * 86_400_000_000_000
    """Counter readings are kept this long, so that late data correct the books."""
    meters: dict[Name, MeterOptions] = Field(default_factory=dict)
    """By name. A device's counter is the meter ``device``, further ones ``device.export`` and so on."""
    shifts: dict[Name, Shift] = Field(default_factory=dict)
    billing: Billing = Billing()
    demand: Demand = Demand()
    identifiers: Identifiers = Identifiers()
