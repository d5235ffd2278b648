"""Tariffs as data: hours, factors and overlays of a notice, each row with where it comes from.

A tariff says when which band holds and what a band does to the price; it holds no prices, which are those of
a month and a contract and stand in the plant file. `config/data/tariffs/<name>.yaml` come with the gateway; a
plant file may name one of its own instead.
"""

from typing import Annotated, Literal

from pydantic import Field

from config.bands import Band, Confidence, Part, Use
from config.base import Model, Name, Text, TimeZone
from config.exact import Date, Exact, ExactPositive, Hours


class Source(Model):
    """Where numbers come from."""

    text: Annotated[str, Field(min_length=1)]
    instrument: str | None = None
    """Number of the notice, where it is another than the tariff's."""


class Row(Model):
    """What every row of a tariff says about itself; it holds as long as its tariff."""

    source: Name
    """A key of the tariff's `sources`. No number without one."""
    confidence: Confidence
    note: Text | None = None
    """What the source leaves open, in words for whoever pays the bill."""


class Capacity(Model):
    """Bounds of a customer's transformer capacity, kVA."""

    at_least: ExactPositive | None = None
    below: ExactPositive | None = None


class Floating(Row):
    """Which parts of the price the bands raise and lower."""

    base: Annotated[tuple[Part, ...], Field(min_length=1, strict=False)]
    digits: Annotated[int, Field(ge=0, le=9)] | None = None
    """A band's price per kWh is rounded to so many decimals, halves up; absent: no source says."""


class CustomerClass(Row):
    """One class of customers."""

    title: Text
    two_part: bool | None = None
    """True: a charge for capacity or demand beside the energy; None: the tariff holds for either kind."""
    capacity_kva: Capacity = Capacity()
    factors: dict[Band, ExactPositive] = Field(default_factory=dict)
    """What the floating parts are multiplied by in each band; flat is 1. Empty: no source says, prices are
    entered band by band."""


class Season(Row):
    """Months whose days have the same hours."""

    title: Text
    months: Annotated[tuple[Annotated[int, Field(ge=1, le=12)], ...], Field(min_length=1, strict=False)]
    hours: dict[Band, Annotated[tuple[Hours, ...], Field(min_length=1, strict=False)]]


class Who(Model):
    """Whom an overlay concerns."""

    use: Use | None = None
    capacity_kva: Capacity = Capacity()
    two_part: bool | None = None


class Weather(Model):
    """Days an overlay is called out for."""

    max_temperature_at_least: Exact
    """°C."""
    measured: Text
    """Whose temperature the notice means."""


class Overlay(Row):
    """A band that takes the place of the season's on some days."""

    band: Band
    hours: Annotated[tuple[Hours, ...], Field(min_length=1, strict=False)]
    months: (
        Annotated[tuple[Annotated[int, Field(ge=1, le=12)], ...], Field(min_length=1, strict=False)] | None
    ) = None
    """Absent: every month."""
    days: Literal["holiday", "major_holiday", "workday", "weekend"] | None = None
    """Absent: every day. Which holidays are major is the customer's to say (`calendar.major_holidays`)."""
    festivals: Annotated[tuple[Name, ...], Field(min_length=1, strict=False)] | None = None
    """Only holidays of these names, where the source names them."""
    weather: Weather | None = None
    who: Who = Who()
    valid_from: Date | None = None
    """First day, where it begins later than its tariff; on the first of a month."""
    valid_to: Date | None = None
    """Last day, where it ends earlier than its tariff; on the last of a month."""
    factor: ExactPositive
    of: Literal["flat", "peak", "valley"]
    """The band whose price the factor multiplies."""
    applies_to: Literal["base", "whole"]
    """The factor multiplies the floating parts, or every part of that band's price."""
    reading: Text | None = None
    """Present where the source does not settle `applies_to`: how we read it, to be checked on an invoice."""

    def in_month(self, month: str) -> bool:
        """Tell whether the overlay may hold in a month, 2026-07."""
        is_late = self.valid_from is not None and month < f"{self.valid_from}"[:7]
        is_early = self.valid_to is not None and month > f"{self.valid_to}"[:7]
        return not is_late and not is_early and (self.months is None or int(month[5:]) in self.months)


class Choice(Row):
    """Hours a customer may take in place of the seasons'."""

    hours: Name
    """A season's name: its hours all year; or flat: no bands."""
    who: Text


class Tariff(Model):
    """One notice on time-of-use prices."""

    title: Text
    area: Text
    time_zone: TimeZone = "Asia/Shanghai"
    instrument: Annotated[str, Field(min_length=1)]
    valid_from: Date | None = None
    """Absent: no source says."""
    valid_to: Date | None = None
    """The last day; absent: no end is known."""
    dates: Row
    """Where the two days come from."""
    sources: Annotated[dict[Name, Source], Field(min_length=1)]
    confidence: Confidence
    """The lowest of what every customer of the tariff depends on."""
    floating: Floating | None = None
    """Absent: no source says; prices are entered band by band."""
    classes: Annotated[dict[Name, CustomerClass], Field(min_length=1)]
    seasons: Annotated[dict[Name, Season], Field(min_length=1)]
    overlays: Annotated[tuple[Overlay, ...], Field(strict=False)] = ()
    choices: Annotated[tuple[Choice, ...], Field(strict=False)] = ()
    notes: Annotated[tuple[Text, ...], Field(strict=False)] = ()

    def rows(self) -> list[tuple[tuple[str | int, ...], Row]]:
        """Return every row with its path in the file."""
        found: list[tuple[tuple[str | int, ...], Row]] = [(("dates",), self.dates)]
        if self.floating is not None:
            found.append((("floating",), self.floating))
        found += [(("classes", name), row) for name, row in self.classes.items()]
        found += [(("seasons", name), row) for name, row in self.seasons.items()]
        found += [(("overlays", i), row) for i, row in enumerate(self.overlays)]
        return found + [(("choices", i), row) for i, row in enumerate(self.choices)]
