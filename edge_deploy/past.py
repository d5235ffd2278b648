"""The demo's past: what the plant's meters showed on the days before, in the gateway's log before it starts.

    a process per core: the plant's model, day by day ─▶ registers ─pipeline─▶ log ═▶ history, energy books

The rows are what the gateway would have read, every third scan, had it run: the registers' own steps and
widths, scaled by the gateway's own pipeline. They are stored as BACKFILL and go through the log like any
other; nothing is written into the history or the books.
"""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from config.connections import ModbusTag
from config.load import read_plant
from config.plant import Plant
from config.tags import TagOptions
from connectors import Batch, Columns, Kind, Origin, SystemClock, TagTable
from connectors.describe import describe, device_path
from connectors.modbus.layout import kind_of
from edge_deploy.children import Children
from edge_deploy.plant.clock import HOUR, SECOND
from edge_deploy.plant.model import METERS
from edge_deploy.plant.past import Past, at_start, joined, kwh_units, load, orders
from edge_deploy.plant.registers import COMPRESSOR_CT
from gateway.buffer import DiskBuffer
from gateway.buffer.contract import STORE
from gateway.energy.bookkeeping.entered import BATCH
from gateway.energy.bookkeeping.files import FOLDER
from gateway.energy.bookkeeping.manual import Entering, write_down
from gateway.pipeline import ClockWatch, build_pipeline

DAYS_A_CORE: Final = 3
MOST_DAYS: Final = 31
PRESS: Final = "press_shop/line_1"
BLANK: Final = "blank"
_AT_ONCE: Final = 2 * HOUR
_ORDERS_NS: Final = 48 * HOUR
Raw = NDArray[np.float64]
Show = Callable[[Past], Raw]


def days_for(cores: int) -> int:
    """Return how many whole days of the past a machine computes while the demo starts."""
    return min(MOST_DAYS, DAYS_A_CORE * cores)


def begin(children: Children, folder: Path, seed: int, start: str, days: int) -> list[str]:
    """Begin to compute today's and so many days before, a process per core; return their names."""
    cores = max(1, min(os.cpu_count() or 1, days + 1))
    names = []
    for core in range(cores):
        mine = [argument for day in range(core, days + 1, cores) for argument in ("--day", str(day))]
        name = f"past_{core}"
        children.brief(
            name, [sys.executable, "-m", "edge_deploy.plant", "past", "--seed", str(seed), "--start", start,
                   "--days", str(days), *mine, "--file", str(folder / f"{name}.npz")],
        )  # fmt: skip
        names.append(name)
    return names


def gathered(folder: Path, names: list[str], seed: int, start: int) -> Past:
    """Return the past that these processes computed."""
    files = [folder / f"{name}.npz" for name in names]
    parts = [load(file) for file in files]
    for file in files:
        file.unlink()
    count = sum(len(part) for part in parts)
    days = [parts[day % len(parts)][day // len(parts)] for day in range(count)]
    return joined(days, at_start(seed, start))


async def fill(plant_file: Path, data: Path, past: Past) -> int:
    """Write the past into the gateway's log; return its rows. The gateway does not run yet."""
    plant = read_plant(plant_file).plant
    if plant is None:
        raise SystemExit(f"{plant_file} has mistakes")
    clock = SystemClock()
    rows = 0
    async with DiskBuffer(data / STORE, plant.buffer, clock) as buffer:
        tags = TagTable(buffer.catalogue(), buffer.persist)
        pipeline = build_pipeline(tags, ClockWatch(clock))
        for source, shown in _by_source(plant, tags):
            for part in _parts(past):
                columns = [_column(part, *each) for each in shown]
                whole = Columns(*(np.concatenate(column) for column in zip(*columns, strict=True)))
                stored = pipeline(Batch((whole,), clock.now(), Origin.BACKFILL))
                if stored is not None:
                    rows += len(stored)
                    receipt = await buffer.append(source, stored)
            await receipt
    return rows


def enter_orders(data: Path, site: str, past: Past) -> int:
    """Enter the press's orders of the last two days as batches, as a person does; return how many."""
    found = orders(past, int(past.time[-1]) - _ORDERS_NS)
    entering = [
        Entering(
            BATCH, {"name": name, "node": f"{site}/{PRESS}", "first": first, "last": last, "product": BLANK}
        )
        for name, first, last in found
    ]
    write_down(data / FOLDER, entering, "make demo", int(past.time[-1]))
    return len(found)


def _by_source(plant: Plant, tags: TagTable) -> Iterator[tuple[str, list[tuple[int, Show, int]]]]:
    """Yield each source and its tags of which the past is known, announced as by its connector."""
    for name, source in plant.sources.items():
        shown: list[tuple[int, Show, int]] = []
        for device_name, device in getattr(source, "devices", {}).items():
            path = device_path(plant.gateway.site, device.at, device_name)
            for tag_name, show in SHOWN.get(device_name, {}).items():
                tag: TagOptions = device.tags[tag_name]
                kind = kind_of(tag) if isinstance(tag, ModbusTag) else Kind.INT32
                (number,) = tags.announce([describe(name, f"{path}/{tag_name}", kind, tag)]).tolist()
                shown.append((number, show, device.scan // SECOND if tag.counter else 0))
        if shown:
            yield name, shown


def _parts(past: Past) -> Iterator[Past]:
    """Yield the past in pieces small enough for the log's queue."""
    edges = np.arange(past.time[0], past.time[-1] + 1, _AT_ONCE, dtype=np.int64)
    rows, minutes = np.searchsorted(past.time, edges), np.searchsorted(past.minute, edges)
    for i in range(len(edges)):
        end = slice(rows[i], rows[i + 1] if i + 1 < len(edges) else None)
        upto = slice(minutes[i], minutes[i + 1] if i + 1 < len(edges) else None)
        yield Past(past.time[end], past.counted[end], past.minute[upto], past.power[upto])


def _column(
    part: Past, number: int, show: Show, every: int
) -> tuple[NDArray[np.int32], NDArray[np.int64], Raw, NDArray[np.uint32]]:
    """Return a tag's rows, number, time, raw value, Good; of a counter each so manieth, of power (0) all."""
    time, value = (part.time[::every], show(part)[::every]) if every else (part.minute, show(part))
    good = np.zeros(len(time), np.uint32)
    return np.full(len(time), number, np.int32), time, value, good


def _single(values: Raw) -> Raw:
    """Return what a float32 register makes of a value."""
    return values.astype(np.float32).astype(np.float64)


def _whole(total: str, resolution_wh: int) -> Show:
    return lambda past: kwh_units(past.of(total), resolution_wh).astype(np.float64)


def _float(total: str, resolution_wh: int = 10) -> Show:
    return lambda past: _single(kwh_units(past.of(total), resolution_wh) / 100)


def _power(meter: str, times: float = 1.0) -> Show:
    return lambda past: _single(past.power[:, METERS.index(meter)] * times)


def _eastron(meter: str) -> dict[str, Show]:
    return {"e_import": _float(f"{meter}.import"), "e_export": _float(f"{meter}.export"), "p": _power(meter)}


def _acrel(meter: str) -> dict[str, Show]:
    return {"e_import": _whole(f"{meter}.import", 100), "p": _power(meter, 0.001)}


SHOWN: Final[dict[str, dict[str, Show]]] = {
    "grid": _eastron("grid"),
    "services": _eastron("services"),
    "oven_meter": _eastron("oven"),
    "offices": _eastron("offices"),
    "press_meter": _acrel("press"),
    "assembly_meter": _acrel("assembly"),
    "compressor_meter": {
        "e_import": _float("compressor.import", 10 * COMPRESSOR_CT),
        "p": _power("compressor", 10 / COMPRESSOR_CT),
    },
    "solar": {"e_yield_total": _whole("solar.export", 1000), "p": _power("solar", -1.0)},
    "press_1": {"good": lambda past: past.of("press.good").astype(np.float64)},
    "assembly_1": {"good": lambda past: past.of("assembly.good").astype(np.float64)},
}
"""By device and tag of the demo's plant file: the raw value of its register, by the maps in `registers`."""
