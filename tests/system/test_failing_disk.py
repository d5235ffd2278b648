"""The data's disk is read-only, refuses to sync, is slow: the gateway lives, tells, reads on, recovers."""

import json
import signal
import time
import urllib.error
import urllib.request
from itertools import pairwise
from pathlib import Path

import pytest

from tests.benchmarks.harness import rss_mb
from tests.faults.buffer.test_disk import shim
from tests.processes import python, started, wait_for
from tests.system.rig import DEVICES, SCALE, VALUES, Rig, rig, wait_until_quiet
from tests.verify.gaps import noted
from tests.verify.metrics import metric_of
from tests.verify.read_store import batches

__all__ = ["rig", "shim"]
SYNC_MS = 2000
BAD_S = max(2.0, 20 * SCALE)
"""How long each lasts."""
HOLE_NS = 1_000_000_000
"""Ten scans."""
SOURCES = [f"plc{number}" for number in range(DEVICES)]


class Disk:
    """What the shim lets happen to it, while a file is there."""

    def __init__(self, rig: Rig, shim: Path) -> None:
        self._rig = rig
        self._flags = {name: rig.folder / name for name in ("READONLY", "WHILE", "SLOW")}
        self.environment = {f"SHIM_{name}": str(path) for name, path in self._flags.items()} | {
            "LD_PRELOAD": str(shim),
            "SHIM_MATCH": str(rig.folder / "data"),
            "SHIM_FSYNC": "always",
            "SHIM_SLEEP": str(SYNC_MS),
        }

    def is_bad(self, how: str) -> None:
        self._flags[how].touch()

    def is_good(self, how: str) -> float:
        """Return after how many seconds the rows of every source were stored again."""
        self._flags[how].unlink()
        began, before = time.monotonic(), by_source(self._rig)
        wait_for(lambda: all(now > then for now, then in zip(by_source(self._rig), before, strict=True)), how)
        return time.monotonic() - began


def by_source(rig: Rig) -> list[float]:
    """Return what is stored of each."""
    return [metric_of(rig.status_port, "source_rows_total", f'source="{each}"') for each in SOURCES]


def why(rig: Rig) -> list[str]:
    """Return what /healthz says is wrong."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{rig.status_port}/healthz", timeout=5):
            return []
    except urllib.error.HTTPError as unwell:
        with unwell:
            return list(json.loads(unwell.read())["reasons"])


def served(rig: Rig) -> int:
    return (rig.folder / "journal.txt").read_bytes().count(b"\n")


def refuse(rig: Rig, disk: Disk, how: str) -> float:
    """Let the disk take nothing for a while; return how soon the gateway was well again."""
    disk.is_bad(how)
    wait_for(lambda: why(rig), "a word of it")
    before, began = rig.metric("store_rows_total"), time.monotonic()
    wait_for(lambda: time.monotonic() > began + BAD_S, "the time")
    assert why(rig)
    assert rig.metric("store_rows_total") == before, "something was called stored"
    back_s = disk.is_good(how)
    wait_for(lambda: not why(rig), "a gateway that is well")
    assert back_s <= 5
    return back_s


def be_slow(rig: Rig, disk: Disk) -> float:
    """Let every sync take long; return how often a second the devices were read meanwhile."""
    disk.is_bad("SLOW")
    before, began = served(rig), time.monotonic()
    wait_for(lambda: time.monotonic() > began + 2 * BAD_S, "the time", 3 * BAD_S)
    reads_per_s = (served(rig) - before) / (time.monotonic() - began)
    assert disk.is_good("SLOW") <= 5
    return reads_per_s


def holes(store: Path) -> list[tuple[str, int, int]]:
    """Return when nothing of a source was stored for long: source, last before, first after."""
    arrivals: dict[str, list[int]] = {}
    for _, _, source, arrived, rows in batches(store):
        if rows[0][3] == 0:
            arrivals.setdefault(source, []).append(arrived)
    return [
        (source, *pair)
        for source, times in arrivals.items()
        for pair in pairwise(sorted(times))
        if pair[1] - pair[0] > HOLE_NS
    ]


@pytest.mark.fault("A8", "A9", "A10")
@pytest.mark.system
@pytest.mark.server
@pytest.mark.timeout(600)
def test_a_gateway_whose_disk_fails_lives_and_tells_and_recovers(
    rig: Rig, shim: Path, record_measure
) -> None:
    disk = Disk(rig, shim)
    command = python("-m", "gateway", "run", rig.plant)
    with started("gateway", command, rig.folder, environment=disk.environment) as gateway:
        wait_for(lambda: rig.metric("sink_rows_total") > 5_000, "rows at the broker", 60)
        early = rss_mb(gateway)
        back = {how: refuse(rig, disk, how) for how in ("READONLY", "WHILE")}
        reads_per_s = be_slow(rig, disk)
        late = rss_mb(gateway)
        wait_for(lambda: rig.metric("sink_backlog_rows") < DEVICES * VALUES, "the end of the backlog", 60)
        assert gateway.end(signal.SIGTERM) == 0, gateway.log.read_text()
    rig.copy_store()
    wait_until_quiet(rig.folder / "received.bin")
    report = rig.verdict()
    assert report.ok, report.json()
    assert reads_per_s > DEVICES * 5, "a slow sync kept the devices from being read"
    assert late < 1.1 * early + 20, "what waits for the disk has no bound"
    told = [said for said in noted(rig.copies[-1]).values() if said[0] == "link_down"]
    found = holes(rig.copies[-1])
    # Each source at least once a fault; what came in between and was refused lies within.
    assert len(found) >= 2 * DEVICES
    for source, last, first in found:
        assert any(said[3] == (source,) and said[1] <= last + 1 and said[2] >= first for said in told)
    lost = VALUES * sum(report.gaps.values())
    longest = max(first - last for _, last, first in found) / 1e9
    record_measure(
        f"read-only and syncs that fail, {BAD_S:.0f} s each: told, 0 called stored, {len(found)} holes of "
        f"up to {longest:.1f} s each in a gap, {lost} values read and refused in them, 0 others lost; "
        f"every source stored again within {max(back.values()):.1f} s"
    )
    record_measure(
        f"each sync {SYNC_MS} ms: {reads_per_s:.0f} reads a second of {DEVICES * 10}; {early:.0f} MB before, "
        f"{late:.0f} MB after",
        row="A10",
    )
