"""`every 1s as mean` over kill -9: every window once, and every mean right."""

import json
import os
import random
import signal
from collections import defaultdict
from pathlib import Path

import pytest

from tests.processes import free_port, python, started, wait_for
from tests.servers.broker import Broker
from tests.verify.read_store import batches
from tests.verify.recording import read

KILLS = max(2, round(10 * float(os.environ.get("WL_SCALE", "0.1"))))
SECOND = 1_000_000_000


@pytest.mark.fault("A1")
@pytest.mark.system
@pytest.mark.server
@pytest.mark.timeout(300)
def test_every_window_is_there_once_and_its_mean_is_that_of_the_stored_rows(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    with Broker(tmp_path / "broker", persistence=True) as broker:
        listen = python(
            "-m", "tests.verify.subscriber", "--port", str(broker.port), "--out", tmp_path / "got"
        )
        plant = {
            "page": {"enabled": False},
            "gateway": {"id": "g1", "site": "cz", "http_port": free_port()},
            "sources": {
                "sim": {
                    "kind": "simulated",
                    "devices": {"d": {"scan": "20ms", "tags": {"x": {"period": "3s"}}}},
                }
            },
            "sinks": {
                "cloud": {
                    "kind": "mqtt",
                    "host": "127.0.0.1",
                    "port": broker.port,
                    "select": [{"path": "**/x", "every": "1s", "as": "mean"}],
                }
            },
        }
        file = tmp_path / "plant.yaml"
        file.write_text(json.dumps(plant))
        got = tmp_path / "got"
        with started("subscriber", listen, tmp_path) as subscriber:
            wait_for(lambda: subscriber.said("subscribed"), "the subscription")
            for _ in range(KILLS):
                with started("gateway", python("-m", "gateway", "run", file), tmp_path) as gateway:
                    count = len(windows(got)) + chance.randrange(2, 5)
                    wait_for(lambda: len(windows(got)) >= count, "some windows", 40)  # noqa: B023
                    gateway.end(signal.SIGKILL)
            with started("gateway", python("-m", "gateway", "run", file), tmp_path) as gateway:
                count = len(windows(got)) + 3
                wait_for(lambda: len(windows(got)) >= count, "the last windows", 40)
                assert gateway.end(signal.SIGTERM) == 0
    raw: dict[int, list[float]] = defaultdict(list)
    thinned: dict[int, list[float]] = defaultdict(list)
    for _, _, _, _, rows in batches(tmp_path / "data" / "buffer"):
        for path, time, value, quality in rows:
            if path == "cz/-/-/d/x" and quality == 0:
                raw[time // SECOND].append(value)
            elif path.endswith("@mean_1s") and quality < 0x80000000:
                thinned[time // SECOND - 1].append(value)
    assert len(thinned) >= 2 * KILLS
    for window, values in thinned.items():
        assert len(values) == 1, f"window {window} was stored twice"
        assert values[0] == pytest.approx(sum(raw[window]) / len(raw[window]), rel=1e-12)
    for time, value in windows(got).items():
        assert thinned[time // SECOND - 1] == [value]


def windows(got: Path) -> dict[int, float]:
    """Return what arrived: end of window → mean."""
    if not got.exists():
        return {}
    found = {}
    for record in read(got):
        said = json.loads(record.payload)
        if "seq" in said:
            # On a busy machine several windows close at once.
            assert set(said["tags"]) == {"x@mean_1s"}
            for value, after in zip(said["v"], said.get("dt", [0] * len(said["v"])), strict=True):
                if value is not None:
                    assert found.setdefault(said["t0"] + after, value) == value
    return found
