"""A backup under load, restored: nothing accepted before it is lost, nothing told twice as another thing."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections import defaultdict
from pathlib import Path

import numpy as np
import orjson
import pytest

from gateway.history import Reader
from tests.processes import ROOT, wait_for
from tests.system.rig import Rig, deliver_the_rest, rig
from tests.verify.read_store import batches
from tests.verify.recording import read

__all__ = ["rig"]


def wanglian(*arguments: str | Path, code: int = 0) -> str:
    command = [sys.executable, "-m", "gateway", *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def told_epochs(recording: Path) -> list[str]:
    """Return the epochs of the data messages, in the order they were first seen."""
    messages = (each for each in read(recording) if not each.topic.endswith(("/_tags", "/_status", "/_gaps")))
    return list(dict.fromkeys(orjson.loads(each.payload)["epoch"] for each in messages))


def check_history(home: Path) -> None:
    """Compare the history with the log: every stored row once, none that was never stored."""
    stored = defaultdict(list)
    for _, _, _, _, rows in batches(home / "data" / "buffer"):
        for path, time_, value, quality in rows:
            stored[path].append((time_, None if quality >= 0x80000000 else repr(np.float64(value))))
    reader = Reader(home / "data" / "history")
    numbers = {tag.path: number for number, tag in reader.tags().items()}
    assert set(numbers) == set(stored)
    for path, rows in stored.items():
        found = reader.read_now(numbers[path], 0, 2**62)
        columns = found.time.tolist(), found.value, found.quality.tolist()
        got = [(t, None if q >= 0x80000000 else repr(v)) for t, v, q in zip(*columns, strict=True)]
        assert sorted(got, key=repr) == sorted(rows, key=repr), path


@pytest.mark.fault("A11")
@pytest.mark.system
@pytest.mark.server
@pytest.mark.timeout(600)
def test_a_backup_under_load_restored_has_lost_nothing_that_was_accepted_before_it(rig: Rig) -> None:
    """A11: a restored gateway is another epoch; nobody sees one number with two contents."""
    archive, new = rig.folder / "backup.zip", rig.folder / "machine 2"
    with rig.gateway() as gateway:
        wait_for(lambda: rig.metric("sink_rows_total") > 5_000, "rows at the broker", 60)
        rig.broker.stop()
        wait_for(lambda: rig.metric("sink_backlog_rows") > 10_000, "a backlog", 60)
        # The history books every ten seconds: some rows are only in its head, some only in the log.
        wait_for(lambda: rig.metric("history_rows_total") > 5_000, "a booking", 60)
        began = time.time_ns()
        said = wanglian("backup", rig.plant, "--out", archive, "--lang", "en")
        assert "backup.zip holds the backup" in said
        assert rig.metric("source_rows_total") > 0, gateway.log.read_text()
        gateway.end(signal.SIGKILL)
    rig.copy_store()
    rig.broker.start()
    said = wanglian("restore", archive, "--into", new, "--lang", "zh")
    assert "新的纪元 2-" in said
    rig.move(new)
    deliver_the_rest(rig)
    report = rig.verdict(until=began)
    print(report.markdown())
    assert report.ok, report.json()
    assert report.accepted > 15_000
    first, second = told_epochs(rig.folder / "received.bin")
    assert (first.split("-")[0], second.split("-")[0]) == ("1", "2")
    check_history(new)


@pytest.mark.system
@pytest.mark.server
@pytest.mark.timeout(600)
def test_backups_of_a_gateway_that_delivers_can_be_restored_at_any_moment(rig: Rig) -> None:
    """The cursor moves while its state is copied: what came in between is told again, the same."""
    archives = [rig.folder / f"{i}.zip" for i in range(3)]
    with rig.gateway() as gateway:
        for i, archive in enumerate(archives):
            wait_for(lambda: rig.metric("sink_rows_total") > 4_000 * (i + 1), "rows at the broker", 60)  # noqa: B023
            began = time.time_ns()
            wanglian("backup", rig.plant, "--out", archive)
        gateway.end(signal.SIGKILL)
    rig.copy_store()
    new = rig.folder / "again"
    wanglian("restore", archives[-1], "--into", new)
    for archive in archives:
        wanglian("restore", archive, "--into", new, "--replace")
    rig.move(new)
    deliver_the_rest(rig)
    report = rig.verdict(until=began)
    print(report.markdown())
    assert report.ok, report.json()
    check_history(new)


@pytest.mark.system
@pytest.mark.server
@pytest.mark.timeout(300)
def test_a_running_gateways_directory_is_not_restored_into(rig: Rig) -> None:
    archive = rig.folder / "backup.zip"
    with rig.gateway() as gateway:
        wait_for(lambda: rig.metric("sink_rows_total") > 500, "rows at the broker", 60)
        wanglian("backup", rig.plant, "-o", archive)
        assert "[E-BK-0021]" in wanglian("restore", archive, "--into", rig.home, code=1)
        assert "[E-BK-0020]" in wanglian("restore", archive, "--into", rig.home, "--replace", code=1)
        rows = rig.metric("sink_rows_total")
        wait_for(lambda: rig.metric("sink_rows_total") > rows, "more rows", 60)
        with urllib.request.urlopen(f"http://127.0.0.1:{rig.status_port}/healthz", timeout=5) as reply:
            assert reply.status == 200
        assert gateway.end(signal.SIGTERM) == 0
