"""A history without a gateway: tags of every kind, deliveries, and the model a history must agree with."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from config.plant import HistoryOptions
from connectors import DTYPE_OF_PART, PART_OF_KIND, Batch, Columns, Delivery, Epoch, Kind, Part, Tag, TagTable
from gateway.history.reader import Reader
from gateway.history.store import Store
from tests.conftest import FakeClock

DAY = 86_400_000_000_000
MINUTE = 60_000_000_000
SECOND = 1_000_000_000
NOW = 1_790_000_000_000_000_000
EPOCH = Epoch(1, 0x1234)
KINDS = (Kind.FLOAT64, Kind.INT64, Kind.UINT64, Kind.TEXT, Kind.BOOL, Kind.FLOAT64)

Row = tuple[int, int, Any, int]
"""tag, time, value, quality"""


def table(count: int = 20) -> TagTable:
    tags = TagTable()
    tags.announce([Tag(f"s/a/l/d/t{i}", KINDS[i % len(KINDS)], "", "src") for i in range(count)])
    return tags


def delivery(
    tags: TagTable, seq: int, rows: Sequence[Row], *, epoch: Epoch = EPOCH, at: int = NOW
) -> Delivery:
    parts = []
    for part in Part:
        mine = [row for row in rows if PART_OF_KIND[Kind(int(tags.kind[row[0]]))] == part]
        if mine:
            value = np.empty(len(mine), DTYPE_OF_PART[part])
            value[:] = [row[2] for row in mine]
            time = np.array([row[1] for row in mine], np.int64)
            quality = np.array([row[3] for row in mine], np.uint32)
            parts.append(Columns(np.array([row[0] for row in mine], np.int32), time, value, quality))
    return Delivery(Batch(tuple(parts), at), epoch, seq)


@contextmanager
def opened(
    directory: Path, tags: TagTable, clock: FakeClock, options: HistoryOptions | None = None
) -> Iterator[Store]:
    store = Store(directory, options or HistoryOptions(), tags, clock)
    store.open()
    try:
        yield store
    finally:
        store.close()


class Model:
    """What is in a history, row by row."""

    def __init__(self, tags: TagTable) -> None:
        self.tags = tags
        self.rows: dict[int, list[tuple[int, Any, int]]] = defaultdict(list)

    def add(self, rows: Iterable[Row]) -> None:
        for tag, time, value, quality in rows:
            nothing = "" if self.tags.kind[tag] == Kind.TEXT else 0
            self.rows[tag].append((time, value if quality < 0x80000000 else nothing, quality))

    def of(self, tag: int, start: int, end: int) -> list[tuple[int, Any, int]]:
        return sorted((row for row in self.rows[tag] if start <= row[0] < end), key=lambda row: row[0])

    def buckets(self, tag: int, start: int, end: int, width: int) -> dict[int, list[tuple[int, Any, int]]]:
        found: dict[int, list[tuple[int, Any, int]]] = defaultdict(list)
        for row in self.of(tag, start, end):
            found[row[0] // width * width].append(row)
        return found

    def number(self, tag: int, value: Any) -> float:
        """Return a value as a chart shows it."""
        if self.tags.kind[tag] == Kind.UINT64 and value < 0:
            return float(value + 2**64)
        return float(value)


def check_rows(reader: Reader, model: Model, tag: int, start: int, end: int) -> None:
    found = reader.read_now(tag, start, end)
    got = list(zip(found.time.tolist(), found.value.tolist(), found.quality.tolist(), strict=True))
    assert got == model.of(tag, start, end), (tag, got, model.of(tag, start, end))
    assert (found.tag == tag).all()


def check_trend(reader: Reader, model: Model, tag: int, start: int, end: int, *, points: int) -> None:
    (trend,) = reader.trend_now([tag], start, end, points)
    width = trend.width
    if width == 0:
        rows = model.of(tag, start, end)
        assert trend.time.tolist() == [row[0] for row in rows]
        wanted: Iterable[tuple[int, list[tuple[int, Any, int]]]] = [(row[0], [row]) for row in rows]
    else:
        if width % MINUTE == 0:
            start, end = start // width * width, -(-end // width) * width
        buckets = model.buckets(tag, start, end, width)
        assert trend.time.tolist() == sorted(buckets), (tag, width, trend, buckets)
        wanted = sorted(buckets.items())
    is_text = model.tags.kind[tag] == Kind.TEXT
    for i, (_, rows) in enumerate(wanted):
        usable = [row for row in rows if row[2] < 0x80000000]
        assert (trend.good[i], trend.bad[i]) == (len(usable), len(rows) - len(usable))
        assert trend.worst[i] == max(row[2] for row in rows)
        if not usable:
            assert is_text or np.isnan([trend.mean[i], trend.low[i], trend.high[i], trend.last[i]]).all()
            continue
        newest = max(row[0] for row in usable)
        last = [row[1] for row in usable if row[0] == newest][-1]
        if is_text:
            assert trend.last[i] == last
            continue
        numbers = [model.number(tag, row[1]) for row in usable]
        assert (trend.low[i], trend.high[i]) == (min(numbers), max(numbers))
        assert trend.last[i] == model.number(tag, last)
        mean = sum(numbers) / len(numbers)
        assert abs(trend.mean[i] - mean) <= 1e-9 * max(1.0, *(abs(each) for each in numbers))
