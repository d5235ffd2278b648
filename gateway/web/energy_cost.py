"""What energy costs, by interval and by band: exact kilowatt-hours times exact prices, cut once to the fen.

Charges for capacity or demand and the power-factor adjustment belong to a month's bill and are not in it.
"""

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Final

import numpy as np

from config.bands import BANDS
from gateway.energy.carbon.exact import telescoped
from gateway.energy.figures import Answer
from gateway.energy.periods import DAY_NS
from gateway.energy.pricing.cost import Energy, cost
from gateway.energy.pricing.prices import price_of
from gateway.energy.pricing.timetable import QUARTER_NS, Open, Timetable, timetable
from gateway.web.energy_books import Accounts, begun
from gateway.web.energy_figures import Asked, Found, TooMany, energy
from gateway.web.energy_models import BandCost, BandName, EnergyBand, Wanted

LONGEST_NS: Final = 62 * DAY_NS
_FEN: Final = 2
_KWH: Final = 6
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
    """Return yuan by interval. Raises TooMany beyond two months, and as `Query.energy`."""
    if asked.last - asked.first > LONGEST_NS:
        raise TooMany
    answer = energy(accounts, asked)
    empty: list[Fraction | None] = [None] * len(answer.figures)
    if accounts.tariff is None or not answer.figures:
        wanted = [] if accounts.tariff else [NO_TARIFF]
        return Found(answer, "CNY", empty, None, places=_FEN, wanted=wanted)
    first, last = answer.figures[0].span.first, answer.figures[-1].span.last
    table = timetable(accounts.tariff, first, last)
    end = max(first + 1, begun(accounts, last))
    quarters = accounts.query.energy(asked.subject, "15min", first, end, asked.medium)
    prices = _prices(table)
    taken: dict[BandName, Fraction] = {}
    paid: dict[BandName, Fraction | None] = {}
    at, values = 0, []
    for figure in answer.figures:
        yuan: Fraction | None = Fraction(0)
        is_known = False
        while at < len(quarters.figures) and quarters.figures[at].span.first < figure.span.last:
            quarter, at = quarters.figures[at], at + 1
            amount = quarters.amount(quarter)
            if amount is None or quarter.span.first < figure.span.first:
                continue
            is_known = True
            band, price = prices[int(table.cell[quarter.span.first // QUARTER_NS - table.first])]
            taken[band] = taken.get(band, Fraction(0)) + amount
            before = paid.get(band, Fraction(0))
            paid[band] = None if price is None or before is None else before + amount * price
            yuan = None if price is None or yuan is None else yuan + amount * price
        values.append(yuan if is_known else None)
    known = [each for each in values if each is not None]
    return Found(
        answer,
        "CNY",
        values,
        sum(known, Fraction(0)) if known else None,
        places=_FEN,
        band_costs=_band_costs(taken, paid),
        wanted=[_wanted(each) for each in _open(table, quarters)],
        notes=[each.name for each in accounts.tariff.terms if each.name in _used(table)],
    )


def _prices(table: Timetable) -> dict[int, tuple[BandName, Fraction | None]]:
    found: dict[int, tuple[BandName, Fraction | None]] = {}
    for cell in np.unique(table.cell).tolist():
        terms, month, band = table.parts(cell)
        total = None if terms is None or band is None else price_of(terms, month, band).total
        found[cell] = band or "undecided", None if total is None else Fraction(total)
    return found


def _used(table: Timetable) -> set[str]:
    return {terms.name for cell in np.unique(table.cell).tolist() if (terms := table.parts(cell)[0])}


def _band_costs(
    taken: Mapping[BandName, Fraction], paid: Mapping[BandName, Fraction | None]
) -> list[BandCost]:
    order = [each for each in (*BANDS, "undecided") if each in taken]
    kwh = telescoped([taken[each] for each in order], _KWH)  # type: ignore[index]
    priced = [each for each in order if paid[each] is not None]  # type: ignore[index]
    yuan = dict(zip(priced, telescoped([paid[each] for each in priced], _FEN), strict=True))  # type: ignore[index, misc]
    return [
        BandCost(band=each, kwh=f"{some:f}", yuan=f"{yuan[each]:f}" if each in yuan else None)
        for each, some in zip(order, kwh, strict=True)
    ]


def _open(table: Timetable, quarters: Answer) -> tuple[Open, ...]:
    """Return what must be entered before every quarter has its price."""
    amounts = [quarters.amount(each) for each in quarters.figures]
    kwh = np.array([Decimal(0 if not each or each < 0 else 1) for each in amounts], object)
    start = np.array([each.span.first for each in quarters.figures], np.int64)
    return cost(table, Energy(start, QUARTER_NS, kwh)).open if len(start) else table.open


def _wanted(each: Open) -> Wanted:
    return Wanted(choice="tariff", en=each.text("en"), zh=each.text("zh"))
