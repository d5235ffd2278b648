"""The page is attacked while a plant is read: collection does not notice."""

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest

from tests.plants import modbus_sources
from tests.processes import ROOT, free_port, python, started, wait_for
from tests.servers.broker import Broker
from tests.system.test_applies import polls

SCALE = float(os.environ.get("WL_SCALE", "0.1"))
SOCKETS = round(3000 * SCALE)
SECONDS = 3 + 27 * SCALE
DEVICES, VALUES, SCAN_MS = 10, 100, 500


def errors(times: list[int], start: int, end: int) -> list[float]:
    """How far each period of a device within a window was from its scan, in parts of that."""
    within = [each for each in times if start <= each < end]
    return (np.abs(np.diff(within) / (SCAN_MS * 1e6) - 1)).tolist()


def worst(found: dict[str, list[int]], start: int, end: int) -> float:
    """Return the p99 of all devices' errors."""
    return float(np.quantile([each for times in found.values() for each in errors(times, start, end)], 0.99))


@pytest.mark.fault("S9")
@pytest.mark.system
@pytest.mark.server
@pytest.mark.timeout(240)
def test_collection_keeps_its_periods_while_the_page_is_attacked(tmp_path: Path, record_measure) -> None:
    ports, received, port = tmp_path / "ports.json", tmp_path / "received.bin", free_port()
    serve = python(ROOT / "tests/servers/modbus_plant.py", "--devices", str(DEVICES), "--values", str(VALUES))
    serve += ["--journal", tmp_path / "journal.txt", "--port-file", ports]
    with Broker(tmp_path / "broker") as broker, started("plant", serve, tmp_path):
        wait_for(ports.exists, "the simulator")
        plant = {
            "gateway": {"id": "g1", "site": "cz", "http_port": free_port()},
            "page": {"port": port},
            "sources": modbus_sources(json.loads(ports.read_text())["ports"], VALUES, f"{SCAN_MS}ms"),
            "sinks": {"platform": {"kind": "mqtt", "host": "127.0.0.1", "port": broker.port}},
        }
        (tmp_path / "plant.yaml").write_text(json.dumps(plant))
        listen = python("-m", "tests.verify.subscriber", "--port", str(broker.port), "--out", received)
        run = python("-m", "gateway", "run", tmp_path / "plant.yaml")
        attack = python("-m", "tests.servers.attacker", "--port", str(port), "--sockets", str(SOCKETS))
        with started("subscriber", listen, tmp_path) as subscriber:
            wait_for(lambda: subscriber.said("subscribed"), "the subscription")
            with started("gateway", run, tmp_path) as gateway:
                wait_for(lambda: len(polls(received)) == DEVICES, "every device")
                wait_for(lambda: gateway.said("page running"), "the page", 60)
                begun = time.time_ns()
                wait_for(lambda: time.time_ns() - begun > SECONDS * 1e9 / 2, "a quiet while", 60)
                with started("attacker", attack, tmp_path) as attacker:
                    wait_for(lambda: attacker.said("answers"), "the attack", 60)
                    from_ns = time.time_ns()
                    wait_for(lambda: time.time_ns() - from_ns > SECONDS * 1e9, "the attack", 120)
                    to_ns = time.time_ns()
                    done = json.loads(attacker.log.read_text().splitlines()[-1])
                assert gateway.end() == 0, gateway.log.read_text()
    found = polls(received)
    scans = sum(from_ns <= each < to_ns for times in found.values() for each in times)
    before, under = worst(found, begun, from_ns), worst(found, from_ns, to_ns)
    assert scans >= 0.9 * DEVICES * (to_ns - from_ns) / (SCAN_MS * 1e6)
    assert done["answers"] > 10
    if SCALE >= 1:
        assert under < 0.1
    record_measure(
        f"{SOCKETS} idle sockets, 100 that trickle, {done['answers'] / SECONDS:.0f} answers a second to a "
        f"storm, huge heads and bodies: periods off by {under:.1%} (p99), before by {before:.1%}",
        row="S9",
    )
