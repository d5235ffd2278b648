"""Derived tags over kill -9: behind each stored batch of their inputs a row, right, once, in order."""

import json
import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.processes import free_port, python, started, wait_for
from tests.verify.metrics import metric
from tests.verify.read_store import batches

KILLS = max(3, round(30 * float(os.environ.get("WL_SCALE", "0.1"))))
WAITING = 0x80320000
Row = tuple[str, int, float, int]


def formula(held: dict[str, tuple[int, float, int]], name: str) -> Row:
    """Return what the plant file asks for, computed here once more."""
    inputs = [held.get(f"cz/-/-/{each}", (0, 0.0, WAITING)) for each in ("fast/x", "slow/y")]
    time, quality = max(each[0] for each in inputs), max(each[2] for each in inputs)
    x, y = inputs[0][1], inputs[1][1]
    value = {"sum": x * 1000 + y, "twice": 2 * (x * 1000 + y) - x}[name]
    return f"cz/-/-/made/{name}", time, 0.0 if quality >= 0x80000000 else value, quality


@pytest.mark.fault("A1")
@pytest.mark.system
@pytest.mark.timeout(300)
def test_every_derived_row_is_there_once_over_kills(
    tmp_path: Path, record_measure: Callable[..., None]
) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    port = free_port()
    tag = {"shape": "ramp", "high_value": 1000, "period": "10s"}
    plant: dict[str, Any] = {
        "page": {"enabled": False},
        "history": {"enabled": False},
        "gateway": {"id": "g1", "site": "cz", "http_port": port},
        "sources": {
            "one": {"kind": "simulated", "devices": {"fast": {"scan": "10ms", "tags": {"x": tag}}}},
            "two": {"kind": "simulated", "devices": {"slow": {"scan": "70ms", "tags": {"y": tag}}}},
        },
        "derived": {
            "made": {
                "tags": {
                    "twice": {"expression": "2 * made.sum - fast.x", "max_age": "1h"},
                    "sum": {"expression": "fast.x * 1000 + slow.y", "max_age": "1h"},
                }
            }
        },
        "buffer": {"segment_bytes": "64KiB", "segment_age": "1s"},
    }
    file = tmp_path / "plant.yaml"
    file.write_text(json.dumps(plant))
    for kill in range(KILLS + 1):
        with started("gateway", python("-m", "gateway", "run", file), tmp_path) as gateway:
            wanted = chance.randrange(50, 300)
            wait_for(lambda: metric(port, "source_rows_total") > wanted, "some rows", 60)  # noqa: B023
            if kill == KILLS:
                assert gateway.end(signal.SIGTERM) == 0
            else:
                gateway.end(signal.SIGKILL)
    held: dict[str, tuple[int, float, int]] = {}
    expected: list[Row] = []
    derived: list[Row] = []
    for _, _, source, _, rows in batches(tmp_path / "data" / "buffer"):
        if source in ("one", "two"):
            held.update({path: (time, value, quality) for path, time, value, quality in rows})
            expected += [formula(held, "sum"), formula(held, "twice")]
        else:
            assert source == "derive/tags"
            derived += rows
    assert derived == expected[: len(derived)]
    # What was stored last, while it stopped, is computed at the next start.
    assert len(expected) - 40 < len(derived)
    record_measure(f"{KILLS} kills, {len(derived)} derived rows: 0 lost, 0 doubled, 0 wrong", row="A1")
