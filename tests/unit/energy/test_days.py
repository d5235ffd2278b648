"""Days on which clocks change, in any zone and year: every quarter of an hour once, and the day their sum."""

import importlib.resources
import os
import tempfile
import zoneinfo
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.energy.periods import DAY_NS, HOUR_NS, QUARTER_NS
from tests.unit.energy.lab import SECOND, Lab, plant_of

pytestmark = pytest.mark.timeout(900)
KWH = 100_000
SCALE = float(os.environ.get("WL_SCALE", "0.1"))
ZONES = (
    "Asia/Shanghai", "Europe/Berlin", "America/New_York", "America/Santiago", "America/Havana",
    "Australia/Lord_Howe", "Asia/Tehran", "Asia/Beirut", "Africa/Casablanca", "Asia/Kathmandu",
    "Pacific/Apia",
)  # fmt: skip


def changes(zone: str, year: int) -> list[date]:
    """Return the days of a year that have not 24 hours."""
    where = ZoneInfo(zone)
    first = date(year, 1, 1)
    days = [first + timedelta(days=i) for i in range(366)]
    begins = [
        datetime(each.year, each.month, each.day, tzinfo=where).timestamp()
        for each in (*days, days[-1] + timedelta(days=1))
    ]
    return [day for day, a, b in zip(days, begins, begins[1:], strict=False) if b - a != DAY_NS / 1e9]


@pytest.fixture(scope="module")
def tally() -> dict[int, int]:
    """Count days by their hours."""
    return {}


@pytest.mark.fault("C3", "E7")
@settings(
    max_examples=max(20, int(300 * SCALE)), deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(st.sampled_from(ZONES), st.integers(1990, 2037), st.randoms(use_true_random=False))
def test_a_day_is_the_sum_of_its_quarters_whatever_clocks_do(
    record_measure, tally: dict[int, int], zone: str, year: int, random: Random
) -> None:
    """C3: a day of 23 or 25 hours has each of its quarters once, and their sum is its energy, exactly."""
    chosen = random.choice([*changes(zone, year), date(year, 1, 2) + timedelta(days=random.randrange(360))])
    check(zone, chosen, random, tally)
    days_of = ", ".join(f"{count} of {hours} h" for hours, count in sorted(tally.items()))
    record_measure(f"days added up exactly: {days_of}", so_far=True)


@pytest.mark.parametrize("day", [date(2011, 12, 29), date(2011, 12, 30), date(2011, 12, 31)])
def test_samoa_left_out_a_day_and_the_days_around_it_add_up(day: date, tally: dict[int, int]) -> None:
    check("Pacific/Apia", day, Random(7), tally)


@pytest.mark.fault("C3")
def test_the_second_a_leap_second_repeats_is_counted_once(tmp_path: Path, record_measure) -> None:
    """POSIX time has 23:59:59 twice then: what was read in the second one lies behind the first."""
    lab = Lab(tmp_path, plant_of({"meters": {"m": {}}}, zone="UTC"), now="2018-01-01")
    midnight = lab.at("2017-01-01T00:00:00")
    first, last = midnight - QUARTER_NS, midnight + QUARTER_NS
    seconds = [*range(first, midnight, SECOND), midnight - SECOND, *range(midnight, last + 1, SECOND)]
    shown = list(range(len(seconds)))  # a kWh in every second that passes
    lab.book(lab.delivery("m", seconds, shown))
    parts = lab.query.energy("m", "15min", first, last).figures
    assert [each.span.first for each in parts] == [first, midnight]
    assert [(each.quanta or 0) // KWH for each in parts] == [901, 900]
    assert lab.query.energy("m", "whole", first, last).total.quanta == 1_801 * KWH
    lab.ledger.close()
    record_measure("a leap second: two quarters of 901 and 900 s, their sum exact")


@pytest.fixture
def rules(tmp_path: Path) -> Iterator[Callable[[str, str], None]]:
    """Let a zone have another's rules until told otherwise, as in a zone database of another year."""
    known = zoneinfo.TZPATH

    def have(zone: str, of: str) -> None:
        copy = tmp_path / "zones" / zone
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes((importlib.resources.files("tzdata") / "zoneinfo" / of).read_bytes())
        zoneinfo.reset_tzpath([copy.parents[1], *known])
        ZoneInfo.clear_cache()

    yield have
    zoneinfo.reset_tzpath(known)
    ZoneInfo.clear_cache()


@pytest.mark.fault("C3")
def test_days_booked_under_another_year_s_rules_of_a_zone_add_up_under_today_s(
    tmp_path: Path, rules: Callable[[str, str], None], record_measure
) -> None:
    """Turkey stayed at summer time in 2016, and said so late; until then its rules were Greece's."""
    zone = "Europe/Istanbul"
    plant = plant_of({"meters": {"m": {}}}, zone=zone)
    rules(zone, "Europe/Athens")
    before = Lab(tmp_path, plant, now="2018-01-01")
    days = [before.calendar.midnight(date(2016, 10, 28) + timedelta(days=n)) for n in range(6)]
    assert [(b - a) // HOUR_NS for a, b in pairwise(days)] == [24, 24, 25, 24, 24]
    times = list(range(days[0] - 2 * HOUR_NS, days[-1] + 2 * HOUR_NS, 60 * SECOND))
    shown = np.cumsum(np.random.default_rng(3).integers(0, 50, len(times)))
    before.book(before.delivery("m", times, shown))
    quarters = quarters_of(before, days[0], days[-1])
    before.ledger.close()

    rules(zone, zone)
    after = Lab(tmp_path, plant, now="2018-01-01")
    assert quarters_of(after, days[0], days[-1]) == quarters
    by_time = dict(zip(times, shown.tolist(), strict=True))
    midnights = [after.calendar.midnight(date(2016, 10, 29) + timedelta(days=n)) for n in range(5)]
    for begin, end in pairwise(midnights):
        assert end - begin == DAY_NS
        (day,) = after.query.energy("m", "day", begin, end).figures
        parts = quarters_of(after, begin, end)
        assert day.quanta == sum(parts.values()) == (by_time[end] - by_time[begin]) * KWH
    after.ledger.close()
    record_measure("zone rules of another year: no quarter changed, four days their sum under the new ones")


def quarters_of(lab: Lab, first: int, last: int) -> dict[int, int]:
    """Return the energy of every quarter of an hour by its beginning."""
    figures = lab.query.energy("m", "15min", first, last).figures
    return {each.span.first: each.quanta or 0 for each in figures}


def check(zone: str, chosen: date, random: Random, tally: dict[int, int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(Path(folder), plant_of({"meters": {"m": {"maximum": 600}}}, zone=zone), now="2038-01-01")
        first, last = (lab.calendar.midnight(chosen + timedelta(days=n)) for n in (-1, 2))
        # Read at every midnight, and whenever it happens to be between.
        between = np.cumsum([random.randint(60, 1_800) * 1_000_000_000 for _ in range(120)]) + first
        times = np.unique([*between[between < last].tolist(), *lab.calendar.days(first, last)])
        shown = np.cumsum([random.randint(0, 500) for _ in times])
        lab.book(lab.delivery("m", times, shown / 100))
        by_time = dict(zip(times.tolist(), shown.tolist(), strict=True))

        days = lab.query.energy("m", "day", first, last)
        assert [day.span.first for day in days.figures][1:] == [day.span.last for day in days.figures][:-1]
        for day in days.figures:
            begin, end = day.span.first, day.span.last
            if begin == end:  # Samoa's 30 December 2011 never was
                assert not day.quanta
                continue
            tally[(end - begin) // HOUR_NS] = tally.get((end - begin) // HOUR_NS, 0) + 1
            assert day.quanta == (by_time[end] - by_time[begin]) * 1_000
            assert (begin, end) == tuple(
                lab.calendar.midnight(lab.calendar.local(at).date()) for at in (begin, end)
            )
            for interval, step in (("15min", QUARTER_NS), ("60min", HOUR_NS)):
                parts = lab.query.energy("m", interval, begin, end).figures
                if begin % step or end % step:
                    continue
                assert [each.span.first for each in parts] == list(range(begin, end, step))
                assert sum(each.quanta or 0 for each in parts) == day.quanta
                assert len({each.span.label for each in parts}) == len(parts)
        whole = lab.query.energy("m", "whole", first, last)
        assert whole.total.quanta == days.total.quanta == sum(day.quanta or 0 for day in days.figures)
        assert all(day.covered <= Fraction(1) for day in days.figures)
        lab.ledger.close()
