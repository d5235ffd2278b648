"""A memory limit, thousands of tags and a sink that is away: what waits is on disk, memory stays flat."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest

from tests.benchmarks.harness import rss_mb
from tests.plants import modbus_sources
from tests.processes import ROOT, free_port, python, started, wait_for
from tests.verify.metrics import metric

SCALE = float(os.environ.get("WL_SCALE", "0.1"))
DEVICES, VALUES, SCAN = 10, 1000, "200ms"  # 50,000 values a second
LIMIT_MB = 256
IN_FULL = SCALE >= 1
WARM = 50_000 * (180 if IN_FULL else 20)
"""Rows after which what a start takes is there; what it left behind was given back at ten seconds.

In full the history has put away for the first time by then, after 32 bookings in some two minutes.
"""
ROWS = 50_000 * (600 if IN_FULL else 240 * SCALE)
"""Ten minutes; at a tenth as many as would be a quarter of the memory if they stayed in it."""
LOOK = 50_000 * (30 if IN_FULL else 5)
"""Rows during which memory is looked at: it swings by some MB with each booking of the history."""
FLAT = 0.1 if IN_FULL else 0.2
"""The first minutes still add a tenth."""


@pytest.fixture
def limited() -> Iterator[Path]:
    group = Path(f"/sys/fs/cgroup/memory/wanglian-test-{os.getpid()}")
    group.mkdir()
    (group / "memory.limit_in_bytes").write_text(f"{LIMIT_MB}M")
    yield group
    group.rmdir()


@pytest.mark.fault("A12")
@pytest.mark.system
@pytest.mark.timeout(1800)
def test_ten_thousand_tags_and_a_sink_that_is_away_fit_into_little_memory(
    tmp_path: Path, limited: Path, record_measure
) -> None:
    ports, status = tmp_path / "ports.json", free_port()
    serve = python(ROOT / "tests/servers/modbus_plant.py", "--devices", str(DEVICES), "--values", str(VALUES))
    serve += ["--journal", tmp_path / "journal.txt", "--port-file", ports]
    with started("plant", serve, tmp_path):
        wait_for(ports.exists, "the simulator")
        found = json.loads(ports.read_text())["ports"]
        plant = {
            "gateway": {"id": "g1", "site": "cz", "http_port": status},
            "sources": modbus_sources(found, VALUES, SCAN),
            "sinks": {"away": {"kind": "mqtt", "host": "127.0.0.1", "port": free_port()}},
            "page": {"enabled": False},
            # So little in memory that it is full at once: what comes after would show.
            "buffer": {"segment_bytes": "8MiB", "memory": "2MiB"},
        }
        file = tmp_path / "plant.yaml"
        file.write_text(json.dumps(plant))
        inside = ["sh", "-c", f'echo $$ > {limited}/cgroup.procs; exec "$@"', "sh"]
        with started("gateway", [*inside, *python("-m", "gateway", "run", file)], tmp_path) as gateway:

            def resident_mb(rows: float, within_s: float) -> list[float]:
                """Return what is resident, look by look, until so many rows wait."""
                seen: list[float] = []

                def is_there() -> bool:
                    seen.append(rss_mb(gateway))
                    return metric(status, "sink_backlog_rows") > rows

                wait_for(is_there, f"{rows:.0f} rows that wait", within_s)
                return seen

            resident_mb(WARM - LOOK, 300)
            early = median(resident_mb(WARM, 300))
            began = time.monotonic()
            between = resident_mb(WARM + ROWS - LOOK, 1200)
            late = median(resident_mb(WARM + ROWS, 300))
            minutes = (time.monotonic() - began) / 60
            assert gateway.popen.poll() is None
            assert "under_oom 0" in (limited / "memory.oom_control").read_text()
            waiting = metric(status, "sink_backlog_rows")
            assert gateway.end() == 0, gateway.log.read_text()
    assert (1 - FLAT) * early < late < (1 + FLAT) * early
    record_measure(
        f"{waiting:.0f} rows wait; {early:.0f} MB resident, {minutes:.1f} min later {late:.0f} MB, "
        f"{max(between):.0f} MB at most; limit {LIMIT_MB} MB"
    )
