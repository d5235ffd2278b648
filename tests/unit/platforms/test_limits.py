"""No message is over any limit, whatever the readings; and none of them gets lost on the way."""

import json
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import Batch, Columns, Context, Delivery, Kind, Tag, TagTable
from connectors.mqtt.form import Form, Limit, Message
from connectors.mqtt.forms.build import build_form
from connectors.mqtt.profiles.packs import Cell, Frame, Limits, pack
from tests.conftest import FakeClock
from tests.unit.platforms.plant import EPOCH, T0, options, path
from tests.unit.platforms.rigs import PLATFORMS

FRAME = Frame(
    lambda number: b'{"id":"%b","d":{' % number.encode(),
    b"}}",
    lambda device: (b'"%b":{' % device.encode(), b"}"),
    lambda _, section: (b'"s%d":{' % section, b"}"),
)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(1, 12)), max_size=40),
    st.tuples(st.integers(60, 200), *[st.integers(1, 6)] * 4),
)
def test_packs_hold_every_reading_once_in_order_and_keep_every_limit(
    drawn: list[tuple[int, int, int]], most: tuple[int, int, int, int, int]
) -> None:
    drawn.sort(key=lambda each: each[:2])
    cells = [
        Cell(f"d{device}", section, b'"p%d":%b' % (row, b"1" * digits), row, f"p{row}")
        for row, (device, section, digits) in enumerate(drawn)
    ]
    limits = Limits(*most)
    packs = list(pack(cells, FRAME, limits, 3))
    assert [cell for each in packs for cell in each.cells] == cells
    for each in packs:
        payload = FRAME.head("123") + each.body + FRAME.tail
        said = json.loads(payload)["d"]
        assert each.fits == (len(payload) <= limits.bytes)
        assert each.fits or len(each.cells) == 1
        assert len(said) <= limits.devices
        assert len(each.cells) <= limits.readings
        for sections in said.values():
            assert sum(map(len, sections.values())) <= limits.per_device
            assert max(map(len, sections.values())) <= limits.per_section
        found = [name for sections in said.values() for values in sections.values() for name in values]
        assert found == [cell.name for cell in each.cells]


MOST = {
    # platform: bytes, devices, readings, readings of a device
    "thingsboard": (65_000, 10**9, 10**9, 10**9),
    "huawei_iotda": (65_536, 100, 10**9, 10**9),
    "aliyun": (262_144, 20, 200, 200),
    "onenet": (65_536, 10, 10**9, 100),
}


def form_and_tags(platform: str, devices: int, tags_each: int) -> tuple[Form, TagTable]:
    meters = [f"m{i}" for i in range(devices)]
    table = TagTable()
    table.announce(
        [Tag(f"{path(meter)}/v{i}", Kind.FLOAT64, "KWH", "s") for meter in meters for i in range(tags_each)]
    )
    clock = FakeClock()
    form = build_form(options(platform, 1883, meters=meters), Context("g", table, clock), "cz")
    list(form.begin(Limit(lambda _: 1 << 20)))
    return form, table


def readings(platform: str, message: Message) -> list[tuple[str, str, int]]:
    """Return (device, name, ms) of a message, as the platform would read it."""
    said: Any = json.loads(message.payload)
    match platform:
        case "thingsboard":
            return [(d, n, s["ts"]) for d, series in said.items() for s in series for n in s["values"]]
        case "huawei_iotda":
            return [
                (d["device_id"], n, int(np.datetime64(s["event_time"][:-1], "ms").astype(np.int64)))
                for d in said["devices"]
                for s in d["services"]
                for n in s["properties"]
            ]
        case "aliyun":
            is_past = isinstance(said["params"], list)
            devices = said["params"] if is_past else said["params"]["subDevices"]
            return [
                (d["identity"]["deviceName"], n, each["time"])
                for d in devices
                for turn in (d["properties"] if is_past else [d["properties"]])
                for n, each in turn.items()
            ]
        case _:
            return [
                (d["identity"]["deviceName"], n, each["time"])
                for d in said["params"]
                for n, values in d["properties"].items()
                for each in (values if isinstance(values, list) else [values])
            ]


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("historical", [False, True])
@pytest.mark.parametrize(("devices", "each"), [(230, 2), (12, 150)])
def test_a_large_batch_becomes_messages_within_the_platforms_limits(
    platform: str, *, historical: bool, devices: int, each: int
) -> None:
    form, _ = form_and_tags(platform, devices, each)
    tag = np.repeat(np.arange(devices * each, dtype=np.int32), 2)
    time = T0 + np.tile(np.array([0, 5_000_000], np.int64), devices * each)
    columns = Columns(tag, time, np.arange(len(tag)) / 7, np.zeros(len(tag), np.uint32))
    messages = [
        message
        for message in form.messages(Delivery(Batch((columns,), T0), EPOCH, 1, historical))
        if message.rows is not None
    ]
    most_bytes, most_devices, most_readings, per_device = MOST[platform]
    rows = np.concatenate([message.rows for message in messages if message.rows is not None])
    assert sorted(rows.tolist()) == list(range(len(tag)))
    seen: Counter[tuple[str, str, int]] = Counter()
    for message in messages:
        found = readings(platform, message)
        assert message.rows is not None
        assert len(found) == len(message.rows)
        assert len(message.payload) <= most_bytes
        of_device = Counter(device for device, _, _ in found)
        assert len(of_device) <= most_devices
        assert len(found) <= most_readings
        assert max(of_device.values()) <= per_device
        seen.update(found)
    assert set(seen.values()) == {1}
    assert len(seen) == len(tag)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_broker_that_takes_less_is_obeyed(platform: str) -> None:
    form, _ = form_and_tags(platform, 3, 50)
    list(form.begin(Limit(lambda _: 2_000)))
    tag = np.arange(150, dtype=np.int32)
    columns = Columns(tag, np.full(150, T0), np.ones(150), np.zeros(150, np.uint32))
    messages = [m for m in form.messages(Delivery(Batch((columns,), T0), EPOCH, 1)) if m.rows is not None]
    assert max(len(message.payload) for message in messages) <= 2_000
    assert sum(len(message.rows) for message in messages if message.rows is not None) == 150


@pytest.mark.parametrize("platform", PLATFORMS)
def test_one_reading_too_large_for_any_message_is_refused_alone(platform: str) -> None:
    table = TagTable()
    table.announce([Tag(f"{path('m0')}/{name}", Kind.TEXT, "C62", "s") for name in ("a", "b")])
    form = build_form(options(platform, 1, meters=["m0"]), Context("g", table, FakeClock()), "cz")
    list(form.begin(Limit(lambda _: 1 << 20)))
    values = np.array(["x" * 300_000, "ok"], object)
    columns = Columns(np.arange(2, dtype=np.int32), np.full(2, T0), values, np.zeros(2, np.uint32))
    messages = [m for m in form.messages(Delivery(Batch((columns,), T0), EPOCH, 1)) if m.rows is not None]
    refused = [m.rows.tolist() for m in messages if m.refusal and m.rows is not None]
    sent = [m.rows.tolist() for m in messages if not m.refusal and m.rows is not None]
    assert (refused, sent) == ([[0]], [[1]])
