"""What a kWh costs in a month and a band, part by part; what is not known stays None and is named."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Final, Literal

from config.bands import PARTS, Band
from config.supply import Prices
from config.tariff_library import Terms
from config.tariffs import Overlay
from gateway.energy.pricing.lines import exactly
from gateway.energy.pricing.timetable import Slot

PricePart = Literal["purchase", "losses", "transmission", "system", "funds", "energy"]
"""`energy` is a price billed as a whole, less its funds where these are known."""

_ONE: Final = Decimal(1)


@dataclass(frozen=True, slots=True)
class BandPrice:
    """Yuan per kWh in one month and band."""

    parts: Mapping[PricePart, Decimal | None]
    """Exact; None: not known."""
    asked: tuple[tuple[str, str], ...]
    """Keys of the plant file that are missing, e.g. ``purchase``, and the month they are missing of."""
    is_ambiguous: bool = False
    """The bill lies in two months of different prices, and the contract does not say which it has."""

    @property
    def total(self) -> Decimal | None:
        """Return the sum of the parts, None when one is not known."""
        known = [price for price in self.parts.values() if price is not None]
        return sum(known, Decimal(0)) if len(known) == len(self.parts) else None


def price_of(terms: Terms, month: str, band: Band, hours: str | None = None) -> BandPrice:
    """Return the price of a band by the prices of a local month (2026-07); `hours`: the band's own month."""
    with exactly():
        return _price_of(terms, month, band, hours or month)


def price_in(slot: Slot) -> BandPrice | None:
    """Return the price of a slot; None where it has no entry or no band."""
    terms, band = slot.terms, slot.band
    if terms is None or band is None:
        return None
    first, *others = [price_of(terms, month, band, slot.month) for month in slot.price_months()]
    if not others:
        return first
    asked = tuple(dict.fromkeys(each for price in (first, *others) for each in price.asked))
    if any(each.parts.keys() != first.parts.keys() for each in others):
        return BandPrice({"energy": None}, asked, is_ambiguous=not asked)
    parts: dict[PricePart, Decimal | None] = {
        part: price if all(each.parts[part] == price for each in others) else None
        for part, price in first.parts.items()
    }
    is_ambiguous = not asked and None in parts.values()
    return BandPrice(parts, asked, is_ambiguous=is_ambiguous)


def _price_of(terms: Terms, month: str, band: Band, hours: str) -> BandPrice:
    prices = terms.supply.prices_of(month)
    if prices.energy is not None:
        return _whole(prices, month, band)
    factor, whole = _factors(terms, hours, band)
    floats = terms.tariff.floating
    base = floats.base if floats is not None else ()
    parts: dict[PricePart, Decimal | None] = {}
    asked = []
    for part in PARTS:
        key: str = part
        price: Decimal | None = getattr(prices, part)
        if part == "purchase" and (prices.purchase_by_band is not None or factor is None):
            key, price = "purchase_by_band", (prices.purchase_by_band or {}).get(band)
        elif price is not None:
            price *= (factor or _ONE if part in base else _ONE) * whole
        parts[part] = price
        if price is None:
            asked.append((key, month))
    if floats is not None and floats.digits is not None and not asked and prices.purchase_by_band is None:
        _round_total(parts, floats.digits)
    return BandPrice(parts, tuple(asked))


def _whole(prices: Prices, month: str, band: Band) -> BandPrice:
    price = (prices.energy or {}).get(band)
    asked = (("energy", month),) if price is None else ()
    if prices.funds is None or price is None:
        return BandPrice({"energy": price}, asked)
    return BandPrice({"energy": price - prices.funds, "funds": prices.funds}, asked)


def _factors(terms: Terms, month: str, band: Band) -> tuple[Decimal | None, Decimal]:
    """Return what the floating parts and what all parts are multiplied by; None where no source says."""
    if terms.supply.hours == "flat" and band == "flat":
        return _ONE, _ONE
    factors = terms.customer.factors
    overlay = _overlay(terms, month, band)
    if terms.tariff.floating is None or not factors:
        return None, _ONE
    if overlay is None:
        return _ONE if band == "flat" else factors.get(band), _ONE
    of = _ONE if overlay.of == "flat" else factors.get(overlay.of)
    if of is None:
        return None, _ONE
    on = terms.supply.overlays_on or overlay.applies_to
    return (of * overlay.factor, _ONE) if on == "base" else (of, overlay.factor)


def _overlay(terms: Terms, month: str, band: Band) -> Overlay | None:
    """Return the overlay a month's band comes from; the rules let a month have one price for it."""
    for overlay in terms.overlays():
        if overlay.band == band and overlay.in_month(month):
            return overlay
    return None


def _round_total(parts: dict[PricePart, Decimal | None], digits: int) -> None:
    """Round the band's price as a whole; purchase carries the difference, so that parts add up."""
    known = {part: price for part, price in parts.items() if price is not None}
    total = sum(known.values(), Decimal(0))
    rounded = total.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    parts["purchase"] = known["purchase"] + rounded - total
