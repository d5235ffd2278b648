"""Finding OPC UA nodes: how long `wanglian browse` and a glob of the plant file take, and in how much memory.

The server is the lab's: lines, machines, ten items each, as many continuation points as twenty.
"""

import json
import os
import subprocess
import time
from pathlib import Path

from tests.benchmarks.harness import GATEWAY_CORE
from tests.benchmarks.opcua import lab_server
from tests.processes import python

SIZES = (10_000, 100_000)
HEAD = ["nodes", "`wanglian browse`", "its CPU", "its peak memory"]
HEAD += ["found and subscribed by a glob", "peak memory", "longest step"]
EXPLAINED = """\
The lab server is written in Python and answers from the other core; most of the time is its own. The command
prints path, type, unit and access of every node as it comes. A glob's nodes are subscribed a thousand at a
time, and live values are taken between any two steps."""


def plant_file(folder: Path, port: int) -> Path:
    device = {"nodes": [{"glob": "Plant/**"}]}
    source = {"kind": "opcua", "endpoint": f"opc.tcp://127.0.0.1:{port}", "security": "none"}
    source |= {"timeout": "60s", "devices": {"d": device}}
    file = folder / "plant.yaml"
    file.write_text(json.dumps({"gateway": {"id": "bench", "site": "cz"}, "sources": {"plc": source}}))
    return file


def _ran(command: list[str | Path], out: Path) -> tuple[float, float, float]:
    """Run a command; return its seconds, its CPU seconds and its peak memory in MB."""
    began = time.monotonic()
    with out.open("wb") as file:
        child = subprocess.Popen(command, stdout=file)
        os.sched_setaffinity(child.pid, {GATEWAY_CORE})
        _, status, usage = os.wait4(child.pid, 0)
    assert status == 0, out.read_text()[-500:]
    return time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def row(folder: Path, nodes: int) -> list[str]:
    folder.mkdir(parents=True)
    with lab_server(folder, "sorted", 1.0, nodes) as (_, port):
        browse = python("-m", "gateway", "browse", plant_file(folder, port), "plc", "--most", str(2 * nodes))
        seconds, cpu_s, peak_mb = _ran(browse, folder / "listed")
        assert len((folder / "listed").read_text().splitlines()) == nodes + 1
        _ran(python("-m", "tests.benchmarks.find_opcua", "--port", str(port)), folder / "found")
        found = json.loads((folder / "found").read_text())
        assert found["nodes"] == nodes
    return [
        f"{nodes:,}",
        f"{seconds:.1f} s",
        f"{cpu_s:.1f} s",
        f"{peak_mb:.0f} MB",
        f"{found['seconds']:.1f} s",
        f"{found['peak_mb']:.0f} MB",
        f"{found['longest_step_s']:.2f} s",
    ]


def table(folder: Path) -> list[list[str]]:
    """Return a row for each size."""
    return [HEAD, *(row(folder / str(nodes), nodes) for nodes in SIZES)]
