"""The costs of a report: the site's electricity by month, band and part of the price, as on an invoice."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from config.problems import Phrase
from gateway.energy.figures import Answer
from gateway.energy.periods import QUARTER_NS, Span
from gateway.energy.pricing.cost import Cost, Energy, cost
from gateway.energy.pricing.lines import Line
from gateway.energy.pricing.timetable import Plan, timetable
from gateway.energy.query import NoSuchFigure
from gateway.reports.content import Cell, Column, Computed, Row, Table, number
from gateway.reports.ground import Ground

_COST = (
    Column("month", width=10),
    Column("band", width=12),
    Column("item", width=28),
    Column("kwh", "number", 3, 16),
    Column("price", "number", 8, 14),
    Column("yuan", "number", 2, 16),
)
_TERMS = (
    Column("tariff", width=20),
    Column("title", width=36),
    Column("class", width=20),
    Column("instrument", width=36),
    Column("confidence", width=12),
)


class _Priced(NamedTuple):
    """A month, or the part of one that lies in the period."""

    cost: Cost
    negative: int
    """Quarters in which the meters contradict each other; they are not priced."""


def cost_tables(ground: Ground) -> Iterator[Table]:
    """Yield costs by line and the tariffs they rest on; without prices one table that says so."""
    yield Table("cost", _COST, _cost(ground))
    if ground.plan is not None:
        yield Table("terms", _TERMS, _terms(ground))


def _cost(ground: Ground) -> Iterator[Row]:
    if ground.plan is None:
        yield Row((Phrase("report.note.no_tariff"),), "note")
        return
    try:
        found = [_priced(ground, ground.plan, month) for month in _months(ground)]
    except NoSuchFigure:
        yield Row((Phrase("report.note.no_electricity"),), "note")
        return
    for each in found:
        for line in each.cost.lines:
            yield _line(line)
    known = sum((each.cost.known_yuan for each in found), Decimal(0))
    is_whole = all(each.cost.yuan is not None for each in found)
    title = Phrase("report.total" if is_whole else "report.total_known")
    has_lines = any(each.cost.lines for each in found)
    total: Cell = Computed(known, "SUM({yuan:})") if has_lines else None
    yield Row((title, "", "", None, None, total), "total")
    yield Row((Phrase("report.note.cost"),), "note")
    opened = {(o.code, str(o.args)): o for each in found for o in each.cost.open}
    for note in opened.values():
        yield Row((Phrase(note.code, note.args),), "note")
    negative = sum(each.negative for each in found)
    if negative:
        yield Row((Phrase("report.note.negative", {"count": negative}),), "note")


def _line(line: Line) -> Row:
    band = Phrase(f"band.{line.band or 'undecided'}")
    yuan: Cell = line.yuan
    if line.yuan is not None and line.price is not None:
        yuan = Computed(line.yuan, "ROUND({kwh}*{price},2)")
    return Row((line.month, band, Phrase(f"report.item.{line.item}"), line.quantity, line.price, yuan))


def _months(ground: Ground) -> list[Span]:
    """Return the local months of the period, the first and the last cut to it."""
    period = ground.period
    edges = {period.first, period.last}
    edges |= {each.first for each in ground.calendar.spans("month", period.first, period.last)}
    ordered = sorted(edges)
    return [Span(a, b) for a, b in pairwise(ordered)]


def _priced(ground: Ground, plan: Plan, month: Span) -> _Priced:
    site = ground.plant.gateway.site
    answer = ground.query.energy(site, "15min", month.first, month.last, "electricity")
    energy, negative = _energy(answer)
    return _Priced(cost(timetable(plan, month.first, month.last), energy), negative)


def _energy(answer: Answer) -> tuple[Energy, int]:
    """Return a node's quarters for pricing; what is not known, or below 0, is missing."""
    known = [each.quanta is not None and each.quanta >= 0 for each in answer.figures]
    quanta, estimated, manual = [], [], []
    for figure, is_known in zip(answer.figures, known, strict=True):
        amount = (figure.quanta or 0) if is_known else 0
        quanta.append(amount)
        estimated.append(min(figure.estimated, amount))
        manual.append(min(figure.manual, amount - estimated[-1]))
    start = np.array([each.span.first for each in answer.figures], np.int64)
    columns = [np.array(each, object) for each in (quanta, estimated, manual)]
    quantum = number(answer.quantum)
    if quantum is None or quantum * answer.quantum.denominator != answer.quantum.numerator:
        raise ValueError(f"the quantum {answer.quantum} does not end")
    missing = np.logical_not(np.array(known, bool))
    energy = Energy(start, QUARTER_NS, columns[0], quantum, columns[1], columns[2], missing)
    negative = sum(each.quanta is not None and each.quanta < 0 for each in answer.figures)
    return energy, negative


def _terms(ground: Ground) -> Iterator[Row]:
    plan = ground.plan
    for each in plan.terms if plan is not None else ():
        tariff = each.tariff
        confidence = Phrase(f"confidence.{tariff.confidence}")
        yield Row((each.name, tariff.title, each.class_name, tariff.instrument, confidence))
        for overlay in each.overlays():
            if overlay.reading is not None:
                yield Row((overlay.reading,), "note")
