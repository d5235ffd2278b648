"""Killed at any instant: what the broker took from a sensor is in the store, once, and right."""

import json
import os
import random
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.processes import ROOT, Process, free_port, python, started, wait_for
from tests.servers.broker import Broker
from tests.servers.mqtt_sensors import read_journal, value
from tests.verify.metrics import metric
from tests.verify.read_store import batches

SCALE = float(os.environ.get("WL_SCALE", "0.1"))
SENSORS, VALUES, RATE = 20, 5, 400
KILLS = max(2, round(20 * SCALE))

pytestmark = [pytest.mark.system, pytest.mark.server, pytest.mark.timeout(900)]


Row = tuple[str, int, float]
"""Path, time in ns, value."""


@dataclass
class Rig:
    """Broker and sensors; the gateway comes and goes."""

    folder: Path
    broker: Broker
    status_port: int

    @contextmanager
    def gateway(self) -> Iterator[Process]:
        with started("gateway", python("-m", "gateway", "run", "plant.yaml"), self.folder) as process:
            yield process

    @contextmanager
    def sensors(self) -> Iterator[Process]:
        publish = python(ROOT / "tests/servers/mqtt_sensors.py", "--port", str(self.broker.port))
        publish += ["--sensors", str(SENSORS), "--values", str(VALUES), "--rate", str(RATE)]
        publish += ["--journal", self.folder / "journal.txt"]
        with started("sensors", publish, self.folder) as process:
            yield process

    def metric(self, name: str) -> float:
        return metric(self.status_port, name)

    def stored(self) -> Counter[Row]:
        """Return how often each Good (path, time in ns, value) is in the store."""
        rows = (row for *_, found in batches(self.folder / "data" / "buffer") for row in found)
        return Counter((path, time, value) for path, time, value, quality in rows if quality == 0)

    def expected(self, journal: str = "journal.txt") -> set[Row]:
        """Return every row that must be in the store: what the broker acknowledged to a sensor."""
        return {
            (f"cz/hall/line_1/s{sensor}/v{i}", ts * 1_000_000, value(sensor, ts, i))
            for sensor, ts, _ in read_journal(self.folder / journal)
            for i in range(VALUES)
        }


def is_true(row: Row) -> bool:
    """Tell whether a sensor has ever had this value at this time."""
    path, time_ns, found = row
    sensor, index = re.fullmatch(r"cz/hall/line_1/s(\d+)/v(\d+)", path).groups()
    return found == value(int(sensor), time_ns // 1_000_000, int(index))


def plant(broker: int, status: int, version: str) -> str:
    messages = {
        "topic": "sensors/+/data",
        "device": "s{1}",
        "at": "hall/line_1",
        "time": {"path": "ts", "form": "unix_ms"},
        "tags": {f"v{i}": {"path": f"values.v{i}", "unit": "°C"} for i in range(VALUES)},
    }
    source = {"kind": "mqtt", "host": "127.0.0.1", "port": broker, "version": version, "messages": [messages]}
    return json.dumps(
        {
            "gateway": {"id": "g1", "site": "cz", "http_port": status},
            "page": {"enabled": False},
            "sources": {"sensors": source},
            "buffer": {"segment_bytes": "1MiB", "segment_age": "3s"},
        }
    )


@pytest.fixture
def rig(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Rig]:
    status_port = free_port()
    with Broker(tmp_path / "broker", persistence=True) as broker:
        (tmp_path / "plant.yaml").write_text(plant(broker.port, status_port, request.param))
        yield Rig(tmp_path, broker, status_port)


def collect_the_rest(rig: Rig) -> None:
    """Run the gateway until nothing comes any more, and stop it as an operator would."""
    before = [-1.0, 0.0]

    def is_quiet() -> bool:
        if (now := rig.metric("source_messages_total")) != before[0]:
            before[:] = now, time.monotonic()
        return rig.metric("source_acks_total") == now and time.monotonic() - before[1] > 1.0

    with rig.gateway() as gateway:
        wait_for(lambda: rig.metric("source_up") == 1, "the connection to the broker", 90)
        wait_for(is_quiet, "the last message", 60)
        assert gateway.end(signal.SIGTERM) == 0, gateway.log.read_text()


@pytest.mark.fault("A1", "G4")
@pytest.mark.parametrize("rig", ["5", "3.1.1"], indirect=True)
def test_kill_9_at_random_instants_neither_loses_nor_doubles_a_message(rig: Rig) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    with rig.gateway() as gateway:
        wait_for(lambda: rig.metric("source_up") == 1, "the session at the broker", 60)
        gateway.end(signal.SIGKILL)
    with rig.sensors() as sensors:
        for _ in range(KILLS):
            enough = chance.uniform(VALUES, 1500)
            with rig.gateway() as gateway:
                wait_for(lambda: rig.metric("source_rows_total") > enough, "a while of work", 60)  # noqa: B023
                gateway.end(signal.SIGKILL)
        assert sensors.end(signal.SIGTERM) == 0, sensors.log.read_text()
    collect_the_rest(rig)
    judge(rig, KILLS * 500)


def judge(rig: Rig, least: int) -> None:
    """Compare the store with the sensors' journal."""
    stored, wanted = rig.stored(), rig.expected()
    assert len(wanted) > least
    assert not wanted - stored.keys(), "lost"
    twice = {row for row, count in stored.items() if count > 1}
    # What a sensor itself sent again when the broker was back, the broker may have had already.
    assert not twice - rig.expected("journal.txt.again"), "doubled"
    assert all(map(is_true, stored)), "wrong"


@pytest.mark.fault("G4")
@pytest.mark.parametrize("rig", ["5"], indirect=True)
def test_a_broker_that_is_restarted_brings_what_it_kept_once(rig: Rig) -> None:
    with rig.gateway() as gateway:
        wait_for(lambda: rig.metric("source_up") == 1, "the session at the broker", 60)
        with rig.sensors() as sensors:
            for _ in range(2):
                before = rig.metric("source_rows_total")
                wait_for(lambda: rig.metric("source_rows_total") > before + 500, "rows", 60)  # noqa: B023  now
                rig.broker.stop()
                wait_for(lambda: rig.metric("source_up") == 0, "the loss of the link", 60)
                rig.broker.start()
            wait_for(lambda: rig.metric("source_up") == 1, "the connection", 60)
            assert sensors.end(signal.SIGTERM) == 0, sensors.log.read_text()
        assert gateway.end(signal.SIGTERM) == 0, gateway.log.read_text()
    collect_the_rest(rig)
    judge(rig, 1000)
