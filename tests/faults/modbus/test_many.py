"""Thousands of devices behind hundreds of ports: each has its turn."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.processes import ROOT, free_port, python, started, wait_for
from tests.verify.metrics import metric

SCALE = float(os.environ.get("WL_SCALE", "0.1"))
PORTS, BEHIND = max(4, int(200 * SCALE)), 50
SCAN_S = 10
ROUNDS = 3


def resident_mb(process_id: int) -> float:
    pages = int(Path(f"/proc/{process_id}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.mark.fault("D12")
@pytest.mark.system
@pytest.mark.server
@pytest.mark.timeout(900)
def test_d12_every_one_of_thousands_of_devices_is_scanned_at_its_interval(
    tmp_path: Path, record_measure: Callable[..., None]
) -> None:
    ports = tmp_path / "ports.json"
    serve = python(ROOT / "tests/servers/modbus_plant.py", "--devices", str(PORTS), "--values", "4")
    status = free_port()
    with started("plant", [*serve, "--journal", tmp_path / "journal", "--port-file", ports], tmp_path):
        wait_for(ports.exists, "the simulator")
        device = {"scan": f"{SCAN_S}s", "tags": {"v": {"address": 2, "type": "float32", "count": 3}}}
        sources = {
            f"line{n}": {
                "kind": "modbus_tcp",
                "host": "127.0.0.1",
                "port": port,
                "timeout": "5s",
                "devices": {f"m{n}_{{1..{BEHIND}}}": device},
            }
            for n, port in enumerate(json.loads(ports.read_text())["ports"])
        }
        plant = {
            "gateway": {"id": "g", "site": "s", "http_port": status},
            "page": {"enabled": False},
            "sources": sources,
        }
        file = tmp_path / "plant.json"
        file.write_text(json.dumps(plant))
        with started("gateway", python("-m", "gateway", "run", file), tmp_path) as gateway:
            devices = PORTS * BEHIND
            wait_for(lambda: metric(status, "source_up") == PORTS, "every connection", 240)
            before = metric(status, "source_scans_total")
            done = before + ROUNDS * devices
            wait_for(
                lambda: metric(status, "source_scans_total") >= done, "every scan", 60 + ROUNDS * SCAN_S * 4
            )
            fell_out = metric(status, "source_overruns_total")
            scans = metric(status, "source_scans_total")
            assert metric(status, "source_timeouts_total") == 0
            memory = resident_mb(gateway.popen.pid)
            assert memory < 600
            assert gateway.end(signal.SIGTERM, 60) == 0
    share = 100 * fell_out / (scans + fell_out)
    counted = f"{scans:.0f} scans, {share:.1f} % fell out, {memory:.0f} MB resident"
    record_measure(f"{devices} devices on {PORTS} ports: {counted}")
