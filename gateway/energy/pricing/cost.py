"""What energy costs: lines as an invoice has them, each rounded once, and totals that are sums of lines.

    line = kWh of one bill and band × one part of its price, rounded to the fen, halves away from zero
    band = its lines          bill = its bands + capacity or demand + power-factor adjustment

A line grows from the bill's first moment on, and what it costs so far is always what is rounded: a period
that begins or ends within a bill costs what its lines grow by in it. So hours, days and bills add up exactly,
whatever is asked for first; `spread` gives the same yuan by interval.

A line whose price is not known has no yuan, and then neither has any total it belongs to; what is known is
told apart (`known_yuan`), and `Cost.open` says what to enter and where it stands on the invoice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Literal

import numpy as np

from config.bands import BANDS, Band
from gateway.energy.pricing.amounts import Energy, sums_of
from gateway.energy.pricing.band_lines import Grown, Opened, grown_lines, priced_slots
from gateway.energy.pricing.basic import BillFacts, basic_lines
from gateway.energy.pricing.lines import Line, exactly
from gateway.energy.pricing.power_factor import Reactive
from gateway.energy.pricing.timetable import QUARTER_NS, Open, Timetable

Share = Literal["measured", "estimated", "manual"]
_SHARES: Final[tuple[Share, ...]] = ("measured", "estimated", "manual")


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
    """In the order of bills, bands and parts; basic charges and adjustment behind each bill."""
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
    since: int | None = None,
) -> Cost:
    """Return the cost of one meter's energy.

    `basic`: the meter is the supplier's, so capacity or demand and the power-factor adjustment are charged
    for the bills that lie whole in the period. `demand_kw` (the bill's billed maximum) and `reactive`
    are by bill, ``2026-07``. `since`: the period begins here and not with the timetable, whose energy up to
    here is what the lines had come to.

    Raises:
        ValueError: an interval lies outside the timetable, across two bands or over another, an energy is
            below zero, or its shares are more than itself.
    """
    facts = [BillFacts(demand_kw or {}, reactive or {})] if basic else None
    (found,) = costs(table, energy.as_row(), facts=facts, since=since)
    return found


def costs(
    table: Timetable,
    energy: Energy,
    *,
    facts: Sequence[BillFacts] | None = None,
    since: int | None = None,
) -> list[Cost]:
    """Return the same for each row of `energy`; `facts` are those of the supplier's meters, one per row.

    Without `facts` no basic charges and no adjustment are computed: a sub-meter has none.
    """
    begin = table.start if since is None else since
    sums = sums_of(table, energy, begin)
    with exactly():
        slots = priced_slots(table, sums.cells)
        return [
            _priced(
                table,
                [
                    Grown(
                        slot,
                        *(Decimal(each[row][i]) * energy.quantum for each in (*sums.within, sums.before)),
                    )
                    for i, slot in enumerate(slots)
                ],
                since=begin,
                missing=missing,
                facts=None if facts is None else facts[row],
            )
            for row, missing in enumerate(_missing(table, energy, begin, is_bill=facts is not None))
        ]


def _missing(table: Timetable, energy: Energy, since: int, *, is_bill: bool) -> list[int]:
    """Return how many intervals of the period are missing, for each row."""
    within = energy.start >= since
    none = np.zeros(energy.quanta.shape, bool)
    counts = (energy.missing if energy.missing is not None else none)[:, within].sum(axis=1)
    # A bill is of the whole period; a sub-meter may be asked for some hours of it only.
    width = np.broadcast_to(np.asarray(energy.width, np.int64), energy.start.shape)[within]
    longest = int(width.max()) if len(width) else QUARTER_NS
    left_out = 0 if not is_bill else -(-(table.end - since - int(width.sum())) // longest)
    return [int(each) + left_out for each in counts]


def _priced(
    table: Timetable, grown: Sequence[Grown], *, since: int, missing: int, facts: BillFacts | None
) -> Cost:
    opened: Opened = {(each.code, str(each.args)): each for each in table.open if _matters(each, grown)}
    kwh: dict[Band | None, Decimal] = {}
    shares: dict[Band | None, dict[Share, Decimal]] = {}
    by_bill: dict[str, Decimal] = {}
    for each in grown:
        if each.estimated + each.manual > each.kwh:
            raise ValueError("more is estimated and manual than there is")
        band, bill = each.of.slot.band, each.of.slot.bill.name
        kwh[band] = kwh.get(band, Decimal(0)) + each.kwh
        by_bill[bill] = by_bill.get(bill, Decimal(0)) + each.kwh
        share = shares.setdefault(band, dict.fromkeys(_SHARES, Decimal(0)))
        share["measured"] += each.kwh - each.estimated - each.manual
        share["estimated"] += each.estimated
        share["manual"] += each.manual
    lines = list(grown_lines(grown, opened))
    has_undecided = bool(kwh.get(None))
    if facts is not None:
        basic, notes = basic_lines(
            table, lines, by_bill, facts, since=since, is_whole=not has_undecided and not missing
        )
        lines += basic
        opened |= {(each.code, str(each.args)): each for each in notes}
    if missing:
        opened["E-TF-0008", ""] = Open("E-TF-0008", {"count": missing})
    known = sum((line.yuan for line in lines if line.yuan is not None), Decimal(0))
    is_known = not has_undecided and all(line.yuan is not None for line in lines)
    names = dict.fromkeys(each.of.slot.terms.name for each in grown if each.of.slot.terms)
    order = (*BANDS, None)
    return Cost(
        since,
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


def _matters(note: Open, grown: Sequence[Grown]) -> bool:
    """Tell whether what is open touches any energy."""
    slots = [each.of.slot for each in grown if each.kwh]
    return any(each.band is None and (note.code == "E-TF-0001") == (each.terms is None) for each in slots)


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


__all__ = ["BandCost", "BillFacts", "Cost", "Energy", "cost", "costs"]
