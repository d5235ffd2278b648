"""The history over kill -9: every stored row once, and minutes that agree with the rows."""

import json
import os
import random
import signal
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from gateway.history import Reader
from tests.processes import free_port, python, started, wait_for
from tests.verify.metrics import metric
from tests.verify.read_store import batches

KILLS = max(2, round(20 * float(os.environ.get("WL_SCALE", "0.1"))))
MINUTE = 60_000_000_000


@pytest.mark.fault("A1")
@pytest.mark.system
@pytest.mark.timeout(600)
def test_after_kills_the_history_holds_every_stored_row_once(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    port = free_port()
    tags = {f"x{i}": {"period": "3s"} for i in range(10)}
    plant = {
        "gateway": {"id": "g1", "site": "cz", "http_port": port},
        "page": {"enabled": False},
        "sources": {"sim": {"kind": "simulated", "devices": {"d": {"scan": "20ms", "tags": tags}}}},
        "buffer": {"segment_bytes": "64KiB", "segment_age": "2s"},
    }
    file = tmp_path / "plant.yaml"
    file.write_text(json.dumps(plant))

    for _ in range(KILLS):
        enough = chance.uniform(50, 800)
        with started("gateway", python("-m", "gateway", "run", file), tmp_path) as gateway:
            # What the one before left is booked at once, while the sources go on.
            wait_for(lambda: metric(port, "source_rows_total") > enough, "some rows", 60)  # noqa: B023
            gateway.end(signal.SIGKILL)
    with started("gateway", python("-m", "gateway", "run", file), tmp_path) as gateway:
        wait_for(lambda: metric(port, "history_rows_total") > 0, "the last booking", 60)
        assert gateway.end(signal.SIGTERM) == 0, gateway.log.read_text()
    stored: dict[str, list[tuple[int, float | None]]] = defaultdict(list)
    for _, _, _, _, rows in batches(tmp_path / "data" / "buffer"):
        for path, time, value, quality in rows:
            stored[path].append((time, value if quality < 0x80000000 else None))
    reader = Reader(tmp_path / "data" / "history")
    numbers = {tag.path: number for number, tag in reader.tags().items()}
    assert set(numbers) == set(stored)
    for path, rows in stored.items():
        found = reader.read_now(numbers[path], 0, 2**62)
        values = [None if q >= 0x80000000 else v for v, q in zip(found.value, found.quality, strict=True)]
        assert sorted(zip(found.time.tolist(), map(repr, values), strict=True)) == sorted(
            (time, repr(None if value is None else np.float64(value))) for time, value in rows
        )
        first, last = min(rows)[0], max(time for time, _ in rows)
        (trend,) = reader.trend_now([numbers[path]], first - MINUTE, last + MINUTE, 1)
        assert trend.width >= MINUTE
        assert trend.good.sum() + trend.bad.sum() == len(rows)
        good = [value for _, value in rows if value is not None]
        assert trend.good.sum() == len(good)
        assert (trend.mean * trend.good)[trend.good > 0].sum() == pytest.approx(sum(good))
