"""The Live view with 100,000 tags: what one types and scrolls, as the browser's own trace has it.

A real gateway, its page's process and a browser; the gateway is alone on its core as in the other tables.
"""

import json
import statistics
import time
import urllib.request
from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from playwright.sync_api import Browser, Page, expect

from tests.benchmarks.harness import GATEWAY_CORE
from tests.browser.stage import chromium, window
from tests.processes import free_port, python, started, wait_for

DEVICES: Final = 100
VALUES: Final = 1000
BAR_MS: Final = 50.0
SLOWER: Final = (1, 4)
"""How many times slower than this machine the browser's processor is made."""
_CATEGORIES: Final = [
    "devtools.timeline",
    "disabled-by-default-devtools.timeline",
    "disabled-by-default-devtools.timeline.frame",
    "toplevel",
    "loading",
]
_SCRIPT: Final = frozenset(
    {"FunctionCall", "EvaluateScript", "EventDispatch", "FireAnimationFrame", "TimerFire"}
)
_WORDS: Final = ("line_7", "d42 temperature", "rature_12", "d1 pressure_1", "power_20", "hall d7 run")
_BETWEEN_LETTERS_MS: Final = 60
_FRAME_MS: Final = 16
_SHOWS_ONLY: Final = """words => {
    const links = [...document.querySelectorAll(".scroll .row .tag a")];
    const rows = links.map((each) => each.getAttribute("href"));
    return rows.length > 0 && rows.every((row) => row && words.every((word) => row.includes(word)));
}"""
_SHOWS_ROWS: Final = """share => {
    const box = document.querySelector(".scroll");
    const there = document.getElementById(`row-${Math.ceil(box.scrollTop / 32) + 1}`);
    return there && !there.classList.contains("waiting");
}"""
EXPLAINED: Final = """\
Every tag is new every five seconds. A task is one of the browser's main thread in which script ran, by the
clock, with what else the machine did meanwhile; its work is the processor's time of the busiest. Rows are
there 120 ms after the last letter at the earliest: so long the page waits for another."""


@dataclass(frozen=True)
class Looked:
    """What a trace holds of the tasks of the page's main thread that ran script; ms."""

    tasks: list[float]
    """By the clock, as a developer's tools show them."""
    busy: list[float]
    """What the processor worked on each: the rest is other programs'."""
    drawn: int
    dropped: int


def plant_file(folder: Path, port: int) -> Path:
    """Write a plant of 100,000 tags, all of them new every five seconds."""
    shapes = {"temperature": "sine", "pressure": "ramp", "power": "sine", "running": "square"}
    each = VALUES // len(shapes)
    tags = {name: {"shape": shape, "count": each, "unit": "kW"} for name, shape in shapes.items()}
    sources = {
        f"line_{i}": {
            "kind": "simulated",
            "devices": {
                f"d{i * 10 + j}": {"at": f"hall/line_{i}", "scan": "5s", "tags": tags} for j in range(10)
            },
        }
        for i in range(DEVICES // 10)
    }
    file = folder / "plant.yaml"
    plant = {"gateway": {"id": "bench", "site": "cz"}, "sources": sources, "page": {"port": port}}
    file.write_text(json.dumps(plant | {"history": {"enabled": False}}))
    return file


@contextmanager
def gateway(folder: Path) -> Iterator[str]:
    """Run it; yield the page's address once every tag is there."""
    port = free_port()
    command = python("-m", "gateway", "run", plant_file(folder, port))
    with started("gateway", command, folder, core=GATEWAY_CORE) as run:
        wait_for(lambda: run.said("page running"), "the page", 60)
        url = f"http://127.0.0.1:{port}/"
        wait_for(lambda: asked(url, q="")[1]["total"] == DEVICES * VALUES, "every tag", 60)
        yield url


def asked(url: str, **words: str) -> tuple[float, Any]:
    """Return the ms of an answer and what it says."""
    began = time.perf_counter()
    with urllib.request.urlopen(f"{url}api/tags?{urlencode(words)}", timeout=30) as reply:
        said = json.loads(reply.read())
    return 1e3 * (time.perf_counter() - began), said


def traced(browser: Browser, page: Page, does: Callable[[], None]) -> Looked:
    """Do it, and read the browser's trace of it."""
    browser.start_tracing(page=page, categories=_CATEGORIES)
    does()
    events = json.loads(browser.stop_tracing())["traceEvents"]
    mains = {(e["pid"], e["tid"]) for e in events if e.get("args", {}).get("name") == "CrRendererMain"}
    script = [e for e in events if e["name"] in _SCRIPT and (e["pid"], e["tid"]) in mains]
    main = statistics.mode((e["pid"], e["tid"]) for e in script)
    starts = sorted(e["ts"] for e in script if (e["pid"], e["tid"]) == main)
    tasks = [e for e in events if e["name"] == "RunTask" and (e["pid"], e["tid"]) == main and "dur" in e]
    ran = [e for e in tasks if bisect_left(starts, e["ts"]) < bisect_left(starts, e["ts"] + e["dur"])]
    frames = [e["name"] for e in events if e["pid"] == main[0]]
    return Looked(
        [e["dur"] / 1e3 for e in ran],
        [e["tdur"] / 1e3 for e in ran],
        frames.count("DrawFrame"),
        frames.count("DroppedFrame"),
    )


def type_words(page: Page, answered: list[float]) -> None:
    """Search for one thing after another, letter by letter; note the ms from each last letter to its rows."""
    box = page.locator("main input[type=search]")
    for words in _WORDS:
        box.fill("")
        expect(page.get_by_role("status").first).to_contain_text(f"{DEVICES * VALUES:,}")
        box.press_sequentially(words, delay=_BETWEEN_LETTERS_MS)
        began = time.perf_counter()
        page.wait_for_function(_SHOWS_ONLY, arg=words.split())
        answered.append(1e3 * (time.perf_counter() - began))


def scroll(page: Page, answered: list[float]) -> None:
    """Roll the wheel, throw the bar to and fro, go to both ends by keys; note the ms until rows are there."""
    box = page.locator(".scroll")
    box.hover()
    for step in (120, 120, 120, 600, 600, 3000, -600):
        for _ in range(20):
            page.mouse.wheel(0, step)
            page.wait_for_timeout(_FRAME_MS)
    for share in (0.5, 0.1, 0.9, 0.33):
        began = time.perf_counter()
        box.evaluate("(element, share) => element.scrollTo(0, share * element.scrollHeight)", share)
        page.wait_for_function(_SHOWS_ROWS, arg=share)
        answered.append(1e3 * (time.perf_counter() - began))
    box.focus()
    for key in ("End", "PageUp", "PageUp", "Home", *["ArrowDown"] * 40):
        page.keyboard.press(key)
    expect(page.locator("#row-40.chosen")).to_be_visible()


def row(browser: Browser, page: Page, what: str, times: int) -> tuple[list[str], float]:
    """Return what typing or scrolling did to the page's main thread, and its longest task."""
    answered: list[float] = []
    does = type_words if what == "typing" else scroll
    found = traced(browser, page, lambda: does(page, answered))
    long = sum(task > BAR_MS for task in found.tasks)
    cells = [
        what if times == 1 else f"{what}, processor {times} times slower",
        f"{max(found.tasks):.0f} ms",
        f"{max(found.busy):.0f} ms",
        f"{long} of {len(found.tasks):,}",
        f"{found.dropped} of {found.drawn + found.dropped}",
        f"{statistics.median(answered):.0f} / {max(answered):.0f} ms",
    ]
    return cells, max(found.tasks)


HEAD: Final = [
    "doing",
    "longest task",
    "its work",
    "over 50 ms",
    "frames dropped",
    "rows there after, median / most",
]


def served(url: str) -> str:
    """Return what the server's side of it takes, each question new to it."""
    kinds: dict[str, list[dict[str, str]]] = {
        "a search": [{"q": f"d{i} power_{i}"} for i in range(30)],
        "a page far down": [{"offset": str(i * 3000)} for i in range(30)],
        "a page of the Good ones": [{"which": "good", "offset": str(i * 3000)} for i in range(30)],
    }
    told = []
    for what, words in kinds.items():
        times = [asked(url, **each)[0] for each in words]
        told.append(f"{what} {statistics.median(times):.1f} ms (at most {max(times):.1f})")
    return "The gateway's own answers, over HTTP: " + ", ".join(told) + "."


def text(folder: Path) -> str:
    """Return the table and what the server takes."""
    folder.mkdir(parents=True)
    lines = ["| " + " | ".join(HEAD) + " |", "|---" * len(HEAD) + "|"]
    longest_of_all = 0.0
    with gateway(folder) as url, chromium() as browser:
        for times in SLOWER:
            with window(browser, "en") as context:
                page = context.new_page()
                context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": times})
                page.goto(f"{url}#/live")
                expect(page.locator(".scroll .row .tag").first).to_be_visible(timeout=30_000)
                for what in ("scrolling", "typing"):
                    cells, longest = row(browser, page, what, times)
                    lines.append("| " + " | ".join(cells) + " |")
                    if times == 1:
                        longest_of_all = max(longest_of_all, longest)
        verdict = "kept" if longest_of_all <= BAR_MS else "missed"
        bar = f"The bar is {BAR_MS:.0f} ms for the longest task on a processor as it is: {verdict}."
        return "\n".join([*lines, "", bar, "", served(url), "", EXPLAINED])
