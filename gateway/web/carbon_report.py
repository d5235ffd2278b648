"""Scopes 1 and 2 and standard coal of a node, with factors and arithmetic; footprints of batches."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any, Final

from config.problems import Language
from gateway.energy.bookkeeping.files import FOLDER
from gateway.energy.carbon.exact import rounded, text_of
from gateway.energy.carbon.figure import Figure, Line
from gateway.energy.carbon.footprint import Footprint
from gateway.energy.carbon.quantity import Quantity
from gateway.energy.query import NoSuchFigure
from gateway.energy.results.batches import Run, footprint_of, runs_of
from gateway.energy.results.booked import PRODUCTION, made_of
from gateway.energy.results.kept import Kept, Term, kept, terms
from gateway.web.energy_books import Accounts, Books, begun, whole_days
from gateway.web.energy_carbon import used, wanted
from gateway.web.energy_models import (
    CarbonBatch,
    CarbonBatches,
    CarbonChanged,
    CarbonFigure,
    CarbonIntensity,
    CarbonKept,
    CarbonLine,
    CarbonReport,
    CarbonTerm,
    CarbonVersion,
)

_PLACES: Final = 3
_FINE: Final = 6
_MS: Final = 1_000_000
MOST_BATCHES: Final = 50


def report(accounts: Accounts, node: str, first: int, last: int) -> CarbonReport:
    """Return the inventory of the days of a period; ns UTC. Raises NoSuchFigure, NoBooks, Refused."""
    begin, end = whole_days(accounts, first, last)
    if end <= begin:
        raise NoSuchFigure("E-EN-0016")
    made = made_of(accounts.query, accounts.choices, node, begin, end)
    totals = [made.inventory.total("location"), made.inventory.total("market")]
    by_location = made.inventory.exact("location")
    return CarbonReport(
        node=node,
        start=begin // _MS,
        end=end // _MS,
        figures=[told(each) for each in made.figures],
        total_location=None if totals[0] is None else f"{totals[0]:f}",
        total_market=None if totals[1] is None else f"{totals[1]:f}",
        days=made.days,
        known=list(made.known),
        media=list(made.media),
        intensities=list(_intensities(accounts, node, begin, end, made.figures, totals=by_location)),
    )


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
    """Return the newest batches at or below a node with their footprints. Raises as `report`."""
    now = accounts.now()
    over = [each for each in runs_of(accounts.query, node, first, begun(accounts, last)) if each.last <= now]
    made = [(run, _footprint(accounts, run)) for run in over[:MOST_BATCHES]]
    return CarbonBatches(batches=[_batch(run, found) for run, found in made])


def export(accounts: Accounts, node: str, first: int, language: Language) -> dict[str, Any]:
    """Return one batch's footprint with all of its arithmetic. Raises as `report`."""
    for run in runs_of(accounts.query, node, first, first + 1):
        if run.node == node and run.last <= accounts.now():
            return _footprint(accounts, run).as_dict(language)
    raise NoSuchFigure("E-EN-0015", node=node)


def kept_of(books: Books, node: str, first: int, last: int) -> CarbonKept:
    """Return how many results are kept, and those that say something else than they did first."""
    found = kept(books.directory / FOLDER, node, first, last)
    changed = [each for each in found if len(each) > 1]
    return CarbonKept(kept=len(found), changed=[_changed(each) for each in changed[-MOST_BATCHES:]])


def _changed(versions: Sequence[Kept]) -> CarbonChanged:
    figure = versions[0].figure
    told = [_version(versions[0], None)]
    told += [_version(new, old) for old, new in pairwise(versions)]
    return CarbonChanged(
        kind=figure.kind, start=figure.start // _MS, end=figure.end // _MS, versions=told
    )  # fmt: skip


def _version(one: Kept, before: Kept | None) -> CarbonVersion:
    exact = one.figure.exact or Fraction(0)
    used_rows = (f"{each.row} {each.hash}".strip() for line in one.figure.lines for each in line.used)
    parts = () if before is None else terms(before.figure, one.figure)
    past = exact if before is None else before.figure.exact or Fraction(0)
    return CarbonVersion(
        revision=one.revision,
        made=one.made // _MS,
        value=f"{rounded(exact, _PLACES):f}",
        unit=one.figure.unit,
        rows=list(dict.fromkeys(used_rows)),
        difference=f"{rounded(exact - past, _PLACES):f}",
        terms=None if parts is None else [_term(each) for each in parts],
    )


def _term(each: Term) -> CarbonTerm:
    return CarbonTerm(
        medium=each.medium,
        old=[f"{row} {version}".strip() for row, version in each.old],
        new=[f"{row} {version}".strip() for row, version in each.new],
        by_amount=f"{rounded(each.by_amount, _PLACES):f}",
        by_factor=f"{rounded(each.by_factor, _PLACES):f}",
    )


def _footprint(accounts: Accounts, run: Run) -> Footprint:
    return footprint_of(accounts.query, accounts.plant, accounts.choices, run)


def _batch(run: Run, found: Footprint) -> CarbonBatch:
    per_unit, share = found.per_unit, found.share
    return CarbonBatch(
        name=run.name,
        node=run.node,
        product=run.product,
        identifier=found.batch.identifier,
        start=run.first // _MS,
        end=run.last // _MS,
        amount=text_of(found.batch.amount) if found.batch.unit else "",
        unit=found.batch.unit,
        figure=told(found.figure),
        per_unit=None if per_unit is None else f"{rounded(per_unit, _FINE):f}",
        upstream="" if found.upstream is None else f"{found.upstream.per_unit:f}",
        upstream_source="" if found.upstream is None else found.upstream.source,
        share=None if share is None else float(share),
        left_out=list(found.left_out),
    )


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
