"""What the interface answers about energy and carbon: amounts as decimal text, times in ms since 1970 UTC."""

from typing import Literal

from gateway.web.models import Answer

Metric = Literal["energy", "load", "demand", "cost", "coal_equivalent", "coal_primary", "co2", "co2_market"]
"""co2: scope 1, and scope 2 by location."""
Every = Literal["15min", "60min", "day", "week", "month", "year", "shift", "billing", "batch"]
BandName = Literal["sharp", "peak", "flat", "valley", "deep_valley", "undecided"]


class EnergyMedium(Answer):
    """A row of the table of media."""

    name: str
    zh: str
    en: str
    unit: str


class EnergyPlace(Answer):
    """A node of the tree at or below which something is metered."""

    path: str
    media: list[str]


class EnergyMeter(Answer):
    """A meter, physical or not."""

    name: str
    title: str
    medium: str
    node: str
    kind: Literal["counter", "power", "virtual", "manual"]
    parent: str
    """Behind which meter it hangs; empty where nobody said."""
    serial: str
    accuracy: str
    contract: float | None
    """kW"""
    verify_by: str


class EnergyPlant(Answer):
    """What there is to ask for."""

    site: str
    places: list[EnergyPlace]
    meters: list[EnergyMeter]
    media: list[EnergyMedium]
    shifts: list[str]
    billing_day: int
    is_priced: bool
    """The plant file names a tariff."""
    example: str
    """What its first entry says when its prices are examples, not a contract's; else empty."""
    days: list[str]
    """Rest days and holidays that are known around today, as 2026-10-01; the heat map marks them."""


class EnergyRow(Answer):
    """One figure: its amount, what it is worth, and what happened in it."""

    start: int
    end: int
    label: str
    value: str | None
    """Exact decimal text; None: not known, never 0."""
    at_least: str | None
    """The truth lies between these two; None where no bounds are kept."""
    at_most: str | None
    measured: float
    estimated: float
    manual: float
    """Shares, of 1."""
    completeness: float
    """Share of the time that has passed in which readings came as they should."""
    revision: int
    flags: list[str]
    closed: bool


class EnergyBand(Answer):
    """A stretch of one tariff band."""

    start: int
    end: int
    band: BandName


class BandCost(Answer):
    """What one band took and cost; the yuan of all bands add up to the total."""

    band: BandName
    kwh: str
    yuan: str | None


class EnergyCharge(Answer):
    """What a whole bill charges beside its energy; no part of the total, which is the energy's."""

    bill: str
    """Local month."""
    item: str
    """capacity, demand, demand_excess or power_factor."""
    quantity: str
    unit: str
    price: str | None
    """Yuan a unit; of the power factor the sum its percentage is of."""
    yuan: str | None


class Wanted(Answer):
    """What a figure lacks, and where to enter it."""

    choice: str
    """Key of the plant file."""
    en: str
    zh: str


class FactorUsed(Answer):
    """A number in a formula and where it comes from."""

    symbol: str
    value: str
    unit: str
    row: str
    source: str
    instrument: str
    confidence: Literal["high", "entered", "medium", "low"]
    note: str


class EnergyFigures(Answer):
    """Rows of one subject, medium and metric; where `adds` is true they add up to the total, exactly."""

    subject: str
    medium: str
    metric: Metric
    interval: Every
    unit: str
    adds: bool
    rows: list[EnergyRow]
    total: EnergyRow
    """Of demand the highest, of load the mean."""
    unknown: int
    """Rows that have begun and of which nothing is known; the total is of the others."""
    made: list[str]
    """Terms as `times × meter`."""
    bands: list[EnergyBand]
    band_costs: list[BandCost]
    charges: list[EnergyCharge]
    wanted: list[Wanted]
    notes: list[str]
    """Names of the tariffs the figures rest on."""
    factors: list[FactorUsed]
    contract: float | None


class EnergyTable(Answer):
    """Many meters at once: a column of quanta per interval; `quanta × quantum` is the amount."""

    names: list[str]
    units: list[str]
    quantum: list[str]
    start: list[int]
    end: list[int]
    quanta: list[list[int | None]]


class EnergyFlow(Answer):
    """A stream of the Sankey diagram."""

    source: str
    target: str
    """Empty: what nobody accounts for."""
    value: str
    share: float | None
    """Of what `source` measured."""
    alarm: bool
    beside: bool
    """It comes through `source` and is no part of what that measured."""


class EnergyFlows(Answer):
    """Where it went."""

    unit: str
    flows: list[EnergyFlow]
    over: list[EnergyFlow]
    """Meters whose children found more than they: no stream can show that."""
    unknown: list[str]
    """Meters of which nothing is known in this period."""
    partly: list[str]
    """Meters not read for some of the time: beside them no unaccounted rest is told."""


class CarbonLine(Answer):
    """One quantity times one factor."""

    medium: str
    node: str
    amount: str
    unit: str
    factor: str
    value: str
    formula: str
    rule_en: str
    rule_zh: str
    used: list[FactorUsed]


class CarbonFigure(Answer):
    """A figure of one kind with its arithmetic."""

    kind: Literal[
        "coal_equivalent", "coal_primary", "co2_direct", "co2_location", "co2_market", "co2e_footprint"
    ]
    unit: str
    value: str | None
    calibre: str
    confidence: str
    measured: float | None
    estimated: float | None
    manual: float | None
    lines: list[CarbonLine]
    wanted: list[Wanted]


class CarbonIntensity(Answer):
    """A figure per piece or tonne made."""

    meter: str
    node: str
    output: str
    output_unit: str
    kind: str
    value: str
    unit: str


class CarbonReport(Answer):
    """Scopes and calibres of one node and period, side by side."""

    node: str
    start: int
    end: int
    figures: list[CarbonFigure]
    total_location: str | None
    total_market: str | None
    days: int
    """Days of the period that have begun."""
    known: list[int]
    """Of how many of them each medium is known."""
    media: list[str]
    intensities: list[CarbonIntensity]


class CarbonBatch(Answer):
    """The footprint of one batch."""

    name: str
    node: str
    product: str
    identifier: str
    start: int
    end: int
    amount: str
    unit: str
    figure: CarbonFigure
    per_unit: str | None
    upstream: str
    """Cradle to the factory's gate per unit, as entered for the product; empty: not entered."""
    upstream_source: str
    share: float | None
    """Gate to gate ÷ cradle to gate."""
    left_out: list[str]
    """Media used that are neither electricity nor fuel."""


class CarbonBatches(Answer):
    """Batches of a node, the newest first."""

    batches: list[CarbonBatch]


class CarbonTerm(Answer):
    """A part of the difference between two versions of a result."""

    medium: str
    old: list[str]
    """Factor rows and their versions."""
    new: list[str]
    by_amount: str
    by_factor: str


class CarbonVersion(Answer):
    """One version of a result."""

    revision: int
    made: int
    value: str
    unit: str
    rows: list[str]
    difference: str
    """Against the version before."""
    terms: list[CarbonTerm] | None
    """They add up to the difference; None where the two versions' days are cut differently."""


class CarbonChanged(Answer):
    """A result with more than one version, the oldest first."""

    kind: Literal["coal_equivalent", "coal_primary", "co2_direct", "co2_location", "co2_market"]
    start: int
    end: int
    versions: list[CarbonVersion]


class CarbonKept(Answer):
    """What is kept of a place and period."""

    kept: int
    """Results, of days and months."""
    changed: list[CarbonChanged]
