"""The examples of the reference are what the encoder writes, byte for byte."""

import json
import re
from pathlib import Path

import numpy as np

from config.templating import NAMES
from config.templating.sandbox import FILTERS, TESTS
from connectors import Batch, Columns, Delivery, Epoch, Kind, Origin, Tag, TagTable
from connectors.contract import GapNews
from connectors.mqtt.catalogue import device_catalogues, status
from connectors.mqtt.payload import Encoder
from gateway.ledger import Gap
from gateway.ledger.news import record
from tests.unit.mqtt.forms import form_of, messages

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "mqtt-json.md"
SHORTEST, FULLEST, CATALOGUE, STATUS = re.findall(r"```json\n(.*?)\n```", PAGE.read_text("utf-8"), re.DOTALL)
(GAP,) = re.findall(r"```json\n(.*?)\n```", (PAGE.parent / "gaps.md").read_text("utf-8"), re.DOTALL)
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
    more = {"epoch": str(EPOCH), "lag_s": 0.2, "buffered": 0, "day_bytes": 18204}
    written, documented = json.loads(status("gw-1", online=True, more=more)), json.loads(STATUS)
    assert list(written) == list(documented)
    assert {**written, "version": ""} == {**documented, "version": ""}


def test_a_gap() -> None:
    gap = Gap(
        "link_down",
        noted=1764000000123456789,
        start=1763999990000000000,
        end=1764000050000000000,
        id=17,
        sources={"meters": 0},
        tags=240,
        epoch="3-9f86d081884c7d65",
    )
    (message,) = form_of(TagTable(), kind="json").missing([GapNews(1, record("gw-1", gap, 0))])
    assert (message.topic, message.payload.decode()) == ("p/cz/_gateway/gw-1/_gaps", GAP)


FORMS = Path(__file__).parents[3] / "docs" / "reference" / "mqtt-forms.md"


def test_the_other_forms() -> None:
    shortest, fullest, plain, per_tag = re.findall(
        r"```json\n(.*?)\n```", FORMS.read_text("utf-8"), re.DOTALL
    )
    table = TagTable()
    table.announce(
        [Tag(f"{DEVICE}/power", Kind.FLOAT64, "KWT", "s"), Tag(f"{DEVICE}/energy", Kind.FLOAT64, "KWH", "s")]
    )
    live = Delivery(Batch((columns([0, 1], [0, 0], [1.5, 20417.25], [0, 0], np.float64),), T0), EPOCH, 7)
    for written, options in (
        (shortest, {"kind": "values"}),
        (plain, {"kind": "values", "plain": True}),
        (per_tag, {"kind": "per_tag"}),
    ):
        first, *_ = messages(form_of(table, **options), live)
        assert first.payload.decode() == written
    table.announce([Tag(f"{DEVICE}/energy", Kind.FLOAT64, "MWH", "s")])
    part = columns([0, 1, 0, 1], [0] * 4, [1.5, 20417.25, 0, 20417.5], [0, 0, 0x80310000, 0], np.float64)
    filled = Delivery(Batch((part,), T0, Origin.BACKFILL), EPOCH, 8)
    _, second = messages(form_of(table, kind="values"), filled)
    assert second.payload.decode() == fullest


def test_what_a_template_knows_is_documented() -> None:
    page = FORMS.read_text("utf-8")
    for name in {*NAMES["device"], *NAMES["time"], *NAMES["value"], *FILTERS, *TESTS}:
        assert re.search(rf"`[^`\n]*\b{name}\b[^`\n]*`", page), name
