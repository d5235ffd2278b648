"""`make bench`: print the table; with --write it goes into docs/reference/performance.md too.

Of a run of some parts their sections alone are renewed there, each with its day.

python -m tests.benchmarks [--seconds 30] [--write] [--only w1,w2,opcua,find,rate,w3,stages,start,drain,…]
"""

import argparse
import os
import platform
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks import (
    derive,
    find,
    first_view,
    influx,
    live_view,
    month,
    mqtt_in,
    opcua,
    sinks,
    sparkplug,
)
from tests.benchmarks import page as page_beside
from tests.benchmarks.energy import table as energy_table
from tests.benchmarks.history import table as history_table
from tests.benchmarks.outage import text as outage_text
from tests.benchmarks.polling import Load, Result, measure
from tests.benchmarks.special import back_after_kill, bare_loop, drain, start_up_s
from tests.benchmarks.stages import table as stage_table
from tests.benchmarks.tariff import table as tariff_table
from tests.processes import ROOT

PARTS = (
    "w1",
    "w2",
    "opcua",
    "find",
    "rate",
    "w3",
    "stages",
    "start",
    "drain",
    "outage",
    "influx",
    "sinks",
    "mqtt_in",
    "sparkplug",
    "history",
    "tariff",
    "derive",
    "page",
    "live",
    "first",
    "month",
    "energy",
)
PAGE = ROOT / "docs" / "reference" / "performance.md"


PREAMBLE = """\
`make bench` on {date}: {system}, {cores} cores, Python {python}; a shared virtual machine, so trust
ratios within a table and orders of magnitude. The gateway is pinned to one core (with the bare exchange,
where one is compared); simulator, broker and subscriber share the other. CPU is of one core, threads and
kernel time included. Latency runs from the simulator serving a value to the subscriber having it; the
value is on disk before it is sent. Lost, doubled and wrong are counted over the whole run, value by value.
History and page are off but where a table is of them; by default the history adds about 1.2 % of the core and
9 MB at 10,000 values/s."""
SAMPLED = """\
The subscriber gets one device of them, checked value by value; the others are counted by PUBACK."""
DRAINED = """\
{backlog:,.0f} rows behind, {intake_per_s:,.0f} values/s still coming in: gone in {seconds:.1f} s, \
{sent_per_s:,.0f} values/s sent in all."""


def preamble() -> str:
    return PREAMBLE.format(
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        system=f"{platform.system()} {platform.machine()}",
        cores=os.cpu_count(),
        python=platform.python_version(),
    )


def describe(result: Result) -> list[str]:
    """Return a load's row."""
    report, bare = result.report, result.bare
    ratio = "" if bare is None else f"{result.gateway.core_percent / bare.core_percent:.2f}"
    return [
        result.load.name,
        result.load.event_loop,
        f"{result.acknowledged_per_s:,.0f}",
        f"{result.gateway.core_percent:.2f} %",
        "" if bare is None else f"{bare.core_percent:.2f} %",
        ratio,
        f"{result.gateway.rss_mb:.0f} MB",
        f"{result.latency_ms.get('p50', 0):.1f} / {result.latency_ms.get('p99', 0):.1f} ms",
        f"{sum(report.gaps.values())} / {report.doubled} / {report.wrong}",
    ]


HEAD = [
    "load",
    "event loop",
    "values/s acknowledged",
    "gateway CPU",
    "bare exchange",
    "ratio",
    "memory",
    "latency p50 / p99",
    "lost / doubled / wrong",
]


def rows(table: list[list[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in table]
    return "\n".join([lines[0], "|---" * len(table[0]) + "|", *lines[1:]])


def polling(folder: Path, loads: list[Load], seconds: float) -> str:
    found = []
    for number, load in enumerate(loads):
        at = folder / f"{load.name}{number}"
        found.append(describe(measure(load, at, seconds=seconds)))
        shutil.rmtree(at)
        print(found[-1], file=sys.stderr)
    return rows([HEAD, *found])


def highest_rate(folder: Path, seconds: float) -> str:
    """Raise the number of devices until the gateway no longer keeps up; 100,000 values/s each."""
    found = []
    for devices in (5, 10, 15, 18, 20, 22, 25):
        load = Load(
            f"{devices} × 1,000 at 10 ms", devices, 1000, "10ms", 8, None, "wanglian/cz/hall/line_1/m0"
        )
        at = folder / f"rate{devices}"
        result = measure(load, at, seconds=seconds)
        shutil.rmtree(at)
        overruns = result.counted["source_overruns_total"] * 1000 / seconds
        found.append(
            [*describe(result), f"{devices * 100_000:,}", f"{overruns:,.0f}", f"{result.backlog:,.0f}"]
        )
        print(found[-1], file=sys.stderr)
        if result.acknowledged_per_s < 0.97 * devices * 100_000:
            break
    bare = bare_loop(folder / "bare", devices=20, seconds=min(seconds, 15))
    return (
        rows([[*HEAD, "asked for", "not polled in time", "backlog at the end"], *found])
        + f"\n\nThe bare loop (`tests/benchmarks/bare_loop.py`), beside it: {bare:,.0f} values/s."
    )


def renewed(page: str, measured: str) -> str:
    """Return the page with the measured sections in their places, new ones at its end."""
    head, *_ = page.split("\n## ")
    found = dict(each.split("\n", 1) for each in page.split("\n## ")[1:])
    for section in measured.split("\n## ")[1:]:
        title, text = section.split("\n", 1)
        found[title] = f"\nMeasured by itself on {datetime.now(UTC):%Y-%m-%d}.\n{text}"
    return "\n## ".join([head, *(f"{title}\n{text.rstrip()}\n" for title, text in found.items())])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--only", default=",".join(PARTS))
    options = parser.parse_args()
    asked = options.only.split(",")
    page = ["# Measured", "", preamble()]
    with tempfile.TemporaryDirectory(prefix="wanglian-bench-") as name:
        folder = Path(name)
        if "w1" in asked:
            loops = ("uvloop", "asyncio")
            loads = [Load("W1", 10, 1000, "1s", 1, 1.0, event_loop=loop) for loop in loops]
            page += [
                "",
                "## W1: 10 devices × 1,000 float32 at 1 s",
                "",
                polling(folder, loads, options.seconds),
            ]
        if "w2" in asked:
            page += ["", "## W2: 10,000 OPC UA nodes at 1 Hz, from node-opcua", ""]
            page += [rows(opcua.w2_table(opcua.w2(folder / "w2", options.seconds)))]
        if "opcua" in asked:
            page += ["", "## The highest rate of OPC UA changes on one core", ""]
            page += [rows(opcua.sustained_table(folder / "opcua", options.seconds)), "", opcua.EXPLAINED]
        if "find" in asked:
            page += ["", "## Finding OPC UA nodes", "", rows(find.table(folder / "find")), "", find.EXPLAINED]
        if "rate" in asked:
            page += ["", "## The highest rate on one core", "", highest_rate(folder, options.seconds)]
            page += ["", SAMPLED]
        if "w3" in asked:
            loads = [Load("W3", 20, 50, "1s", 1, 1.0, event_loop=loop) for loop in ("uvloop", "asyncio")]
            page += ["", "## W3: 20 devices × 50 tags at 1 s", "", polling(folder, loads, options.seconds)]
        if "stages" in asked:
            page += ["", "## Stages", "", stage_table()]
        if "start" in asked:
            (cold, warm), memory = start_up_s(folder / "start")
            page += ["", "## Start-up with 100,000 tags", ""]
            page += [
                f"{cold:.1f} s with an empty store, {warm:.1f} s with a known catalogue; {memory:.0f} MB."
            ]
            page += ["", back_after_kill(folder / "killed")]
        if "drain" in asked:
            found = drain(folder / "drain", outage_s=options.seconds)
            page += ["", "## Drain of a backlog", ""]
            page += [DRAINED.format(**found)]
        if "outage" in asked:
            page += ["", "## An outage", "", outage_text(folder / "outage", options.seconds)]
        if "influx" in asked:
            page += ["", "## Into VictoriaMetrics", ""]
            page += [influx.text(folder / "influx", rows=round(options.seconds * 200_000))]
        if "sinks" in asked:
            page += ["", "## Each sink and form by itself", ""]
            page += [rows(sinks.table(folder / "sinks", min(options.seconds, 5))), "", sinks.EXPLAINED]
        if "mqtt_in" in asked:
            page += ["", "## MQTT in → disk → VictoriaMetrics, ten values a message", ""]
            page += [rows(mqtt_in.table(folder, options.seconds)), ""]
            per_s = mqtt_in.bare(folder / "bare", min(options.seconds, 10))
            page += [f"paho alone, throwing the messages away on the same core: {per_s:,.0f} messages/s."]
        if "sparkplug" in asked:
            page += ["", "## Sparkplug, from bytes to rows", ""]
            page += [rows([["what", "best of five"], *sparkplug.table()])]
        if "history" in asked:
            page += ["", "## History", "", history_table()]
        if "tariff" in asked:
            page += ["", "## Pricing", "", rows([["what", "best of seven"], *tariff_table()])]
        if "derive" in asked:
            page += ["", "## Derived tags", "", derive.text()]
        if "page" in asked:
            page += ["", "## The page beside W1", "", page_beside.text(folder / "page", options.seconds)]
        if "live" in asked:
            page += ["", "## The Live view with 100,000 tags", "", live_view.text(folder / "live")]
        if "month" in asked:
            page += ["", "## A month of load curve on the screen", "", month.text(folder / "month")]
        if "first" in asked:
            page += ["", "## The first view", "", first_view.text(folder / "first")]
        if "energy" in asked:
            page += ["", "## Energy books", "", "| what | cost |", "|---|---|", *energy_table()]
    text = "\n".join(page) + "\n"
    print(text)
    if options.write:
        is_whole = set(PARTS) <= set(asked)
        PAGE.write_text(text if is_whole else renewed(PAGE.read_text("utf-8"), text), encoding="utf-8")


if __name__ == "__main__":
    main()
