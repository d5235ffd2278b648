"""Parts of plant files that several tests and benchmarks write."""

from collections.abc import Sequence
from typing import Any


def modbus_sources(ports: Sequence[int], values: int, scan: str, **device: Any) -> dict[str, Any]:
    """Return a source for each port of tests/servers/modbus_plant.py, with one device of so many values."""
    return {
        f"plc{d}": {
            "kind": "modbus_tcp",
            "host": "127.0.0.1",
            "port": port,
            "devices": {
                f"m{d}": {
                    "at": "hall/line_1",
                    "scan": scan,
                    **device,
                    "tags": {"v": {"address": 0, "type": "float32", "count": values}},
                }
            },
        }
        for d, port in enumerate(ports)
    }
