"""What energy costs: lines as an invoice has them, each rounded once, and totals that are sums of lines.

    line = kWh of one month and band × one part of its price, rounded to the fen, halves away from zero
    band = its lines          month = its bands + capacity or demand + power-factor adjustment

A line whose price is not known has no yuan, and then neither has any total it belongs to; what is known is
told apart (`known_yuan`), and `Cost.open` says what to enter and where it stands on the invoice.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from config.bands import BANDS, Band
from config.problems import Phrase
from gateway.energy.pricing.basic import MonthFacts, basic_lines
from gateway.energy.pricing.lines import Line, exactly, fen
from gateway.energy.pricing.power_factor import Reactive
from gateway.energy.pricing.prices import BandPrice, price_of
from gateway.energy.pricing.timetable import QUARTER_NS, Open, Timetable

Share = Literal["measured", "estimated", "manual"]
_LARGEST: Final = 2**62


@dataclass(frozen=True, slots=True)
class Energy:
    """Energy of one meter, or of several (m rows), in the intervals from `start` on."""

    start: NDArray[np.int64]
    """When each interval begins, ns UTC, (n,)."""
    width: int
    """Of every interval, ns; none lies across two bands."""
    quanta: NDArray[Any]
    """int64, or Python's own integers or Decimals; not below zero, (n,) or (m, n)."""
    quantum: Decimal = Decimal(1)
    """kWh of one of `quanta`."""
    estimated: NDArray[Any] | None = None
    """How much of `quanta` is estimated; same shape. None: nothing."""
    manual: NDArray[Any] | None = None
    """How much was entered or imported by hand; same shape."""
    missing: NDArray[np.bool_] | None = None
    """Where nothing is known; same shape. `quanta` is 0 there."""


@dataclass(frozen=True, slots=True)
class BandCost:
    """One band over the whole period."""

    band: Band | None
    """None: which band is not decided yet."""
    kwh: Decimal
    shares: Mapping[Share, Decimal]
    """kWh by how they came about; they add up to `kwh`."""
    parts: Mapping[str, Decimal | None]
    """Yuan by part of the price."""
    yuan: Decimal | None
    """Sum of the band's lines; None when one is not known."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a meter's energy costs in a period."""

    start: int
    end: int
    lines: tuple[Line, ...]
    """In the order of months, bands and parts; basic charges and adjustment behind each month."""
    bands: tuple[BandCost, ...]
    kwh: Decimal
    shares: Mapping[Share, Decimal]
    yuan: Decimal | None
    """Sum of all lines; None when one is not known or some energy has no band yet."""
    known_yuan: Decimal
    """Sum of the lines that are known."""
    missing: int
    """Intervals without energy, with `basic` also those that were not handed over; every figure is of the
    rest, and no adjustment is computed."""
    open: tuple[Open, ...]
    """What must be entered or decided, each once."""
    notes: tuple[str, ...] = field(default=())
    """Names of the tariffs the figures rest on, in the order of their days."""


def cost(
    table: Timetable,
    energy: Energy,
    *,
    demand_kw: Mapping[str, Decimal] | None = None,
    reactive: Mapping[str, Reactive] | None = None,
    basic: bool = False,
) -> Cost:
    """Return the cost of one meter's energy.

    `basic`: the meter is the supplier's, so capacity or demand and the power-factor adjustment are charged
    for the months that lie whole in the timetable. `demand_kw` (the month's billed maximum) and `reactive`
    are by local month, ``2026-07``.

    Raises:
        ValueError: an interval lies outside the timetable, across two bands or over another, an energy is
            below zero, or its shares are more than itself.
    """
    one = Energy(
        energy.start,
        energy.width,
        energy.quanta[np.newaxis],
        energy.quantum,
        _row(energy.estimated),
        _row(energy.manual),
        _row(energy.missing),
    )
    (found,) = costs(table, one, facts=[MonthFacts(demand_kw or {}, reactive or {})] if basic else None)
    return found


def costs(table: Timetable, energy: Energy, *, facts: Sequence[MonthFacts] | None = None) -> list[Cost]:
    """Return the same for each row of `energy`; `facts` are those of the supplier's meters, one per row.

    Without `facts` no basic charges and no adjustment are computed: a sub-meter has none.
    """
    cells, sums = _sums(table, energy)
    none = np.zeros(energy.quanta.shape, bool)
    # A bill is of the whole period; a sub-meter may be asked for some hours of it only.
    left_out = 0 if facts is None else -(-(table.end - table.start) // energy.width) - len(energy.start)
    missing = ((energy.missing if energy.missing is not None else none).sum(axis=1) + left_out).tolist()
    with exactly():
        prices: dict[int, BandPrice] = {}
        for cell in cells:
            terms, month, band = table.parts(cell)
            if terms is not None and band is not None:
                prices[cell] = price_of(terms, month, band)
        return [
            _priced(
                table,
                cells,
                prices,
                [each[row] for each in sums],
                quantum=energy.quantum,
                missing=missing[row],
                facts=mine,
            )
            for row, mine in enumerate(facts or [None] * len(energy.quanta))
        ]


def _row(values: NDArray[Any] | None) -> Any:
    return None if values is None else values[np.newaxis]


def _sums(table: Timetable, energy: Energy) -> tuple[list[int], list[list[list[Any]]]]:
    """Return the cells met and, for all, estimated and manual energy, each row's quanta by cell."""
    first = energy.start // QUARTER_NS - table.first
    last = (energy.start + energy.width - 1) // QUARTER_NS - table.first
    if len(first) and (first.min() < 0 or last.max() >= len(table.cell)):
        raise ValueError("an interval lies outside the timetable")
    run = np.cumsum(np.append(False, table.cell[1:] != table.cell[:-1]))
    if (np.diff(np.sort(energy.start)) < energy.width).any():
        raise ValueError("intervals overlap")
    if (run[first] != run[last]).any():
        raise ValueError("an interval lies across two bands: use shorter intervals")
    cell = table.cell[first]
    order = np.argsort(cell, kind="stable")
    begins = np.flatnonzero(np.append(True, np.diff(cell[order]) != 0)) if len(cell) else np.array([], int)
    columns = (energy.quanta, energy.estimated, energy.manual)
    sums = [
        _by_cell(values if values is not None else np.zeros_like(energy.quanta), order, begins)
        for values in columns
    ]
    return cell[order][begins].tolist(), sums


def _by_cell(values: NDArray[Any], order: NDArray[np.intp], begins: NDArray[np.intp]) -> list[list[Any]]:
    if not values.size:
        return [[] for _ in range(len(values))]
    if values.min() < 0:
        raise ValueError("an energy is below zero")
    if values.dtype != object:
        if not np.issubdtype(values.dtype, np.integer):
            raise ValueError("energies are whole quanta or Decimals")
        if int(values.max()) * values.shape[1] > _LARGEST:
            values = values.astype(object)
    summed: list[list[Any]] = np.add.reduceat(values[:, order], begins, axis=1).tolist()
    return summed


def _priced(
    table: Timetable,
    cells: list[int],
    prices: Mapping[int, BandPrice],
    sums: list[list[Any]],
    *,
    quantum: Decimal,
    missing: int,
    facts: MonthFacts | None,
) -> Cost:
    opened = {
        (each.code, str(each.args)): each for each in table.open if _matters(table, each, cells, sums[0])
    }
    lines: list[Line] = []
    kwh: dict[Band | None, Decimal] = {}
    shares: dict[Band | None, dict[Share, Decimal]] = {}
    by_month: dict[str, Decimal] = {}
    for i, cell in enumerate(cells):
        _, month, band = table.parts(cell)
        all_, estimated, manual = (Decimal(each[i]) * quantum for each in sums)
        kwh[band] = kwh.get(band, Decimal(0)) + all_
        by_month[month] = by_month.get(month, Decimal(0)) + all_
        share = shares.setdefault(
            band, {"measured": Decimal(0), "estimated": Decimal(0), "manual": Decimal(0)}
        )
        if estimated + manual > all_:
            raise ValueError("more is estimated and manual than there is")
        share["measured"] += all_ - estimated - manual
        share["estimated"] += estimated
        share["manual"] += manual
        if all_ and cell in prices:
            lines += _band_lines(month, band, all_, prices[cell], opened)
    has_undecided = bool(kwh.get(None))
    if facts is not None:
        basic, notes = basic_lines(table, lines, by_month, facts, is_whole=not has_undecided and not missing)
        lines += basic
        opened |= {(each.code, str(each.args)): each for each in notes}
    if missing:
        opened["E-TF-0008", ""] = Open("E-TF-0008", {"count": missing})
    known = sum((line.yuan for line in lines if line.yuan is not None), Decimal(0))
    is_known = not has_undecided and all(line.yuan is not None for line in lines)
    names = dict.fromkeys(terms.name for cell in cells if (terms := table.parts(cell)[0]))
    order = (*BANDS, None)
    return Cost(
        table.start,
        table.end,
        tuple(sorted(lines, key=lambda line: line.order)),
        tuple(_band_cost(band, kwh[band], shares[band], lines) for band in order if band in kwh),
        sum(kwh.values(), Decimal(0)),
        {name: sum((s[name] for s in shares.values()), Decimal(0)) for name in _SHARES},
        known if is_known else None,
        known,
        missing,
        tuple(opened.values()),
        tuple(names),
    )


_SHARES: Final[tuple[Share, ...]] = ("measured", "estimated", "manual")


def _matters(table: Timetable, note: Open, cells: list[int], quanta: list[Any]) -> bool:
    """Tell whether what is open touches any energy."""
    undecided = [table.parts(cell) for cell, each in zip(cells, quanta, strict=True) if each]
    return any(band is None and (note.code == "E-TF-0001") == (terms is None) for terms, _, band in undecided)


def _band_lines(
    month: str, band: Band | None, kwh: Decimal, price: BandPrice, opened: dict[tuple[str, str], Open]
) -> Iterator[Line]:
    for part, each in price.parts.items():
        yield Line(month, part, band, kwh, "kWh", each, None if each is None else fen(kwh * each))
    for key in price.asked:
        is_by_band = key in ("purchase_by_band", "energy")
        name = f"{key.removesuffix('_by_band')}.{band}" if is_by_band else key
        args = {"part": Phrase(f"tariff.asked.{name}"), "month": month}
        opened.setdefault(
            ("E-TF-0005", f"{key} {month} {band if is_by_band else ''}"), Open("E-TF-0005", args)
        )


def _band_cost(
    band: Band | None, kwh: Decimal, shares: Mapping[Share, Decimal], lines: Sequence[Line]
) -> BandCost:
    mine = [line for line in lines if line.band == band and line.unit == "kWh"]
    parts: dict[str, Decimal | None] = {}
    for line in mine:
        so_far = parts.get(line.item, Decimal(0))
        parts[line.item] = None if so_far is None or line.yuan is None else so_far + line.yuan
    yuan = [each for each in parts.values() if each is not None]
    is_known = len(yuan) == len(parts) and (band is not None or not kwh)
    return BandCost(band, kwh, dict(shares), parts, sum(yuan, Decimal(0)) if is_known else None)
