"""Scopes 1 and 2 and standard coal of a node, with factors and arithmetic; footprints of batches."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Final

from config.energy import media
from gateway.energy.carbon.coal import standard_coal
from gateway.energy.carbon.exact import rounded, text_of
from gateway.energy.carbon.figure import Figure, Line
from gateway.energy.carbon.footprint import Batch, footprint
from gateway.energy.carbon.inventory import inventory
from gateway.energy.carbon.quantity import Entry, Quantity, Unknown
from gateway.energy.periods import Span
from gateway.energy.query import NoSuchFigure
from gateway.web.energy_books import Accounts, begun, whole_days
from gateway.web.energy_carbon import quantity, used, wanted
from gateway.web.energy_models import (
    CarbonBatch,
    CarbonBatches,
    CarbonFigure,
    CarbonIntensity,
    CarbonLine,
    CarbonReport,
)

PRODUCTION: Final = ("production", "production_mass")
_NOT_CARBON: Final = frozenset({"electricity_reactive", "electricity_reactive_export", *PRODUCTION})
_PLACES: Final = 3
_FINE: Final = 6
_MS: Final = 1_000_000
MOST_BATCHES: Final = 50


def report(accounts: Accounts, node: str, first: int, last: int) -> CarbonReport:
    """Return the inventory of the days of a period; ns UTC. Raises NoSuchFigure, NoBooks, Refused."""
    begin, end = whole_days(accounts, first, last)
    if end <= begin:
        raise NoSuchFigure("the period has not begun")
    entries: list[Entry] = []
    names, known = [], []
    for name in media():
        if name in _NOT_CARBON:
            continue
        try:
            found = _daily(accounts, node, name, begin, end)
        except NoSuchFigure:
            continue
        names.append(name)
        known.append(len(found))
        # Of a medium that is known for some days the figure is of these, and says so beside it.
        entries += found or [Unknown(name, begin, end, node)]
    if not names:
        raise NoSuchFigure(f"nothing with carbon is metered at {node}")
    made = inventory(entries, accounts.choices, period=(begin, end))
    coal = standard_coal(entries, accounts.choices, period=(begin, end))
    figures = (made.scope_1, made.scope_2.location, made.scope_2.market, coal.equivalent, coal.primary)
    totals = [made.total("location"), made.total("market")]
    return CarbonReport(
        node=node,
        start=begin // _MS,
        end=end // _MS,
        figures=[told(each) for each in figures],
        total_location=None if totals[0] is None else f"{totals[0]:f}",
        total_market=None if totals[1] is None else f"{totals[1]:f}",
        days=len(accounts.query.calendar.days(begin, end)) - 1,
        known=known,
        media=names,
        intensities=list(_intensities(accounts, node, begin, end, figures, totals=made.exact("location"))),
    )


def _daily(accounts: Accounts, node: str, medium: str, first: int, last: int) -> list[Entry]:
    """Return a medium's quantity of each day that is known, cut where a choice changes."""
    answer = accounts.query.energy(node, "day", first, last, medium)
    return [quantity(answer, each, node) for each in answer.figures if each.quanta is not None]


def _intensities(
    accounts: Accounts,
    node: str,
    first: int,
    last: int,
    figures: Sequence[Figure],
    *,
    totals: Fraction | None,
) -> Iterator[CarbonIntensity]:
    """Yield carbon and coal per piece or tonne of every production counter at or below a node."""
    for name, meter in accounts.query.meters.items():
        if meter.medium.name not in PRODUCTION or not f"{meter.node}/".startswith(f"{node}/"):
            continue
        answer = accounts.query.energy(name, "day", first, last)
        output = answer.amount(answer.total)
        if not output:
            continue
        sums = [
            ("co2_location", totals, "kgCO2"),
            *((each.kind, each.exact, each.unit) for each in figures[3:]),
        ]
        for kind, exact, unit in sums:
            if exact is not None:
                yield CarbonIntensity(
                    meter=name,
                    node=meter.node,
                    output=text_of(output),
                    output_unit=answer.unit,
                    kind=kind,
                    value=f"{rounded(exact / output, _FINE):f}",
                    unit=f"{unit}/{answer.unit}",
                )


def batches_of(accounts: Accounts, node: str, first: int, last: int) -> CarbonBatches:
    """Return the newest batches of a node with their footprints. Raises as `report`."""
    end = max(first + 1, begun(accounts, last))
    answer = accounts.query.energy(node, "batch", first, end)
    made = []
    for each in reversed(answer.figures[-MOST_BATCHES:]):
        if each.span.last > accounts.now():
            continue
        entries: list[Entry] = [
            Unknown("electricity", each.span.first, each.span.last, node)
            if each.quanta is None
            else quantity(answer, each, node)
        ]
        amount, unit = _output(accounts, node, each.span)
        found = footprint(
            Batch(each.span.label, "", each.span.first, each.span.last, amount or Fraction(0), unit),
            entries,
            accounts.choices,
        )
        per_unit = found.per_unit
        made.append(
            CarbonBatch(
                name=each.span.label,
                start=each.span.first // _MS,
                end=each.span.last // _MS,
                amount=text_of(amount) if amount is not None else "",
                unit=unit,
                figure=told(found.figure),
                per_unit=None if per_unit is None else f"{rounded(per_unit, _FINE):f}",
            )
        )
    return CarbonBatches(batches=made)


def _output(accounts: Accounts, node: str, span: Span) -> tuple[Fraction | None, str]:
    """Return what a node's production counter counted in a batch; None where it has none, or several."""
    counters = [
        name
        for name, meter in accounts.query.meters.items()
        if meter.medium.name in PRODUCTION and meter.node == node
    ]
    if len(counters) != 1:
        return None, ""
    answer = accounts.query.energy(counters[0], "whole", span.first, span.last)
    return answer.amount(answer.total), answer.unit


def told(figure: Figure) -> CarbonFigure:
    """Return a figure for the browser."""
    value, shares = figure.value, figure.shares
    return CarbonFigure(
        kind=figure.kind,
        unit=figure.unit,
        value=None if value is None else f"{value:f}",
        calibre=figure.calibre,
        confidence=figure.confidence,
        measured=None if shares is None else float(shares.measured),
        estimated=None if shares is None else float(shares.estimated),
        manual=None if shares is None else float(shares.manual),
        lines=_lines(figure.lines),
        wanted=wanted(figure.missing),
    )


def _lines(lines: Sequence[Line]) -> list[CarbonLine]:
    """Return one line for each medium, place and factor: a month of days reads as one sum."""
    groups: dict[tuple[object, ...], list[Line]] = {}
    for line in lines:
        groups.setdefault(
            (line.quantity.medium, line.quantity.node, line.factor, line.formula, line.used), []
        ).append(line)
    return [_line(each) for each in groups.values()]


def _line(lines: Sequence[Line]) -> CarbonLine:
    one: Line = lines[0]
    known: Quantity = one.quantity
    rule = one.rule
    return CarbonLine(
        medium=known.medium,
        node=known.node,
        amount=f"{rounded(sum((each.amount for each in lines), Fraction(0)), _PLACES):f}",
        unit=one.amount_unit,
        factor=f"{rounded(one.factor, _FINE):f}",
        value=f"{rounded(sum((each.exact for each in lines), Fraction(0)), _PLACES):f}",
        formula=one.formula,
        rule_en=rule.text("en") if rule else "",
        rule_zh=rule.text("zh") if rule else "",
        used=[used(each) for each in one.used],
    )
