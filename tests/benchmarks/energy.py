"""What the energy books cost: a year of 200 meters at a minute from scratch, a month of 5,000 asked for."""

import contextlib
import sqlite3
import tempfile
import time
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from config.energy import Billing, media
from config.energy_meters import Meter
from connectors import Batch, Columns, Delivery, Epoch, Kind, Tag, TagTable
from gateway.energy.bookkeeping.files import NAME
from gateway.energy.bookkeeping.ledger import Ledger
from gateway.energy.periods import DAY_NS, MINUTE_NS, Calendar
from gateway.energy.query import Query
from gateway.history.files import size_of

CALENDAR = Calendar(ZoneInfo("Asia/Shanghai"), {}, Billing())
START = CALENDAR.midnight(date(2025, 1, 1))


class Clock:
    """Time stands still behind everything that is booked."""

    def __init__(self, now: int) -> None:
        self.wall = now

    def now(self) -> int:
        return self.wall

    def monotonic(self) -> int:
        return self.wall


def plant(meters: int) -> tuple[dict[str, Meter], TagTable]:
    """Return electricity meters, 0.01 kWh a step, and their tags."""
    from decimal import Decimal
    from fractions import Fraction

    tags = TagTable()
    paths = [f"s/a/l/m{i}/e_import" for i in range(meters)]
    tags.announce([Tag(path, Kind.FLOAT64, "KWH", "src", counter=True) for path in paths])
    medium = media()["electricity"]
    found = {
        f"m{i}": Meter(
            f"m{i}", "counter", medium, path, path.rpartition("/")[0], Decimal("0.01"), Fraction(1),
            maximum=Decimal(1000), scan=MINUTE_NS,
        )
        for i, path in enumerate(paths)
    }  # fmt: skip
    return found, tags


def booked(folder: Path, *, meters: int, days: int, every: int, at_once: int) -> tuple[float, int]:
    """Book `days` of `meters`, a row per meter and delivery; return (seconds of a core, rows)."""
    found, tags = plant(meters)
    rows = days * DAY_NS // every
    ledger = Ledger(folder, found, CALENDAR, tags, Clock(START + days * DAY_NS))
    ledger.open()
    rng = np.random.default_rng(1)
    number, good = np.arange(meters, dtype=np.int32), np.zeros(meters, np.uint32)
    total = rng.uniform(1_000, 900_000, meters)
    spent, seq = 0.0, 0
    for first in range(0, rows, at_once):
        deliveries = []
        for row in range(first, min(first + at_once, rows)):
            total += rng.uniform(0, every / 3.6e12 * 400, meters)
            at = np.full(meters, START + row * every, np.int64)
            columns = Columns(number, at, np.round(total, 2), good)
            deliveries.append(Delivery(Batch((columns,), int(at[0])), Epoch(1, 1), seq))
            seq += 1
        began = time.process_time()
        ledger.book(deliveries, deliveries[-1])
        spent += time.process_time() - began
    ledger.close()
    return spent, rows * meters


def multiplied(folder: Path, *, by: int) -> None:
    """Give the books of a hundred meters to `by` times as many, m0 onwards."""
    with contextlib.closing(sqlite3.connect(folder / NAME)) as db, db:
        for i in range(1, by):
            db.execute(
                "INSERT INTO meters SELECT id + ?, 'm' || (substr(name, 2) + ?), quantum, about, stand, ends"
                " FROM meters WHERE id <= 100",
                (100 * i, 100 * i),
            )
            told = "INSERT INTO days SELECT meter + ?, month, data FROM days WHERE meter <= 100"
            db.execute(told, (100 * i,))


def asked(folder: Path, meters: int) -> tuple[float, float]:
    """Return the seconds a month of daily totals takes: of all meters at once, and of one, with its parts."""
    found, _ = plant(meters)
    query = Query(folder, found, CALENDAR)
    first, last = START, CALENDAR.moment(datetime(2025, 2, 1))  # noqa: DTZ001
    times = []
    for _ in range(3):
        began = time.perf_counter()
        table = query.table(list(found), "day", first, last)
        times.append(time.perf_counter() - began)
    assert table.quanta.shape == (meters, 31)
    assert table.known.all()
    began = time.perf_counter()
    query.energy("m0", "day", first, last)
    return min(times), time.perf_counter() - began


def table(*, days: int = 365) -> list[str]:
    """Return the lines of the benchmark."""
    with tempfile.TemporaryDirectory(prefix="wanglian-energy-") as name:
        folder = Path(name)
        seconds, rows = booked(folder / "year", meters=200, days=days, every=MINUTE_NS, at_once=5_000)
        size = size_of(folder / "year" / NAME)
        booked(folder / "many", meters=100, days=32, every=15 * MINUTE_NS, at_once=5_000)
        multiplied(folder / "many", by=50)
        many, one = asked(folder / "many", 5_000)
        through = through_the_page(folder, days)
    return [
        (
            f"| {days} days of 200 meters at 1 min booked from scratch, one core |"
            f" {seconds:.1f} s ({rows / seconds / 1e6:.2f} M readings/s, {size / 2**20:.0f} MiB) |"
        ),
        f"| a month of daily totals of 5,000 meters | {many * 1e3:.0f} ms |",
        f"| a month of daily totals of one meter, with shares and uncertainty | {one * 1e3:.1f} ms |",
        *through,
    ]


def through_the_page(folder: Path, days: int) -> list[str]:
    """Return the lines of what the page's process answers; the books lie in the folder's two."""
    from gateway.energy.bookkeeping.files import FOLDER
    from tests.benchmarks import energy_page

    found = []
    for name in ("many", "year"):
        data = folder / f"{name}_data"
        data.mkdir()
        (folder / name).rename(data / FOLDER)
        found.append(data)
    lines = [energy_page.many(found[0], 5_000)]
    return [*lines, energy_page.year(found[1], 200)] if days >= 365 else lines


if __name__ == "__main__":
    import sys

    print("\n".join(table(days=int([*sys.argv, "365"][1]))))
