"""The plant file's `tariff`: under which tariff, class and contract the plant buys, and at what prices."""

from typing import Annotated, Any, Final, Literal

from pydantic import Field

from config.bands import Band, Use
from config.base import FileName, Model, Name
from config.exact import Date, Exact, ExactPositive, Month

ByBand = dict[Band, Exact]


class Prices(Model):
    """Prices of a month, without the bands' rise and fall, yuan; what is not known is left out."""

    purchase: Exact | None = None
    """Per kWh, 上网（购电）电价 of the flat band; the tariff raises and lowers it."""
    purchase_by_band: ByBand | None = None
    """In place of `purchase`: what each band is billed, ``{peak: …, flat: …, valley: …}``; for contracts with
    prices by band, and where no source gives a tariff's factors."""
    losses: Exact | None = None
    """Per kWh, 上网环节线损费用."""
    transmission: Exact | None = None
    """Per kWh, 电度输配电价, of your voltage and class."""
    system: Exact | None = None
    """Per kWh, 系统运行费用; negative in some months."""
    funds: Exact | None = None
    """Per kWh, 政府性基金及附加."""
    energy: ByBand | None = None
    """Per kWh, the whole price of each band as printed, funds included; in place of the others, except
    `funds`, which then says how much of it is funds."""
    capacity: Exact | None = None
    """Per kVA and month, 容量电价."""
    demand: Exact | None = None
    """Per kW and month, 需量电价."""


class Contract(Model):
    """What was agreed with the supplier."""

    use: Use = "industry"
    """Whom the connection serves; some overlays are for industry alone."""
    capacity_kva: ExactPositive | None = None
    """Installed transformer capacity."""
    charge: Literal["capacity", "demand"] | None = None
    """What a two-part tariff charges for beside the energy."""
    demand_kw: ExactPositive | None = None
    """Contract demand; without it the measured maximum is charged as it is."""
    excess_above: ExactPositive | None = None
    """Times the contract demand from which on the excess costs more, e.g. ``1.05``; see your contract."""
    excess_times: ExactPositive | None = None
    """… and how many times the demand price the excess costs, e.g. ``2``."""
    power_factor: ExactPositive | None = None
    """The standard your power-factor adjustment is measured by, e.g. ``0.90``; absent: none is billed."""
    billed_as: Literal["begins", "ends", "days"] | None = None
    """Where the supplier's period is no calendar month (`energy.billing`): which month's prices it has, those
    of the month it begins in, of the month its last whole day is in, or each day its own. Absent: what is
    not the same in both months is asked for."""
    reverse_reactive: Literal["added", "ignored"] | None = None
    """Whether reactive energy fed back counts. Absent: a month with any has no adjustment computed."""


class Supply(Model):
    """What holds from one day on."""

    use: str | None = None
    """A tariff that comes with the gateway, e.g. ``jiangsu-2025``; or …"""
    file: FileName | None = None
    """… your own tariff file, in the same form."""
    from_: Date | None = Field(default=None, alias="from")
    """The first day; the tariff's own first day when absent. Ends where the next entry begins."""
    class_: Name | None = Field(default=None, alias="class")
    """The customer class; may be left out where the tariff has one only."""
    hours: Name | None = None
    """Hours taken in place of the seasons', where the tariff lets you: a season's name, or ``flat``."""
    overlays_on: Literal["base", "whole"] | None = None
    """Your reading of sharp and deep-valley factors, once an invoice has shown it; the tariff's own when
    absent."""
    checked: Month | None = None
    """A month whose invoice agreed with our figures: `wanglian check` no longer tells what the sources leave
    open."""
    example: bool = False
    """The prices below are examples, not a contract's: every figure that rests on them says so."""
    contract: Contract = Contract()
    standing: Prices = Prices()
    """Prices that are the same in every month; a month's own take their place."""
    prices: dict[Month, Prices] = Field(default_factory=dict)
    """By local calendar month."""

    def prices_of(self, month: str) -> Prices:
        """Return a month's prices: its own, else the standing ones; a way of pricing is taken whole."""
        own = _given(self.prices.get(month, Prices()))
        standing = _given(self.standing)
        if not _WAYS.isdisjoint(own):
            standing = {name: price for name, price in standing.items() if name not in _WAYS}
        return Prices.model_construct(**standing | own)


_WAYS: Final = frozenset({"purchase", "purchase_by_band", "energy"})
"""Of which one is given."""


def _given(prices: Prices) -> dict[str, Any]:
    return {name: price for name in Prices.model_fields if (price := getattr(prices, name)) is not None}


SupplyEntries = Annotated[tuple[Supply, ...], Field(min_length=1, strict=False)]
