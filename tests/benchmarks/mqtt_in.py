"""MQTT → disk → InfluxDB line protocol: ten values a message, published in C, the gateway alone on a core.

Every message the broker acknowledged to the publisher must be in the database, value by value.
"""

import contextlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.benchmarks.harness import GATEWAY_CORE, OTHER_CORE, Usage, median, watch
from tests.benchmarks.influx import gateway
from tests.processes import ROOT, free_port, python, started, wait_for
from tests.servers.broker import Broker
from tests.servers.flood import compiled, read_journal, value
from tests.servers.victoria import Victoria
from tests.verify.metrics import metrics

TOPICS, VALUES = 100, 10
RATES = (1_000, 2_500, 5_000, 7_500)
HEAD = [
    "messages/s asked for",
    "taken",
    "values/s into the database",
    "gateway CPU",
    "µs a message",
    "memory",
    "in the store / in the database / published",
    "wrong",
]


def table(folder: Path, seconds: float) -> list[list[str]]:
    """Return a row per rate, until one is not kept."""
    found = [HEAD]
    program = compiled(folder)
    for rate in RATES:
        at = folder / f"rate{rate}"
        row, kept = run(at, program, rate, seconds)
        found.append(row)
        shutil.rmtree(at)
        if not kept:
            break
    return found


def run(folder: Path, program: Path, rate: int, seconds: float) -> tuple[list[str], bool]:
    """Let one rate flow for some seconds after a warm-up of three; check every value."""
    folder.mkdir(parents=True)
    status_port, journal = free_port(), folder / "journal"
    with contextlib.ExitStack() as stack:
        broker = stack.enter_context(Broker(folder / "broker", settings=("log_type error",), core=OTHER_CORE))
        database = stack.enter_context(Victoria(folder / "victoria", core=OTHER_CORE))
        sinks = {"history": {"kind": "influxdb", "url": database.url, "bucket": "plant"}}
        process = stack.enter_context(gateway(folder, status_port, sinks, subscribed(broker.port)))
        wait_for(lambda: said(status_port, "source_up") == said(status_port, "sink_up") == 1, "both links")
        flood = [program, "127.0.0.1", broker.port, TOPICS, VALUES, rate, seconds + 4, 1, 2000, journal]
        publisher = stack.enter_context(started("flood", list(map(str, flood)), folder, core=OTHER_CORE))
        wait_for(lambda: said(status_port, "sink_rows_total") > 3 * rate * VALUES, "the warm-up", 120)
        before, began = metrics(status_port), time.monotonic()
        usage: Usage = watch([process], seconds - 1)[process.name]
        after, passed = metrics(status_port), time.monotonic() - began
        wait_for(lambda: publisher.popen.poll() is not None, "the publisher's end", seconds + 60)
        published = read_journal(journal)
        wait_for(
            lambda: said(status_port, "sink_rows_total") >= VALUES * len(published), "the last message", 120
        )
        stored = said(status_port, "source_rows_total")
        there, wrong = compare(database, published)
        process.end()
    taken = (after["source_messages_total"] - before["source_messages_total"]) / passed
    into = (after["sink_rows_total"] - before["sink_rows_total"]) / passed
    row = [
        f"{rate:,}",
        f"{taken:,.0f}",
        f"{into:,.0f}",
        f"{usage.core_percent:.0f} %",
        f"{usage.core_percent * 1e4 / taken:.0f}",
        f"{usage.rss_mb:.0f} MB",
        f"{stored:,.0f} / {there:,} / {VALUES * len(published):,}",
        f"{wrong}",
    ]
    return row, taken > 0.97 * rate and into > 0.97 * rate * VALUES


def said(status_port: int, name: str) -> float:
    """Return a metric, 0 while nobody answers."""
    try:
        return metrics(status_port).get(name, 0.0)
    except OSError:
        return 0.0


def subscribed(port: int) -> dict[str, Any]:
    """Return the source: a device per topic."""
    messages = {
        "topic": "flood/+/data",
        "device": "s{1}",
        "at": "hall/line_1",
        "time": {"path": "ts", "form": "unix_us"},
        "tags": {f"v{i}": {"path": f"v.v{i}", "unit": "°C"} for i in range(VALUES)},
    }
    return {"sensors": {"kind": "mqtt", "host": "127.0.0.1", "port": port, "messages": [messages]}}


def compare(database: Victoria, published: dict[int, tuple[int, int]]) -> tuple[int, int]:
    """Return how many values the database has, and how many of them nobody has published."""
    expected = {(topic, i): {} for topic in range(TOPICS) for i in range(VALUES)}
    for number, (topic, micros) in published.items():
        for i in range(VALUES):
            expected[topic, i][micros // 1000] = value(number, i)
    there = wrong = 0
    for series in database.export('{__name__="wanglian_value"}'):
        topic, index = int(series.labels["device"].lstrip("s")), int(series.labels["tag"].lstrip("v"))
        for at, found in zip(series.times, series.values, strict=True):
            there += 1
            wrong += expected[topic, index].get(at) != found
    return there, wrong


def bare(folder: Path, seconds: float) -> float:
    """Return messages/s of paho alone on the same core, as fast as they come."""
    folder.mkdir(parents=True, exist_ok=True)
    program = compiled(folder)
    with listening(folder) as (broker, subscriber):
        flood = [program, "127.0.0.1", broker.port, TOPICS, VALUES, 0, seconds, 1, 2000]
        with started("bare-flood", list(map(str, flood)), folder, core=OTHER_CORE) as publisher:
            wait_for(lambda: publisher.popen.poll() is not None, "the publisher's end", seconds + 60)
        counted = [int(line) for line in subscriber.log.read_text().splitlines()[1:]]
    return median([each for each in counted if each])


@contextlib.contextmanager
def listening(folder: Path) -> Iterator[tuple[Broker, Any]]:
    """Start a broker and the bare subscriber."""
    with Broker(folder / "bare-broker", settings=("log_type error",), core=OTHER_CORE) as broker:
        command = python(ROOT / "tests/benchmarks/bare_mqtt.py", "--port", str(broker.port))
        with started("bare-mqtt", command, folder, core=GATEWAY_CORE) as subscriber:
            wait_for(lambda: subscriber.said("subscribed"), "the subscription")
            yield broker, subscriber
