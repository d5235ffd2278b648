"""What is wrong inside a tariff although its rows are well formed: holes, clashing overlays, no source."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import combinations
from typing import Final

from config.exact import QUARTER_MINUTES, hours_text, quarters
from config.problems import Problem, quote
from config.reading.document import Document
from config.tariffs import Overlay, Season, Tariff

_QUARTERS: Final = range(96)
_MONTHS: Final = range(1, 13)


def check_tariff(tariff: Tariff, document: Document) -> Iterator[Problem]:
    """Yield what keeps a tariff from giving one band, with one source, to every quarter of every day."""
    for path, row in tariff.rows():
        if row.source not in tariff.sources:
            names = sorted(tariff.sources)
            yield document.problem("E-CF-1426", (*path, "source"), source=quote(row.source), names=names)
    yield from _months(tariff, document)
    for name, season in tariff.seasons.items():
        yield from _hours(document, name, season)
    for (i, one), (j, other) in combinations(enumerate(tariff.overlays), 2):
        if _differ(one, other) and _meet(one, other):
            yield document.problem("E-CF-1425", ("overlays", j, "hours"), at_key=True, first=i + 1)
    for i, overlay in enumerate(tariff.overlays):
        ends = (overlay.valid_from, overlay.valid_to and overlay.valid_to + timedelta(days=1))
        if any(day is not None and day.day != 1 for day in ends):
            yield document.problem("E-CF-1422", ("overlays", i))
    for i, choice in enumerate(tariff.choices):
        if choice.hours != "flat" and choice.hours not in tariff.seasons:
            path = ("choices", i, "hours")
            yield document.problem("E-CF-1424", path, name=quote(choice.hours), names=sorted(tariff.seasons))


def _months(tariff: Tariff, document: Document) -> Iterator[Problem]:
    months = [month for season in tariff.seasons.values() for month in season.months]
    wrong = [month for month in _MONTHS if months.count(month) != 1]
    if wrong:
        yield document.problem("E-CF-1427", ("seasons",), at_key=True, months=wrong)


def _hours(document: Document, name: str, season: Season) -> Iterator[Problem]:
    """Each quarter of the day belongs to one band."""
    times = [quarter for spans in season.hours.values() for span in spans for quarter in quarters(span)]
    holes = [quarter for quarter in _QUARTERS if quarter not in times]
    doubled = [quarter for quarter in _QUARTERS if times.count(quarter) > 1]
    for code, wrong in (("E-CF-1423", holes), ("E-CF-1428", doubled)):
        if wrong:
            where = (wrong[0] * QUARTER_MINUTES, wrong[0] * QUARTER_MINUTES + QUARTER_MINUTES)
            yield document.problem(code, ("seasons", name, "hours"), at_key=True, hours=hours_text(where))


def _differ(one: Overlay, other: Overlay) -> bool:
    return (one.band, one.factor, one.of, one.applies_to) != (
        other.band,
        other.factor,
        other.of,
        other.applies_to,
    )


def _ends_before(one: Overlay, other: Overlay) -> bool:
    return one.valid_to is not None and other.valid_from is not None and one.valid_to < other.valid_from


def _meet(one: Overlay, other: Overlay) -> bool:
    """Tell whether two overlays may want the same quarter of a day."""
    if not set(one.months or _MONTHS) & set(other.months or _MONTHS):
        return False
    if _ends_before(one, other) or _ends_before(other, one):
        return False
    mine, theirs = ({q for span in each.hours for q in quarters(span)} for each in (one, other))
    # A month's sharp hours have one price, whichever of its overlays they come from.
    return one.band == other.band or not mine.isdisjoint(theirs)
