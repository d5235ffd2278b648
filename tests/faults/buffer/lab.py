"""What the buffer's fault tests share: batches that can be recomputed from their number, and the checks."""

import os
import random
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np

from config.plant import BufferOptions
from connectors import Batch, Columns, Delivery, Kind, Order, Tag, TagTable
from gateway.buffer import DiskBuffer
from tests.verify import read_store

SCALE = float(os.environ.get("WL_SCALE", "0.1"))
T0 = 1_790_000_000_000_000_000
TAGS = [Tag(f"s/a/l/d/v_{i}", Kind.FLOAT64, "1", "src") for i in range(64)] + [
    Tag("s/a/l/d/name", Kind.TEXT, "1", "src")
]


def options(**changes: Any) -> BufferOptions:
    # The batches are stamped from T0 on, whatever the day of the test: no age may remove them.
    return BufferOptions.model_construct(**{"min_free": 0, "max_age": 2**62, **changes})


def batch_of(k: int) -> Batch:
    """Return batch number k: 1 to 64 numbers and a text that carries k."""
    rows = 1 + k * 7 % 64
    numbers = Columns(
        np.arange(rows, dtype=np.int32),
        np.full(rows, T0 + k, np.int64),
        k + np.arange(rows) / 8,
        np.full(rows, 0x80310000 if k % 11 == 0 else 0, np.uint32),
    )
    text = Columns(
        np.array([64], np.int32), np.array([T0 + k]), np.array([str(k)], object), np.zeros(1, np.uint32)
    )
    return Batch((numbers, text), T0 + k)


def number_of(delivery: Delivery) -> int:
    """Return k, after comparing every value."""
    k = int(delivery.batch.parts[1].value[0])
    expected = batch_of(k)
    assert delivery.batch.arrived == expected.arrived
    for got, sent in zip(delivery.batch.parts, expected.parts, strict=True):
        for column in ("tag", "time", "value", "quality"):
            assert getattr(got, column).tolist() == getattr(sent, column).tolist()
    return k


def rows_of(numbers: Sequence[int]) -> int:
    return sum(len(batch_of(k)) for k in numbers)


@asynccontextmanager
async def opened(directory: Path, **changes: Any) -> AsyncIterator[DiskBuffer]:
    async with DiskBuffer(directory, options(**changes)) as buffer:
        TagTable(buffer.catalogue(), buffer.persist).announce(TAGS)
        yield buffer


async def fill(buffer: DiskBuffer, numbers: Sequence[int]) -> list[int]:
    """Append batches, each in a commit of its own or not, as it comes; return their seqs."""
    return [await each for each in [await buffer.append("src", batch_of(k)) for k in numbers]]


async def drain(buffer: DiskBuffer, sink: str = "reader") -> list[Delivery]:
    """Return everything stored for a new strict sink."""
    cursor = buffer.cursor(sink, Order.STRICT, start="oldest")
    taken: list[Delivery] = []
    while cursor.backlog().rows:
        taken += await cursor.next(5000)
        await cursor.ack()
    return taken


async def make_store(directory: Path, numbers: Sequence[int], **changes: Any) -> None:
    """Fill a store and close it, a sink named `slow` having taken nothing."""
    async with opened(directory, **changes) as buffer:
        buffer.cursor("slow", Order.STRICT)
        buffer.ready()
        for start in range(0, len(numbers), 5):
            await fill(buffer, numbers[start : start + 5])


def flip(path: Path, chance: random.Random) -> int:
    """Flip one bit of a file; return in which byte."""
    data = bytearray(path.read_bytes())
    place = chance.randrange(len(data))
    data[place] ^= 1 << chance.randrange(8)
    path.write_bytes(data)
    return place


def copy(source: Path, target: Path) -> Path:
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    return target


def read_independently(directory: Path) -> dict[tuple[str, int], int]:
    """Return {(epoch, seq): k} by the independent reader, after comparing every value."""
    found: dict[tuple[str, int], int] = {}
    for epoch, seq, source, arrived, rows in read_store.batches(directory):
        k = int(rows[-1][2])
        expected = batch_of(k)
        numbers = [tag for part in expected.parts for tag in part.tag.tolist()]
        wanted = [
            (TAGS[tag].path, time, value, quality)
            for part in expected.parts
            for tag, time, value, quality in zip(
                part.tag.tolist(), part.time.tolist(), part.value.tolist(), part.quality.tolist(), strict=True
            )
        ]
        assert (source, arrived) == ("src", expected.arrived)
        assert [row[1:] for row in rows] == [row[1:] for row in wanted]
        # A damaged catalogue row costs the name, never shows another one.
        assert all(row[0] in (tag[0], f"#{n}") for row, tag, n in zip(rows, wanted, numbers, strict=True))
        assert (epoch, seq) not in found
        found[epoch, seq] = k
    return found
