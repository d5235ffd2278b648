"""Charges beside the energy: capacity or demand of a two-part tariff, and the power-factor adjustment."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from config.problems import Phrase
from config.tariff_library import Terms, is_two_part
from gateway.energy.pricing.lines import Line, fen
from gateway.energy.pricing.power_factor import Reactive, adjustment_percent, measures, power_factor
from gateway.energy.pricing.timetable import QUARTER_NS, Open, Timetable, local_midnight

_PERCENT: Final = Decimal("0.01")
_BASIC: Final = ("capacity", "demand", "demand_excess")


@dataclass(frozen=True, slots=True)
class MonthFacts:
    """What a supplier's meter showed, by local month."""

    demand_kw: Mapping[str, Decimal] = field(default_factory=dict)
    """The month's maximum demand."""
    reactive: Mapping[str, Reactive] = field(default_factory=dict)


def basic_lines(
    table: Timetable,
    lines: Sequence[Line],
    kwh: Mapping[str, Decimal],
    facts: MonthFacts,
    *,
    is_whole: bool,
) -> tuple[list[Line], list[Open]]:
    """Return the charges of each month that lies whole in the timetable, and what is open about them.

    `lines` are the month's energy lines, `kwh` the energy of each month. Without `is_whole` some energy is
    missing or has no band yet, so no adjustment can be computed.
    """
    found: list[Line] = []
    notes: list[Open] = []
    for month in sorted(kwh):
        terms = _terms_of_month(table, month, notes)
        if terms is None:
            continue
        mine = list(_basic(terms, month, facts, notes))
        if terms.supply.contract.power_factor is not None:
            energy = [line for line in lines if line.month == month]
            mine += _adjustment(
                terms, month, [*energy, *mine], kwh[month], facts=facts, notes=notes, is_whole=is_whole
            )
        found += mine
    return found, notes


def _terms_of_month(table: Timetable, month: str, notes: list[Open]) -> Terms | None:
    """Return the one entry that holds all month; None, and why, where there is none."""
    first = date(int(month[:4]), int(month[5:]), 1)
    after = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    zone = ZoneInfo(table.plan.terms[0].tariff.time_zone)
    start, end = local_midnight(first, zone), local_midnight(after, zone)
    if start < table.start or end > table.end:
        notes.append(Open("E-TF-0009", {"month": month}))
        return None
    cells = set(table.cell[start // QUARTER_NS - table.first : end // QUARTER_NS - table.first].tolist())
    terms = {id(each): each for each in (table.parts(cell)[0] for cell in cells)}
    if len(terms) > 1:
        notes.append(Open("E-TF-0010", {"month": month}))
        return None
    return next(iter(terms.values()))


def _basic(terms: Terms, month: str, facts: MonthFacts, notes: list[Open]) -> Iterator[Line]:
    contract, prices = terms.supply.contract, terms.supply.prices_of(month)
    if not is_two_part(terms.customer, contract) or contract.charge is None:
        return
    price = getattr(prices, contract.charge)
    if price is None:
        notes.append(Open("E-TF-0005", {"part": Phrase(f"tariff.asked.{contract.charge}"), "month": month}))
    if contract.charge == "capacity":
        if contract.capacity_kva is not None:
            yield _line(month, "capacity", contract.capacity_kva, "kVA", price)
        return
    measured = facts.demand_kw.get(month)
    if measured is None:
        notes.append(Open("E-TF-0006", {"month": month}))
    if contract.demand_kw is None:
        yield _line(month, "demand", measured, "kW", price)
        return
    yield _line(month, "demand", contract.demand_kw, "kW", price)
    if contract.excess_above is None or contract.excess_times is None:
        return
    excess = None if measured is None else measured - contract.demand_kw * contract.excess_above
    if excess is None or excess > 0:
        yield _line(
            month, "demand_excess", excess, "kW", None if price is None else price * contract.excess_times
        )


def _line(month: str, item: str, quantity: Decimal | None, unit: str, price: Decimal | None) -> Line:
    yuan = None if price is None or quantity is None else fen(quantity * price)
    known = Decimal(0) if quantity is None else quantity
    return Line(month, item, None, known, "kVA" if unit == "kVA" else "kW", price, yuan)


def _adjustment(
    terms: Terms,
    month: str,
    lines: Sequence[Line],
    kwh: Decimal,
    *,
    facts: MonthFacts,
    notes: list[Open],
    is_whole: bool,
) -> Iterator[Line]:
    contract = terms.supply.contract
    reactive = facts.reactive.get(month)
    parts = {"basic" if line.item in _BASIC else line.item for line in lines}
    of = measures().base.parts
    base = [line.yuan for line in lines if ("basic" if line.item in _BASIC else line.item) in (*of, "energy")]
    known = [yuan for yuan in base if yuan is not None]
    factor = None
    if reactive is None:
        reason = "reactive"
    elif reactive.fed_back and contract.reverse_reactive is None:
        reason = "reverse"
    elif "energy" in parts and "funds" not in parts:
        reason = "funds"
    elif not is_whole or len(known) < len(base):
        reason = "base"
    else:
        added = reactive.fed_back if contract.reverse_reactive == "added" else Decimal(0)
        factor = power_factor(kwh, reactive.taken + added)
        reason = "energy"
    standard = contract.power_factor
    if factor is None or standard is None:
        notes.append(Open("E-TF-0007", {"month": month, "reason": Phrase(f"tariff.no_adjustment.{reason}")}))
        yield Line(month, "power_factor", None, Decimal(0), "%", None, None)
        return
    percent, total = adjustment_percent(factor, standard), sum(known, Decimal(0))
    yield Line(month, "power_factor", None, percent, "%", total, fen(total * percent * _PERCENT))
