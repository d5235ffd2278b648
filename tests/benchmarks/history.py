"""What a history costs: rows/s in, bytes a row, the time 24 h of 20 tags take, and six months projected."""

import tempfile
import time
from pathlib import Path

import numpy as np

from config.plant import HistoryOptions
from connectors import Batch, Columns, Delivery, Epoch, Kind, Tag, TagTable
from gateway.history.files import LAYERS, periods, size_of
from gateway.history.reader import Reader
from gateway.history.store import Store

DAY_NS = 86_400_000_000_000
NOW = 1_790_000_000_000_000_000 // DAY_NS * DAY_NS
SIX_MONTHS = 183


class Clock:
    """Time as the rows tell it."""

    def __init__(self, now: int) -> None:
        self.wall = now

    def now(self) -> int:
        return self.wall

    def monotonic(self) -> int:
        return self.wall


def plant(tags: int, rows: int, seed: int) -> np.ndarray:
    """Return (rows, tags): meters in hundredths, float32 sensors, counters, states, and full doubles."""
    rng = np.random.default_rng(seed)
    at = np.arange(rows)[:, None]
    wave = np.sin(at / rng.uniform(50, 900, tags) + rng.uniform(0, 6, tags)) * rng.uniform(1, 300, tags)
    noisy = wave + rng.normal(0, 0.3, (rows, tags))
    sort = np.arange(tags) % 10
    value = np.where(sort < 4, np.round(noisy, 2), noisy)
    value = np.where((sort >= 4) & (sort < 7), noisy.astype(np.float32), value)
    value = np.where(sort == 7, np.round(np.cumsum(np.abs(noisy), axis=0) / 100, 3), value)
    return np.where(sort == 8, (noisy > 0).astype(float), value)


def measure(folder: Path, *, tags: int, days: int, every_s: int, step: int) -> dict[str, float]:
    """Write `days` of `tags` at `every_s`, `step` scans a booking; return the figures."""
    table = TagTable()
    table.announce([Tag(f"s/a/l/d/t{i}", Kind.FLOAT64, "", "src") for i in range(tags)])
    rows = days * 86_400 // every_s
    start = NOW - days * DAY_NS
    value = plant(tags, rows, 1)
    jitter = np.random.default_rng(2).integers(0, 3_000_000, rows)
    clock = Clock(start)
    store = Store(folder, HistoryOptions(), table, clock)
    store.open()
    number, good = np.arange(tags, dtype=np.int32), np.zeros(tags, np.uint32)
    spent = 0.0
    for first in range(0, rows, step):
        deliveries = []
        for i in range(first, min(first + step, rows)):
            now = start + i * every_s * 1_000_000_000 + int(jitter[i])
            columns = Columns(number, np.full(tags, now), value[i].copy(), good)
            deliveries.append(Delivery(Batch((columns,), now), Epoch(1, 1), i + 1))
        clock.wall = now
        began = time.perf_counter()
        store.book(deliveries, deliveries[-1])
        store.put_away(60)
        spent += time.perf_counter() - began
    began = time.perf_counter()
    store.put_away(600, everything=True)
    spent += time.perf_counter() - began
    store.close()
    reader = Reader(folder)
    chosen = list(range(0, tags, max(1, tags // 20)))[:20]
    times = []
    for _ in range(5):
        began = time.perf_counter()
        trends = reader.trend_now(chosen, NOW - DAY_NS, NOW, 1440)
        times.append(time.perf_counter() - began)
    assert all(trend.good.sum() == 86_400 // every_s for trend in trends)
    size = {layer: sum(size_of(path) for _, path in periods(folder, layer)) for layer in LAYERS}
    minutes = rows * min(1.0, every_s / 60) * tags
    return {
        "rows_per_s": rows * tags / spent,
        "raw_bytes": size["raw"] / (rows * tags),
        "minute_bytes": size["minute"] / minutes,
        "read_ms": min(times) * 1000,
    }


def table() -> str:
    """Return the Markdown table."""
    loads = (("1,000 tags, 1 min", 1000, 2, 60, 30), ("50 tags, 1 s", 50, 1, 1, 600))
    lines = [
        "| load | rows/s in, one thread | bytes a value | bytes a minute | 24 h of 20 tags |",
        "|---|---|---|---|---|",
    ]
    for name, tags, days, every_s, step in loads:
        with tempfile.TemporaryDirectory(prefix="wanglian-bench-") as folder:
            found = measure(Path(folder), tags=tags, days=days, every_s=every_s, step=step)
        lines.append(
            f"| {name} | {found['rows_per_s']:,.0f} | {found['raw_bytes']:.2f} | {found['minute_bytes']:.2f} "
            f"| {found['read_ms']:.0f} ms |"
        )
        if every_s == 60:
            minutes = 1000 * SIX_MONTHS * 1440
            as_kept = (minutes * found["minute_bytes"] + 1000 * 30 * 1440 * found["raw_bytes"]) / 1e9
            everything = minutes * (found["minute_bytes"] + found["raw_bytes"]) / 1e9
    sentence = (
        f"1,000 tags for six months at 1 min, projected: {as_kept:.2f} GB with 30 days of values, "
        f"{everything:.2f} GB with all of them."
    )
    lines += ["", sentence]
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
