"""The data-quality page: how complete and how well measured each meter is, and what happened to it."""

from collections.abc import Iterator
from fractions import Fraction

from config.problems import Phrase
from gateway.energy import flags as f
from gateway.energy.carbon.quality import rules
from gateway.energy.figures import Figure
from gateway.reports.content import Cell, Column, Moment, Row, Table, listed, number
from gateway.reports.ground import Ground, name_of

_METERS = (
    Column("meter", width=20),
    Column("medium", width=14),
    Column("node", width=24),
    Column("source", width=10),
    Column("serial", width=12),
    Column("accuracy", width=7),
    Column("verify_by", width=11),
    Column("complete", "percent", 2, 9),
    Column("enough", width=9),
    Column("measured_share", "percent", 2, 9),
    Column("estimated_share", "percent", 2, 9),
    Column("manual_share", "percent", 2, 9),
    Column("revision", "number", 0, 6),
    Column("remarks", width=24),
)
_EVENTS = (
    Column("meter", width=24),
    Column("time", "time", width=19),
    Column("what", width=28),
    Column("before", "number", 3, 16),
    Column("after", "number", 3, 16),
    Column("unit", width=6),
)
_CLOSED = (
    Column("from", "time", width=19),
    Column("to", "time", width=19),
    Column("by", width=24),
    Column("at", "time", width=19),
)
_ADJUSTED = (
    Column("meter", width=24),
    Column("from", "time", width=19),
    Column("to", "time", width=19),
    Column("at", "time", width=19),
    Column("adjustment", "number", 3, 16),
    Column("unit", width=6),
)


def quality_tables(ground: Ground) -> Iterator[Table]:
    """Yield the tables of data quality: meters, their events, closed periods, adjustments."""
    yield Table("meters", _METERS, _meters(ground))
    yield Table("events", _EVENTS, _events(ground))
    yield Table("closings", _CLOSED, _closings(ground))
    yield Table("adjustments", _ADJUSTED, _adjustments(ground))


def remarks(figure: Figure) -> Cell:
    """Return what a figure says of itself, in words."""
    found: list[object] = [Phrase(f"report.flag.{word}") for word in f.words(figure.flags & ~f.MISSING)]
    if figure.quanta is None:
        found.append(Phrase("report.flag.unknown_figure"))
    elif figure.covered < 1:
        found.append(Phrase("report.flag.incomplete"))
    return listed(found) if found else ""


def _meters(ground: Ground) -> Iterator[Row]:
    period, rule = ground.period, rules()["completeness"]
    bound = Fraction(rule.value) / 100
    for meter in ground.meters.values():
        figure = ground.query.energy(meter.name, "whole", period.first, period.last).total
        options = meter.options
        shares: list[Cell] = [None, None, None]
        if figure.quanta is not None:
            shares = [number(each, 6) for each in figure.shares()]
        enough = Phrase("report.yes" if figure.covered >= bound else "report.no")
        yield Row(
            (
                meter.name, name_of(meter.medium), meter.node, Phrase(f"report.source.{meter.kind}"),
                options.serial or "", options.accuracy or "", options.verify_by or "",
                number(figure.covered, 6), enough, *shares,
                number(Fraction(figure.revision)), remarks(figure),
            )
        )  # fmt: skip
    said = {"percent": rule.value, "source": rule.instrument or rule.source}
    yield Row((Phrase("report.note.complete", said),), "note")


def _events(ground: Ground) -> Iterator[Row]:
    period, is_empty = ground.period, True
    for meter in ground.meters.values():
        if not meter.is_read:
            continue
        for each in ground.query.events(meter.name, period.first, period.last):
            is_empty = False
            what = listed([Phrase(f"report.flag.{word}") for word in f.words(each.flag)])
            before, after = (number(quanta * meter.quantum) for quanta in (each.before, each.after))
            symbol = meter.medium.unit.symbol
            yield Row((meter.name, Moment(each.time), what, before, after, symbol))
    if is_empty:
        yield Row((Phrase("report.note.no_events"),), "note")


def _closings(ground: Ground) -> Iterator[Row]:
    is_empty = True
    for each in ground.query.closings():
        if each.span.first < ground.period.last and each.span.last > ground.period.first:
            is_empty = False
            yield Row((Moment(each.span.first), Moment(each.span.last), each.who, Moment(each.at)))
    if is_empty:
        yield Row((Phrase("report.note.no_closings"),), "note")


def _adjustments(ground: Ground) -> Iterator[Row]:
    period, is_empty = ground.period, True
    for meter in ground.meters.values():
        for span, at, quanta in ground.query.adjustments(meter.name) if meter.is_read else ():
            if span.first < period.last and span.last > period.first:
                is_empty = False
                amount = number(quanta * meter.quantum)
                when = (Moment(span.first), Moment(span.last), Moment(at))
                yield Row((meter.name, *when, amount, meter.medium.unit.symbol))
    note = Phrase("report.note.no_adjustments" if is_empty else "report.note.adjustments")
    yield Row((note,), "note")
