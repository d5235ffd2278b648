"""Servers of 100,000 nodes are looked through within a minute, in memory that does not grow with them."""

import asyncio
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.processes import ROOT, free_port, python, started, wait_for

pytestmark = pytest.mark.server

NODES = max(2_000, round(100_000 * float(os.environ.get("WL_SCALE", "0.1"))))
WITHIN_S = 60.0
FLAT_MB = 0.5 + NODES * 60 / 1e6
"""To list them: of each node only that it was seen is kept, in eight bytes."""
TAKEN_MB = 2 + NODES * 2_000 / 1e6
"""To take them: each becomes a tag with its item."""


@pytest.mark.fault("F4")
@pytest.mark.timeout(300)
async def test_f4_a_server_of_very_many_nodes_is_looked_through_within_a_minute_in_flat_memory(
    tmp_path: Path, record_measure: Callable[..., None]
) -> None:
    """It has twenty continuation points, and answers in Python: most of the time is its own."""
    port = free_port()
    serve = python("-m", "tests.servers.opcua_lab", "--port", str(port), "--items", str(NODES), "--rate", "1")
    with started("lab", serve, tmp_path) as server:
        await asyncio.to_thread(wait_for, lambda: server.said("listening"), "the lab server")
        command = python("-m", "tests.faults.opcua.many", "--port", str(port))
        ended = await asyncio.to_thread(
            subprocess.run, list(map(str, command)), cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
        )
    told = json.loads(ended.stdout)
    assert told["listed"] == told["found"] == NODES
    assert max(told["seconds"], told["found_seconds"]) < WITHIN_S
    grown, taken = told["mb"] - told["first_mb"], told["found_mb"] - told["mb"]
    assert grown <= FLAT_MB, "a list of nodes is kept"
    assert taken <= TAKEN_MB
    record_measure(
        f"{NODES:,} nodes listed in {told['seconds']:.0f} s, memory {told['first_mb']:.0f} MB and "
        f"{grown:.0f} MB more in the end; found by a glob and subscribed in {told['found_seconds']:.0f} s, "
        f"{taken * 1e3 / NODES:.1f} kB each"
    )
