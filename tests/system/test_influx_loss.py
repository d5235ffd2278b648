"""Killed at any instant, its database away: what was accepted is in VictoriaMetrics, once, and right."""

import json
import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.plants import modbus_sources
from tests.processes import ROOT, free_port, python, started, wait_for
from tests.servers.victoria import Victoria
from tests.verify.gaps import noted
from tests.verify.influx_points import PointReport, compare
from tests.verify.metrics import metric
from tests.verify.read_store import batches
from tests.verify.values import read_journals

pytestmark = [pytest.mark.system, pytest.mark.server, pytest.mark.timeout(900)]

SCALE = float(os.environ.get("WL_SCALE", "0.1"))
DEVICES, VALUES = 3, 100
KILLS = max(2, round(20 * SCALE))
AWAY_ROWS = 100_000 * SCALE


class Rig:
    """Simulator and database; the gateway comes and goes."""

    def __init__(self, folder: Path, database: Victoria, ports: list[int]) -> None:
        self.folder = folder
        self.database = database
        self.copies: list[Path] = []
        self.status_port = free_port()
        self.ports = ports

    def run(self, *, polling: bool = True) -> object:
        """Start the gateway; without polling it only delivers what is stored."""
        sources = modbus_sources(self.ports, VALUES, "100ms")
        if not polling:
            text = {"state": {"shape": "text"}}
            sources = {"idle": {"kind": "simulated", "devices": {"d": {"scan": "1h", "tags": text}}}}
        plant = {
            "gateway": {"id": "g1", "site": "cz", "http_port": self.status_port},
            "page": {"enabled": False},
            "sources": sources,
            "sinks": {"history": {"kind": "influxdb", "url": self.database.url, "bucket": "plant"}},
            "buffer": {"segment_bytes": "1MiB", "segment_age": "3s"},
        }
        (self.folder / "plant.yaml").write_text(json.dumps(plant))
        return started("gateway", python("-m", "gateway", "run", self.folder / "plant.yaml"), self.folder)

    def metric(self, name: str) -> float:
        return metric(self.status_port, name)

    def copy_store(self) -> None:
        copy = self.folder / f"copy{len(self.copies)}"
        shutil.copytree(self.folder / "data" / "buffer", copy)
        self.copies.append(copy)

    def deliver_the_rest(self) -> None:
        with self.run(polling=False) as gateway:
            wait_for(lambda: self.metric("sink_up") == 1, "the connection", 90)
            wait_for(lambda: self.metric("sink_backlog_rows") == 0, "the end of the backlog", 120)
            assert gateway.end(signal.SIGTERM) == 0, gateway.log.read_text()
        self.copy_store()

    def verdict(self) -> PointReport:
        journal = read_journals([self.folder / "journal.txt"])
        return compare([batches(copy) for copy in self.copies], self.database, journal)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    journal, port_file = tmp_path / "journal.txt", tmp_path / "ports.json"
    serve = python(ROOT / "tests/servers/modbus_plant.py", "--devices", str(DEVICES), "--values", str(VALUES))
    serve += ["--journal", journal, "--port-file", port_file]
    with Victoria(tmp_path / "victoria") as database, started("plant", serve, tmp_path):
        wait_for(port_file.exists, "the simulator")
        yield Rig(tmp_path, database, json.loads(port_file.read_text())["ports"])


@pytest.mark.fault("A1")
def test_kill_9_at_random_instants_leaves_every_row_once_in_the_database(
    rig: Rig, record_measure: Callable[..., None]
) -> None:
    """Into InfluxDB: L = 0, D = 0 after the upsert, wrong = 0."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for _ in range(KILLS):
        enough = chance.uniform(500, 6_000)
        with rig.run() as gateway:
            wait_for(lambda: rig.metric("sink_rows_total") > enough, "a while of work", 60)  # noqa: B023  now
            gateway.end(signal.SIGKILL)
        rig.copy_store()
    rig.deliver_the_rest()
    report = rig.verdict()
    print(report)
    assert report.ok, report
    assert report.accepted > KILLS * 500
    gaps = noted(rig.folder / "data" / "buffer")
    series = rig.database.export('{__name__="wanglian_gap_gap"}')
    points = sorted((each.labels["source"], int(value)) for each in series for value in each.values)
    assert points == sorted((source, number) for (_, number), said in gaps.items() for source in said[3])
    record_measure(
        f"{KILLS} kills into InfluxDB: {report.accepted} accepted, 0 lost; {len(points)} gaps told once"
    )


@pytest.mark.fault("B1")
def test_a_database_that_is_away_gets_everything_when_it_is_back(
    rig: Rig, record_measure: Callable[..., None]
) -> None:
    """Into InfluxDB, and again after the gateway itself was killed meanwhile."""
    with rig.run() as gateway:
        wait_for(lambda: rig.metric("sink_rows_total") > 2_000, "rows in the database", 60)
        rig.database.stop()
        wait_for(lambda: rig.metric("sink_backlog_rows") > AWAY_ROWS / 2, "an outage's backlog", 120)
        gateway.end(signal.SIGKILL)
    rig.copy_store()
    with rig.run() as gateway:
        wait_for(lambda: rig.metric("sink_backlog_rows") > AWAY_ROWS, "more of it", 120)
        rig.database.start()
        back, before = time.monotonic(), rig.metric("sink_rows_total")
        wait_for(lambda: rig.metric("sink_rows_total") > before, "rows in the database again", 90)
        again_s = time.monotonic() - back
        assert again_s <= 10
        wait_for(lambda: rig.metric("sink_backlog_rows") < 2_000, "the end of the backlog", 120)
        caught_up_s = time.monotonic() - back
        # In order, so what is newest comes last: with the drain of the backlog before it.
        assert caught_up_s <= 10 + AWAY_ROWS / (10 * DEVICES * VALUES * 10)
        assert gateway.end(signal.SIGTERM) == 0
    rig.copy_store()
    rig.deliver_the_rest()
    report = rig.verdict()
    print(report)
    assert report.ok, report
    assert report.accepted > AWAY_ROWS
    record_measure(
        f"a database away, the gateway killed meanwhile: rows {again_s:.1f} s after it is back, the newest "
        f"after {caught_up_s:.1f} s; {report.accepted} accepted, 0 lost, 0 twice"
    )
