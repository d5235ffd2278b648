"""Periods as people ask for them: a year, a month, a day, or from and to, on the plant's own calendar."""

import re
from datetime import date, timedelta
from typing import Final, Literal

from gateway.energy.bookkeeping.manual import Refused as NoMoment
from gateway.energy.bookkeeping.manual import moment
from gateway.energy.periods import DAY_NS, Calendar, Span
from gateway.reports.refused import Refused

ReportInterval = Literal["15min", "60min", "day", "week", "month", "shift", "billing"]
_FORMS: Final = {
    "year": re.compile(r"(\d{4})$"),
    "month": re.compile(r"(\d{4})-(\d{2})$"),
    "day": re.compile(r"(\d{4})-(\d{2})-(\d{2})$"),
}
LONGEST_DAYS: Final = 3_700
_LONG: Final = 62 * DAY_NS
_SHORT: Final = 2 * DAY_NS


def period_of(calendar: Calendar, text: str) -> Span:
    """Return the period of ``2026``, ``2026-10``, ``2026-10-03`` or ``from..to``.

    Days, months and years are whole, the last one included; an end with a clock time is no longer in it.

    Raises:
        Refused: E-RP-0001, it is no period; E-RP-0002, it does not lie on the books' boundaries; E-RP-0015,
            it is longer than any books.
    """
    first, is_range, last = text.partition("..")
    try:
        begin = _edges(calendar, first)[0]
        end = _edges(calendar, last if is_range else first)[1]
    except (ValueError, OverflowError, NoMoment):
        raise Refused("E-RP-0001", period=text) from None
    if begin >= end or (not is_range and "T" in first):
        raise Refused("E-RP-0001", period=text)
    if end - begin > LONGEST_DAYS * DAY_NS:
        raise Refused("E-RP-0015", days=LONGEST_DAYS)
    if begin % calendar.grid or end % calendar.grid:
        raise Refused("E-RP-0002", minutes=calendar.grid // 60_000_000_000)
    return Span(begin, end, text)


def _edges(calendar: Calendar, text: str) -> tuple[int, int]:
    """Return the first moment of what is named, and the first one behind it."""
    text = text.strip()
    for kind, form in _FORMS.items():
        found = form.match(text)
        if found is None:
            continue
        year, month, day = (*map(int, found.groups()), 1, 1)[:3]
        begin = date(year, month, day)
        if kind == "day":
            end = begin + timedelta(days=1)
        elif kind == "month":
            end = date(year + month // 12, month % 12 + 1, 1)
        else:
            end = date(year + 1, 1, 1)
        return calendar.midnight(begin), calendar.midnight(end)
    at = moment(calendar, text)
    return at, at


def interval_of(span: Span) -> ReportInterval:
    """Return how a period is cut where nothing is said: a day in hours, a month in days, a year in months."""
    length = span.last - span.first
    if length <= _SHORT:
        return "60min"
    return "day" if length <= _LONG else "month"
