"""Lines of the bill that are energy times price: what is priced alike is one line, rounded once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from config.bands import Band
from config.problems import Phrase
from gateway.energy.pricing.lines import Line, fen
from gateway.energy.pricing.prices import BandPrice, price_in
from gateway.energy.pricing.timetable import Open, Slot, Timetable

Opened = dict[tuple[str, str], Open]
"""What must be entered or decided, each once."""


class PricedSlot(NamedTuple):
    """A slot of a timetable and its price."""

    slot: Slot
    price: BandPrice | None
    """None: no entry holds, or which band is not decided."""


@dataclass(frozen=True, slots=True)
class Grown:
    """Energy of a slot in a period, kWh."""

    of: PricedSlot
    kwh: Decimal
    estimated: Decimal
    manual: Decimal
    before: Decimal
    """In the same bill, before the period."""


def priced_slots(table: Timetable, cells: Sequence[int]) -> list[PricedSlot]:
    """Return what each cell is priced by."""
    slots = [table.parts(cell) for cell in cells]
    return [PricedSlot(slot, price_in(slot)) for slot in slots]


def line_of(slot: PricedSlot) -> tuple[object, ...]:
    """Return what tells the lines of a bill apart: slots of the same are on the same lines."""
    price = slot.price
    told = None if price is None else (*price.parts.items(), price.asked)
    return slot.slot.bill.name, slot.slot.band, id(slot.slot.terms), told


def grown_lines(grown: Sequence[Grown], opened: Opened) -> Iterator[Line]:
    """Yield the lines of slots that hold energy in the period; what they lack is put into `opened`."""
    together: dict[tuple[object, ...], list[Grown]] = {}
    for each in grown:
        if each.of.price is not None:
            together.setdefault(line_of(each.of), []).append(each)
    for alike in together.values():
        kwh = sum((each.kwh for each in alike), Decimal(0))
        before = sum((each.before for each in alike), Decimal(0))
        (bill, band), price = (alike[0].of.slot.bill.name, alike[0].of.slot.band), alike[0].of.price
        if not kwh or price is None:
            continue
        for part, unit in price.parts.items():
            yuan = None if unit is None else fen((before + kwh) * unit) - fen(before * unit)
            yield Line(bill, part, band, kwh, "kWh", unit, yuan, before)
        for key, month in price.asked:
            _ask(opened, key, month, band)
        if price.is_ambiguous:
            opened.setdefault(("E-TF-0011", bill), Open("E-TF-0011", {"month": bill}))


def _ask(opened: Opened, key: str, month: str, band: Band | None) -> None:
    is_by_band = key in ("purchase_by_band", "energy")
    name = f"{key.removesuffix('_by_band')}.{band}" if is_by_band else key
    args = {"part": Phrase(f"tariff.asked.{name}"), "month": month}
    opened.setdefault(("E-TF-0005", f"{key} {month} {band if is_by_band else ''}"), Open("E-TF-0005", args))
