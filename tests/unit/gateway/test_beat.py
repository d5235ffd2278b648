"""What looks at things once a second wakes at one moment."""

import pytest

from gateway.beat import until_beat
from tests.conftest import FakeClock

S = 1_000_000_000


@pytest.mark.parametrize("period_s", [1.0, 0.5, 0.05])
@pytest.mark.parametrize("behind", [0, 1, 400_000_000, 999_000_000])
def test_it_is_the_next_whole_period_of_the_monotonic_clock(
    clock: FakeClock, period_s: float, behind: int
) -> None:
    clock.steady = 17 * S + behind
    wait = until_beat(clock, period_s)
    assert period_s * 0.1 < wait <= period_s * 1.1 + 1e-9
    assert (clock.steady + round(wait * 1e9)) % int(period_s * S) == 0


def test_a_timer_that_fires_a_little_early_does_not_make_two_beats_of_one(clock: FakeClock) -> None:
    clock.steady = 18 * S - 900_000
    assert until_beat(clock) == pytest.approx(1.0009)
