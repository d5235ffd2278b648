"""List the variables of a server, then take them all by a glob; print how long it takes and in what memory.

A process of its own, whose peak memory is nobody else's.
"""

import argparse
import asyncio
import json
import tempfile
import time
from contextlib import aclosing
from pathlib import Path

from config.connections import OpcUaSource
from connectors import SystemClock, TagTable
from connectors.opcua import OpcUa

EVERYTHING = "Plant/**"


def source(port: int, folder: Path) -> OpcUa:
    """Return a source that finds everything."""
    options = OpcUaSource.model_validate(
        {
            "kind": "opcua",
            "endpoint": f"opc.tcp://127.0.0.1:{port}",
            "security": "none",
            "timeout": "60s",
            "devices": {"d": {"nodes": [{"glob": EVERYTHING, "most": 200_000}]}},
        }
    )
    return OpcUa(
        "lab", options, gateway="g", site="s", tags=TagTable(), clock=SystemClock(), directory=folder
    )


def peak_mb() -> float:
    told = Path("/proc/self/status").read_text()  # ru_maxrss begins with what started this process had
    return next(int(line.split()[1]) for line in told.splitlines() if line.startswith("VmHWM")) / 1024


async def listed(port: int, folder: Path) -> dict[str, float]:
    """List them, and keep none."""
    began, count, first_mb = time.monotonic(), 0, 0.0
    async with aclosing(source(port, folder).browse(EVERYTHING, 200_000)) as pages:
        async for page in pages:
            count += len(page)
            first_mb = first_mb or peak_mb()
    return {"listed": count, "seconds": time.monotonic() - began, "first_mb": first_mb, "mb": peak_mb()}


async def found(port: int, folder: Path) -> dict[str, float]:
    """Find and subscribe them."""
    began = time.monotonic()
    async with source(port, folder) as it:
        while it._setup.finding.is_busy():
            await it._setup.find()
        count, seconds = len(it._setup.nodes), time.monotonic() - began
    return {"found": count, "found_seconds": seconds, "found_mb": peak_mb()}


async def both(port: int, folder: Path) -> dict[str, float]:
    return await listed(port, folder) | await found(port, folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(asyncio.run(both(parser.parse_args().port, Path(folder)))), flush=True)


if __name__ == "__main__":
    main()
