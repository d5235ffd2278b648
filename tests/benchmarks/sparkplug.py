"""Sparkplug without a broker: what a message costs from its bytes to rows, and one that is refused."""

import time
from collections.abc import Callable

from connectors.broker.rows import Rows
from connectors.sparkplug.payload import Malformed, parse
from connectors.sparkplug.said import Said
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
    for name, data in MALFORMED.items():
        seconds = min(_timed(lambda data=data: _refused(data)) for _ in range(rounds))  # type: ignore[misc]
        found.append([f"refused: {name}", f"{seconds * 1e3:.2f} ms"])
    return found


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
