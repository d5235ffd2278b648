"""How late the event loop is, in the metrics."""

import pytest

from gateway.lateness import Lateness
from tests.conftest import FakeClock


async def test_the_loop_is_as_late_as_it_comes_behind_what_was_due() -> None:
    clock = FakeClock()
    lateness = Lateness(clock)
    assert lateness.gauges() == {"late_p99_seconds": 0.0, "late_most_seconds": 0.0}
    held_up_s = iter([0.0] * 250 + [0.05] * 45 + [0.3] * 2 + [1.0])

    async def sleep(seconds: float) -> None:
        clock.move(seconds + next(held_up_s))

    with pytest.raises(RuntimeError, match="StopIteration"):
        await lateness.keep(sleep)
    gauges = lateness.gauges()
    assert gauges["late_p99_seconds"] == pytest.approx(0.3, abs=1e-6)
    assert gauges["late_most_seconds"] == pytest.approx(1.0, abs=1e-6)
