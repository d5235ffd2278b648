"""Days a tariff depends on: are major holidays named, hot days to be had, and its open readings told?"""

from collections.abc import Iterable, Iterator

from config.calendars import CalendarFile
from config.exact import days_of
from config.plant import Plant
from config.problems import Phrase, Problem, quote
from config.reading.document import Document, Path
from config.reading.references import why_unreadable
from config.reading.structure import validate
from config.reading.yaml_tree import read_document
from config.supply import Supply
from config.tariff_library import within
from config.tariffs import Overlay, Tariff


def check_calendar(plant: Plant, document: Document) -> Iterator[Problem]:
    """Yield days that are given twice, days no month has, a file that can't be read."""
    options = plant.calendar
    seen: dict[int, str] = {}
    for text in options.days:
        twice = next((seen[day] for day in days_of(text) if day in seen), None)
        if twice is not None:
            yield document.problem("E-CF-1430", ("calendar", "days", text), at_key=True, first=twice)
        seen |= dict.fromkeys(days_of(text), text)
    for month, days in options.hot_days.items():
        wrong = [day for day in days if not _is_day(month, day)]
        if wrong:
            yield document.problem("E-CF-1431", ("calendar", "hot_days", month), month=month, days=wrong)
    if options.file is not None:
        _, problems = read_calendar_file(options.file)
        yield from at_key_if_unreadable(problems, document, ("calendar", "file"))


def at_key_if_unreadable(problems: Iterable[Problem], document: Document, path: Path) -> Iterator[Problem]:
    """Yield problems of a file the plant file names; that it can't be read is told where it is named."""
    for problem in problems:
        is_file = problem.code == "E-CF-0002"
        yield document.problem_with(problem.code, path, problem.args) if is_file else problem


def _is_day(month: str, day: int) -> bool:
    try:
        days_of(f"{month}-{day:02}")
    except ValueError:
        return False
    return True


def read_calendar_file(name: str) -> tuple[CalendarFile | None, list[Problem]]:
    """Return a calendar file's content and what is wrong with it."""
    try:
        with open(name, "rb") as file:  # noqa: PTH123  a name as good as absolute, read once
            data = file.read()
    except OSError as error:
        return None, [Problem("E-CF-0002", name, 1, 1, "", {"reason": why_unreadable(error)})]
    document, problems = read_document(data, name)
    if document is None:
        return None, list(problems)
    found = validate(document, CalendarFile)
    return (found.model if found.is_whole else None), found.problems


def check_days(
    plant: Plant, supply: Supply, tariff: Tariff, document: Document, path: Path
) -> Iterator[Problem]:
    """Yield what a customer must decide or look up once."""
    if supply.hours == "flat":
        return
    mine = [each for each in tariff.overlays if concerns(each, supply)]
    calendar = plant.calendar
    if calendar.major_holidays is None and any(each.days == "major_holiday" for each in mine):
        yield document.problem("W-CF-1432", path, title=tariff.title)
    weather = next((each.weather for each in mine if each.weather), None)
    if weather is not None and not calendar.hot_days and calendar.hot_tag is None:
        words = {"measured": weather.measured}
        yield document.problem_with("W-CF-1433", path, words)
    elif weather is not None and calendar.hot_tag is not None:
        words = {"measured": weather.measured}
        yield document.problem_with("W-CF-1434", ("calendar", "hot_tag"), words)
    if supply.checked is not None:
        return
    if supply.overlays_on is None and any(each.reading for each in mine):
        yield document.problem("W-CF-1435", path, bands=_bands(mine))
    if supply.use is not None:
        for number, (_, row) in enumerate(each for each in tariff.rows() if each[1].confidence == "low"):
            said = row.reading if isinstance(row, Overlay) and row.reading else row.note
            # Two doubts about one tariff stand at two places: each is told.
            at = (*path, "use")
            yield document.problem("W-CF-1436", at, at_key=number == 0, said=said or quote(row.source))


def concerns(overlay: Overlay, supply: Supply) -> bool:
    """Tell whether an overlay may concern a customer."""
    contract = supply.contract
    is_its_use = overlay.who.use in (None, contract.use)
    return is_its_use and within(overlay.who.capacity_kva, contract.capacity_kva) is True


def _bands(overlays: list[Overlay]) -> list[Phrase]:
    return [Phrase(f"band.{band}") for band in dict.fromkeys(each.band for each in overlays if each.reading)]
