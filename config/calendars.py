"""Which day is a holiday in China, a make-up working day, a weekend: a library's years and what a plant adds.

The days off of a year are those the State Council's office announces late in the year before, make-up
working days included; `chinesecalendar` carries them. For a year nobody has announced, or that came after
this version, there is no answer: `Calendar.day` returns None, and whoever asks says so.
"""

from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Annotated, Final, Literal, get_args

import chinese_calendar
from pydantic import Field

from config.base import FileName, Model
from config.energy import DayType
from config.exact import Date, Days, Month, days_of

Festival = Literal[
    "new_years_day",
    "spring_festival",
    "tomb_sweeping_day",
    "labour_day",
    "dragon_boat_festival",
    "mid_autumn_festival",
    "national_day",
]
DayWord = Literal[
    "workday",
    "weekend",
    "holiday",
    "new_years_day",
    "spring_festival",
    "tomb_sweeping_day",
    "labour_day",
    "dragon_boat_festival",
    "mid_autumn_festival",
    "national_day",
]
"""A festival says which holiday a day off belongs to; `holiday` is one that belongs to none of them."""

_FESTIVALS: Final = frozenset(get_args(Festival))


class CalendarFile(Model):
    """Holidays of years this version does not know, as data."""

    source: Annotated[str, Field(min_length=1)]
    """Which announcement; no holiday without its source."""
    days: Annotated[dict[Days, DayWord], Field(min_length=1)]
    complete_to: Date | None = None
    """Every holiday and make-up working day up to here is listed: the other days are ordinary ones."""


class CalendarOptions(Model):
    """Holidays and hot days, where a tariff depends on them. What is not said here comes with the gateway."""

    major_holidays: Annotated[tuple[Festival, ...], Field(strict=False)] | None = None
    """What your supplier's notice means by major holidays, e.g. ``[spring_festival, national_day]``."""
    days: dict[Days, DayWord] = Field(default_factory=dict)
    """Days that differ, or of years not known yet: ``2027-02-05..2027-02-12: spring_festival``."""
    complete_to: Date | None = None
    """`days` lists every holiday and make-up working day up to here; needed beyond the known years."""
    file: FileName | None = None
    """A calendar file with `source`, `days` and `complete_to`."""
    hot_days: dict[Month, Annotated[tuple[int, ...], Field(strict=False)]] = Field(default_factory=dict)
    """Days of a month on which a weather rule of the tariff held; a month without any is written ``[]``."""
    hot_tag: str | None = None
    """Full path of an outdoor temperature; its daily maximum decides in months `hot_days` does not list."""


@dataclass(frozen=True, slots=True)
class Day:
    """What a calendar says of one day."""

    kind: Literal["workday", "weekend", "holiday"]
    festival: Festival | None = None
    """Which holiday; None on other days and for a holiday of another name."""
    is_major: bool | None = False
    """None: it is a holiday and nobody has said which holidays are major."""


class Calendar:
    """Answers for one plant."""

    def __init__(self, options: CalendarOptions | None = None, extra: CalendarFile | None = None) -> None:
        self.options = options or CalendarOptions()
        self._own: dict[int, DayWord] = {}
        for days in (extra.days if extra else {}, self.options.days):
            self._own |= {ordinal: word for text, word in days.items() for ordinal in days_of(text)}
        ends = [self.options.complete_to, extra.complete_to if extra else None]
        self._complete_to = max((end for end in ends if end is not None), default=None)

    def day(self, on: date) -> Day | None:
        """Return what this day is, None where the year's holidays are not known."""
        match self._own.get(on.toordinal()):
            case None:
                return self._unsaid(on)
            case "workday":
                return Day("workday")
            case "weekend":
                return Day("weekend")
            case "holiday":
                return self._holiday(None)
            case festival:
                return self._holiday(festival)

    def day_type(self, on: date) -> DayType | None:
        """Return what this day is to shifts, None where the year's holidays are not known."""
        day = self.day(on)
        if day is None:
            return None
        return "make_up" if day.kind == "workday" and on.weekday() >= _SATURDAY else day.kind

    def _unsaid(self, on: date) -> Day | None:
        if _FIRST_KNOWN_YEAR <= on.year <= last_known_year():
            is_off, name = chinese_calendar.get_holiday_detail(on)
            if is_off and name is not None:
                return self._holiday(_BY_NAME.get(name))
            return Day("weekend" if is_off else "workday")
        if self._complete_to is not None and last_known_year() < on.year and on <= self._complete_to:
            return Day("weekend" if on.weekday() >= _SATURDAY else "workday")
        return None

    def _holiday(self, festival: Festival | None) -> Day:
        major = self.options.major_holidays
        return Day("holiday", festival, None if major is None else festival in major)


@cache
def last_known_year() -> int:
    """Return the last year whose holidays come with the gateway."""
    return int(max(day.year for day in chinese_calendar.holidays))


_SATURDAY: Final = 5
_FIRST_KNOWN_YEAR: Final = min(day.year for day in chinese_calendar.holidays)
_BY_NAME: Final[dict[str, Festival]] = {
    each.value: each.name for each in chinese_calendar.Holiday if each.name in _FESTIVALS
}
