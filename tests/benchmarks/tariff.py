"""What pricing costs: a month of half-hours of 200 meters, and a year of bands for a chart."""

import time
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np

from config.calendars import Calendar, CalendarOptions
from config.supply import Supply
from config.tariff_library import terms_of
from gateway.energy.pricing.cost import Energy, costs
from gateway.energy.pricing.timetable import Plan, bands, local_midnight, timetable

ENTRY = {
    "use": "jiangsu-2025",
    "class": "two_part",
    "contract": {"capacity_kva": 1000, "charge": "capacity"},
    "standing": {"purchase": 0.4, "losses": 0.02, "transmission": 0.13, "system": 0.03, "funds": 0.03},
}
ZONE = ZoneInfo("Asia/Shanghai")
METERS = 200
HALF_HOUR = 1_800_000_000_000


def best_ms(call: Callable[[], object]) -> float:
    found = []
    for _ in range(7):
        began = time.perf_counter()
        call()
        found.append((time.perf_counter() - began) * 1e3)
    return min(found)


def table() -> list[list[str]]:
    """Return rows of what and milliseconds."""
    supply = Supply.model_validate(ENTRY, by_alias=True, by_name=False)
    plan = Plan(terms_of([supply]), Calendar(CalendarOptions(major_holidays=("national_day",))))
    start, end, year = (local_midnight(date(*day, 1), ZONE) for day in ((2026, 7), (2026, 8), (2025, 8)))
    times = np.arange(start, end, HALF_HOUR)
    load = np.random.default_rng(1).integers(0, 5_000, (METERS, len(times)))
    energy = Energy(times, HALF_HOUR, load, Decimal("0.01"))
    month = timetable(plan, start, end)
    return [
        [
            f"a month of half-hours of {METERS} meters, priced",
            f"{best_ms(lambda: costs(month, energy)):.0f} ms",
        ],
        ["the same month's timetable", f"{best_ms(lambda: timetable(plan, start, end)):.1f} ms"],
        ["a year of bands for a chart", f"{best_ms(lambda: bands(plan, year, end)):.0f} ms"],
    ]
