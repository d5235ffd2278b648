"""From the plant file to a plan: its tariff entries with their data, and its calendar."""

from config.calendars import Calendar
from config.checks.tariff_days import read_calendar_file
from config.plant import Plant
from config.tariff_library import terms_of
from gateway.energy.pricing.timetable import Plan


def plan_of(plant: Plant) -> Plan | None:
    """Return under which terms a plant buys, None where its file names no tariff.

    Files are read: not for every request.

    Raises:
        ValueError: a tariff file was changed since the plant file was read, and has mistakes now.
    """
    if not plant.tariff:
        return None
    extra = None
    if plant.calendar.file is not None:
        extra, problems = read_calendar_file(plant.calendar.file)
        if extra is None or problems:
            raise ValueError(f"{plant.calendar.file}: run `wanglian check`")
    return Plan(terms_of(plant.tariff), Calendar(plant.calendar, extra), plant.energy.billing)
