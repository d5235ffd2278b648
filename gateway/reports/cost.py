"""The costs of a report: the site's electricity by bill, band and part of the price, as on an invoice."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from config.problems import Phrase
from gateway.energy.pricing.booked import Priced, priced
from gateway.energy.pricing.lines import Line
from gateway.energy.query import NoSuchFigure
from gateway.reports.content import Cell, Column, Computed, Row, Table
from gateway.reports.ground import Ground

_COST = (
    Column("bill", width=10),
    Column("band", width=12),
    Column("item", width=28),
    Column("unit", width=6),
    Column("quantity", "number", 3, 16),
    Column("price", "number", 8, 14),
    Column("yuan", "number", 2, 16),
)
_BEFORE = Column("before_in_bill", "number", 3, 16)
_TERMS = (
    Column("tariff", width=20),
    Column("title", width=36),
    Column("class", width=20),
    Column("instrument", width=36),
    Column("confidence", width=12),
)


def cost_tables(ground: Ground) -> Iterator[Table]:
    """Yield costs by line and the tariffs they rest on; without prices one table that says so."""
    found = None
    note = Row((Phrase("report.note.no_tariff"),), "note")
    if ground.plan is not None:
        try:
            found = priced(
                ground.query, ground.plan, ground.plant.gateway.site,
                ground.period.first, ground.period.last, is_billed=True,
            )  # fmt: skip
        except NoSuchFigure:
            note = Row((Phrase("report.note.no_electricity"),), "note")
    if found is None:
        yield Table("cost", _COST, [note])
    else:
        # A period that begins within a bill shows what its lines had come to before.
        is_cut = any(line.before for line in found.cost.lines)
        columns = (*_COST[:4], _BEFORE, *_COST[4:]) if is_cut else _COST
        yield Table("cost", columns, _cost(found, is_cut=is_cut))
    if ground.plan is not None:
        yield Table("terms", _TERMS, _terms(ground))


def _cost(found: Priced, *, is_cut: bool) -> Iterator[Row]:
    cost = found.cost
    blank: tuple[Cell, ...] = ("", "", "", None, None, None) if is_cut else ("", "", "", None, None)

    def total(key: str, lines: Sequence[Line], formula: str, *, is_whole: bool) -> Row:
        known = [line.yuan for line in lines if line.yuan is not None]
        title = Phrase(f"report.{key}" if is_whole and len(known) == len(lines) else f"report.{key}_known")
        yuan: Cell = Computed(sum(known, Decimal(0)), formula) if lines else None
        return Row((title, *blank, yuan), "total")

    energy = [line for line in cost.lines if line.unit == "kWh"]
    basic = [line for line in cost.lines if line.unit != "kWh"]
    has_bands = not any(each.band is None and each.kwh for each in cost.bands)
    yield from (_line(line, is_cut=is_cut) for line in energy)
    yield total("total_energy" if basic else "total", energy, "SUM({yuan:})", is_whole=has_bands)
    if basic:
        yield from (_line(line, is_cut=is_cut) for line in basic)
        yield total("total_basic", basic, "SUM({yuan:})", is_whole=True)
        both = "{cost.yuan@0}+{cost.yuan@1}" if energy else "{cost.yuan@1}"
        yield total("total", cost.lines, both, is_whole=has_bands)
    yield Row((Phrase("report.note.cost"),), "note")
    if is_cut:
        yield Row((Phrase("report.note.cost_before"),), "note")
    for note in cost.open:
        yield Row((Phrase(note.code, note.args),), "note")
    if found.negative:
        yield Row((Phrase("report.note.negative", {"count": found.negative}),), "note")


def _line(line: Line, *, is_cut: bool) -> Row:
    band = Phrase(f"band.{line.band or 'undecided'}") if line.unit == "kWh" else ""
    yuan: Cell = line.yuan
    if line.yuan is not None and line.price is not None:
        yuan = Computed(line.yuan, _formula(line))
    before = (line.before if line.unit == "kWh" else None,) if is_cut else ()
    told = (line.month, band, Phrase(f"report.item.{line.item}"), line.unit)
    return Row((*told, *before, line.quantity, line.price, yuan))


def _formula(line: Line) -> str:
    if line.unit == "%":
        return "ROUND({quantity}*{price}/100,2)"
    if line.before:
        return "ROUND(({before_in_bill}+{quantity})*{price},2)-ROUND({before_in_bill}*{price},2)"
    return "ROUND({quantity}*{price},2)"


def _terms(ground: Ground) -> Iterator[Row]:
    plan = ground.plan
    for each in plan.terms if plan is not None else ():
        tariff = each.tariff
        confidence = Phrase(f"confidence.{tariff.confidence}")
        yield Row((each.name, tariff.title, each.class_name, tariff.instrument, confidence))
        readings = [overlay.reading for overlay in each.overlays() if overlay.reading is not None]
        for reading in {reading.en: reading for reading in readings}.values():
            yield Row((reading,), "note")
