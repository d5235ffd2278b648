"""Periods of the plant's own calendar as moments in UTC: quarters, days, months, shifts, billing periods.

Days are those of the plant's zone; one in which clocks change has 23 or 25 hours. The books hold boundaries
on a grid fine enough for all of them: a quarter of an hour, or less where a shift begins at 07:50.
"""

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache, partial
from itertools import pairwise
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from config.calendars import Calendar as Holidays
from config.energy import WEEKDAYS, Billing, EnergyOptions, Shift

MINUTE_NS: Final = 60_000_000_000
QUARTER_NS: Final = 15 * MINUTE_NS
HOUR_NS: Final = 60 * MINUTE_NS
DAY_NS: Final = 24 * HOUR_NS
_RULES: Final = date(1990, 1, 1), date(2050, 1, 1)
"""The days whose beginnings tell one zone database from another."""
Interval = Literal[
    "15min", "60min", "day", "week", "month", "year", "shift", "break", "billing", "batch", "whole"
]


class Span(NamedTuple):
    """A period: first ≤ time < last, ns UTC."""

    first: int
    last: int
    label: str = ""


@dataclass(frozen=True, slots=True)
class Calendar:
    """The plant's zone, shifts and billing: what turns words into moments."""

    zone: ZoneInfo
    shifts: Mapping[str, Shift]
    billing: Billing
    holidays: Holidays | None = None
    """What shifts follow that follow holidays."""

    @property
    def grid(self) -> int:
        """Return the step of the books' boundaries, ns: the longest that meets every shift and break."""
        minutes = 15
        for shift in self.shifts.values():
            minutes = math.gcd(minutes, shift.from_, shift.to)
            for pause in shift.breaks:
                minutes = math.gcd(minutes, pause.from_, pause.to)
        return minutes * MINUTE_NS

    def spans(self, interval: Interval, first: int, last: int) -> list[Span]:
        """Return the intervals that begin within first ≤ time < last, in order, the last one whole.

        `whole` is the period itself. Batches are no matter of the calendar: ValueError.
        """
        if interval in ("15min", "60min"):
            return self._of_length(QUARTER_NS if interval == "15min" else HOUR_NS, first, last)
        if interval in ("shift", "break"):
            found = self._shifts(first, last) if interval == "shift" else self._breaks(first, last)
            return [each for each in found if first <= each.first < last]
        if interval == "whole":
            return [Span(first, last, "")]
        known: dict[str, Callable[[int, int], list[int]]] = {
            "day": self.days,
            "week": self._weeks,
            "month": self._months,
            "year": partial(self._months, length=12),
            "billing": self._bills,
        }
        moments = known.get(interval)
        if moments is None:
            raise ValueError(f"{interval} is no interval of the calendar")
        pairs = pairwise(moments(first, last))
        return [Span(a, b, f"{self.local(a):%Y-%m-%d}") for a, b in pairs if first <= a < last]

    def undecided(self, first: int, last: int) -> list[int]:
        """Return the years in which nobody can say yet on which days the shifts begin."""
        days = [self.local(each).date() for each in self.days(first, last)[:-1]]
        shifts = self.shifts.values()
        return sorted(
            {day.year for day in days if any(self._begins_on(each, day) is None for each in shifts)}
        )

    def days(self, first: int, last: int) -> list[int]:
        """Return local midnights from the last one not after `first` to the first one not before `last`."""
        day, found = self.local(first).date(), []
        while True:
            found.append(self.midnight(day))
            if found[-1] >= last:
                return found
            day += timedelta(days=1)

    def midnight(self, day: date) -> int:
        """Return the first moment of a local day, ns UTC."""
        return self.moment(datetime(day.year, day.month, day.day))  # noqa: DTZ001  the zone is given below

    def moment(self, local: datetime) -> int:
        """Return ns UTC of a local time; of one that comes twice the first, of a skipped one the next."""
        return round(local.replace(tzinfo=self.zone, fold=0).timestamp()) * 1_000_000_000

    def local(self, time: int) -> datetime:
        """Return the plant's local time."""
        return datetime.fromtimestamp(time // 1_000_000_000, self.zone)

    def _of_length(self, step: int, first: int, last: int) -> list[Span]:
        begins = np.arange(-(-first // step) * step, last, step, dtype=np.int64)
        return [Span(a, a + step, self.local(a).isoformat(timespec="minutes")) for a in begins.tolist()]

    def _weeks(self, first: int, last: int) -> list[int]:
        return [
            each
            for each in self.days(first - 7 * DAY_NS, last + 7 * DAY_NS)
            if self.local(each).weekday() == 0
        ]

    def _months(self, first: int, last: int, length: int = 1) -> list[int]:
        at = self.local(first)
        month = (at.year * 12 + at.month - 1) // length * length
        found: list[int] = []
        while not found or found[-1] < last:
            found.append(self.midnight(date(month // 12, month % 12 + 1, 1)))
            month += length
        return found

    def _bills(self, first: int, last: int) -> list[int]:
        at = self.local(first)
        month = at.year * 12 + at.month - 2
        found: list[int] = []
        while not found or found[-1] < last:
            found.append(
                self.moment(datetime(month // 12, month % 12 + 1, self.billing.day, self.billing.hour))  # noqa: DTZ001
            )
            month += 1
        return found

    def _shifts(self, first: int, last: int) -> list[Span]:
        found = []
        day = self.local(first).date() - timedelta(days=1)
        until = self.local(last).date()
        while day <= until:
            for name, shift in self.shifts.items():
                if self._begins_on(shift, day):
                    found.append(Span(*self._clock_span(day, shift.from_, shift.to), f"{day} {name}"))
            day += timedelta(days=1)
        return sorted(found)

    def _begins_on(self, shift: Shift, day: date) -> bool | None:
        is_asked = self.holidays is not None and shift.follows_calendar
        day_type = self.holidays.day_type(day) if is_asked and self.holidays else None
        return shift.begins_on(WEEKDAYS[day.weekday()], day_type)

    def _breaks(self, first: int, last: int) -> list[Span]:
        found = []
        for begun in self._shifts(first - DAY_NS, last):
            day, name = self.local(begun.first).date(), begun.label.partition(" ")[2]
            shift = self.shifts[name]
            for each in shift.breaks:
                begins = day + timedelta(days=each.from_ < shift.from_)
                found.append(Span(*self._clock_span(begins, each.from_, each.to), begun.label))
        return sorted(found)

    def _clock_span(self, day: date, begins: int, ends: int) -> tuple[int, int]:
        last_day = day + timedelta(days=(ends <= begins) + ends // 1440 if ends < 1440 else 1)
        return self._at(day, begins), self._at(last_day, ends % 1440)

    def _at(self, day: date, minutes: int) -> int:
        return self.moment(datetime(day.year, day.month, day.day, minutes // 60, minutes % 60))  # noqa: DTZ001


@cache
def zone_rules(zone: ZoneInfo) -> str:
    """Return a digest of when a zone's days begin: a zone database of another year may say otherwise."""
    first, last = _RULES
    told, known = [], None
    for day in range(first.toordinal(), last.toordinal()):
        offset = datetime.fromordinal(day).replace(tzinfo=zone).utcoffset()
        if offset != known:
            told.append(f"{day} {offset}")
            known = offset
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]


def calendar_of(energy: EnergyOptions, zone: ZoneInfo, holidays: Holidays | None = None) -> Calendar:
    """Return the calendar of a plant; without `holidays` no shift that follows them begins."""
    return Calendar(zone, energy.shifts, energy.billing, holidays)


def month_of(local: datetime) -> int:
    """Return months since year 0, by which a month of days is filed."""
    return local.year * 12 + local.month - 1


def moments_of(spans: list[Span]) -> NDArray[np.int64]:
    """Return every begin and end, ascending, each once."""
    return np.unique(np.array([[each.first, each.last] for each in spans], np.int64))
