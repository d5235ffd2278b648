"""The examples of the reference are what the encoder writes, byte for byte."""

import json
import re
from pathlib import Path

import numpy as np

from connectors import Batch, Columns, Delivery, Epoch, Kind, Tag, TagTable
from connectors.mqtt.catalogue import device_catalogues, status
from connectors.mqtt.payload import Encoder

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "mqtt-json.md"
SHORTEST, FULLEST, CATALOGUE, STATUS = re.findall(r"```json\n(.*?)\n```", PAGE.read_text("utf-8"), re.DOTALL)
DEVICE = "cz/press/line1/m1"
EPOCH = Epoch(3, 0x9F86D081884C7D65)
T0 = 1_764_000_000_123_456_789


def columns(
    tags: list[int], time: list[int], value: list[object], quality: list[int], dtype: type
) -> Columns:
    return Columns(
        np.array(tags, np.int32), T0 + np.array(time), np.array(value, dtype), np.array(quality, np.uint32)
    )


def test_the_shortest_message() -> None:
    table = TagTable()
    numbers = table.announce(
        [Tag(f"{DEVICE}/{name}", Kind.FLOAT64, "C62", "s") for name in ("power", "energy")]
    )
    part = columns(numbers.tolist(), [0, 0], [1.5, 20417.25], [0, 0], np.float64)
    (message,) = Encoder("gw-1", table).messages(Delivery(Batch((part,), T0), EPOCH, 7))
    assert message.payload.decode() == SHORTEST


def test_the_fullest_message() -> None:
    kinds = {
        "power": Kind.FLOAT64,
        "running": Kind.BOOL,
        "faults": Kind.INT32,
        "total": Kind.UINT64,
        "recipe": Kind.TEXT,
    }
    table = TagTable()
    table.announce([Tag(f"{DEVICE}/{name}", kind, "C62", "s") for name, kind in kinds.items()])
    parts = (
        columns([0, 1, 2], [0, 0, 0], [0, 1, 3], [0x80310000, 0, 0], np.float64),
        columns([3], [1_000_000], [-1], [0], np.int64),
        columns([4], [-5], ["A-17"], [0], object),
    )
    rows = tuple(np.array(each, np.int32) for each in ([2, 3, 4], [6], [9]))
    delivery = Delivery(Batch(parts, T0), EPOCH, 8, historical=True, rows=rows)
    (message,) = Encoder("gw-1", table).messages(delivery)
    assert message.payload.decode() == FULLEST


def test_the_catalogue() -> None:
    table = TagTable()
    table.announce(
        [
            Tag(f"{DEVICE}/power", Kind.FLOAT64, "KWT", "s", low=0.0, high=400.0),
            Tag(f"{DEVICE}/energy", Kind.FLOAT64, "KWH", "s", counter=True, tag_class="energy"),
        ]
    )
    ((device, payload),) = device_catalogues("gw-1", table)
    assert (device, payload.decode()) == (DEVICE, CATALOGUE)


def test_the_status() -> None:
    more = {"epoch": str(EPOCH), "lag_s": 0.2, "buffered": 0}
    written, documented = json.loads(status("gw-1", online=True, more=more)), json.loads(STATUS)
    assert list(written) == list(documented)
    assert {**written, "version": ""} == {**documented, "version": ""}
