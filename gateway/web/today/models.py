"""What the first view is told of today: amounts as decimal text, times in ms since 1970 UTC."""

from typing import Literal

from gateway.web.energy_models import EnergyFigures, EnergyMedium, Wanted
from gateway.web.models import Answer

FigureName = Literal["power", "energy", "cost", "coal", "co2"]


class TodayAgainst(Answer):
    """The same stretch of an earlier day."""

    day: Literal["yesterday", "weekday"]
    """Weekday: the same one, a week ago."""
    value: str | None
    """None: too little is known of it."""
    part: float | None
    """What today is more, as a share of it."""


class TodayFigure(Answer):
    """One big figure."""

    name: FigureName
    unit: str
    value: str | None
    """None: not known, never 0."""
    start: int
    end: int
    """What it is of; of power the mean from here to there."""
    hourly: str | None
    """What an hour takes at the power of now; None where it can't be told from that."""
    hourly_without: list[EnergyMedium]
    """Media that are in the figure and not in `hourly`: their meters do not tell what is taken now."""
    so_far: str | None
    """What is compared: today's quarters of an hour that are over and known …"""
    until: int
    """… up to here."""
    against: list[TodayAgainst]
    measured: float
    estimated: float
    manual: float
    completeness: float
    wanted: list[Wanted]
    notes: list[str]
    """Names of the tariffs it rests on."""
    doubts: list[str]
    """Words of what makes the sum itself doubtful: overlap, negative."""


class TodayOwn(Answer):
    """Own generation today, kWh, beside the figure of energy."""

    measures: Literal["taken", "used"]
    """What that figure is, and power and load: taken from the grid, or used in all."""
    other: str | None
    """The other of the two; None where it can't be told."""
    generated: str | None
    fed_in: str | None
    """Into the grid."""
    is_generation_metered: bool
    is_feed_in_metered: bool
    doubts: list[str]
    """As of a figure."""


class TodayDemand(Answer):
    """A supply's demand, kW."""

    subject: str
    present: str | None
    """Of the running quarter of an hour, if the power stays; of the last one where readings do not tell."""
    is_forecast: bool
    may_use: str | None
    """Mean power left for the rest of the quarter so that the limit holds."""
    limit: str | None
    limit_by: Literal["meter", "tariff", ""]
    warn_at: float
    """Share of the limit from which the alarm of demand comes."""
    highest: str | None
    """Of the billing period so far."""
    highest_at: int | None
    since: int
    """When the billing period began."""
    wanted: list[Wanted]


class TodayConsumer(Answer):
    """A meter behind which none hangs."""

    meter: str
    title: str
    node: str
    value: str
    part: float | None
    """Share of what the meter above them all has measured; of what the site took where there is none."""


class Today(Answer):
    """Today so far. What is being read from the books for the first time is missing yet."""

    site: str
    start: int
    end: int
    """The day's local midnights."""
    has_meters: bool
    """Anything is metered at all."""
    is_booked: bool
    """Something has been booked."""
    is_pending: bool
    """Ask again soon: not all of it has been read."""
    example: str
    """The tariff's name where its prices are examples."""
    figures: list[TodayFigure]
    own: TodayOwn | None
    """None: nothing is generated on the site."""
    demands: list[TodayDemand]
    consumers: list[TodayConsumer]
    """The largest first."""
    metered: int
    """Of so many."""


class TodayCurve(Answer):
    """The day's load by quarters of an hour, and yesterday's; None while it is read, and without a meter."""

    today: EnergyFigures | None
    yesterday: EnergyFigures | None
    is_pending: bool
