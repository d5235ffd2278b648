"""How hot each local day was, from the history of an outdoor temperature: for rules that ask for it."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from gateway.energy.pricing.timetable import Maxima, local_midnight
from gateway.history import Reader

_CELSIUS: Final = "CEL"
_PART_NS: Final = 3 * 3_600_000_000_000
"""A day is known when every so long part of it has a usable value."""
_POINT_NS: Final = 900_000_000_000


def maxima_of(history: Path, tag: str, zone: ZoneInfo) -> Callable[[int, int], Maxima]:
    """Return what tells the highest temperature of each local day of a period, ns UTC.

    Only of days that are known from end to end; a tag in another unit than °C tells nothing.
    """
    reader = Reader(history)

    def maxima(start: int, end: int) -> Maxima:
        numbers = [n for n, each in reader.tags().items() if each.path == tag and each.unit == _CELSIUS]
        found: dict[date, Decimal] = {}
        day = datetime.fromtimestamp(start // 1_000_000_000, zone).date()
        first = local_midnight(day, zone)
        if not numbers:
            return found
        trends = reader.trend_now(numbers, first, end + 8 * _PART_NS, (end - first) // _POINT_NS + 96)
        usable = [trend.good > 0 for trend in trends]
        time = np.concatenate([trend.time[each] for trend, each in zip(trends, usable, strict=True)])
        high = np.concatenate([trend.high[each] for trend, each in zip(trends, usable, strict=True)])
        while first < end:
            last = local_midnight(day + timedelta(days=1), zone)
            within = (time >= first) & (time < last)
            parts = np.unique((time[within] - first) // _PART_NS)
            if len(parts) >= -(-(last - first) // _PART_NS):
                found[day] = Decimal(repr(float(high[within].max())))
            day, first = day + timedelta(days=1), last
        return found

    return maxima
