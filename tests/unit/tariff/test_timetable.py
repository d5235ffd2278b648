"""Bands part every stretch of time: no hole, no overlap, by the wall clock of the tariff's zone."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.tariff_library import shipped_tariff, tariff_names
from gateway.energy.pricing.cost import Energy, cost
from gateway.energy.pricing.timetable import QUARTER_NS, Plan, bands, local_midnight, timetable
from tests.unit.tariff.plans import ENTRY, HALF_HOUR, MAJOR, SHANGHAI, plan

HOUR = 3_600_000_000_000
ZHEJIANG = {"use": "zhejiang-2026", "contract": {"capacity_kva": 500}}
GUANGDONG = {"use": "guangdong-2021", "contract": {"capacity_kva": 500}}
JIANGSU_2020 = {"use": "jiangsu-2020", "from": "2020-01-01"}
PLANS = {
    "jiangsu": plan(),
    "zhejiang": plan(ZHEJIANG),
    "guangdong": plan(GUANGDONG),
    "two": plan(JIANGSU_2020, ENTRY),
}
INSTANTS = st.integers(
    int(datetime(2024, 1, 1, tzinfo=UTC).timestamp()), int(datetime(2027, 6, 1, tzinfo=UTC).timestamp())
)


def at(text: str, zone: ZoneInfo = SHANGHAI) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()) * 10**9


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(sorted(PLANS)),
    start=INSTANTS,
    days=st.integers(1, 400 * 24),
    more=st.integers(1, 3599),
)
def test_bands_part_any_stretch_without_hole_or_overlap(name: str, start: int, days: int, more: int) -> None:
    begin, end = start * 10**9, start * 10**9 + days * HOUR // 24 * 24 + more * 10**9
    spans = bands(PLANS[name], begin, end)
    assert spans[0].start == begin
    assert spans[-1].end == end
    assert all(one.end == two.start for one, two in pairwise(spans))
    assert all(span.start < span.end for span in spans)
    assert all((one.band, one.tariff) != (two.band, two.tariff) for one, two in pairwise(spans))


@settings(max_examples=40, deadline=None)
@given(name=st.sampled_from(sorted(PLANS)), day=st.dates(date(2024, 1, 1), date(2026, 12, 31)))
def test_a_day_is_the_same_alone_and_within_a_longer_stretch(name: str, day: date) -> None:
    start, end = local_midnight(day, SHANGHAI), local_midnight(day + timedelta(days=1), SHANGHAI)
    alone = timetable(PLANS[name], start, end)
    around = timetable(PLANS[name], start - 40 * 24 * HOUR, end + 40 * 24 * HOUR)
    shift = alone.first - around.first
    for i in range(96):
        assert alone.parts(int(alone.cell[i])) == around.parts(int(around.cell[i + shift]))


@settings(max_examples=30, deadline=None)
@given(data=st.data(), day=st.dates(date(2026, 7, 1), date(2026, 9, 20)))
def test_the_sum_over_bands_is_the_total_and_of_lines_the_yuan(data: st.DataObject, day: date) -> None:
    start, end = local_midnight(day, SHANGHAI), local_midnight(day + timedelta(days=3), SHANGHAI)
    times = np.arange(start, end, HALF_HOUR)
    quanta = data.draw(st.lists(st.integers(0, 10**9), min_size=len(times), max_size=len(times)))
    found = cost(timetable(plan(), start, end), Energy(times, HALF_HOUR, np.array(quanta), Decimal("0.001")))
    assert found.kwh == Decimal(sum(quanta)) / 1000
    assert sum(each.kwh for each in found.bands) == found.kwh
    assert sum(line.yuan for line in found.lines) == found.yuan == found.known_yuan
    assert sum(each.yuan for each in found.bands) == found.yuan
    for each in found.bands:
        assert sum(each.parts.values()) == each.yuan
        assert sum(each.shares.values()) == each.kwh


def test_sums_beyond_64_bits_are_exact() -> None:
    start = at("2026-07-01T00:00")
    times = np.arange(start, start + 48 * HALF_HOUR, HALF_HOUR)
    table = timetable(plan(), start, start + 48 * HALF_HOUR)
    found = cost(table, Energy(times, HALF_HOUR, np.full(48, 2**62), Decimal("1e-9")))
    assert found.kwh == Decimal(48 * 2**62).scaleb(-9)


def test_a_band_follows_the_wall_clock_through_summer_time() -> None:
    """China has none; a zone that has shows that hours are the clock's and that no instant is lost."""
    berlin = ZoneInfo("Europe/Berlin")
    terms = plan().terms[0]
    there = replace(terms, tariff=terms.tariff.model_copy(update={"time_zone": "Europe/Berlin"}))
    moved = Plan((there,), plan().calendar)
    for day, hours in ((date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 4, 1), 24)):
        start, end = local_midnight(day, berlin), local_midnight(day + timedelta(days=1), berlin)
        assert (end - start) // HOUR == hours
        table = timetable(moved, start, end)
        assert len(table.cell) == hours * 4
        for i, cell in enumerate(table.cell.tolist()):
            wall = datetime.fromtimestamp((table.first + i) * QUARTER_NS // 10**9, berlin)
            usual = at(f"2026-04-15T{wall:%H:%M}")
            assert table.parts(cell)[2] == bands(plan(), usual, usual + 1)[0].band


def test_an_interval_across_two_bands_is_refused() -> None:
    start = at("2026-07-01T19:00")
    table = timetable(plan(), start, start + HOUR)
    with pytest.raises(ValueError, match="across two bands"):
        cost(table, Energy(np.array([start]), HOUR, np.array([1])))
    whole = at("2026-07-01T16:00")
    assert (
        cost(timetable(plan(), whole, whole + HOUR), Energy(np.array([whole]), HOUR, np.array([1]))).kwh == 1
    )


def test_an_interval_outside_the_timetable_is_refused() -> None:
    start = at("2026-07-01T19:00")
    table = timetable(plan(), start, start + HOUR)
    for wrong in (start - HALF_HOUR, start + HOUR):
        with pytest.raises(ValueError, match="outside"):
            cost(table, Energy(np.array([wrong]), HALF_HOUR, np.array([1])))


def test_energy_below_zero_and_floats_are_refused() -> None:
    start = at("2026-07-01T19:00")
    table = timetable(plan(), start, start + HOUR)
    for wrong in (np.array([-1]), np.array([0.1])):
        with pytest.raises(ValueError, match=r"below zero|whole quanta"):
            cost(table, Energy(np.array([start]), HALF_HOUR, wrong))


def test_time_before_the_first_entry_has_no_band_and_no_price() -> None:
    start = at("2025-05-31T23:00")
    found = bands(plan(), start, start + 2 * HOUR)
    assert [(span.band, span.tariff) for span in found] == [(None, None), ("valley", "jiangsu-2025")]
    times = np.arange(start, start + 2 * HOUR, HALF_HOUR)
    priced = cost(timetable(plan(), start, start + 2 * HOUR), Energy(times, HALF_HOUR, np.ones(4, int)))
    assert priced.yuan is None
    assert [each.code for each in priced.open] == ["E-TF-0001"]


def test_daily_maxima_of_a_tag_decide_where_no_day_is_entered() -> None:
    weather = plan(GUANGDONG)
    start = at("2026-05-20T11:00")
    for celsius, band in (("35", "sharp"), ("34.9", "peak")):
        (span,) = bands(weather, start, start + HOUR, {date(2026, 5, 20): Decimal(celsius)})
        assert span.band == band
    (span,) = bands(weather, start, start + HOUR)
    assert span.band is None


def test_days_entered_win_over_a_tag() -> None:
    weather = plan(GUANGDONG, hot_days={"2026-05": []})
    start = at("2026-05-20T11:00")
    (span,) = bands(weather, start, start + HOUR, {date(2026, 5, 20): Decimal(40)})
    assert span.band == "peak"


@pytest.mark.parametrize("name", tariff_names())
def test_every_day_of_a_shipped_tariff_has_24_hours_of_known_length(name: str) -> None:
    tariff = shipped_tariff(name).tariff
    entry = {"use": name, "class": next(iter(tariff.classes)), "from": f"{tariff.valid_from or '2021-01-01'}"}
    contract = {"capacity_kva": 1000}
    hours: Counter[int] = Counter()
    days = [date(2025, 5, 1) + timedelta(days=i) for i in range(20)] if tariff.valid_to else []
    days = days or [date(2026, 7, 1) + timedelta(days=i) for i in range(184)]
    hot = {f"2026-{month:02}": [] for month in range(1, 13)}
    its = plan(entry | {"contract": contract}, major_holidays=MAJOR, hot_days=hot)
    for day in days:
        start, end = local_midnight(day, SHANGHAI), local_midnight(day + timedelta(days=1), SHANGHAI)
        spans = bands(its, start, end)
        assert all(span.band is not None for span in spans), day
        hours[sum(span.end - span.start for span in spans) // HOUR] += 1
    assert set(hours) == {24}
