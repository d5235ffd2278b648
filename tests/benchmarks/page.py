"""W1 alone, and with twenty browsers and a storm of requests at its page: how late collection is.

A scan's lateness is taken on the wire: when the first request of each device's scan left the gateway, by the
kernel's clock, and its least distance from the second is what the schedule meant. The page's process shares
the gateway's core; browsers, broker and simulator share the other, the browsers behind.
"""

import contextlib
import json
import shutil
import statistics
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

import numpy as np

from config.plant import HistoryOptions
from connectors import Batch, Columns, Delivery, Epoch, Kind, SystemClock, Tag, TagTable
from gateway.buffer.contract import STORE
from gateway.buffer.state import NAME, State
from gateway.history import HISTORY
from gateway.history.store import Store
from tests.benchmarks.harness import GATEWAY_CORE, OTHER_CORE, watch
from tests.benchmarks.polling import Load, Running, running
from tests.benchmarks.wire import RECORD
from tests.processes import free_port, python, started, wait_for
from tests.verify.recording import pack, read
from tests.verify.values import read_journals
from tests.verify.verify import verify

RUNS: Final = 5
BROWSERS: Final = 20
WATCHED: Final = 50
STORMING: Final = 4
SECOND: Final = 1_000_000_000
BAR_MS: Final = 10.0
BAR_RATIO: Final = 2.0


@dataclass(frozen=True)
class Measured:
    """One run; ms."""

    lateness_p99: float
    latency_p99: float
    asked_per_s: float
    events_per_s: float


def lateness_ms(requests: np.ndarray, start: int, end: int) -> np.ndarray:
    """Return how late each scan of a window was, (n,) ms, from `wire.RECORD`s; start and end in ns."""
    found = []
    for port in np.unique(requests["port"]):
        sent = requests["time"][requests["port"] == port]
        first = sent[1:][np.diff(sent) > SECOND // 4]  # a scan's requests follow one another
        within = first[(first >= start) & (first < end)]
        phase = (within - within[0] + SECOND // 2) % SECOND
        found.append(phase - phase.min())
    return np.concatenate(found) / 1e6


@contextlib.contextmanager
def wire(run: Running) -> Iterator[Path]:
    """Note each request that leaves; yield where."""
    ports = ",".join(map(str, json.loads((run.folder / "journal.json").read_text())["ports"]))
    sent = run.folder / "wire.bin"
    command = python("-m", "tests.benchmarks.wire", "--ports", ports, "--out", sent)
    with started("wire", command, run.folder, core=OTHER_CORE) as listener:
        wait_for(lambda: listener.said("listening"), "the packet socket")
        yield sent


@contextlib.contextmanager
def visitors(run: Running, port: int) -> Iterator[Path]:
    """Let browsers listen and clients ask; yield where they count."""
    counts = run.folder / "visitors.txt"
    command = python("-m", "tests.benchmarks.visitors", "--port", str(port), "--counts", counts)
    command += ["--browsers", str(BROWSERS), "--watched", str(WATCHED), "--storming", str(STORMING)]
    with started("visitors", command, run.folder, core=OTHER_CORE):
        wait_for(counts.exists, "the visitors", 60)
        yield counts


def once(folder: Path, seconds: float, *, is_visited: bool) -> Measured:
    """Run W1 for a window; its content is checked, value by value."""
    port = free_port() if is_visited else 0
    load = Load("W1", 10, 1000, "1s", history=True, page_port=port)
    asked = events = 0.0
    with running(load, folder) as run, contextlib.ExitStack() as beside:
        counts = None
        if is_visited:
            wait_for(lambda: run.gateway.said("page running"), "the page", 60)
            counts = beside.enter_context(visitors(run, port))
        sent = beside.enter_context(wire(run))
        watch([run.gateway], 6.0)
        before = json.loads(counts.read_text()) if counts else {}
        start = time.time_ns()
        watch([run.gateway], seconds)
        end = time.time_ns()
        if counts:
            after = json.loads(counts.read_text())
            assert not after["failed"], after
            asked, events = ((after[name] - before[name]) / seconds for name in ("asked", "events"))
        beside.close()
        run.gateway.end()
    journal = read_journals([folder / "journal.txt"])
    received, window = folder / "received.bin", folder / "window.bin"
    with window.open("wb") as out:
        for record in read(received):
            if start <= record.received < end:
                out.write(pack(record.received, record.topic.encode(), record.payload))
    report = verify([received], journal)
    assert not report.wrong, report
    latency = verify([window], journal).latency_ms
    late = lateness_ms(np.fromfile(sent, RECORD), start, end)
    shutil.rmtree(folder)
    return Measured(float(np.percentile(late, 99)), latency["p99"], asked, events)


def beside_w1(folder: Path, seconds: float, runs: int = RUNS) -> str:
    """Return the table of alternating runs, and what the medians are."""
    found: dict[bool, list[Measured]] = {False: [], True: []}
    for number in range(runs):
        for is_visited in (False, True):
            at = folder / f"run{number}{is_visited}"
            found[is_visited].append(once(at, seconds, is_visited=is_visited))
    lines = [
        "| W1 | lateness p99, ms, each run | median | latency p99, median | requests/s | events/s |",
        "|---|---|---|---|---|---|",
    ]
    medians = {}
    for is_visited, name in ((False, "alone"), (True, "20 browsers, 4 clients in a loop")):
        each = found[is_visited]
        medians[is_visited] = statistics.median(one.lateness_p99 for one in each)
        late = " ".join(f"{one.lateness_p99:.1f}" for one in each)
        latency, asked, events = (
            statistics.median(getattr(one, field) for one in each)
            for field in ("latency_p99", "asked_per_s", "events_per_s")
        )
        lines.append(
            f"| {name} | {late} | {medians[is_visited]:.1f} | {latency:.1f} ms | {asked:.0f} | {events:.0f} |"
        )
    ratio = medians[True] / medians[False]
    kept = medians[True] <= BAR_MS and ratio <= BAR_RATIO
    verdict = "kept" if kept else "missed"
    bar = f"the bar is {BAR_MS:g} ms and {BAR_RATIO:g} times: {verdict}."
    lines += ["", f"Lateness beside / alone: {ratio:.2f}; {bar}"]
    return "\n".join(lines)


def a_day_of_twenty(folder: Path) -> float:
    """Return the ms /api/trend takes for 24 h of 20 tags at 1 s, the median of nine."""
    paths = [f"cz/hall/line_1/d/x_{i}" for i in range(20)]
    now = time.time_ns() // SECOND * SECOND
    tags = TagTable()
    numbers = tags.announce([Tag(path, Kind.FLOAT64, "C62", "trial") for path in paths])
    data = folder / "data"
    (data / STORE).mkdir(parents=True)
    state = State(data / STORE / NAME)
    state.persist([(n, tags[n]) for n in numbers.tolist()])
    state.close()
    store = Store(data / HISTORY, HistoryOptions(), tags, SystemClock())
    store.open()
    rng = np.random.default_rng(1)
    for minute in range(0, 86_400, 600):
        at = now - 86_400 * SECOND + (minute + np.repeat(np.arange(600), 20)) * SECOND
        value = np.round(rng.normal(20, 3, len(at)), 2)
        rows = Columns(np.tile(numbers, 600), at, value, np.zeros(len(at), np.uint32))
        delivery = Delivery(Batch((rows,), now), Epoch(0, 1), minute + 1)
        store.book([delivery], delivery)
        store.put_away(60)
    store.put_away(600, everything=True)
    store.close()
    port = free_port()
    made = {f"x_{i}": {"shape": "constant"} for i in range(20)}
    plant = {
        "gateway": {"id": "bench", "site": "cz", "http_port": 0},
        "sources": {
            "trial": {
                "kind": "simulated",
                "devices": {"d": {"at": "hall/line_1", "scan": "1h", "tags": made}},
            }
        },
        "page": {"port": port},
    }
    (folder / "plant.yaml").write_text(json.dumps(plant))
    asked = "&".join(f"tags={quote(path)}" for path in paths)
    first = now // 1_000_000 - 86_400_000
    url = f"http://127.0.0.1:{port}/api/trend?{asked}&start={first}&end={now // 1_000_000}&points=1440"
    times = []
    with started(
        "gateway", python("-m", "gateway", "run", folder / "plant.yaml"), folder, core=GATEWAY_CORE
    ) as gateway:
        wait_for(lambda: gateway.said("page running") and gateway.said("link connected"), "the page", 60)
        for _ in range(9):
            began = time.perf_counter()
            with urllib.request.urlopen(url, timeout=60) as reply:
                lines = json.loads(reply.read())["lines"]
            times.append(1000 * (time.perf_counter() - began))
            assert [sum(line["good"]) for line in lines] == [86_400] * 20
    shutil.rmtree(folder)
    return statistics.median(times)


def text(folder: Path, seconds: float) -> str:
    """Return the section."""
    (folder / "trend").mkdir(parents=True)
    day = a_day_of_twenty(folder / "trend")
    return (
        beside_w1(folder, seconds)
        + f"\n\n24 h of 20 tags at 1 s, 1,440 points, through /api/trend: {day:.0f} ms."
    )
