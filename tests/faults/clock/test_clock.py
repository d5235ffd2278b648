"""The gateway's wall clock is set, corrected, wrong from the start; the program is stopped and goes on."""

import itertools
import json
import os
import re
import signal
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from connectors.quality import GOOD, UNCERTAIN
from tests.processes import Process, free_port, python, started, wait_for
from tests.servers.broker import Broker
from tests.verify.metrics import metric
from tests.verify.recording import read

SCALE = float(os.environ.get("WL_SCALE", "0.1"))
SCAN_S = 0.05
IN_FLIGHT = 64
"""Messages a sink has under way at most, by default."""
"""Two devices, each scanned half as often."""
YEAR_S = 365 * 86400
PRELOAD = next((str(each) for each in Path("/usr/lib").rglob("libfaketime.so.1")), "libfaketime is missing")

pytestmark = [pytest.mark.system, pytest.mark.server, pytest.mark.timeout(600)]


@dataclass
class Rows:
    """One message of the gateway."""

    received: float
    device: str
    seq: int
    time: float
    quality: int


class Rig:
    """A gateway with a clock that can be set, and everything it published."""

    def __init__(self, folder: Path, broker: Broker) -> None:
        self.folder = folder
        self.offset = folder / "offset"
        self.recorded = folder / "received.bin"
        device = {"scan": f"{round(2 * SCAN_S * 1000)}ms", "tags": {"x": {"shape": "counter"}}}
        self.port = free_port()
        plant = {
            "gateway": {"id": "g", "site": "s", "http_port": self.port},
            "page": {"enabled": False},
            "sources": {"sim": {"kind": "simulated", "devices": {"d_{1..2}": device}}},
            "sinks": {"platform": {"kind": "mqtt", "host": "127.0.0.1", "port": broker.port}},
        }
        self.plant = folder / "plant.yaml"
        self.plant.write_text(json.dumps(plant))
        self.set_clock(0)

    def set_clock(self, ahead_s: float) -> None:
        """Let the gateway's wall clock be so far ahead of ours; its monotonic clock goes on as it is."""
        new = self.offset.with_suffix(".new")
        new.write_text(f"{ahead_s:+.6f}")
        new.replace(self.offset)

    @contextmanager
    def gateway(self) -> Iterator[Process]:
        environment = {
            "LD_PRELOAD": PRELOAD,
            "FAKETIME_TIMESTAMP_FILE": str(self.offset),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        run = python("-m", "gateway", "run", self.plant)
        with started("gateway", run, self.folder, environment=environment) as process:
            yield process
            assert process.end(signal.SIGTERM) == 0, process.log.read_text()

    def rows(self) -> list[Rows]:
        found = []
        for record in read(self.recorded):
            if "/_" not in record.topic:
                said: dict[str, Any] = json.loads(record.payload)
                quality = said.get("q", [GOOD])[0]
                found.append(Rows(record.received / 1e9, said["dev"], said["seq"], said["t0"] / 1e9, quality))
        return found

    def away(self) -> list[tuple[float, float]]:
        """Return from when to when the gateway has told that it was away."""
        said = [json.loads(each.payload) for each in read(self.recorded) if each.topic.endswith("/_gaps")]
        return [(each["start"] / 1e9, each["end"] / 1e9) for each in said if each["reason"] == "gateway_away"]

    def overruns(self) -> float:
        return metric(self.port, "source_overruns_total")

    def own(self) -> set[int]:
        """Return the numbers of what the gateway stored itself: that its clock was set is an alarm."""
        said = [json.loads(each.payload) for each in read(self.recorded) if "/_alarms/" in each.topic]
        return {each["seq"] for each in said if "seq" in each}

    def wait_for_rows(self, more: int, that: Callable[[Rows], bool] = lambda _: True) -> list[Rows]:
        """Wait until so many more of these have come; return what has come since now."""
        before = len(self.rows())
        wait_for(lambda: sum(map(that, self.rows()[before:])) >= more, f"{more} rows", 60)
        return self.rows()[before:]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with Broker(tmp_path / "broker") as broker:
        made = Rig(tmp_path, broker)
        listen = python("-m", "tests.verify.subscriber", "--port", str(broker.port), "--out", made.recorded)
        with started("subscriber", listen, tmp_path) as subscriber:
            wait_for(lambda: subscriber.said("subscribed"), "the subscription")
            yield made


def silence(rows: list[Rows]) -> float:
    return max(after.received - before.received for before, after in itertools.pairwise(rows))


def account(rows: list[Rows], own: set[int]) -> tuple[int, int, int]:
    """Return how many rows are lost, doubled and (when they first came) out of order, by their numbers.

    `own` are numbers the gateway gave to rows of its own.
    """
    numbers = [each.seq for each in rows]
    first = list(dict.fromkeys(numbers))
    lost = len(set(range(min(numbers), max(numbers) + 1)) - set(numbers) - own)
    turned = sum(after < before for before, after in itertools.pairwise(first))
    return lost, len(numbers) - len(set(numbers)), turned


JUMPS = {
    "an hour on": lambda: 3600.0,
    "two hours back": lambda: -3600.0,
    "to 1970": lambda: 3600 - time.time(),
    "to 2106": lambda: 80.0 * YEAR_S,
    "right again": lambda: 0.0,
}


@pytest.mark.fault("C1")
def test_a_clock_that_jumps_stops_nothing_hurries_nothing_and_is_told(
    rig: Rig, record_measure: Callable[..., None]
) -> None:
    with rig.gateway() as gateway:
        before = rig.wait_for_rows(20)
        assert {each.quality for each in before} == {GOOD}
        for jump in JUMPS.values():
            ahead = jump()
            rig.set_clock(ahead)
            after = rig.wait_for_rows(20, lambda row, ahead=ahead: abs(row.time - row.received - ahead) < 60)  # type: ignore[misc]
            moved = [row for row in after if abs(row.time - row.received - ahead) < 60]
            assert {row.quality for row in moved} == {UNCERTAIN}
            assert len({row.device for row in moved}) == 2
        fell_out = rig.overruns()
        steps = re.findall(r"the clock was set by_s=(-?[\d.]+)", gateway.log.read_text())
        # A thread of the gateway may read the stand-in's file just before and use it just after another has.
        assert len({round(each / 60) for each in itertools.accumulate(map(float, steps))}) == len(JUMPS)
    rows = rig.rows()
    passed = rows[-1].received - rows[0].received
    assert account(rows, rig.own()) == (0, 0, 0)
    assert len(rows) <= passed / SCAN_S + 5 * len(JUMPS) + 20, "no burst"
    assert fell_out <= passed / SCAN_S, "a year passed over is no scan that fell out"
    assert silence(rows) < 10
    told = f"{len(JUMPS)} jumps: 0 lost, 0 double, 0 out of order, longest silence {silence(rows):.1f} s"
    record_measure(f"{told}, {fell_out:.0f} scans told as fallen out")


@pytest.mark.fault("C2")
def test_half_a_second_to_and_fro_loses_nothing_and_doubles_nothing(
    rig: Rig, record_measure: Callable[..., None]
) -> None:
    steps = max(6, round(60 * SCALE))
    with rig.gateway():
        rig.wait_for_rows(10)
        for step in range(steps):
            rig.set_clock(0.5 * (step % 2))
            rig.wait_for_rows(10)
    rows = rig.rows()
    assert account(rows, rig.own()) == (0, 0, 0)
    assert {row.quality for row in rows} == {GOOD}
    record_measure(f"{steps} steps of 0.5 s: 0 lost, 0 double of {len(rows)} rows")


@pytest.mark.fault("C5")
def test_a_gateway_that_starts_in_1970_says_so_until_it_has_a_clock(
    rig: Rig, record_measure: Callable[..., None]
) -> None:
    rig.set_clock(5 - time.time())
    with rig.gateway():
        early = rig.wait_for_rows(20)
        assert {row.quality for row in early} == {UNCERTAIN}
        assert sum(row.time > YEAR_S for row in early) <= 1, "as above, of the stand-in"
        rig.set_clock(0)
        later = rig.wait_for_rows(20, lambda row: row.time > YEAR_S)
    rows = rig.rows()
    assert account(rows, rig.own()) == (0, 0, 0)
    # Their way here, on a busy machine, is in it.
    off = [abs(row.time - row.received) for row in later if row.time > YEAR_S]
    assert statistics.median(off) <= 1
    told = f"{len(early)} rows of 1970 uncertain, 0 lost; once set, times are right within"
    record_measure(f"{told} {statistics.median(off):.3f} s, {max(off):.3f} s at most")


@pytest.mark.fault("C6")
def test_a_gateway_that_was_stopped_for_a_while_reads_on_at_its_rate(
    rig: Rig, record_measure: Callable[..., None]
) -> None:
    away_s = 60 * SCALE
    with rig.gateway() as gateway:
        rig.wait_for_rows(20)
        before, missed = len(rig.rows()), rig.overruns()
        gateway.popen.send_signal(signal.SIGSTOP)
        gone = time.time()
        wait_for(lambda: time.time() - gone > away_s, "the pause", away_s + 10)
        gateway.popen.send_signal(signal.SIGCONT)
        back = time.time()
        rig.wait_for_rows(40)
        rows = rig.rows()
        later = [row for row in rows[before:] if row.received >= back]
        passed = later[-1].received - back
        recovered = later[0].received - back
        assert recovered < 10
        assert len(later) <= passed / SCAN_S + 10, "missed scans are not caught up"
        missed = rig.overruns() - missed
        assert missed >= 2 * (away_s / (2 * SCAN_S) - 1), "they are counted, of either device"
        wait_for(lambda: len(rig.away()) > 0, "the gap that is told")
    ((start, end),) = rig.away()
    assert gone - 5 < start < gone + 0.5, "from when it was last alive"
    assert back - 0.5 < end < back + 10
    assert {row.quality for row in rig.rows()} == {GOOD}, "the time is right"
    lost, doubled, turned = account(rig.rows(), rig.own())
    # A broker that hears nothing for the keep-alive ends the session: what was under way comes twice.
    assert (lost, turned) == (0, 0)
    assert doubled <= IN_FLIGHT
    told = f"{away_s:.0f} s away: read again after {recovered:.2f} s, {missed:.0f} scans missed and counted"
    record_measure(f"{told}, none caught up; told as a gap of {end - start:.1f} s")
