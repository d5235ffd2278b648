"""Killed at any instant, its broker away: what was accepted arrives, once, in order, right."""

import random
import signal
import time
from itertools import pairwise

import pytest

from tests.benchmarks.harness import cpu_s
from tests.processes import wait_for
from tests.system.rig import SCALE, Rig, deliver_the_rest, rig
from tests.verify.recovery import recovery, runs, until_live

__all__ = ["rig"]
SAVED_S = 2.0
"""A cursor is saved once a second; as much again for a busy machine."""
ONE_NEXT = 1_000
KILLS = 100 if SCALE >= 1 else max(2, round(20 * SCALE))
AWAY_S = max(8.0, 30 * SCALE)  # beyond the 5 s after which what waits is history


@pytest.mark.fault("A1")
@pytest.mark.system
@pytest.mark.server
@pytest.mark.timeout(900)
def test_kill_9_at_random_instants_loses_nothing_and_tells_nothing_wrong(rig: Rig, record_measure) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    starts, used = [], []
    for _ in range(KILLS):
        enough = chance.uniform(500, 20_000)
        starts.append(time.time_ns())
        with rig.gateway() as gateway:
            wait_for(lambda: rig.metric("sink_rows_total") > 0, "the first rows", 60)
            used.append(cpu_s(gateway))
            wait_for(lambda: rig.metric("store_rows_total") > enough, "a while of work", 60)  # noqa: B023  now
            gateway.end(signal.SIGKILL)
        rig.copy_store()
    starts.append(time.time_ns())
    deliver_the_rest(rig)
    report = rig.verdict()
    print(report.markdown())
    assert report.ok, report.json()
    assert report.accepted > KILLS * 500
    # What comes twice after a start is what went out since the cursor was saved, and one write.
    seen = runs(rig.folder / "received.bin", starts, SAVED_S)
    print(*seen, sep="\n")
    assert sum(each.doubled for each in seen) == report.doubled
    for before, after in pairwise(seen):
        assert after.doubled <= before.unsaved + ONE_NEXT
    back = sorted(until_live(rig.folder / "received.bin", starts[:-1]))
    assert len(back) >= KILLS - 1, "the last may have been killed before"
    print("live again after", [round(each, 1) for each in back], "s with", sorted(used), "s of a core")
    # Of a processor's time, whoever else wants the machine; by the clock it is in `make bench`.
    assert max(used) <= 5
    median = back[len(back) // 2]
    assert median <= 5 or SCALE < 1
    counted = (
        f"{report.accepted} accepted, 0 lost, {report.doubled} twice, "
        f"{max(each.doubled for each in seen)} after one kill at most, live {median:.1f} s after the start, "
        f"{max(used):.1f} s of a core at most until the first rows"
    )
    record_measure(f"{KILLS} kills at 5,000 values a second: {counted}")


@pytest.mark.fault("B1")
@pytest.mark.system
@pytest.mark.server
@pytest.mark.timeout(900)
def test_a_broker_that_is_away_gets_everything_when_it_is_back_and_live_values_first(
    rig: Rig, record_measure
) -> None:
    with rig.gateway() as gateway:
        wait_for(lambda: rig.metric("sink_rows_total") > 5_000, "rows at the broker", 60)
        rig.broker.stop()
        wait_for(
            lambda: rig.metric("sink_backlog_rows") >= AWAY_S * 5_000, "an outage's backlog", AWAY_S + 30
        )
        rig.broker.start()
        back = time.time_ns()
        wait_for(lambda: rig.metric("sink_up") == 1, "the connection to the broker", 90)
        wait_for(lambda: rig.metric("sink_backlog_rows") < 5_000, "the end of the backlog", 60)
        delivered = rig.metric("sink_rows_total")
        wait_for(lambda: rig.metric("sink_rows_total") > delivered + 5_000, "live rows after it", 60)
        assert gateway.end(signal.SIGTERM) == 0
    deliver_the_rest(rig)
    found = recovery(rig.folder / "received.bin", back)
    print(found.text())
    assert found.backlog >= AWAY_S * 5_000
    assert found.live_after_s <= 10
    assert found.drain_per_s >= 10 * 5_000
    assert found.live_lag_max_s < 2 or SCALE < 1
    report = rig.verdict()
    print(report.markdown())
    assert report.ok, report.json()
    # A stop lies between the two runs: an answer then may have met a gateway that no longer read.
    assert max(report.gaps.values()) <= 1, report.gaps
    assert not any(report.gaps.values()), report.gaps
    record_measure(
        f"away {AWAY_S:.0f} s at 5,000 values a second: {report.accepted} accepted, 0 lost; {found.text()}"
    )
