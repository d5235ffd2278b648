"""Completeness, agreement of days and month, and the rates with their lists."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.energy.carbon.networking import (
    Device,
    Item,
    collection_rate,
    networking_rate,
    numerical_control_rate,
)
from gateway.energy.carbon.quality import (
    agreement,
    completeness,
    completeness_of_each,
    interval_code,
    is_in_time,
    presence,
    rules,
)
from gateway.energy.carbon.refused import Refused

MINUTE = 60_000_000_000
DAY = 1440 * MINUTE


@pytest.mark.parametrize(("minutes", "slots"), [(15, 96), (30, 48), (60, 24)])
def test_a_day_has_its_intervals_and_each_needs_one_point(minutes: int, slots: int) -> None:
    code = interval_code(minutes)
    times = np.arange(0, DAY, minutes * MINUTE, dtype=np.int64)
    assert presence(times, 0, DAY, code).size == slots
    assert presence(times, 0, DAY, code).all()
    assert presence(times + minutes * MINUTE - 1, 0, DAY, code).all()
    late = presence(np.array([minutes * MINUTE], dtype=np.int64), 0, DAY, code)
    assert late.tolist() == [False, True] + [False] * (slots - 2)


def test_points_outside_the_period_and_a_second_one_in_an_interval_add_nothing() -> None:
    times = np.array([-1, DAY, 5 * MINUTE, 6 * MINUTE], dtype=np.int64)
    assert completeness(presence(times, 0, DAY)).present == 1


def test_an_interval_cut_short_counts_as_one() -> None:
    found = presence(np.array([16 * MINUTE], dtype=np.int64), 0, 20 * MINUTE)
    assert found.tolist() == [False, True]
    assert presence(np.array([], dtype=np.int64), 5, 5).size == 0


def test_ninety_percent_is_enough_and_less_is_not() -> None:
    present = np.ones(100, dtype=np.bool_)
    present[:10] = False
    found = completeness(present)
    assert (found.present, found.expected, found.exact) == (90, 100, Fraction(9, 10))
    assert found.is_enough is True
    present[10] = False
    assert completeness(present).is_enough is False
    assert found.rule.source.startswith("sanyawang.net")
    nothing = completeness(np.zeros(0, dtype=np.bool_))
    assert (nothing.exact, nothing.is_enough) == (None, None)


@given(st.lists(st.lists(st.booleans(), min_size=4, max_size=4), min_size=1, max_size=10))
def test_a_table_of_meters_is_judged_like_each_of_them(rows: list[list[bool]]) -> None:
    table = np.array(rows, dtype=np.bool_)
    assert completeness_of_each(table) == [completeness(row) for row in table]


@pytest.mark.parametrize(
    ("days", "month", "deviation", "is_enough"),
    [
        ("95", "100", Fraction(1, 20), True),
        ("105", "100", Fraction(1, 20), True),
        ("94.999", "100", Fraction(5001, 100000), False),
        ("0", "0", Fraction(0), True),
        ("1", "0", None, False),
    ],
)
def test_days_and_month_may_differ_by_five_percent(
    days: str, month: str, deviation: Fraction | None, is_enough: bool
) -> None:
    found = agreement(Decimal(days), Decimal(month))
    assert (found.deviation, found.is_enough) == (deviation, is_enough)


def test_a_days_value_is_in_time_within_a_minute() -> None:
    assert is_in_time(DAY + MINUTE, DAY)
    assert is_in_time(DAY - MINUTE, DAY)
    assert not is_in_time(DAY + MINUTE + 1, DAY)


def test_an_interval_nobody_allows_is_refused() -> None:
    with pytest.raises(Refused) as error:
        interval_code(20)
    assert error.value.code == "E-FA-0011"
    assert all(rule.source for rule in rules().values())


def test_the_networking_rate_counts_production_devices_and_says_why_not() -> None:
    devices = [
        Device("press_1", is_production=True, is_connected=True, is_collected=True),
        Device("press_2", is_production=True, is_connected=True, is_collected=False),
        Device("press_3", is_production=True, is_connected=False, is_collected=False),
        Device("office", is_production=False, is_connected=True, is_collected=True),
    ]
    rate = networking_rate(devices)
    assert (rate.numerator, rate.denominator, f"{rate.percent}") == (1, 3, "33.33")
    told = rate.as_dict("zh")
    assert [(each["name"], each["counts"], each["reason"]) for each in told["items"]] == [
        ("press_1", True, ""),
        ("press_2", False, "已联网、未采到数据"),
        ("press_3", False, "未联网"),
    ]
    assert "本软件定义" in told["definition"]
    assert "our definition" in rate.as_dict("en")["definition"]


def test_rates_of_points_and_processes_and_of_nothing() -> None:
    points = [Item("a", counts=True), Item("b", counts=True), Item("c", counts=False)]
    assert f"{collection_rate(points).percent}" == "66.67"
    assert f"{numerical_control_rate(points[:2]).percent}" == "100.00"
    assert collection_rate([]).percent is None
    assert collection_rate([]).as_dict("en")["percent"] is None
