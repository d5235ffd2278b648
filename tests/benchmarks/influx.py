"""Disk → InfluxDB line protocol → VictoriaMetrics: a full buffer drained, the gateway alone on its core."""

import contextlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.benchmarks.harness import GATEWAY_CORE, OTHER_CORE, rss_mb
from tests.benchmarks.polling import Load, polled, simulator
from tests.processes import Process, free_port, python, started, wait_for
from tests.servers.victoria import Victoria
from tests.verify.metrics import metrics

LOAD = Load("influx", 10, 1000, "20ms", 8)  # 500,000 values a second while the buffer is filled
RESULT = """\
{rows:,.0f} rows behind and nothing coming in: {per_s:,.0f} values/s from the buffer into VictoriaMetrics, \
the gateway at {core:.0f} % of its core and {mb:.0f} MB, the database on the other core. {there:,.0f} of \
{rows:,.0f} values are in the database. The client alone, posting lines prepared beforehand to the same \
database: {bare_per_s:,.0f} values/s at {bare_core:.0f} % of the core."""


def text(folder: Path, rows: int) -> str:
    """Return what is published."""
    return RESULT.format(**drain(folder, rows))


def drain(folder: Path, rows: int) -> dict[str, float]:
    """Fill a buffer while the database is away, then watch a fresh gateway empty it."""
    folder.mkdir(parents=True)
    status_port = free_port()
    database = Victoria(folder / "victoria", core=OTHER_CORE)
    sinks = {"history": {"kind": "influxdb", "url": database.url, "bucket": "plant", "start": "oldest"}}
    with (
        simulator(LOAD, folder, "journal") as ports,
        gateway(folder, status_port, sinks, polled(LOAD, ports)),
    ):
        wait_for(lambda: metrics(status_port).get("store_rows_total", 0) >= rows, "a full buffer", 300)
    idle = {
        "s": {"kind": "simulated", "devices": {"d": {"scan": "1h", "tags": {"x": {"shape": "constant"}}}}}
    }
    with database:
        with gateway(folder, status_port, sinks, idle) as process:
            found = watched(process, status_port)
        (said,) = database.query('sum(count_over_time(wanglian_value{tag!="x"}[1d]))')
        found["there"] = float(said["value"][1])
        command = python("-m", "tests.benchmarks.bare_influx", "--url", database.url)
        with started("bare", command, folder, core=GATEWAY_CORE) as bare:
            wait_for(lambda: bare.popen.poll() is not None, "the bare client", 60)
            found["bare_per_s"], found["bare_core"] = map(float, bare.log.read_text().split())
    shutil.rmtree(folder)
    return found


@contextlib.contextmanager
def gateway(
    folder: Path, status_port: int, sinks: dict[str, Any], sources: dict[str, Any]
) -> Iterator[Process]:
    plant = {
        "gateway": {"id": "bench", "site": "cz", "http_port": status_port},
        "page": {"enabled": False},
        "history": {"enabled": False},
        "sources": sources,
        "sinks": sinks,
    }
    (folder / "plant.yaml").write_text(json.dumps(plant))
    run = python("-m", "gateway", "run", folder / "plant.yaml")
    with started("gateway", run, folder, core=GATEWAY_CORE) as process:
        yield process


def cpu_s(process: Process) -> float:
    """Return the seconds it has run, ended threads included; in steps of 10 ms."""
    fields = Path(f"/proc/{process.popen.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def watched(process: Process, status_port: int) -> dict[str, float]:
    """Measure from the first tenth of the backlog to the last twentieth: no start, no end."""
    wait_for(lambda: metrics(status_port).get("sink_rows_total", 0) > 0, "the first rows", 60)
    backlog = (now := metrics(status_port))["sink_backlog_rows"] + now["sink_rows_total"]
    window: list[tuple[float, float, float]] = []
    memory = 0.0
    deadline = time.monotonic() + 300
    while (sent := metrics(status_port)["sink_rows_total"]) < backlog:
        if 0.1 * backlog < sent < 0.95 * backlog:
            window.append((time.monotonic(), sent, cpu_s(process)))
        memory = max(memory, rss_mb(process))
        if time.monotonic() > deadline:
            raise TimeoutError("the backlog does not drain")
        time.sleep(0.05)
    (began, first, used), (ended, last, used_at_end) = window[0], window[-1]
    return {
        "rows": backlog,
        "per_s": (last - first) / (ended - began),
        "core": 100 * (used_at_end - used) / (ended - began),
        "mb": memory,
    }
