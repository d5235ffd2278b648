"""Find and subscribe every item of the lab server by one glob; print seconds, peak memory, longest step."""

import argparse
import asyncio
import json
import resource
import tempfile
import time
from pathlib import Path

from config.connections import OpcUaSource
from connectors import SystemClock, TagTable
from connectors.opcua import OpcUa


async def find(port: int, folder: Path) -> dict[str, float]:
    """Enter a source and let it find; live values wait for one step at most."""
    options = OpcUaSource.model_validate(
        {
            "kind": "opcua",
            "endpoint": f"opc.tcp://127.0.0.1:{port}",
            "security": "none",
            "timeout": "60s",
            "devices": {"d": {"nodes": [{"glob": "Plant/**", "most": 200_000}]}},
        }
    )
    it = OpcUa("lab", options, gateway="g", site="s", tags=TagTable(), clock=SystemClock(), directory=folder)
    began, longest = time.monotonic(), 0.0
    async with it:
        setup = it._setup
        while setup.finding.is_busy():
            before = time.monotonic()
            await setup.find()
            longest = max(longest, time.monotonic() - before)
        passed = time.monotonic() - began
        nodes = len(setup.nodes)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"nodes": nodes, "seconds": passed, "peak_mb": peak, "longest_step_s": longest}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(asyncio.run(find(parser.parse_args().port, Path(folder)))), flush=True)


if __name__ == "__main__":
    main()
