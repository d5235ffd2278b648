"""A14: stopped again and again, as by an operator or a service manager."""

import signal
import time

import pytest

from tests.processes import wait_for
from tests.system.rig import DEVICES, SCALE, VALUES, Rig, deliver_the_rest, rig

__all__ = ["rig"]
STOPS = 50 if SCALE >= 1 else 2


@pytest.mark.fault("A14")
@pytest.mark.system
@pytest.mark.server
@pytest.mark.timeout(900)
def test_stopping_delivers_what_is_there_says_goodbye_and_ends_well(rig: Rig, record_measure) -> None:
    longest = 0.0
    for number in range(STOPS):
        with rig.gateway() as gateway:
            # Every fifth before the first value has gone out.
            wait_for(lambda: gateway.log.read_bytes().count(b"gateway running") > number, "the start", 60)  # noqa: B023  now
            if number % 5:
                enough = number % 5 * DEVICES * VALUES
                wait_for(lambda: rig.metric("sink_rows_total") > enough, "rows at the broker", 60)  # noqa: B023  now
            began = time.monotonic()
            assert gateway.end(signal.SIGTERM) == 0, gateway.log.read_text()
            longest = max(longest, time.monotonic() - began)
        rig.copy_store()
    said = rig.broker.log.read_text()
    deliver_the_rest(rig)
    report = rig.verdict()
    assert report.ok, report.json()
    connected = said.count(" as wanglian-g1-platform ")
    goodbyes = said.count("Received DISCONNECT from wanglian-g1-platform")
    # Told to stop before it has heard that it is connected, it says nothing.
    assert STOPS // 2 <= goodbyes <= connected <= goodbyes + -(-STOPS // 5)
    # Each stop lets the broker acknowledge what is under way.
    assert report.doubled == 0
    if SCALE >= 1:
        assert longest <= 10
    record_measure(
        f"{STOPS} stops at 5,000 values a second: the longest {longest:.1f} s, each with exit code 0 and "
        f"DISCONNECT; {report.accepted} accepted, 0 lost, 0 twice"
    )
