"""A small plant for the tests of the sink: one device, some tags, deliveries of it."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from config.connections import MqttSink as MqttOptions
from connectors import Batch, Columns, Context, Delivery, Epoch, Kind, SystemClock, Tag, TagTable
from connectors.mqtt import MqttSink

EPOCH = Epoch(1, 0xABCDEF)
T0 = 1_764_000_000_000_000_000
DEVICE = "cz/press/line1/m1"


def tag_table(count: int = 10) -> TagTable:
    table = TagTable()
    table.announce([Tag(f"{DEVICE}/v_{i}", Kind.FLOAT64, "KWH", "plc") for i in range(count)])
    return table


def delivery(seq: int, count: int = 10, **how: Any) -> Delivery:
    numbers = np.arange(count, dtype=np.int32)
    columns = Columns(
        numbers, np.full(count, T0 + seq), numbers.astype(np.float64) + seq, np.zeros(count, np.uint32)
    )
    return Delivery(Batch((columns,), T0), EPOCH, seq, **how)


def options(port: int, **more: Any) -> MqttOptions:
    return MqttOptions.model_validate({"kind": "mqtt", "host": "127.0.0.1", "port": port, **more})


def sink(port: int, table: TagTable | None = None, **more: Any) -> MqttSink:
    status = more.pop("status", lambda: {"epoch": str(EPOCH)})
    context = Context("gw-1", table or tag_table(), SystemClock(), status=status)
    return MqttSink("cloud", options(port, **more), context, "cz")


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Wait for a condition, failing at the deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        await asyncio.sleep(0.005)
