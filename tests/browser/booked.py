"""A plant whose energy books have three weeks in them: with a gap, a new meter, prices and factors.

The meters' line is unplugged, so nothing comes to what was written here.
"""

import contextlib
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np

from config.energy_meters import Meter, meters
from config.factors import Factors
from config.load import read_plant
from config.plant import Plant
from connectors import Batch, Columns, Delivery, Epoch, Kind, SystemClock, Tag, TagTable
from gateway.energy.bookkeeping.files import FOLDER, NAME
from gateway.energy.bookkeeping.ledger import Ledger
from gateway.energy.bookkeeping.manual import from_csv, write_down
from gateway.energy.carbon.choice import choices
from gateway.energy.periods import MINUTE_NS, Calendar, calendar_of
from gateway.energy.query import Query
from gateway.energy.results.booked import made_of
from gateway.energy.results.kept import keep
from gateway.sqlite import connect, transaction
from tests.processes import free_port, python, started, wait_for
from tests.servers.broker import Broker


def _zone() -> ZoneInfo:
    """Return a zone in which no day has just begun, nor begins soon: there would be little to see of it."""
    shanghai = ZoneInfo("Asia/Shanghai")
    now = datetime.now(shanghai)
    near = now.hour == 0 or now > now.replace(hour=23, minute=25)
    return ZoneInfo("Asia/Dubai") if near else shanghai


ZONE: Final = _zone()
DAYS: Final = 21
EVERY: Final = 5
"""Minutes between two readings."""
BACK: Final = 2
"""So many days ago a batch was made, and a result by a factor that is no longer chosen."""
SITE: Final = "cz_plant"
GAP: Final = (10, 13)
"""Hours of yesterday in which the oven's meter was not read."""


def _shift(hour: float, weekday: int) -> float:
    """Return how much of the plant runs: two shifts, half of it on Saturdays, little at night."""
    day = 1.0 if weekday < 5 else 0.5 if weekday == 5 else 0.12
    return day * (1.0 if 8 <= hour < 12 or 13 <= hour < 18 else 0.75 if 18 <= hour < 22 else 0.15)


def _kw(base: float, wide: float) -> Callable[[datetime], float]:
    def power(at: datetime) -> float:
        hour = at.hour + at.minute / 60
        return base + wide * _shift(hour, at.weekday()) * (1 + 0.1 * math.sin(hour * 2.1 + at.day))

    return power


METERS: Final[dict[str, tuple[str, str, str, Callable[[datetime], float]]]] = {
    "press_meter": ("press_shop/line_1", "e_import", "kWh", _kw(8, 140)),
    "oven_meter": ("paint_shop/line_1", "e_import", "kWh", _kw(12, 90)),
    "compressor_meter": ("utilities/air", "e_import", "kWh", _kw(10, 45)),
    "offices": ("offices/floor_1", "e_import", "kWh", _kw(4, 18)),
    "gas": ("paint_shop/line_1", "gas_total", "m³", _kw(1, 22)),
    "press_1": ("press_shop/line_1", "good", "piece", _kw(0, 420)),
}
"""Place, counter, unit, and what passes in an hour."""
BEHIND: Final = ("press_meter", "oven_meter", "compressor_meter", "offices")
LOSSES: Final = 1.035
"""What the supply's meter counts for one behind it."""


def passed(name: str, first: datetime, last: datetime) -> float:
    """Return what a meter counts between two readings: the sum of what each five minutes let pass."""
    if name == "grid":
        return LOSSES * sum(passed(each, first, last) for each in BEHIND)
    steps = round((last - first) / timedelta(minutes=EVERY))
    power = METERS[name][3]
    return sum(power(first + timedelta(minutes=EVERY * i)) * EVERY / 60 for i in range(1, steps + 1))


def plant(broker_port: int, page_port: int, meters_port: int) -> dict[str, Any]:
    """Return the plant file; its prices are examples and say so."""
    devices = {
        name: {
            "at": at,
            "scan": "5min",
            "tags": {tag: {"address": 0, "type": "uint32", "scale": 0.01, "unit": unit, "counter": True}},
        }
        for name, (at, tag, unit, _) in METERS.items()
    }
    devices["grid"] = {
        "at": "utilities/supply",
        "scan": "5min",
        "tags": {"e_import": {"address": 0, "type": "uint32", "scale": 0.01, "unit": "kWh", "counter": True}},
    }
    for number, device in enumerate(devices.values(), 1):
        device["unit_id"] = number
    return {
        "gateway": {"id": "gw-01", "site": SITE, "http_port": 0, "time_zone": ZONE.key},
        "sources": {
            "meters": {"kind": "modbus_tcp", "host": "127.0.0.1", "port": meters_port, "devices": devices}
        },
        "sinks": {"platform": {"kind": "mqtt", "host": "127.0.0.1", "port": broker_port}},
        "page": {"port": page_port},
        "energy": {
            "meters": {
                "grid": {
                    "at": "-",
                    "contract": 400,
                    "unaccounted": 3,
                    "serial": "3301-0042",
                    "accuracy": "0.5S",
                },
                **{name: {"parent": "grid"} for name in BEHIND},
                "pressed": {
                    "tag": f"{SITE}/press_shop/line_1/press_1/good",
                    "medium": "production",
                    "at": "press_shop/line_1",
                    "resolution": 1,
                },
            },
            "shifts": {"early": {"from": "08:00", "to": "16:00"}, "late": {"from": "16:00", "to": "00:00"}},
        },
        "tariff": [
            {
                "use": "jiangsu-2025",
                "class": "two_part",
                "from": "2025-06-01",
                "overlays_on": "base",
                "example": True,
                "contract": {"use": "industry", "capacity_kva": 1000, "charge": "demand"},
                "standing": {
                    "purchase": 0.41,
                    "losses": 0.02,
                    "transmission": 0.14,
                    "system": 0.04,
                    "funds": 0.03,
                    "demand": 40,
                },
            }
        ],
        "calendar": {"major_holidays": ["spring_festival", "labour_day", "national_day"]},
        "carbon": {
            "electricity": [{"area": "jiangsu", "year": 2022, "calibre": "average"}],
            "residual": [{"area": "china", "year": 2023, "calibre": "excl_market_nonfossil"}],
            "footprint": [{"area": "china", "year": 2024, "calibre": "product_footprint"}],
            "upstream": {"bracket": {"kgco2e": 3.5, "per": "piece", "source": "example"}},
            "media": {
                "natural_gas": [{"set": "cn-guide-a", "lhv": 35.588, "per": "m³", "source": "example"}]
            },
        },
    }


@dataclass
class Books:
    """A gateway whose books are filled."""

    url: str
    data: Path
    meters_port: int
    """Where the meters would answer."""


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Books]:
    """Start it; yield when the page answers."""
    with Broker(folder / "broker") as broker:
        port = free_port()
        meters_port = free_port()
        file = write(folder, broker.port, port, meters_port)
        with started("gateway", python("-m", "gateway", "run", file), folder) as gateway:
            wait_for(lambda: gateway.said("page running"), "the page", 60)
            yield Books(f"http://127.0.0.1:{port}/", folder / "data", meters_port)


def write(folder: Path, broker_port: int, page_port: int, meters_port: int) -> Path:
    """Write plant file and books up to now; return the file."""
    file = folder / "plant.yaml"
    file.write_text(json.dumps(plant(broker_port, page_port, meters_port), ensure_ascii=False))
    outcome = read_plant(file)
    assert outcome.plant is not None, [each.render("en") for each in outcome.problems]
    found = meters(outcome.plant)
    calendar = calendar_of(outcome.plant.energy, outcome.plant.gateway.zone)
    now = time.time_ns() // (EVERY * MINUTE_NS) * EVERY * MINUTE_NS
    today = calendar.local(now).date()
    first = calendar.midnight(today - timedelta(days=DAYS))
    hidden = [calendar.midnight(today - timedelta(days=1)) + hour * 60 * MINUTE_NS for hour in GAP]
    at = np.arange(first, now + 1, EVERY * MINUTE_NS, dtype=np.int64)
    local = [calendar.local(each) for each in at.tolist()]
    counts = {
        name: 1000 + np.cumsum([power(each) * EVERY / 60 for each in local])
        for name, (_, _, _, power) in METERS.items()
    }
    counts["grid"] = LOSSES * sum(counts[name] for name in BEHIND)
    tags = TagTable()
    ledger = Ledger(folder / "data" / FOLDER, found, calendar, tags, SystemClock())
    names = {name: each for name, each in found.items() if each.tag}
    units = {"kWh": "KWH", "m³": "MTQ", "piece": "H87"}
    numbers = tags.announce(
        [
            Tag(each.tag, Kind.FLOAT64, units[each.medium.unit.symbol], "meters", counter=True)
            for each in names.values()
        ]
    )
    ledger.open()
    made = []
    for seq, (name, number) in enumerate(zip(names, numbers.tolist(), strict=True), 1):
        device = names[name].tag.split("/")[-2]
        keep = np.ones(len(at), np.bool_)
        if name == "oven_meter":
            keep = (at < hidden[0]) | (at > hidden[1])
        rows = int(keep.sum())
        columns = Columns(
            np.full(rows, number, np.int32),
            at[keep],
            np.round(counts[device][keep], 2),
            np.zeros(rows, np.uint32),
        )
        made.append(Delivery(Batch((columns,), now), Epoch(0, 1), seq))
    ledger.book(made, made[-1])
    ledger.close()
    _enter_batch(folder / "data" / FOLDER, found, calendar, today)
    _keep_by_an_older_factor(
        folder / "data" / FOLDER, outcome.plant, Query(folder / "data" / FOLDER, found, calendar)
    )
    return file


def _enter_batch(books: Path, found: Mapping[str, Meter], calendar: Calendar, today: date) -> None:
    """Enter a batch of a morning, as a person does."""
    day = f"{today - timedelta(days=BACK)}"
    text = f"batch,at,from,to,product\nB-17,press_shop/line_1,{day}T08:00,{day}T12:00,bracket\n"
    now = time.time_ns()
    write_down(books, from_csv(text, found, calendar, SITE, now), "test", now)


def _keep_by_an_older_factor(books: Path, plant: Plant, query: Query) -> None:
    """Keep a day's results as they were before the factor was changed."""
    older = plant.carbon.electricity[0].model_copy(update={"year": 2021})
    chosen = choices(plant.carbon.model_copy(update={"electricity": (older,)}), Factors(), plant.gateway.zone)
    today = query.calendar.local(time.time_ns()).date()
    first, last = (query.calendar.midnight(today - timedelta(days=back)) for back in (BACK, BACK - 1))
    with closing(connect(books / NAME)) as db, transaction(db):
        keep(db, made_of(query, chosen, SITE, first, last), first)
