"""The demo's past is the plant's: the model's readings, joined without a step, in the registers' widths."""

import asyncio
import sqlite3
import struct
from contextlib import closing
from functools import cache
from pathlib import Path

import numpy as np

from config.connections import ModbusSerialSource, ModbusTcpSource, OpcUaSource
from config.load import load_plant
from config.plant import BufferOptions
from connectors import Delivery, Order, Origin
from edge_deploy import past as filling
from edge_deploy.plant.clock import SECOND, parse
from edge_deploy.plant.model import COUNTED, METERS, Plant
from edge_deploy.plant.past import APART_S, POWER_S, Past, at_start, compute, joined, orders, save, spans
from edge_deploy.plant.registers import BEHIND_TCP, ON_THE_LINE
from gateway.buffer import DiskBuffer
from gateway.buffer.contract import STORE
from gateway.energy.bookkeeping.entered import BATCH, entries
from gateway.energy.bookkeeping.files import FOLDER, NAME

DEMO = Path(__file__).parents[3] / "config" / "data" / "plants" / "demo.yaml"
Scanned = ModbusTcpSource | ModbusSerialSource | OpcUaSource
SEED, FIRST = 5, parse("2026-06-20T11:55")
LONG = 600 * SECOND
SHOWN_BY = {
    "grid": (BEHIND_TCP[0], {"e_import": (72, ">f"), "e_export": (74, ">f"), "p": (52, ">f")}),
    "press_meter": (BEHIND_TCP[1], {"e_import": (2124, ">I"), "p": (2074, ">f")}),
    "solar": (BEHIND_TCP[4], {"e_yield_total": (5003, "<I"), "p": (5030, "<I")}),
    "compressor_meter": (ON_THE_LINE[0], {"e_import": (4126, ">f"), "p": (8210, ">f")}),
}
"""Where the makers' maps have what the past shows; the inverter's low word comes first."""


@cache
def days() -> tuple[Past, ...]:
    """Two "days" of ten minutes, one behind the other."""
    return compute(SEED, FIRST, FIRST + LONG), compute(SEED, FIRST + LONG, FIRST + 2 * LONG)


def whole() -> Past:
    return joined(days(), at_start(SEED, FIRST + 2 * LONG))


def test_a_day_holds_what_the_model_counted_to_the_last_bit() -> None:
    day = days()[0]
    plant = Plant(SEED * 10_000_000 + 739_787, FIRST)
    begun, ended = plant.at(FIRST), plant.at(FIRST + LONG)
    for name in METERS:
        imported = ended.meters[name].energy.imported - begun.meters[name].energy.imported
        assert -int(day.of(f"{name}.import")[0]) * SECOND == imported, name
    assert -int(day.of("press.good")[0]) == ended.press_good - begun.press_good


def test_the_past_ends_where_the_running_plant_begins_and_no_total_falls() -> None:
    found = whole()
    begins = Plant(SEED, FIRST + 2 * LONG).at(FIRST + 2 * LONG)
    for name in METERS:
        assert int(found.of(f"{name}.import")[-1]) == begins.meters[name].energy.imported // SECOND
    assert (np.diff(found.counted, axis=0) >= 0).all()
    assert set(np.diff(found.time).tolist()) == {APART_S * SECOND}
    assert set(np.diff(found.minute).tolist()) == {POWER_S * SECOND}
    # The step from one day to the next is a step like any other: three seconds of energy.
    middle = len(found.time) // 2
    steps = np.diff(found.of("press.import"))
    assert 0 < steps[middle - 1] <= 3 * 60_000


def test_today_and_the_days_before_follow_each_other_without_a_hole() -> None:
    start = parse("2026-06-21T10:00")
    found = spans(start, 2)
    assert [first for first, _ in found] == [parse(f"2026-06-{day}T00:00") for day in (19, 20, 21)]
    assert [last for _, last in found] == [*(first for first, _ in found[1:]), start]
    assert spans(parse("2026-06-21T00:00"), 1) == [(parse("2026-06-20T00:00"), parse("2026-06-21T00:00"))]


def test_days_are_the_same_from_a_file_and_in_any_order(tmp_path: Path) -> None:
    save(tmp_path / "past_0.npz", days()[:1])
    save(tmp_path / "past_1.npz", days()[1:])
    found = filling.gathered(tmp_path, ["past_0", "past_1"], SEED, FIRST + 2 * LONG)
    assert all((a == b).all() for a, b in zip(found, whole(), strict=True))
    assert not list(tmp_path.iterdir())


def _register(words: dict[int, bytes], address: int, form: str) -> float:
    octets = next(
        words[at][2 * (address - at) :] for at in sorted(words) if at <= address < at + len(words[at]) / 2
    )
    octets = octets[:4] if form[0] == ">" else octets[2:4] + octets[:2]
    return float(struct.unpack(">" + form[1], octets)[0])


def test_the_raw_values_are_those_of_the_registers() -> None:
    """What the past shows at its end is what the devices' maps hold when the plant begins."""
    start = FIRST + 2 * LONG
    state = Plant(SEED, start).at(start)
    powers = np.array([[state.meters[name].power for name in METERS]])
    end = Past(np.array([start]), at_start(SEED, start)[None, :], np.array([start]), powers)
    assert end.counted.shape == (1, len(COUNTED))
    for name, (device, registers) in SHOWN_BY.items():
        words = device.words(state)
        for tag, (address, form) in registers.items():
            shown = float(filling.SHOWN[name][tag](end)[0])
            assert shown == _register(words, address, form), (name, tag)


async def _stored(data: Path) -> list[Delivery]:
    async with DiskBuffer(data / STORE, BufferOptions()) as buffer:
        cursor = buffer.cursor("reader", Order.STRICT, start="oldest")
        return list(await cursor.next(100_000))


def test_the_past_is_in_the_log_as_backfill_with_every_reading(tmp_path: Path) -> None:
    rows = asyncio.run(filling.fill(DEMO, tmp_path, whole()))
    stored = asyncio.run(_stored(tmp_path))
    plant = load_plant(DEMO)
    scans = {name: device.scan for source in plant.sources.values() if isinstance(source, Scanned)
             for name, device in source.devices.items()}  # fmt: skip
    readings = [
        len(whole().minute) if tag == "p" else len(range(0, len(whole().time), scans[device] // SECOND))
        for device, tags in filling.SHOWN.items()
        for tag in tags
    ]
    assert rows == sum(readings)
    assert rows == sum(len(each.batch) for each in stored)
    assert {each.batch.origin for each in stored} == {Origin.BACKFILL}


def test_the_orders_of_the_press_are_batches_that_follow_each_other(tmp_path: Path) -> None:
    number = COUNTED.index("press.order")
    counted = np.zeros((9, len(COUNTED)), np.int64)
    counted[:, number] = (4, 4, 5, 5, 5, 6, 7, 7, 7)
    time = np.arange(9, dtype=np.int64) * APART_S * SECOND
    past = Past(time, counted, time[:0], np.zeros((0, len(METERS)), np.int64))
    found = orders(past, 0)
    assert found == [("A-5", int(time[2]), int(time[5])), ("A-6", int(time[5]), int(time[6]))]
    assert orders(past, int(time[3])) == found[1:]
    assert filling.enter_orders(tmp_path, "demo_factory", past) == 2
    with closing(sqlite3.connect(tmp_path / FOLDER / NAME)) as db:
        assert [each.what["name"] for each in entries(db, BATCH, waiting=True)] == ["A-5", "A-6"]
