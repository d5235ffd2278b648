"""What each stage costs by itself: ns a value at 1 to 5,000 rows, best of several rounds, one thread."""

import asyncio
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from config.connections import ModbusTcpSource
from config.plant import BufferOptions
from connectors import Batch, Columns, Delivery, Epoch, Kind, Order, SystemClock, Tag, TagTable, one_time
from connectors.line.dialogue import Answers
from connectors.modbus.decode import Decoder
from connectors.modbus.layout import compile_layout
from connectors.modbus.plan import plan_requests, values_of
from connectors.mqtt.payload import Encoder
from gateway.buffer import DiskBuffer
from gateway.buffer.codec import decode, encode
from gateway.pipeline import ClockWatch, build_pipeline

ROWS = (1, 10, 50, 100, 1_000, 5_000)


def best_ns(call: Callable[[], object], rows: int) -> float:
    """Return ns a value: the best of five rounds of at least 20 ms."""
    once = time.perf_counter_ns()
    call()
    repeat = max(3, int(20e6 / max(1, time.perf_counter_ns() - once)))
    rounds = []
    for _ in range(5):
        began = time.perf_counter_ns()
        for _ in range(repeat):
            call()
        rounds.append((time.perf_counter_ns() - began) / repeat)
    return min(rounds) / rows


def tags_of(rows: int, **options: float) -> TagTable:
    tags = TagTable()
    tags.announce([Tag(f"s/a/l/d/v_{i}", Kind.FLOAT64, "KWT", "src", **options) for i in range(rows)])  # type: ignore[arg-type]
    return tags


def batch_of(rows: int) -> Batch:
    value = (np.random.default_rng(1).random(rows) * 1000).astype(np.float32).astype(np.float64)
    now = time.time_ns()
    columns = Columns(np.arange(rows, dtype=np.int32), one_time(now, rows), value, np.zeros(rows, np.uint32))
    return Batch((columns,), now)


def modbus_decode(rows: int) -> Callable[[], object]:
    device = {"tags": {"v": {"address": 0, "type": "float32", "count": rows}}}
    plant = {"kind": "modbus_tcp", "host": "h", "devices": {"d": device}}
    options = ModbusTcpSource.model_validate(plant).devices["d"]
    requests = plan_requests(options, values_of(options))
    decoder = Decoder(compile_layout(requests), np.arange(rows, dtype=np.int32))
    replies = [bytes(2 * request.count) for request in requests]
    answers = Answers(replies, [0] * len(requests), [1] * len(requests))
    return lambda: decoder.columns(answers)


def stages(rows: int) -> dict[str, Callable[[], object]]:
    batch, epoch = batch_of(rows), Epoch(1, 1)
    watch = ClockWatch(SystemClock())
    plain = build_pipeline(tags_of(rows), watch)
    scaled = build_pipeline(tags_of(rows, scale=0.1, low=0.0, high=1e6, deadband=0.0), watch)
    stored, tag = encode(batch), batch.parts[0].tag
    encoder = Encoder("gw", tags_of(rows), lambda _: 10**9)
    delivery = Delivery(batch, epoch, 1)
    return {
        "Modbus decode, float32": modbus_decode(rows),
        "pipeline, nothing configured": lambda: plain(batch),
        "pipeline, scale + limits + deadband": lambda: scaled(batch),
        "store encode": lambda: encode(batch),
        "store decode": lambda: decode(stored, tag, batch.arrived),
        "MQTT JSON": lambda: encoder.messages(delivery),
    }


async def append_to_next_us(rows: int, rounds: int = 200) -> float:
    """Return the median time from append to the cursor's delivery, on disk in between, µs."""
    with tempfile.TemporaryDirectory() as folder:
        async with DiskBuffer(Path(folder), BufferOptions()) as buffer:
            TagTable(buffer.catalogue(), buffer.persist).announce(
                [Tag(f"s/a/l/d/v_{i}", Kind.FLOAT64, "KWT", "src") for i in range(rows)]
            )
            cursor, batch, times = buffer.cursor("sink", Order.LIVE_FIRST), batch_of(rows), []
            buffer.ready()
            for _ in range(rounds):
                began = time.perf_counter_ns()
                await buffer.append("src", batch)
                await cursor.next(20_000)
                await cursor.ack()
                times.append((time.perf_counter_ns() - began) / 1000)
    return float(np.median(times))


def table() -> str:
    """Return the Markdown table of stage costs."""
    lines = ["| ns a value | " + " | ".join(f"{rows:,} rows" for rows in ROWS) + " |", "|---" * 7 + "|"]
    measured = [{name: best_ns(call, rows) for name, call in stages(rows).items()} for rows in ROWS]
    for name in measured[0]:
        lines.append(f"| {name} | " + " | ".join(f"{found[name]:,.0f}" for found in measured) + " |")
    delays = [asyncio.run(append_to_next_us(rows)) for rows in ROWS]
    lines.append("| append → on disk → next, µs a batch | " + " | ".join(f"{d:,.0f}" for d in delays) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
