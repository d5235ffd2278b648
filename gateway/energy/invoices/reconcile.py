"""The supplier's invoice beside our figures: every difference, and what it probably comes from."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from config.bands import BANDS, Band
from gateway.energy.invoices.file import Invoice, InvoiceLine, kwh_of
from gateway.energy.invoices.reasons import Reason, reasons_for_kwh, with_other_reading
from gateway.energy.pricing.cost import Cost, Energy, cost
from gateway.energy.pricing.lines import FEN, Line, exactly
from gateway.energy.pricing.timetable import Timetable

_BASIC: Final = ("capacity", "demand", "demand_excess")


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure of the invoice beside ours."""

    figure: str
    """`kwh`, `demand_kw`, `kvarh`, `power_factor_value`, `total`, or an item of the bill, in yuan."""
    band: Band | None
    theirs: Decimal
    ours: Decimal | None
    """None: not known; the cost's `open` says why."""
    difference: Decimal | None
    """Ours less theirs."""
    agrees: bool | None
    """Whether the difference is within the meter's resolution (kWh) or the rounding of its lines (yuan)."""
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Meter:
    """What was measured of one billed month."""

    table: Timetable
    """Of the month."""
    energy: Energy
    """Of one meter."""
    cost: Cost
    """Of both."""
    demand_kw: Decimal | None = None
    kvarh: Decimal | None = None
    power_factor: Decimal | None = None
    resolution_kwh: Decimal = Decimal(1)
    """The meter's register step times its multiplier, or the invoice's last digit, whichever is more."""


def reconcile(invoice: Invoice, meter: Meter) -> list[Difference]:
    """Return a row for every figure the invoice states, in its order: kWh, demand, reactive, yuan, total."""
    with exactly():
        return [*_kwh(invoice, meter), *_measured(invoice, meter), *_yuan(invoice, meter)]


def _kwh(invoice: Invoice, meter: Meter) -> Iterator[Difference]:
    ours = {each.band: each.kwh for each in meter.cost.bands}
    theirs = kwh_of(invoice)
    reasons = reasons_for_kwh(theirs, meter.table, meter.energy, meter.cost, meter.resolution_kwh)
    for band in BANDS:
        if band in theirs or ours.get(band):
            billed = theirs.get(band, Decimal(0)) if theirs else None
            if billed is not None:
                row = _row("kwh", band, billed, ours.get(band, Decimal(0)), meter.resolution_kwh)
                yield row if row.agrees else _because(row, reasons)


def _measured(invoice: Invoice, meter: Meter) -> Iterator[Difference]:
    pairs = (
        ("demand_kw", invoice.demand_kw, meter.demand_kw, meter.resolution_kwh),
        ("kvarh", invoice.kvarh, meter.kvarh, meter.resolution_kwh),
        ("power_factor_value", invoice.power_factor, meter.power_factor, Decimal(0)),
    )
    for figure, theirs, ours, tolerance in pairs:
        if theirs is not None:
            yield _row(figure, None, theirs, ours, tolerance)


def _yuan(invoice: Invoice, meter: Meter) -> Iterator[Difference]:
    other = with_other_reading(meter.table)
    again = None if other is None else cost(other, meter.energy)
    billed_kwh = kwh_of(invoice)
    for line in invoice.lines:
        mine = [each for each in meter.cost.lines if _matches(line, each)]
        row = _row(line.item, line.band, line.yuan, _sum(mine), FEN * max(1, len(mine)))
        if row.agrees is False:
            row = _because(row, _reasons_for_yuan(line, mine, again, billed_kwh, meter))
        yield row
    if invoice.total is not None:
        tolerance = FEN * max(1, len(meter.cost.lines))
        yield _row("total", None, invoice.total, meter.cost.yuan, tolerance)


def _matches(line: InvoiceLine, ours: Line) -> bool:
    if line.band not in (None, ours.band):
        return False
    if line.item == "energy":
        return ours.unit == "kWh"
    return ours.item in _BASIC if line.item == "basic" else ours.item == line.item


def _sum(lines: Sequence[Line]) -> Decimal | None:
    known = [line.yuan for line in lines if line.yuan is not None]
    return sum(known, Decimal(0)) if lines and len(known) == len(lines) else None


def _reasons_for_yuan(
    line: InvoiceLine,
    mine: Sequence[Line],
    again: Cost | None,
    billed_kwh: Mapping[Band, Decimal],
    meter: Meter,
) -> tuple[Reason, ...]:
    """Tell a difference of price from one of energy."""
    if again is not None:
        other = [each for each in again.lines if _matches(line, each)]
        ours = _sum(other)
        if ours is not None and abs(ours - line.yuan) <= FEN * max(1, len(other)):
            return (Reason("reading"),)
    kwh = {each.band: each.quantity for each in mine if each.unit == "kWh"}
    if not kwh:
        return ()
    billed = [billed_kwh.get(band) if band is not None else None for band in kwh]
    total = sum(kwh.values(), Decimal(0))
    known = [each for each in billed if each is not None]
    if len(known) < len(billed) or abs(sum(known, Decimal(0)) - total) > meter.resolution_kwh * len(kwh):
        return (Reason("energy"),)
    implied = (line.yuan / total).quantize(Decimal("0.000001"))
    return (Reason("price", {"price": implied}),)


def _row(
    figure: str, band: Band | None, theirs: Decimal, ours: Decimal | None, tolerance: Decimal
) -> Difference:
    difference = None if ours is None else ours - theirs
    agrees = None if difference is None else abs(difference) <= tolerance
    return Difference(figure, band, theirs, ours, difference, agrees)


def _because(row: Difference, reasons: tuple[Reason, ...]) -> Difference:
    return Difference(row.figure, row.band, row.theirs, row.ours, row.difference, row.agrees, reasons)
