"""The scan schedule on a clock that only moves when told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.schedule import Schedule

S = 1_000_000_000
NOON = 1_800_000_000 * S


def test_scans_fall_on_whole_multiples_of_the_interval() -> None:
    now = NOON + 300_000_000
    schedule = Schedule([S], now, now)
    assert schedule.next(now) == (0, 0)  # at once: a session begins with a full report
    starts = []
    for _ in range(5):
        assert schedule.answered(0, now + 20_000_000, now + 20_000_000) == 0
        _, wait = schedule.next(now + 20_000_000)
        now += 20_000_000 + wait
        starts.append(now)
    assert starts == [NOON + S * i for i in range(1, 6)]


def test_missed_scans_are_counted_and_not_caught_up() -> None:
    schedule = Schedule([S], NOON, NOON)
    assert schedule.answered(0, NOON + 3 * S + S // 2, NOON + 3 * S + S // 2) == 3
    assert schedule.next(NOON + 3 * S + S // 2) == (0, S // 2)


def test_a_timer_that_fires_early_does_not_scan_twice() -> None:
    schedule = Schedule([S], NOON, NOON)
    schedule.answered(0, NOON + 1000, NOON + 1000)
    assert schedule.answered(0, NOON + S - 400_000, NOON + S - 400_000) == 0
    assert schedule.next(NOON + S) == (0, S)


@pytest.mark.fault("C2")
def test_c2_a_scan_done_before_its_time_under_a_slewed_clock_is_not_made_again() -> None:
    schedule = Schedule([60 * S], NOON, NOON)
    schedule.answered(0, NOON, NOON)
    early = NOON + 60 * S - 60 * S // 2000  # what a slewed clock lacks after a minute
    assert schedule.answered(0, early, early) == 0
    assert schedule.next(early) == (0, NOON + 120 * S - early)


@pytest.mark.fault("C1")
def test_c1_a_clock_set_back_an_hour_stalls_no_longer_than_one_interval() -> None:
    schedule = Schedule([S], NOON, NOON)
    schedule.answered(0, NOON + 1000, NOON + 1000)
    now = NOON - 3600 * S
    _, wait = schedule.next(now)
    assert wait <= S
    schedule.answered(0, now + wait, now + wait)
    assert schedule.next(now + wait)[1] <= S


@pytest.mark.fault("C1")
@pytest.mark.parametrize("back_s", [2, 3600, 7200])
def test_c1_after_the_clock_was_set_back_every_device_has_its_turn_again(back_s: int) -> None:
    schedule, now = Schedule([S, S, 5 * S, S], NOON, NOON), NOON
    for device in range(3):
        schedule.answered(device, now + 1000, now + 1000)
    schedule.silent(3, now + 2 * S, now + 2 * S, 2 * S)
    now -= back_s * S
    turns = [0] * 4
    until = now + 20 * S
    while now < until:
        device, wait = schedule.next(now)
        now += wait + 1_000_000
        turns[device] += 1
        schedule.answered(device, now, now)
    assert min(turns[:2]) >= 17
    assert turns[2] >= 3
    assert turns[3] >= 10


@pytest.mark.fault("C1")
def test_c1_a_clock_set_forward_causes_no_burst() -> None:
    schedule = Schedule([S], NOON, NOON)
    schedule.answered(0, NOON + 1000, NOON + 1000)
    now = NOON + 7200 * S + 5
    assert schedule.next(now) == (0, 0)
    assert schedule.answered(0, now, NOON + 1000) == 0
    assert schedule.next(now) == (0, S - 5)


@pytest.mark.fault("C1")
@pytest.mark.parametrize("by_s", [3600, 80 * 365 * 86_400, -7200, -25 * 365 * 86_400])
def test_c1_scans_fall_out_by_the_steady_clock_whatever_the_wall_clock_is_set_to(by_s: int) -> None:
    schedule, wall, steady = Schedule([S, 5 * S], NOON, 7 * S), NOON, 7 * S
    fell_out = 0
    for turn in range(40):
        if turn == 20:
            wall += by_s * S + 300_000_000
        device, wait = schedule.next(wall)
        wall, steady = wall + wait + 1_000_000, steady + wait + 1_000_000
        fell_out += schedule.answered(device, wall, steady)
    assert fell_out == 0


@pytest.mark.fault("C1")
def test_c1_what_was_late_is_counted_though_the_clock_was_set_back_meanwhile() -> None:
    schedule = Schedule([S], NOON, 0)
    assert schedule.answered(0, NOON - 3600 * S, 3 * S + S // 2) == 3


@pytest.mark.fault("D1")
def test_d1_one_dead_device_of_thirty_costs_the_others_less_than_five_percent() -> None:
    cycle, timeout, hours = 20_000_000, S, 1
    clocks = []
    for dead in (None, 17):
        now, scans = NOON, [0] * 30
        schedule = Schedule([100_000_000] * 30, now, now)  # more than the line can do: it is always busy
        while now < NOON + hours * 3600 * S:
            device, wait = schedule.next(now)
            now += wait
            if device == dead:
                spent = timeout * (1 if schedule.silences(device) else 2)
                now += spent
                schedule.silent(device, now, now, spent)
            else:
                now += cycle
                scans[device] += 1
                schedule.answered(device, now, now)
        clocks.append(min(count for device, count in enumerate(scans) if device != 17))
    assert clocks[1] >= 0.95 * clocks[0]


def test_the_back_off_doubles_up_to_a_minute() -> None:
    schedule = Schedule([S, S], NOON, NOON)
    now, gaps = NOON, []
    for _ in range(9):
        schedule.silent(0, now, now, S)
        due = schedule._due[0]
        gaps.append((due - now) // S)
        now = due
    assert gaps == [min(1 << i, 60) for i in range(1, 10)]


def test_an_answer_ends_the_back_off() -> None:
    schedule = Schedule([S], NOON, NOON)
    schedule.silent(0, NOON, NOON, S)
    assert schedule.all_silent()
    schedule.answered(0, NOON + 10 * S, NOON + 10 * S)
    assert not schedule.all_silent()
    assert schedule.next(NOON + 10 * S) == (0, S)


@given(
    st.lists(st.sampled_from([10_000_000, 50_000_000, S, 15 * S]), min_size=1, max_size=6),
    st.lists(st.integers(1_000_000, 400_000_000), min_size=200, max_size=200),
)
def test_no_device_is_starved_however_slow_the_line(intervals: list[int], costs: list[int]) -> None:
    schedule, now = Schedule(intervals, NOON, NOON), NOON
    last = [NOON] * len(intervals)
    for cost in costs:
        device, wait = schedule.next(now)
        now += wait + cost
        schedule.answered(device, now, now)
        last[device] = now
    assert all(
        now - at <= (1 + 4) * interval + (len(intervals) + 1) * 400_000_000
        for at, interval in zip(last, intervals, strict=True)
    )


def shares(intervals: list[int], cost: int, seconds: int) -> list[float]:
    """Return which share of its scans each device got, all answering, each scan taking so long."""
    now, until = NOON, NOON + seconds * S
    schedule, turns = Schedule(intervals, now, now), [0] * len(intervals)
    while now < until:
        device, wait = schedule.next(now)
        now += wait + cost
        turns[device] += 1
        schedule.answered(device, now, now)
    return [turn * interval / (seconds * S) for turn, interval in zip(turns, intervals, strict=True)]


def test_on_an_overloaded_line_the_fast_devices_keep_their_rate_and_the_slow_ones_share_the_rest() -> None:
    """Two a second and thirty every ten seconds ask for 5 scans of 0.25 s a second: 4 can be had."""
    found = shares([S] * 2 + [10 * S] * 30, S // 4, 600)
    assert min(found[:2]) > 0.98
    assert min(found[2:]) > 0.6
    assert max(found[2:]) < 0.75
    assert max(found[2:]) - min(found[2:]) < 0.02


def test_where_the_fast_ones_alone_are_too_much_the_slow_ones_still_have_a_turn_in_four_intervals() -> None:
    found = shares([S] * 8 + [10 * S] * 4, S // 4, 600)
    assert min(found[8:]) > 0.2
    assert max(found[:8]) - min(found[:8]) < 0.05


def test_a_line_that_can_do_it_does_all_of_it_however_the_intervals_differ() -> None:
    found = shares([S] * 2 + [10 * S] * 15 + [60 * S] * 20, S // 4, 600)
    assert min(found) > 0.98
