"""Sparkplug without a broker: what a message costs, from its bytes to rows and from rows to its bytes."""

import time
from collections.abc import Callable

import numpy as np

from connectors import DTYPE_OF_PART, PART_OF_KIND, Columns, Kind, Tag, TagTable, one_time
from connectors.broker.rows import Rows
from connectors.quality import BAD
from connectors.sparkplug.edge.encode import encode
from connectors.sparkplug.edge.layout import Layouts
from connectors.sparkplug.payload import Malformed, parse
from connectors.sparkplug.said import Said
from connectors.sparkplug.schema import Payload
from connectors.sparkplug.topics import parse_topic
from gateway.lab.sparkplug import EdgeNode, Message
from tests.unit.sparkplug.hearing import MS, Hearing

MALFORMED = {
    "1 MiB of 0xFF": b"\xff" * 2**20,
    "a birth cut short": EdgeNode("g", "n", {f"m{i}": 1.5 for i in range(20_000)}).birth(MS)[1][:-1],
    "50,001 empty metrics": b"\x12\x00" * 50_001,
    "1 MiB of empty metrics": b"\x12\x00" * 2**19,
    "1 MiB of empty rows": b"\x12\x84\x80\x40\x8a\x01\x80\x80\x40" + b"\x22\x00" * 2**19,
}


def table(rounds: int = 5) -> list[list[str]]:
    """Return rows of (what, cost), the best of some rounds."""
    found = []
    for values in (1, 10, 100, 1000):
        seconds = min(_read(values) for _ in range(rounds))
        found.append(
            [f"data of {values} values", f"{seconds * 1e6:.0f} µs, {seconds / values * 1e6:.1f} µs a value"]
        )
    for kind, quality in ((Kind.FLOAT64, 0), (Kind.INT64, 0), (Kind.FLOAT64, BAD)):
        for values in (10, 100, 1000):
            seconds = min(_written(values, kind, quality) for _ in range(rounds))
            what = f"written: {values} of {kind.name}{', Bad' if quality else ''}"
            found.append([what, f"{seconds * 1e6:.0f} µs, {seconds / values * 1e9:.0f} ns a value"])
    seconds = min(_timed(lambda: _by_objects(1000)) for _ in range(rounds))
    found.append(["written by protobuf's objects: 1000 of FLOAT64", f"{seconds * 1e6:.0f} ns a value"])
    for name, data in MALFORMED.items():
        seconds = min(_timed(lambda data=data: _refused(data)) for _ in range(rounds))  # type: ignore[misc]
        found.append([f"refused: {name}", f"{seconds * 1e3:.2f} ms"])
    return found


def _written(values: int, kind: Kind, quality: int) -> float:
    table = TagTable()
    table.announce([Tag(f"s/a/l/d/t{i}", kind, "C62", "src") for i in range(values)])
    columns = Columns(
        np.arange(values, dtype=np.int32),
        one_time(1_790_000_000_000_000_000, values),
        np.arange(values).astype(DTYPE_OF_PART[PART_OF_KIND[kind]]),
        np.full(values, quality, np.uint32),
    )
    layouts, repeats = Layouts(table), max(20, 20_000 // values)

    def write() -> None:
        for _ in range(repeats):
            (share,) = layouts.shares((columns,))
            for group, rows in zip(share.groups, share.columns((columns,)), strict=True):
                encode(group, rows, historical=False)

    return _timed(write) / repeats


def _by_objects(values: int) -> None:
    said = Payload(timestamp=1_790_000_000_000, seq=1)
    for i in range(values):
        said.metrics.add(alias=i + 128, timestamp=1_790_000_000_000, double_value=float(i))
    said.SerializeToString()


def _read(values: int) -> float:
    node = EdgeNode("plant", "press", {f"m{i}": float(i) for i in range(values)})
    heard = Hearing()
    heard.hear(*node.births(MS))
    said = [node.data({f"m{i}": float(i) for i in range(values)}, MS) for _ in range(max(20, 4000 // values))]
    return _timed(lambda: _heard(heard, said)) / len(said)


def _heard(heard: Hearing, said: list[Message]) -> None:
    for topic, data in said:
        address = parse_topic(topic)
        assert address is not None
        heard.node.hear(Said(address.kind, address.device, parse(data), len(data), 0), 0)
        if len(heard.readings.live) >= 1000:
            heard.readings.live.batch(0, 0)  # type: ignore[arg-type]
            heard.readings.live = Rows()


def _refused(data: bytes) -> None:
    try:
        parse(data)
    except Malformed:
        return
    raise AssertionError("it was read")


def _timed(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
