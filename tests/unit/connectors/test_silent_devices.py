"""Silent devices of one line: whose turn it is, and what it may cost, on a clock moved by hand."""

from itertools import pairwise

import pytest

from connectors.schedule import Schedule

S = 1_000_000_000
NOON = 1_800_000_000 * S
COST = 20_000_000


class Line:
    """Devices of which some are silent; each scan is noted."""

    def __init__(self, devices: int, dead: set[int], trusted: tuple[bool, ...] = (), scan: int = S) -> None:
        self.dead = dead
        self.now = NOON
        self.schedule = Schedule([scan] * devices, NOON, NOON, trusted)
        self.tried: list[tuple[int, int]] = []

    def run(self, seconds: int) -> list[tuple[int, int]]:
        """Go on for so long; return who was scanned when."""
        until, since = self.now + seconds * S, len(self.tried)
        while self.now < until:
            device, wait = self.schedule.next(self.now)
            self.now += wait
            self.tried.append((device, self.now))
            if device in self.dead:
                spent = S if self.schedule.is_in_doubt(device) or self.schedule.silences(device) else 2 * S
                self.now += spent
                self.schedule.silent(device, self.now, self.now, spent)
            else:
                self.now += COST
                self.schedule.answered(device, self.now, self.now)
        return self.tried[since:]

    def pauses(self, tried: list[tuple[int, int]], device: int) -> list[int]:
        """Return the seconds between a device's scans."""
        times = [at for each, at in tried if each == device]
        return [round((then - at) / S) for at, then in pairwise(times)]


@pytest.mark.fault("D1")
def test_d1_when_a_segment_is_cut_off_the_others_are_scanned_between_the_tries_of_the_lost() -> None:
    line = Line(30, set())
    line.run(60)
    line.dead = set(range(2, 27))
    tried = line.run(120)
    assert {device for device, _ in tried} == set(range(30))
    for living in (0, 1, 27, 28, 29):
        # Two fall silent with two requests each, then nobody is trusted until heard again.
        assert max(line.pauses(tried, living)) <= 6
        assert len(line.pauses(tried[len(tried) // 2 :], living)) > 40


@pytest.mark.fault("D1")
def test_d1_a_device_that_misses_one_scan_does_not_queue_with_those_long_silent() -> None:
    line = Line(30, set(range(5, 30)))
    line.run(300)
    line.dead.add(3)
    while line.tried[-1][0] != 3:
        line.run(1)
    line.dead.remove(3)
    fell_silent, tried = line.now, line.run(10)
    assert min(at for device, at in tried if device == 3) - fell_silent <= 4 * S


@pytest.mark.fault("D1")
def test_d1_a_new_session_begins_with_those_that_answered_in_the_last() -> None:
    line = Line(30, set(range(25)))
    line.run(120)
    trusted = tuple(line.schedule.trusted())
    assert trusted == (False,) * 25 + (True,) * 5
    again = Line(30, set(range(25)), trusted)
    again.run(1)
    assert [device for device, _ in again.tried[:5]] == [25, 26, 27, 28, 29]


@pytest.mark.fault("D1")
def test_d1_a_line_with_pauses_longer_than_a_try_notices_within_a_minute_who_is_back() -> None:
    line = Line(30, set(range(5, 30)), scan=60 * S)
    line.run(600)
    tried = line.run(600)
    for dead in range(5, 30):
        assert max(line.pauses(tried, dead)) <= 61
    for living in range(5):
        assert set(line.pauses(tried, living)) == {60}


@pytest.mark.fault("D1")
def test_d1_silent_devices_of_slow_and_fast_scans_have_the_same_turns() -> None:
    schedule, now = Schedule([S] * 5 + [S] * 10 + [60 * S] * 5, NOON, NOON), NOON
    tries = [0] * 20
    while now < NOON + 3600 * S:
        device, wait = schedule.next(now)
        now += wait + (COST if device < 5 else S)
        tries[device] += 1
        if device < 5:
            schedule.answered(device, now, now)
        else:
            schedule.silent(device, now, now, S)
    assert min(tries[15:]) > 0.8 * max(tries[5:15])
    assert min(tries[5:15]) > 0.8 * max(tries[15:])
    assert min(tries[:5]) > 0.95 * 3600


@pytest.mark.fault("C1")
@pytest.mark.parametrize("by_s", [-7200, -30, 7200])
def test_c1_whatever_the_clock_is_set_to_no_silent_device_waits_longer_than_before(by_s: int) -> None:
    line = Line(30, set(range(5, 30)))
    line.run(300)
    line.now += by_s * S
    tried = line.run(60)
    assert sum(device >= 5 for device, _ in tried) in range(5, 25)
    assert min(sum(device == living for device, _ in tried) for living in range(5)) >= 45


def test_at_a_start_the_device_asked_most_often_is_tried_first() -> None:
    schedule = Schedule([S] * 10 + [S // 10], NOON, NOON)
    assert schedule.next(NOON) == (10, 0)
