"""A ledger in a folder, fed with readings straight: what the gateway would have stored, as Deliveries."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from config.energy_meters import Meter, meters
from config.load import read_plant_bytes
from config.plant import Plant
from connectors import Batch, Columns, Delivery, Epoch, Kind, Tag, TagTable
from connectors.quality import BAD, GOOD, UNCERTAIN
from gateway.energy.bookkeeping.ledger import Ledger
from gateway.energy.holidays import calendar_of_plant
from gateway.energy.periods import Calendar
from gateway.energy.query import Query

QUALITY = {"good": GOOD, "uncertain": UNCERTAIN, "bad": BAD}
EPOCH = Epoch(1, 7)
SECOND = 1_000_000_000
MINUTE = 60 * SECOND


class Clock:
    """A clock that stands where it is told."""

    def __init__(self, now: int = 0) -> None:
        self.wall = now

    def now(self) -> int:
        return self.wall

    def monotonic(self) -> int:
        return self.wall


def plant_of(
    energy: Mapping[str, Any], *, scan: str = "60s", zone: str = "Asia/Shanghai", tags: Any = None
) -> Plant:
    """Return a plant with a simulated device for each of these counters; `m` counts kWh by default."""
    tags = tags or {"m": {"e_import": {"unit": "kWh"}}}
    devices = {
        device: {
            "at": "hall/line",
            "scan": scan,
            "tags": {name: {"shape": "counter", "unit": "kWh", **told} for name, told in named.items()},
        }
        for device, named in tags.items()
    }
    text = yaml.safe_dump(
        {
            "gateway": {"id": "g", "site": "s", "time_zone": zone},
            "sources": {"src": {"kind": "simulated", "devices": devices}},
            "energy": dict(energy),
        },
        allow_unicode=True,
    )
    outcome = read_plant_bytes(text.encode(), "plant.yaml", Path())
    assert outcome.plant is not None, [problem.render("en") for problem in outcome.problems]
    return outcome.plant


class Lab:
    """A plant's ledger; times are the plant's own, as text or ns."""

    def __init__(self, folder: Path, plant: Plant, *, now: str | int = "2027-01-01") -> None:
        self.plant = plant
        self.folder = folder
        self.meters: dict[str, Meter] = meters(plant)
        self.calendar: Calendar = calendar_of_plant(plant)
        self.clock = Clock(self.at(now))
        self.tags = TagTable()
        read = [each for each in self.meters.values() if each.tag]
        units = {
            f"s/{device.at}/{name}/{tag_name}": (tag.deliver_as or tag.unit).code
            for source in plant.sources.values()
            for name, device in source.devices.items()
            for tag_name, tag in device.tags.items()
        }
        self.numbers = dict(
            zip(
                [each.name for each in read],
                self.tags.announce(
                    [Tag(each.tag, Kind.FLOAT64, units[each.tag], "src", counter=True) for each in read]
                ).tolist(),
                strict=True,
            )
        )
        self.query = Query(folder, self.meters, self.calendar)
        self.seq = 0
        self.ledger = self._opened()

    def _opened(self) -> Ledger:
        ledger = Ledger(
            self.folder,
            self.meters,
            self.calendar,
            self.tags,
            self.clock,
            keep=self.plant.energy.keep_readings,
        )
        ledger.open()
        return ledger

    def reopen(self) -> None:
        """Stop and start."""
        self.ledger.close()
        self.ledger = self._opened()

    def at(self, time: str | int) -> int:
        """Return ns UTC."""
        return time if isinstance(time, int) else self.calendar.moment(datetime.fromisoformat(time))

    def delivery(self, meter: str, times: Any, values: Any, quality: Any = None) -> Delivery:
        """Return rows of one meter as a stored batch."""
        time = np.asarray(times, np.int64)
        good = np.zeros(len(time), np.uint32) if quality is None else np.asarray(quality, np.uint32)
        tag = np.full(len(time), self.numbers[meter], np.int32)
        self.seq += 1
        batch = Batch((Columns(tag, time, np.asarray(values, np.float64), good),), int(time.max()))
        return Delivery(batch, EPOCH, self.seq)

    def feed(self, meter: str, rows: Sequence[Sequence[Any]]) -> None:
        """Book rows of (time, value) or (time, value, quality word)."""
        times = [self.at(row[0]) for row in rows]
        quality = [QUALITY[row[2]] if len(row) > 2 else GOOD for row in rows]
        self.book(self.delivery(meter, times, [float(row[1]) for row in rows], quality))

    def book(self, *deliveries: Delivery) -> int:
        """Book deliveries and where they reach to."""
        return self.ledger.book(deliveries, deliveries[-1])
