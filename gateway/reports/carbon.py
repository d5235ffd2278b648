"""The carbon inventory 碳排放清单: calibres side by side, every line and factor, what is missing."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from typing import Final, NamedTuple

from config.energy import Medium, media
from config.problems import Phrase
from gateway.energy.carbon.coal import StandardCoal, standard_coal
from gateway.energy.carbon.figure import PLACES, Figure, Used
from gateway.energy.carbon.inventory import Inventory, Way, inventory
from gateway.energy.carbon.quantity import Entry, Quantity, Unknown
from gateway.energy.carbon.refused import Refused as NoFigure
from gateway.energy.query import NoSuchFigure
from gateway.reports.content import Cell, Column, Computed, Moment, Row, Table, listed, number
from gateway.reports.ground import Ground, name_of
from gateway.reports.quality import quality_tables, remarks
from gateway.reports.refused import Refused

NOT_OF_CARBON: Final = (
    "production",
    "production_mass",
    "electricity_reactive",
    "electricity_reactive_export",
)
NEVER_BURNT: Final = (
    "water",
    "compressed_air",
    "compressed_air_normal",
    "oxygen",
    "nitrogen",
)
"""Left out where the plant file chooses nothing for them, and said so: made on site they are in its power."""

_SCOPES = (
    Column("scope", width=44),
    Column("calibre", width=22),
    Column("value", "number", PLACES, 18),
    Column("unit", width=8),
    Column("measured_share", "percent", 2, 9),
    Column("estimated_share", "percent", 2, 9),
    Column("manual_share", "percent", 2, 9),
    Column("confidence", width=10),
)
_LINES = (
    Column("scope", width=30),
    Column("medium", width=16),
    Column("from", "time", width=16),
    Column("to", "time", width=16),
    Column("booked", "number", 6, 18),
    Column("unit", width=6),
    Column("amount", "number", 6, 18),
    Column("amount_unit", width=6),
    Column("factor", "number", 9, 16),
    Column("result", "number", 6, 18),
    Column("result_unit", width=8),
    Column("formula", width=32),
    Column("rule", width=32),
)
_FACTORS = (
    Column("symbol", width=7),
    Column("value", "number", 9, 14),
    Column("unit", width=12),
    Column("row", width=34),
    Column("version", width=18),
    Column("confidence", width=9),
    Column("instrument", width=30),
    Column("stands_in", width=34),
    Column("remarks", width=30),
)
_MISSING = (Column("scope", width=40), Column("choice", width=30), Column("reason", width=70))
_QUANTITIES = (
    Column("medium", width=20),
    Column("from", "time", width=16),
    Column("to", "time", width=16),
    Column("amount", "number", 3, 16),
    Column("unit", width=8),
    Column("measured", "number", 3, 16),
    Column("estimated", "number", 3, 16),
    Column("manual", "number", 3, 16),
    Column("complete", "percent", 2, 9),
    Column("remarks", width=36),
)


class _Used(NamedTuple):
    """What the books say of one medium in one part of the period."""

    medium: Medium
    entry: Entry
    row: Row


class _Figures(NamedTuple):
    """Every figure of the inventory, in the order of the report."""

    all_of: Inventory
    coal: StandardCoal

    def named(self) -> Iterator[tuple[str, Figure]]:
        """Yield the figures by name."""
        yield "scope_1", self.all_of.scope_1
        yield "scope_2_location", self.all_of.scope_2.location
        yield "scope_2_market", self.all_of.scope_2.market
        yield "coal_equivalent", self.coal.equivalent
        yield "coal_primary", self.coal.primary


def carbon_tables(ground: Ground) -> Iterator[Table]:
    """Yield the tables of a carbon inventory of the site.

    Raises:
        Refused: E-RP-0008, the books and the choices contradict each other.
    """
    quantities, left_out = _quantities(ground)
    entries = [each.entry for each in quantities]
    period = (ground.period.first, ground.period.last)
    try:
        found = _Figures(
            inventory(entries, ground.choices, period=period), standard_coal(entries, ground.choices, period)
        )
    except NoFigure as error:
        reason = Phrase(error.code, error.args_of_text)
        raise Refused("E-RP-0008", reason=reason) from error
    yield Table("scopes", _SCOPES, _scopes(found))
    yield Table("carbon_lines", _LINES, _lines(found))
    yield Table("missing", _MISSING, _missing(found, left_out))
    yield Table("quantities", _QUANTITIES, _told(quantities))
    yield Table("factors", _FACTORS, _factors(found))
    yield from quality_tables(ground)


def _quantities(ground: Ground) -> tuple[list[_Used], list[Medium]]:
    """Return what the site used, split where a choice changes, and the media that count nowhere."""
    site, first, last = ground.plant.gateway.site, ground.period.first, ground.period.last
    edges = [first, *ground.choices.changes(first, last), last]
    found, left_out = [], []
    for medium in media().values():
        if medium.name in NOT_OF_CARBON:
            continue
        try:
            ground.query.made(site, medium.name)
        except NoSuchFigure:
            continue
        if medium.name in NEVER_BURNT and medium.name not in ground.plant.carbon.media:
            left_out.append(medium)
            continue
        found += [_used(ground, medium, begin, end) for begin, end in pairwise(edges)]
    return found, left_out


def _used(ground: Ground, medium: Medium, first: int, last: int) -> _Used:
    site = ground.plant.gateway.site
    answer = ground.query.energy(site, "whole", first, last, medium.name)
    figure, quantum = answer.total, answer.quantum
    amount = answer.amount(figure)
    when = (name_of(medium), Moment(first), Moment(last))
    complete, said = number(figure.covered, 6), remarks(figure)
    if amount is None or amount < 0:
        said = said if amount is None else Phrase("report.flag.negative")
        row = Row((*when, None, answer.unit, None, None, None, complete, said))
        return _Used(medium, Unknown(medium.name, first, last, site), row)
    estimated = min(figure.estimated * quantum, amount)
    manual = min(figure.manual * quantum, amount - estimated)
    parts = [number(each) for each in (amount - estimated - manual, estimated, manual)]
    value = number(amount)
    shown: Cell = value if value is None else Computed(value, "{measured}+{estimated}+{manual}")
    row = Row((*when, shown, answer.unit, *parts, complete, said))
    quantity = Quantity(medium.name, amount, answer.unit, first, last, site, estimated, manual)
    return _Used(medium, quantity, row)


def _told(quantities: list[_Used]) -> Iterator[Row]:
    for each in quantities:
        yield each.row
    key = "report.note.quantities" if quantities else "report.note.no_meters"
    yield Row((Phrase(key),), "note")


def _scopes(found: _Figures) -> Iterator[Row]:
    for n, (name, figure) in enumerate(found.named()):
        if name == "coal_equivalent":
            yield from _sums(found)
        yield _scope(name, figure, n)
    yield Row((Phrase("report.note.scopes"),), "note")


def _scope(name: str, figure: Figure, n: int) -> Row:
    shares = figure.shares
    parts: list[Cell] = [None, None, None]
    if shares is not None:
        parts = [number(each, 6) for each in (shares.measured, shares.estimated, shares.manual)]
    value: Cell = figure.value
    if figure.value is not None and figure.lines:
        value = Computed(figure.value, f"{{carbon_lines.result@{n}}}")
    confidence = Phrase(f"confidence.{figure.confidence}") if figure.confidence else ""
    calibre = Phrase(f"report.calibre.{figure.calibre}") if figure.calibre else ""
    return Row((Phrase(f"report.scope.{name}"), calibre, value, figure.unit, *parts, confidence))


def _sums(found: _Figures) -> Iterator[Row]:
    # No formula: the sum of two rounded figures may lie a gram beside the rounded sum.
    ways: tuple[Way, ...] = ("location", "market")
    for way in ways:
        name = Phrase(f"report.scope.total_{way}")
        yield Row((name, "", found.all_of.total(way), "kgCO2", None, None, None, ""), "total")


def _lines(found: _Figures) -> Iterator[Row]:
    for name, figure in found.named():
        scope = Phrase(f"report.scope.{name}")
        for line in figure.lines:
            quantity = line.quantity
            result = number(line.exact)
            value = result if result is None else Computed(result, "{amount}*{factor}")
            yield Row(
                (
                    scope, name_of(media()[quantity.medium]), Moment(quantity.start), Moment(quantity.end),
                    number(Fraction(quantity.amount)), quantity.unit,
                    number(line.amount), line.amount_unit, number(line.factor), value, figure.unit,
                    line.formula, line.rule or "",
                )
            )  # fmt: skip
        total: Cell = figure.value
        if figure.value is not None and figure.lines:
            total = Computed(figure.value, f"ROUND(SUM({{result:}}),{PLACES})")
        title = Phrase("report.total" if figure.value is not None else "report.no_value")
        blanks = (None,) * 6
        yield Row((scope, title, *blanks, None, total, figure.unit, "", ""), "total")
    yield Row((Phrase("report.note.lines"),), "note")


def _missing(found: _Figures, left_out: list[Medium]) -> Iterator[Row]:
    is_empty = True
    for name, figure in found.named():
        for each in figure.missing:
            is_empty = False
            yield Row((Phrase(f"report.scope.{name}"), each.choice, each.reason))
    if is_empty:
        yield Row((Phrase("report.note.nothing_missing"),), "note")
    if left_out:
        names = listed([name_of(each) for each in left_out])
        yield Row((Phrase("report.note.left_out", {"media": names}),), "note")
    yield Row((Phrase("report.note.boundary"),), "note")


def _factors(found: _Figures) -> Iterator[Row]:
    met: dict[tuple[str, str, str], Used] = {}
    for _, figure in found.named():
        for line in figure.lines:
            for each in line.used:
                met.setdefault((each.symbol, each.row, each.hash), each)
    for each in met.values():
        confidence = Phrase(f"report.confidence.{each.confidence}")
        others: list[object] = [each.note] if each.note else []
        others += each.others
        yield Row(
            (
                each.symbol, each.value, each.unit, each.row, each.hash, confidence,
                each.instrument, each.source, listed(others) if others else "",
            )
        )  # fmt: skip
    yield Row((Phrase("report.note.factors" if met else "report.note.no_factors"),), "note")
