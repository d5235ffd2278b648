"""Tariffs: does each entry name what exists and fit its class, and which prices must still be entered?"""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from config.bands import BANDS, PARTS, Band
from config.checks.tariff_days import at_key_if_unreadable, check_calendar, check_days, concerns
from config.plant import Plant
from config.problems import Phrase, Problem, quote
from config.reading.advice import near
from config.reading.document import Document, Path
from config.supply import Prices, Supply
from config.tariff_library import class_of, is_two_part, reading_of, tariff_names, within
from config.tariffs import CustomerClass, Tariff

STANDARDS: Final = (Decimal("0.9"),)
"""Power-factor standards whose table comes with the gateway; a test holds the two together."""


def check_tariffs(plant: Plant, document: Document) -> Iterator[Problem]:
    """Yield what is wrong with the plant's tariff entries and calendar, and what is asked for."""
    yield from check_calendar(plant, document)
    before: date | None = None
    for i, supply in enumerate(plant.tariff or ()):
        path: Path = ("tariff", i)
        tariff, problems = _tariff(supply, document, path)
        yield from problems
        first = supply.from_ or (tariff.valid_from if tariff else None)
        if first is not None:
            if before is not None and first <= before:
                yield document.problem("E-CF-1415", (*path, "from"), before=f"{before}")
            before = first
        if tariff is not None:
            yield from _entry(plant, supply, tariff, document, i)


def _tariff(supply: Supply, document: Document, path: Path) -> tuple[Tariff | None, list[Problem]]:
    if (supply.use is None) == (supply.file is None):
        return None, [document.problem("E-CF-1405", path, names=tariff_names())]
    reading = reading_of(supply)
    if reading is None:
        known = near(supply.use or "", tariff_names())
        name = quote(supply.use or "")
        return None, [document.problem("E-CF-1404", (*path, "use"), name=name, advice=known)]
    return reading.tariff, [*at_key_if_unreadable(reading.problems, document, (*path, "file"))]


def _entry(plant: Plant, supply: Supply, tariff: Tariff, document: Document, i: int) -> Iterator[Problem]:
    path: Path = ("tariff", i)
    name = class_of(supply, tariff)
    if name is None:
        at = (*path, "class")
        yield document.problem("E-CF-1407", at, class_=quote(supply.class_ or "—"), names=[*tariff.classes])
        return
    customer = tariff.classes[name]
    yield from _dates(plant, supply, tariff, document, i)
    yield from _contract(supply, tariff, customer, document, path)
    if supply.hours is not None:
        offered = [choice.hours for choice in tariff.choices]
        if supply.hours not in offered:
            at = (*path, "hours")
            yield document.problem("E-CF-1409", at, hours=quote(supply.hours), names=offered or ["—"])
    yield from check_days(plant, supply, tariff, document, path)
    # By whole days a bill lies in one month only if it begins on the first.
    if plant.energy.billing.day > 1 and supply.contract.billed_as is None and supply.prices:
        yield document.problem("W-CF-1445", (*path, "contract"), day=plant.energy.billing.day)
    yield from _prices(supply, tariff, customer, document, path)


def _dates(plant: Plant, supply: Supply, tariff: Tariff, document: Document, i: int) -> Iterator[Problem]:
    """An entry lies within the days of its tariff, and its prices within the entry."""
    path: Path = ("tariff", i)
    first = supply.from_ or tariff.valid_from
    if first is None:
        yield document.problem("E-CF-1410", path)
        return
    is_early = tariff.valid_from is not None and first < tariff.valid_from
    if is_early or (tariff.valid_to is not None and first > tariff.valid_to):
        words = {"first": f"{tariff.valid_from or '…'}", "last": f"{tariff.valid_to or '…'}"}
        yield document.problem_with("E-CF-1411", (*path, "from"), words)
    entries = plant.tariff or ()
    following = entries[i + 1].from_ if i + 1 < len(entries) else None
    ends = [following - timedelta(days=1)] if following else []
    ends += [tariff.valid_to] if tariff.valid_to else []
    last = min(ends, default=None)
    for month in supply.prices:
        if month < f"{first}"[:7] or (last is not None and month > f"{last}"[:7]):
            at = (*path, "prices", month)
            yield document.problem(
                "E-CF-1412", at, at_key=True, month=month, first=f"{first}", last=f"{last or '…'}"
            )


def _contract(
    supply: Supply, tariff: Tariff, customer: CustomerClass, document: Document, path: Path
) -> Iterator[Problem]:
    contract, at = supply.contract, (*path, "contract")
    fits = within(customer.capacity_kva, contract.capacity_kva)
    mine = [each for each in tariff.overlays if each.who.use in (None, contract.use)]
    bounded = [within(each.who.capacity_kva, contract.capacity_kva) is None for each in mine]
    if fits is False:
        yield document.problem("E-CF-1408", (*at, "capacity_kva"), capacity=contract.capacity_kva)
    elif contract.capacity_kva is None and (fits is None or contract.charge == "capacity" or any(bounded)):
        yield document.problem("E-CF-1413", (*at, "capacity_kva"))
    if customer.two_part is True and contract.charge is None:
        yield document.problem("E-CF-1414", (*at, "charge"))
    if customer.two_part is False and contract.charge is not None:
        yield document.problem("E-CF-1416", (*at, "charge"))
    rule = [contract.excess_above is None, contract.excess_times is None]
    if any(rule) and (contract.demand_kw is not None or not all(rule)):
        yield document.problem("E-CF-1417", (*at, "demand_kw"))
    elif contract.demand_kw is None and not all(rule):
        yield document.problem("E-CF-1417", (*at, "excess_above"))
    standard = contract.power_factor
    if standard is not None and standard not in STANDARDS:
        yield document.problem("E-CF-1418", (*at, "power_factor"), standard=standard, names=[*STANDARDS])


def _prices(
    supply: Supply, tariff: Tariff, customer: CustomerClass, document: Document, path: Path
) -> Iterator[Problem]:
    """Every price an invoice of this class shows is there, and none is there twice."""
    both: list[tuple[Path, Prices]] = [(("standing",), supply.standing)]
    both += [(("prices", month), prices) for month, prices in supply.prices.items()]
    for place, prices in both:
        yield from _twice(prices, document, (*path, *place))
    if not supply.prices:
        missing = _missing(supply, supply.standing, tariff, customer, _seasonal(tariff))
        if missing:
            yield document.problem("W-CF-1420", path, missing=missing)
    for month in supply.prices:
        bands = bands_of(supply, tariff, int(month[5:]))
        missing = _missing(supply, supply.prices_of(month), tariff, customer, bands)
        if missing:
            at = (*path, "prices", month)
            yield document.problem("W-CF-1421", at, at_key=True, month=month, missing=missing)


def bands_of(supply: Supply, tariff: Tariff, month: int) -> list[Band]:
    """Return the bands a month (1 to 12) has under a tariff whatever its holidays and weather."""
    if supply.hours == "flat":
        return ["flat"]
    found = {
        band
        for name, season in tariff.seasons.items()
        for band in season.hours
        if name == supply.hours or (supply.hours is None and month in season.months)
    }
    always = [each for each in tariff.overlays if not (each.days or each.festivals or each.weather)]
    for each in always:
        if concerns(each, supply) and (each.months is None or month in each.months):
            found.add(each.band)
    return [band for band in BANDS if band in found]


def _seasonal(tariff: Tariff) -> list[Band]:
    found = {band for season in tariff.seasons.values() for band in season.hours}
    return [band for band in BANDS if band in found]


def _twice(prices: Prices, document: Document, path: Path) -> Iterator[Problem]:
    if prices.energy is not None:
        for part in ("purchase", "purchase_by_band", "losses", "transmission", "system"):
            if getattr(prices, part) is not None:
                yield document.problem("E-CF-1419", (*path, part), at_key=True, one="energy", other=part)
    elif prices.purchase is not None and prices.purchase_by_band is not None:
        words = {"one": "purchase", "other": "purchase_by_band"}
        yield document.problem_with("E-CF-1419", (*path, "purchase_by_band"), words, at_key=True)


def _missing(
    supply: Supply, prices: Prices, tariff: Tariff, customer: CustomerClass, bands: list[Band]
) -> list[Phrase]:
    """Return what is missing, each with where it stands on the invoice."""
    found = []
    if prices.energy is not None:
        found += [Phrase(f"tariff.asked.energy.{b}") for b in bands if b not in prices.energy]
    else:
        for part in PARTS:
            if part == "purchase" and prices.purchase_by_band is not None:
                names = [band for band in bands if band not in prices.purchase_by_band]
                found += [Phrase(f"tariff.asked.purchase.{band}") for band in names]
            elif part == "purchase" and (tariff.floating is None or not customer.factors):
                found.append(Phrase("tariff.asked.purchase_by_band"))
            elif getattr(prices, part) is None:
                found.append(Phrase(f"tariff.asked.{part}"))
    charge = supply.contract.charge
    if is_two_part(customer, supply.contract) and charge is not None and getattr(prices, charge) is None:
        found.append(Phrase(f"tariff.asked.{charge}"))
    return found
