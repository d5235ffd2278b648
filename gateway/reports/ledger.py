"""The energy ledger 能源台账: what every place used of every medium, by interval, and what it cost."""

from collections.abc import Iterator
from fractions import Fraction

from config.energy import Medium
from config.problems import Phrase
from gateway.energy.figures import Answer, Figure
from gateway.reports.content import Cell, Column, Computed, Moment, Row, Table, number
from gateway.reports.cost import cost_tables
from gateway.reports.ground import Ground, name_of
from gateway.reports.quality import quality_tables, remarks

_WORTH = (
    Column("amount", "number", 3, 13),
    Column("measured", "number", 3, 13),
    Column("estimated", "number", 3, 13),
    Column("manual", "number", 3, 13),
    Column("complete", "percent", 1, 8),
    Column("at_least", "number", 3, 13),
    Column("at_most", "number", 3, 13),
)
_LEDGER = (
    Column("node", width=24),
    Column("medium", width=14),
    Column("from", "time", width=16),
    Column("to", "time", width=16),
    Column("unit", width=6),
    *_WORTH,
    Column("revision", "number", 0, 6),
    Column("closed", width=6),
    Column("remarks", width=24),
)
_SUMMARY = (
    Column("node", width=30),
    Column("medium", width=18),
    Column("unit", width=6),
    *_WORTH,
    Column("peak", "number", 3, 16),
    Column("peak_at", "time", width=16),
    Column("remarks", width=24),
)


def ledger_tables(ground: Ground) -> Iterator[Table]:
    """Yield the tables of an energy ledger; rows are asked of the books as they are read."""
    subjects = list(ground.subjects())
    yield Table("summary", _SUMMARY, _summary(ground, subjects))
    yield Table("ledger", _LEDGER, _ledger(ground, subjects))
    yield from cost_tables(ground)
    yield from quality_tables(ground)


def _summary(ground: Ground, subjects: list[tuple[str, Medium]]) -> Iterator[Row]:
    if not subjects:
        yield Row((Phrase("report.note.no_meters"),), "note")
    for n, (node, medium) in enumerate(subjects):
        answer = ground.energy(node, medium.name)
        total = answer.total
        value = number(answer.amount(total))
        linked = value if value is None else Computed(value, f"{{ledger.amount@{n}}}")
        peak, peak_at = _peak(ground, node, medium)
        worth = _worth(answer, total)
        yield Row(
            (
                node, name_of(medium), answer.unit, linked, *worth[1:],
                peak, peak_at, remarks(total),
            )
        )  # fmt: skip
    yield Row((Phrase("report.note.summary"),), "note")


def _peak(ground: Ground, node: str, medium: Medium) -> tuple[Cell, Cell]:
    if medium.name != "electricity":
        return None, None
    period = ground.period
    (found,) = ground.query.demand(node, "whole", period.first, period.last, medium.name)
    return number(found.fixed, 3), None if found.fixed_at is None else Moment(found.fixed_at)


def _ledger(ground: Ground, subjects: list[tuple[str, Medium]]) -> Iterator[Row]:
    for node, medium in subjects:
        answer = ground.energy(node, medium.name)
        name = name_of(medium)
        for figure in answer.figures:
            span = figure.span
            yield Row(
                (node, name, Moment(span.first), Moment(span.last), answer.unit, *_told(answer, figure))
            )
        is_whole = all(each.is_whole for each in answer.figures)
        title = Phrase("report.total" if is_whole else "report.total_known")
        yield Row(
            (node, name, title, None, answer.unit, *_told(answer, answer.total, is_total=True)), "total"
        )
    yield Row((Phrase("report.note.ledger"),), "note")
    if ground.interval == "shift":
        for year in ground.calendar.undecided(ground.period.first, ground.period.last):
            yield Row((Phrase("E-TF-0002", {"year": year}),), "note")


def _told(answer: Answer, figure: Figure, *, is_total: bool = False) -> tuple[Cell, ...]:
    worth: list[Cell] = list(_worth(answer, figure))
    value = number(answer.amount(figure))
    if value is not None and is_total:
        keys = ("amount", "measured", "estimated", "manual")
        worth[:4] = [
            Computed(number(each * answer.quantum) or value * 0, f"SUM({{{key}:}})")
            for key, each in zip(
                keys, (figure.quanta or 0, figure.measured, figure.estimated, figure.manual), strict=True
            )
        ]
    elif value is not None and figure.gross == figure.quanta:
        worth[0] = Computed(value, "{measured}+{estimated}+{manual}")
    closed = Phrase("report.yes") if figure.is_closed else ""
    return (*worth, number(Fraction(figure.revision)), closed, remarks(figure))


def _worth(answer: Answer, figure: Figure) -> tuple[Cell, ...]:
    """Return amount, measured, estimated, manual, completeness, least and most."""
    complete = number(figure.covered, 4)
    if figure.quanta is None:
        return None, None, None, None, complete, None, None
    quanta = (
        figure.quanta, figure.measured, figure.estimated, figure.manual,
        figure.quanta - figure.below, figure.quanta + figure.above,
    )  # fmt: skip
    found = [number(each * answer.quantum) for each in quanta]
    return (*found[:4], complete, *found[4:])
