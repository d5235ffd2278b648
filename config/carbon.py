"""What a plant chooses for its carbon and standard coal: which rows count from which day, and what it enters.

Nothing here has a default. What is not chosen is named by every figure that needs it.
"""

from typing import Annotated, Literal

from pydantic import Field

from config.base import Model, Name
from config.exact import Date, Exact, ExactPositive
from config.factor_rows import Calibre

Words = Annotated[str, Field(min_length=1)]


class Pick(Model):
    """A choice and the day it counts from."""

    from_: Date | None = Field(default=None, alias="from")
    """First day; absent: since ever. A later choice ends it."""


class GridPick(Pick):
    """A row of the electricity table."""

    area: Name
    """A grid, e.g. jiangsu, east_china, china."""
    year: int
    """Its data year, printed with every figure."""
    calibre: Calibre
    """`average` for an inventory by location, `excl_market_nonfossil` or `fossil` for what no contract
    covers, `product_footprint` for products."""


class HeatPick(Pick):
    """A row of the heat table."""

    set: Name
    """E.g. cn-default, 0.11 tCO2/GJ."""


class PrimaryPick(Pick):
    """Standard coal per kWh by primary energy, 等价值, as the authority sets it for a year."""

    kgce_per_kwh: ExactPositive
    """E.g. 0.298; no value is shipped."""
    year: int
    """The year it is set for, printed with the figure."""
    source: Words
    """Who sets it, and where."""


class SteamState(Model):
    """State of bought or sold steam, for its heat; read it from the meters or the contract."""

    pressure: ExactPositive
    """MPa, absolute: the gauge's reading plus 0.1."""
    temperature: Exact | None = None
    """°C; absent: dry saturated steam."""
    feed_water: Exact
    """°C of the water the steam is made from."""


class MediumPick(Pick):
    """How one medium counts."""

    set: Name | None = None
    """Set of fuel factors, for what burning it emits, e.g. cn-guide-a."""
    fuel: Name | None = None
    """The fuel within the set; the medium's own name when absent."""
    coal: Name | None = None
    """Row of the standard coal table; not needed where lhv or steam is given."""
    lhv: ExactPositive | None = None
    """Lower heating value, 低位发热量, in MJ per unit of `per`, from the supplier's bill."""
    per: Literal["m³", "Nm³", "Sm³", "kg", "t", "L"] | None = None
    """Unit of lhv. m³ is as the meter counts it; normal and standard cubic metres are other quantities."""
    density: ExactPositive | None = None
    """kg/L, where a meter counts litres and the factors kilograms."""
    steam: SteamState | None = None
    """For steam: its heat by pressure and temperature. There is no default per tonne."""
    source: Words | None = None
    """Where the entered numbers come from; required with lhv, density and steam."""


class GreenContract(Model):
    """Green electricity by contract, for the market-based figure."""

    kind: Literal["certificate", "direct", "sold"]
    """A green certificate used up, 绿证; green power bought directly, 绿电; certificates of own generation
    that were sold, so that using it is no longer free of emissions."""
    mwh: ExactPositive
    from_: Date = Field(alias="from")
    """First day of use it is for."""
    to: Date
    """Day after the last."""
    document: Words
    """Number of the certificate or contract."""


class Upstream(Model):
    """What a product emitted before it came through the factory's gate, from others' figures."""

    kgco2e: ExactPositive
    """Per `per` of product: raw materials, transport, what it took to get the fuels."""
    per: Literal["piece", "t"]
    """What the counter of its production counts."""
    source: Words
    """Whose figure, and of when."""


class CarbonOptions(Model):
    """Factors for carbon and standard coal, each chosen by hand, with the day it counts from."""

    electricity: Annotated[tuple[GridPick, ...], Field(strict=False)] = ()
    """Bought electricity by location: `average` rows."""
    residual: Annotated[tuple[GridPick, ...], Field(strict=False)] = ()
    """Bought electricity no contract covers, for the market-based figure."""
    footprint: Annotated[tuple[GridPick, ...], Field(strict=False)] = ()
    """Electricity in a product's footprint: `product_footprint` rows, kgCO2e."""
    primary: Annotated[tuple[PrimaryPick, ...], Field(strict=False)] = ()
    """Electricity as standard coal by primary energy, 等价值."""
    heat: Annotated[tuple[HeatPick, ...], Field(strict=False)] = ()
    """Bought heat and steam."""
    media: dict[Name, Annotated[tuple[MediumPick, ...], Field(strict=False)]] = Field(default_factory=dict)
    """Every other medium by its name."""
    contracts: Annotated[tuple[GreenContract, ...], Field(strict=False)] = ()
    """Green certificates and green power, for the market-based figure."""
    upstream: dict[Name, Upstream] = Field(default_factory=dict)
    """By product: cradle to the factory's gate, so that a batch's share of cradle to gate can be told."""
