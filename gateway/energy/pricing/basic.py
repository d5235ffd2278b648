"""Charges beside the energy: capacity or demand of a two-part tariff, and the power-factor adjustment."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

import numpy as np

from config.problems import Phrase
from config.tariff_library import Terms, is_two_part
from gateway.energy.pricing.bills import Bill
from gateway.energy.pricing.lines import Line, fen
from gateway.energy.pricing.power_factor import Reactive, adjustment_percent, measures, power_factor
from gateway.energy.pricing.timetable import QUARTER_NS, Open, Timetable

_PERCENT: Final = Decimal("0.01")
_BASIC: Final = ("capacity", "demand", "demand_excess")


@dataclass(frozen=True, slots=True)
class BillFacts:
    """What a supplier's meter showed, by bill, ``2026-07``."""

    demand_kw: Mapping[str, Decimal] = field(default_factory=dict)
    """The bill's maximum demand."""
    reactive: Mapping[str, Reactive] = field(default_factory=dict)


def basic_lines(
    table: Timetable,
    lines: Sequence[Line],
    kwh: Mapping[str, Decimal],
    facts: BillFacts,
    *,
    since: int,
    is_whole: bool,
) -> tuple[list[Line], list[Open]]:
    """Return the charges of each bill that lies whole in the period, and what is open about them.

    `lines` are the energy lines, `kwh` the energy of each bill. Without `is_whole` some energy is
    missing or has no band yet, so no adjustment can be computed.
    """
    found: list[Line] = []
    notes: list[Open] = []
    for bill in table.bills:
        if bill.name not in kwh or not _has_charges(table, bill):
            continue
        terms = _terms_of_bill(table, bill, since, notes)
        if terms is None:
            continue
        mine = list(_basic(terms, bill, facts, notes))
        if terms.supply.contract.power_factor is not None:
            energy = [line for line in lines if line.month == bill.name]
            mine += _adjustment(
                terms, bill.name, [*energy, *mine], kwh[bill.name],
                facts=facts, notes=notes, is_whole=is_whole,
            )  # fmt: skip
        found += mine
    return found, notes


def _terms_of_bill(table: Timetable, bill: Bill, since: int, notes: list[Open]) -> Terms | None:
    """Return the one entry that holds all of a bill; None, and why, where there is none."""
    if bill.first < max(since, table.start) or bill.last > table.end:
        notes.append(Open("E-TF-0009", {"month": bill.name}))
        return None
    terms = _entries(table, bill)
    if len(terms) > 1:
        notes.append(Open("E-TF-0010", {"month": bill.name}))
        return None
    return terms[0]


def _has_charges(table: Timetable, bill: Bill) -> bool:
    """Tell whether an entry that holds in a bill charges for more than energy."""
    return any(
        terms.supply.contract.power_factor is not None or is_two_part(terms.customer, terms.supply.contract)
        for terms in _entries(table, bill)
        if terms is not None
    )


def _entries(table: Timetable, bill: Bill) -> list[Terms | None]:
    """Return the entries that hold in a bill, as far as the timetable reaches, each once."""
    first, last = (moment // QUARTER_NS - table.first for moment in (bill.first, bill.last))
    cells = np.unique(table.cell[max(0, first) : last]).tolist()
    return list({id(terms): terms for terms in (table.parts(cell).terms for cell in cells)}.values())


def _charge(terms: Terms, bill: Bill, charge: str, notes: list[Open]) -> Decimal | None:
    """Return the price of a kVA or kW for a bill; None, and why, where it is not known which or how much."""
    months = {"begins": (bill.begins,), "ends": (bill.ends,)}.get(
        terms.supply.contract.billed_as or "", (bill.begins, bill.ends)
    )
    prices = {month: getattr(terms.supply.prices_of(month), charge) for month in months}
    for month, price in prices.items():
        if price is None:
            notes.append(Open("E-TF-0005", {"part": Phrase(f"tariff.asked.{charge}"), "month": month}))
    if None not in prices.values() and len(set(prices.values())) > 1:
        notes.append(Open("E-TF-0012", {"month": bill.name}))
    return prices.popitem()[1] if len(set(prices.values())) == 1 else None


def _basic(terms: Terms, bill: Bill, facts: BillFacts, notes: list[Open]) -> Iterator[Line]:
    contract, month = terms.supply.contract, bill.name
    if not is_two_part(terms.customer, contract) or contract.charge is None:
        return
    price = _charge(terms, bill, contract.charge, notes)
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
    facts: BillFacts,
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
