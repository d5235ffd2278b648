"""Killed at any instant: what was accepted the primary host has, right, and no number comes twice."""

import json
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.processes import ROOT, python, started, wait_for
from tests.servers.broker import Broker
from tests.system.rig import DEVICES, SCALE, VALUES, Rig
from tests.verify.gaps import noted, told
from tests.verify.read_store import batches
from tests.verify.recording import read
from tests.verify.sparkplug import Follower, Row

KILLS = max(2, round(20 * SCALE))

pytestmark = [pytest.mark.system, pytest.mark.server, pytest.mark.timeout(900)]
Key = tuple[str, str, int, float]
"""Device id, metric, time in ms, value."""


class EdgeRig(Rig):
    """The same plant; the gateway is an edge node, and its primary host records."""

    def __init__(self, folder: Path, broker: Broker, ports: list[int]) -> None:
        super().__init__(folder, broker, ports)
        plant = json.loads(self.plant.read_text())
        plant["sinks"] = {
            "scada": {
                "kind": "sparkplug",
                "host": "127.0.0.1",
                "port": broker.port,
                "group": "cz",
                "node": "press",
                "primary_host": "scada",
                "device": "{device}",
            }
        }
        self.plant.write_text(json.dumps(plant))

    def stored(self) -> set[Key]:
        """Return every Good row of the copies, as a host knows rows."""
        return {
            (*path.split("/")[3:], time // 1_000_000, value)  # type: ignore[misc]
            for copy in self.copies
            for _, _, _, _, rows in batches(copy)
            for path, time, value, quality in rows
            if quality == 0
        }

    def follower(self) -> Follower:
        """Return what the host makes of everything it has heard."""
        told = ((each.topic, each.payload) for each in read(self.folder / "received.bin"))
        return Follower().take_all(each for each in told if "CMD" not in each[0] and "STATE" not in each[0])


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[EdgeRig]:
    journal, port_file = tmp_path / "journal.txt", tmp_path / "ports.json"
    serve = python(ROOT / "tests/servers/modbus_plant.py", "--devices", str(DEVICES), "--values", str(VALUES))
    serve += ["--journal", journal, "--port-file", port_file]
    with Broker(tmp_path / "broker") as broker, started("plant", serve, tmp_path):
        wait_for(port_file.exists, "the simulator")
        listen = python("-m", "tests.verify.sparkplug_host", "--port", str(broker.port), "--group", "cz")
        listen += ["--host-id", "scada", "--out", tmp_path / "received.bin"]
        with started("host", listen, tmp_path) as host:
            wait_for(lambda: host.said("subscribed"), "the subscription")
            yield EdgeRig(tmp_path, broker, json.loads(port_file.read_text())["ports"])


def key(row: Row) -> Key:
    return row.device, row.metric, row.ms, row.value


@pytest.mark.fault("B15")
def test_kill_9_at_random_instants_loses_nothing_of_a_host_that_is_there(
    rig: EdgeRig, record_measure
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for _ in range(KILLS):
        enough = chance.uniform(500, 15_000)
        with rig.gateway() as gateway:
            wait_for(lambda: rig.metric("sink_rows_total") > enough, "a while of work", 60)  # noqa: B023  now
            gateway.end(signal.SIGKILL)
        rig.copy_store()
    with rig.gateway() as gateway:
        wait_for(lambda: rig.metric("sink_up") == 1, "the connection to the broker", 90)
        wait_for(lambda: rig.metric("sink_rows_total") > 5 * VALUES, "live rows")
        wait_for(
            lambda: rig.metric("sink_backlog_rows") < 2 * DEVICES * VALUES, "the end of the backlog", 120
        )
        assert gateway.end(signal.SIGTERM) == 0, gateway.log.read_text()
    rig.copy_store()
    received, seen = rig.folder / "received.bin", [(0, 0.0)]

    def is_quiet() -> bool:
        if (size := received.stat().st_size) != seen[-1][0]:
            seen.append((size, time.monotonic()))
        return time.monotonic() - seen[-1][1] > 1.0

    wait_for(is_quiet, "the last message")
    follower, stored = rig.follower(), rig.stored()
    has = Counter(key(row) for row in follower.rows if row.quality == 192 and row.value is not None)
    assert not follower.violations[:5]
    assert not stored - has.keys()
    assert not has.keys() - stored
    assert len(stored) > KILLS * 500
    doubled = sum(has.values()) - len(has)
    assert doubled <= KILLS * (20_000 + 2 * 5_000)
    assert all((b - a) % 256 == 1 for a, b in pairwise(dict.fromkeys(follower.bd_seqs)))
    gaps = noted(rig.home / "data" / "buffer")
    assert told(follower.gaps) == gaps
    record_measure(
        f"{KILLS} kills at 5,000 values a second: {len(stored)} accepted, 0 lost, {doubled} twice, "
        f"numbers {follower.bd_seqs[0]} to {follower.bd_seqs[-1]}; {len(gaps)} gaps told"
    )
