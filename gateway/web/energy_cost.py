"""What energy costs, by interval and by band, and what whole bills charge beside it."""

from fractions import Fraction
from typing import Final

from gateway.energy.figures import Answer
from gateway.energy.periods import DAY_NS
from gateway.energy.pricing.booked import priced
from gateway.energy.pricing.lines import Line
from gateway.energy.pricing.spread import Spread
from gateway.energy.pricing.timetable import Open, timetable
from gateway.web.energy_books import Accounts
from gateway.web.energy_figures import Asked, Found, energy
from gateway.web.energy_models import BandCost, EnergyBand, EnergyCharge, Wanted

LONGEST_NS: Final = 62 * DAY_NS
"""Bands of a longer period are no picture."""
_FEN: Final = 2
_OF_A_PART: Final = frozenset({"E-TF-0008", "E-TF-0009"})
"""Said by completeness, and by the period itself."""
NO_TARIFF: Final = Wanted(
    choice="tariff",
    en="No tariff is named. Write `tariff:` in the plant file; docs/how-to/tariffs.md shows how.",
    zh="还没有写电价。请在配置文件里写 tariff:，写法见 docs/how-to/tariffs.md。",
)


def bands(accounts: Accounts, first: int, last: int) -> list[EnergyBand]:
    """Return the bands of a period, ns UTC, for a chart; none where no tariff is named."""
    if accounts.tariff is None or last - first > LONGEST_NS:
        return []
    spans = timetable(accounts.tariff, first, last).spans()
    return [
        EnergyBand(start=each.start // 1_000_000, end=each.end // 1_000_000, band=each.band or "undecided")
        for each in spans
    ]


def costs(accounts: Accounts, asked: Asked) -> Found:
    """Return yuan by interval. Raises as `energy`, and NoSuchFigure for what has no price."""
    return costs_of(accounts, asked, energy(accounts, asked))


def costs_of(accounts: Accounts, asked: Asked, answer: Answer) -> Found:
    """Return what an answer costs."""
    empty: list[Fraction | None] = [None] * len(answer.figures)
    if accounts.tariff is None or not answer.figures:
        wanted = [] if accounts.tariff else [NO_TARIFF]
        return Found(answer, "CNY", empty, None, places=_FEN, wanted=wanted)
    spans = [each.span for each in answer.figures]
    first, last = min(each.first for each in spans), max(each.last for each in spans)
    site = accounts.plant.gateway.site
    found = priced(
        accounts.query, accounts.tariff, asked.subject, first, last,
        medium=asked.medium, spans=spans, is_billed=asked.subject == site,
    )  # fmt: skip
    spread = found.spread(spans)
    values = [None if each is None else Fraction(each) for each in spread.yuan]
    known = [each for each in values if each is not None]
    return Found(
        answer,
        "CNY",
        values,
        sum(known, Fraction(0)) if known else None,
        places=_FEN,
        band_costs=_band_costs(spread),
        charges=[_charge(each) for each in found.cost.lines if each.unit != "kWh"],
        wanted=[_wanted(each) for each in found.cost.open if each.code not in _OF_A_PART],
        notes=list(found.cost.notes),
    )


def _band_costs(spread: Spread) -> list[BandCost]:
    return [
        BandCost(band=band or "undecided", kwh=f"{kwh:f}", yuan=None if yuan is None else f"{yuan:f}")
        for (band, kwh), yuan in zip(spread.kwh.items(), spread.by_band.values(), strict=True)
    ]


def _charge(line: Line) -> EnergyCharge:
    return EnergyCharge(
        bill=line.month,
        item=line.item,
        quantity=f"{line.quantity:f}",
        unit=line.unit,
        price=None if line.price is None else f"{line.price:f}",
        yuan=None if line.yuan is None else f"{line.yuan:f}",
    )


def _wanted(each: Open) -> Wanted:
    return Wanted(choice="tariff", en=each.text("en"), zh=each.text("zh"))
