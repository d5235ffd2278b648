"""Packets late or lost, connections reset or swallowed: collection and delivery go on, nothing is lost."""

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.network import own_network, rule
from tests.processes import free_port, python, started, wait_for
from tests.system.rig import SCALE, Rig, deliver_the_rest, rig

__all__ = ["rig"]
RESETS = max(2, round(12 * SCALE))


@pytest.fixture(autouse=True)
def network() -> Iterator[None]:
    with own_network():
        yield


def lossy(port: str, direction: str) -> tuple[str, ...]:
    return (
        *("-p", "tcp", f"--{direction}", port, "-m", "statistic"),
        *("--mode", "random", "--probability", "0.05", "-j", "DROP"),
    )


@contextmanager
def far_away(rig: Rig) -> Iterator[str]:
    """Move the broker 150 ms away, for its sink; return the port it is reached at."""
    port = free_port()
    order = ["lab", "proxy", "--to", f"127.0.0.1:{rig.broker.port}", "--listen", str(port)]
    near = rig.plant.read_text()
    plant = json.loads(near)
    plant["sinks"]["platform"]["port"] = port
    rig.plant.write_text(json.dumps(plant))
    with started("proxy", python("-m", "gateway", *order, "--latency", "150ms"), rig.folder) as proxy:
        wait_for(lambda: proxy.said(str(port)), "the proxy")
        yield str(port)
    rig.plant.write_text(near)


@pytest.mark.fault("B4")
@pytest.mark.system
@pytest.mark.server
@pytest.mark.timeout(600)
def test_lost_packets_and_resets_on_a_long_way_cost_no_value(rig: Rig, record_measure) -> None:
    with far_away(rig) as port:
        rows, seconds = lose_and_reset(rig, port)
    deliver_the_rest(rig)
    report = rig.verdict()
    assert report.ok, report.json()
    assert report.latency_ms["p50"] >= 150, "the way was not that long"
    record_measure(
        f"300 ms there and back, 5 % of packets lost and {RESETS} resets in {seconds:.0f} s: "
        f"{rows / seconds:,.0f} rows a second came through; {report.accepted} accepted, 0 lost"
    )


def lose_and_reset(rig: Rig, port: str) -> tuple[float, float]:
    """Let the gateway work on a bad line; return what the broker acknowledged in how many seconds."""
    with rig.gateway() as gateway:
        wait_for(lambda: rig.metric("sink_rows_total") > 5_000, "rows at the broker", 60)
        began, first = time.monotonic(), rig.metric("sink_rows_total")
        with rule(*lossy(port, "dport")), rule(*lossy(port, "sport")):
            for _ in range(RESETS):
                sessions, before = rig.metric("sink_sessions"), rig.metric("sink_rows_total")
                with rule("-p", "tcp", "--dport", port, "-j", "REJECT", "--reject-with", "tcp-reset"):
                    wait_for(lambda: rig.metric("sink_up") == 0, "the reset", 30)
                wait_for(lambda: rig.metric("sink_sessions") > sessions, "a new session", 60)  # noqa: B023
                wait_for(lambda: rig.metric("sink_rows_total") > before + 2_000, "progress", 60)  # noqa: B023
            rows, seconds = rig.metric("sink_rows_total") - first, time.monotonic() - began
        assert gateway.end(signal.SIGTERM) == 0
    return rows, seconds


@pytest.mark.fault("B2")
@pytest.mark.system
@pytest.mark.server
@pytest.mark.timeout(600)
def test_a_broker_whose_packets_are_swallowed_is_given_up_at_the_deadline(rig: Rig, record_measure) -> None:
    port = str(rig.broker.port)
    with rig.gateway() as gateway:
        wait_for(lambda: rig.metric("sink_rows_total") > 5_000, "rows at the broker", 60)
        with (
            rule("-p", "tcp", "--dport", port, "-j", "DROP"),
            rule("-p", "tcp", "--sport", port, "-j", "DROP"),
        ):
            began = time.monotonic()
            wait_for(lambda: rig.metric("sink_up") == 0, "the acknowledgement's deadline", 60)
            found = time.monotonic() - began
            assert found <= 15 or SCALE < 1
        wait_for(lambda: rig.metric("sink_up") == 1, "the broker again", 60)
        assert gateway.end(signal.SIGTERM) == 0
    deliver_the_rest(rig)
    report = rig.verdict()
    assert report.ok, report.json()
    record_measure(f"swallowed: given up after {found:.1f} s; {report.accepted} accepted, 0 lost")
