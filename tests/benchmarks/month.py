"""A month of a load curve, a value a minute, asked for and drawn by Chromium: when it is on the screen.

Measured from outside the page: when its canvas was last painted after the answer came, by the browser's
clock. One value of the 43,200 is a peak a minute long: it must be in what was drawn.
"""

import json
import shutil
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import numpy as np
from playwright.sync_api import Page

from config.plant import HistoryOptions
from connectors import Batch, Columns, Delivery, Epoch, Kind, SystemClock, Tag, TagTable
from edge_deploy import page as page_build
from gateway.buffer.contract import STORE
from gateway.buffer.state import NAME, State
from gateway.history import HISTORY
from gateway.history.store import Store
from tests.benchmarks.harness import GATEWAY_CORE
from tests.browser.stage import chromium, window
from tests.processes import free_port, python, started, wait_for

SECOND: Final = 1_000_000_000
MINUTES: Final = 30 * 1440
PEAK: Final = 911.0
PATH: Final = "cz/hall/line_1/supply/power"
RUNS: Final = 9
BAR_MS: Final = 200.0
_AT_ONCE: Final = 1440
# The last time anything was painted on a canvas, and one frame later.
_WATCH: Final = """
for (const name of ["stroke", "fill", "fillText", "fillRect"]) {
  const was = CanvasRenderingContext2D.prototype[name];
  CanvasRenderingContext2D.prototype[name] = function (...given) {
    window.paintedAt = performance.now();
    return was.apply(this, given);
  };
}
"""
_DRAWN: Final = """() => {
  const asked = performance.getEntriesByType("resource").filter((each) => each.name.includes("/api/trend"));
  const last = asked.at(-1);
  if (!last || !last.responseEnd || !(window.paintedAt > last.responseEnd)) return null;
  if (performance.now() - window.paintedAt < 300) return null;
  return { count: asked.length, begun: last.startTime, came: last.responseEnd, painted: window.paintedAt };
}"""


@dataclass(frozen=True)
class Drawn:
    """ms."""

    answer: float
    """From asking to the last byte."""
    drawing: float
    """From there to the last stroke."""


def write(data: Path) -> int:
    """Write a month that ends now, a plant's days in minutes and one peak; return its end, ns."""
    now = time.time_ns() // (60 * SECOND) * 60 * SECOND
    tags = TagTable()
    (number,) = tags.announce([Tag(PATH, Kind.FLOAT64, "KWT", "trial")]).tolist()
    (data / STORE).mkdir(parents=True)
    state = State(data / STORE / NAME)
    state.persist([(number, tags[number])])
    state.close()
    store = Store(data / HISTORY, HistoryOptions(), tags, SystemClock())
    store.open()
    minute = np.arange(MINUTES)
    rng = np.random.default_rng(1)
    value = np.round(300 + 150 * np.sin(minute / 1440 * 2 * np.pi) + rng.normal(0, 20, MINUTES), 1)
    value[MINUTES // 2] = PEAK
    at = now - (MINUTES - minute) * 60 * SECOND
    for seq, first in enumerate(range(0, MINUTES, _AT_ONCE), 1):
        some = slice(first, first + _AT_ONCE)
        good = np.zeros(_AT_ONCE, np.uint32)
        rows = Columns(np.full(_AT_ONCE, number, np.int32), at[some], value[some], good)
        delivery = Delivery(Batch((rows,), now), Epoch(0, 1), seq)
        store.book([delivery], delivery)
    store.put_away(600, everything=True)
    store.close()
    return now


def plant(page_port: int) -> dict[str, Any]:
    """Return a plant file that knows the tag and adds nothing to it."""
    device = {"at": "hall/line_1", "scan": "1h", "tags": {"power": {"shape": "constant", "unit": "kW"}}}
    return {
        "gateway": {"id": "bench", "site": "cz", "http_port": 0},
        "sources": {"trial": {"kind": "simulated", "devices": {"supply": device}}},
        "page": {"port": page_port},
    }


def drawn(page: Page, url: str, end: int) -> tuple[list[Drawn], dict[str, Any]]:
    """Draw the month that ends then (ms) again and again; return the times and the last answer."""
    first = end - MINUTES * 60_000
    month = f"from={first}&to={end}"
    found: list[Drawn] = []
    told: dict[str, Any] = {}
    for run in range(RUNS + 1):
        # From an hour to a month: the view's code is there, the month is asked for anew.
        page.goto(f"{url}#/trend?tags={quote(PATH)}&from={end - 3_600_000}&to={end}")
        page.wait_for_function(_DRAWN)
        with page.expect_response(lambda answer: f"start={first}" in answer.url) as answer:
            page.evaluate(f"location.hash = '#/trend?tags={quote(PATH)}&{month}'")
        told = answer.value.json()
        at = page.wait_for_function(_DRAWN).json_value()
        if run:  # the first compiles
            found.append(Drawn(at["came"] - at["begun"], at["painted"] - at["came"]))
    return found, told


def text(folder: Path) -> str:
    """Return what it took."""
    if not page_build.is_built():
        page_build.build()
    folder.mkdir(parents=True)
    end = write(folder / "data") // 1_000_000
    port = free_port()
    (folder / "plant.yaml").write_text(json.dumps(plant(port)))
    command = python("-m", "gateway", "run", folder / "plant.yaml")
    with (
        started("gateway", command, folder, core=GATEWAY_CORE) as gateway,
        chromium() as browser,
    ):
        wait_for(lambda: gateway.said("page running") and gateway.said("link connected"), "the page", 60)
        with window(browser, "en") as context:
            context.add_init_script(_WATCH)
            page = context.new_page()
            found, told = drawn(page, f"http://127.0.0.1:{port}/", end)
    shutil.rmtree(folder)
    (line,) = told["lines"]
    assert sum(line["good"]) >= MINUTES, sum(line["good"])
    assert max(line["high"]) == PEAK
    answer, drawing = (
        statistics.median(getattr(each, name) for each in found) for name in ("answer", "drawing")
    )
    both = [each.answer + each.drawing for each in found]
    middle = statistics.median(both)
    verdict = "kept" if middle <= BAR_MS else "missed"
    return (
        f"{MINUTES:,} values of a tag in {len(line['time']):,} buckets with least, greatest and mean; a peak"
        f" of one minute is among them. In Chromium, the median of {RUNS}: answered in {answer:.0f} ms,"
        f" drawn in {drawing:.0f} ms, together {middle:.0f} ms ({min(both):.0f} to {max(both):.0f});"
        f" the bar is {BAR_MS:.0f} ms: {verdict}."
    )
