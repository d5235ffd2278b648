"""How late the event loop is, in the metrics."""

import pytest

from gateway.lateness import Lateness
from gateway.ledger.absence import _LOOK_S, look_for_absence
from gateway.pipeline import ClockWatch
from tests.conftest import FakeClock


async def test_the_loop_is_as_late_as_it_comes_behind_what_was_due(clock: FakeClock) -> None:
    lateness = Lateness()
    assert lateness.gauges() == {"late_p99_seconds": 0.0, "late_most_seconds": 0.0}
    held_up_s = iter([0.7] * 80 + [0.0] * 100 + [0.05] * 17 + [0.3] * 2 + [1.0])

    async def sleep(seconds: float) -> None:
        clock.move(seconds + next(held_up_s))

    with pytest.raises(RuntimeError, match="StopIteration"):
        await look_for_absence(ClockWatch(clock), lambda *_: None, lateness, sleep)
    gauges = lateness.gauges()
    assert gauges["late_p99_seconds"] == pytest.approx(0.3, abs=1e-6)
    assert gauges["late_most_seconds"] == pytest.approx(1.0, abs=1e-6)


async def test_it_is_that_of_the_last_minute() -> None:
    lateness = Lateness()
    lateness.note(5.0)
    for _ in range(round(60 / _LOOK_S)):
        lateness.note(-0.001)
    assert lateness.gauges()["late_most_seconds"] == 0.0
