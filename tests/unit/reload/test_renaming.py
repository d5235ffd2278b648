"""Devices and tags renamed, removed, taken back: numbers, history and books stay, and sinks are told."""

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from config.energy_meters import meters
from gateway.energy.periods import calendar_of
from gateway.energy.query import NoBooks, Query
from gateway.history import HISTORY, Reader
from gateway.parts import ENERGY
from gateway.runtime import Gateway
from tests.servers.broker import Broker
from tests.servers.mqtt_tap import Tap
from tests.unit.reload.test_applying import running, text, until

SPEED = {"shape": "ramp"}
TORQUE = {"shape": "sine"}
COUNTER = {"shape": "counter", "unit": "kWh", "counter": True, "high_value": 3600}
WHERE = {"at": "hall/line_1", "scan": "20ms"}
OLD, NEW = "s/hall/line_1/mill", "s/hall/line_2/mill_a"
BEFORE = {"mill": {**WHERE, "tags": {"speed": SPEED, "torque": TORQUE, "e_import": COUNTER}}}
AFTER = {
    "mill_a": {
        "at": "hall/line_2",
        "scan": "20ms",
        "was": OLD,
        "tags": {"pace": SPEED | {"was": f"{OLD}/speed"}, "e_import": COUNTER},
    }
}
BACK = {"mill_a": AFTER["mill_a"] | {"tags": {**AFTER["mill_a"]["tags"], "torque": TORQUE}}}


def plant(port: int, devices: dict[str, Any]) -> bytes:
    peer = {"host": "127.0.0.1", "port": port}
    return text(
        sources={"sim": {"kind": "simulated", "devices": devices}},
        sinks={"platform": {"kind": "mqtt", **peer}, "host": {"kind": "sparkplug", "group": "cz", **peer}},
        history={"enabled": True},
    )


def numbers(gateway: Gateway) -> dict[str, int]:
    tags = gateway.parts.tags
    return {tags[number].path: number for number in tags.active().tolist() if tags[number].source == "sim"}


async def in_history(gateway: Gateway, number: int, after: int = 0, before: int = 2**62) -> int:
    """Rows the history has of a tag."""
    return len(await Reader(gateway.directory / HISTORY).read(number, after, before))


async def arrived(gateway: Gateway, tags: Iterable[int], after: int = 0) -> None:
    """Wait until history and books have something of each."""
    for number in tags:
        while not await in_history(gateway, number, after):
            await asyncio.sleep(0.02)
    await until(lambda: booked(gateway, after)[1])


def booked(gateway: Gateway, moment: int) -> tuple[int, int]:
    """Readings the books have of the one meter, before and from this moment."""
    known = meters(gateway.plant)
    zone = gateway.plant.gateway.zone
    query = Query(gateway.directory / ENERGY, known, calendar_of(gateway.plant.energy, zone))
    (name,) = known
    try:
        return len(query.readings(name, 0, moment).time), len(query.readings(name, moment, 2**62).time)
    except NoBooks:
        return 0, 0


@pytest.mark.fault("H5")
async def test_what_is_renamed_keeps_its_number_its_history_and_its_books_and_sinks_are_told(
    tmp_path: Path, record_measure
) -> None:
    with Broker(tmp_path / "broker") as broker, Tap(broker.port) as tap:

        def said(topic: str) -> list[bytes]:
            return [each.payload for each in tap.published() if each.topic == topic]

        (tmp_path / "plant.yaml").write_bytes(plant(tap.port, BEFORE))
        async with running(tmp_path) as gateway:
            applier = gateway.applier
            assert applier is not None
            first = numbers(gateway)
            await until(
                lambda: said("spBv1.0/cz/DBIRTH/g/hall.line_1.mill") and said(f"wanglian/{OLD}/_tags")
            )
            await arrived(gateway, first.values())
            renamed = gateway.clock.now()
            await applier.apply(plant(tap.port, AFTER), who="ann")
            second = numbers(gateway)
            assert second == {
                f"{NEW}/pace": first[f"{OLD}/speed"],
                f"{NEW}/e_import": first[f"{OLD}/e_import"],
            }
            await until(lambda: said("spBv1.0/cz/DBIRTH/g/hall.line_2.mill_a"))
            await until(lambda: said("spBv1.0/cz/DDEATH/g/hall.line_1.mill"))
            await until(lambda: said(f"wanglian/{NEW}"))
            told = json.loads(said(f"wanglian/{NEW}/_tags")[-1])["tags"]
            assert {name: each["was"] for name, each in told.items()} == {
                "pace": f"{OLD}/speed",
                "e_import": f"{OLD}/e_import",
            }
            await arrived(gateway, second.values(), renamed)
            for number in first.values():
                assert await in_history(gateway, number, before=renamed)
            before, after = booked(gateway, renamed)
            assert before
            assert after
            await applier.apply(plant(tap.port, BACK), who="ann")
            third = numbers(gateway)
            assert third[f"{NEW}/torque"] == first[f"{OLD}/torque"]
            fresh = plant(tap.port, {**BACK, "saw": {**WHERE, "tags": {"speed": SPEED}}})
            await applier.apply(fresh, who="ann")
            assert numbers(gateway)["s/hall/line_1/saw/speed"] not in {*first.values()}
    record_measure(
        "a device moved and renamed, a tag renamed, one removed and taken back: 3 numbers and their history"
        " kept, 1 meter's books go on, births, deaths and catalogues told",
        row="H5",
    )
