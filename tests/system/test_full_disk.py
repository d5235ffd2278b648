"""The data's disk is full: the gateway lives, tells, counts what it drops, and goes on once there is room."""

import json
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import free_port, wait_for
from tests.system.rig import DEVICES, SCALE, VALUES, Rig, rig, wait_until_quiet
from tests.verify.metrics import metric_by

__all__ = ["rig"]


@pytest.fixture
def small_disk(rig: Rig) -> Iterator[Path]:
    place = rig.folder / "data"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1536k", "tmpfs", str(place)], check=True)
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def asked(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:
        body: bytes = answer.read()
        return body


def answers(page: str) -> bool:
    try:
        return bool(asked(page))
    except OSError:
        return False


@pytest.mark.fault("A7")
@pytest.mark.system
@pytest.mark.server
@pytest.mark.timeout(300)
def test_a_full_disk_costs_the_oldest_counted_and_nothing_else(
    rig: Rig, small_disk: Path, record_measure
) -> None:
    plant = json.loads(rig.plant.read_text())
    for source in plant["sources"].values():
        for device in source["devices"].values():
            device["scan"] = "50ms"  # 10,000 values a second
    plant["buffer"] = {"segment_bytes": "64KiB", "min_free": "0MiB", "keep": "0s"}
    plant["history"] = {"enabled": False}
    page = f"http://127.0.0.1:{free_port()}"
    plant["page"] = {"port": int(page.rpartition(":")[2])}
    rig.plant.write_text(json.dumps(plant))
    with rig.gateway() as gateway:
        wait_for(lambda: rig.metric("sink_rows_total") > 5_000, "rows at the broker", 60)
        wait_for(lambda: answers(page), "the page", 60)
        rig.broker.stop()
        wait_for(lambda: rig.metric("sink_dropped_rows") > 5_000, "the first that are dropped", 120)
        with pytest.raises(urllib.error.HTTPError) as unwell:
            urllib.request.urlopen(f"http://127.0.0.1:{rig.status_port}/healthz", timeout=5)
        assert json.loads(unwell.value.read())["reasons"]
        unwell.value.close()
        assert b"<html" in asked(f"{page}/")
        assert json.loads(asked(f"{page}/api/overview"))
        assert asked(f"{page}/api/stream/position")
        subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
        roomy, stored = time.monotonic(), rig.metric("store_rows_total")
        wait_for(lambda: rig.metric("store_rows_total") > stored + DEVICES * VALUES, "rows stored again", 30)
        again_s = time.monotonic() - roomy
        assert again_s <= 5 or SCALE < 1
        rig.broker.start()
        wait_for(lambda: rig.metric("sink_up") == 1, "the connection to the broker", 90)
        wait_for(lambda: rig.metric("sink_backlog_rows") < DEVICES * VALUES, "the end of the backlog", 60)
        books = metric_by(rig.status_port, "ledger_rows", "source", 'fate="dropped"')
        assert sum(books.values()) == rig.metric("sink_dropped_rows")
        assert gateway.end(signal.SIGTERM) == 0, gateway.log.read_text()
    rig.copy_store()
    wait_until_quiet(rig.folder / "received.bin")
    report = rig.verdict()
    assert report.ok, report.json()
    # What was served between the first and the last that arrived, and never came, is what was counted of
    # the plant; the gateway's own events waited among it, and their oldest may have gone with it.
    dropped = sum(rows for source, rows in books.items() if not source.startswith("gateway/"))
    missing = VALUES * sum(report.gaps.values())
    assert missing == dropped
    record_measure(
        f"1.5 MiB full: {dropped:.0f} rows dropped and counted, {missing} missing, no other; "
        f"the page answers; stored again {again_s:.1f} s after there was room"
    )
