"""The plant's calendar with its holidays, for prices and for shifts that follow them."""

from config.calendars import Calendar as Holidays
from config.checks.tariff_days import read_calendar_file
from config.plant import Plant
from gateway.energy.periods import Calendar, calendar_of


def holidays_of(plant: Plant) -> Holidays:
    """Return which days are holidays.

    Raises:
        ValueError: a calendar file was changed since the plant file was read, and has mistakes now.
    """
    extra = None
    if plant.calendar.file is not None:
        extra, problems = read_calendar_file(plant.calendar.file)
        if extra is None or problems:
            raise ValueError(f"{plant.calendar.file}: run `wanglian check`")
    return Holidays(plant.calendar, extra)


def calendar_of_plant(plant: Plant) -> Calendar:
    """Return the calendar of a plant; its file is read only where a shift needs it. Raises ValueError."""
    follows = any(each.follows_calendar for each in plant.energy.shifts.values())
    return calendar_of(plant.energy, plant.gateway.zone, holidays_of(plant) if follows else None)
