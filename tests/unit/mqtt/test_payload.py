"""What a message says is what the delivery said, whatever the delivery."""

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors import (
    Batch,
    Columns,
    Delivery,
    Kind,
    Origin,
    Tag,
    TagTable,
)
from connectors.mqtt.payload import Encoder, Message
from tests.unit.mqtt.deliveries import EPOCH, T0, Row, cases, delivery_of, table_of


def spoken(messages: list[Message]) -> list[tuple[int, str, int, Any, int]]:
    """Read messages as a platform would: (row number, tag path, time, value, quality), in order of rows."""
    found = []
    for message in messages:
        said = json.loads(message.payload, parse_constant=pytest.fail)
        assert said["dev"] == message.device
        n = len(said["v"])
        numbers = said.get("row", list(range(n)))
        assert ("row" in said) == (numbers != list(range(n)))
        assert numbers == message.rows.tolist()
        assert ("q" in said) == any(said.get("q", [0] * n))
        assert ("dt" in said) == any(said.get("dt", [0] * n))
        columns = said["tags"], said.get("dt", [0] * n), said["v"], said.get("q", [0] * n)
        assert {len(column) for column in columns} == {n}
        found += [
            (number, f"{said['dev']}/{name}", said["t0"] + dt, value, quality)
            for number, name, dt, value, quality in zip(numbers, *columns, strict=True)
        ]
    return sorted(found, key=lambda row: row[0])


def expected(said: list[tuple[int, Row]], table: TagTable) -> list[tuple[int, str, int, Any, int]]:
    return [
        (number, table[tag].path, time, None if quality >= 0x80000000 else value, quality)
        for number, (tag, time, value, quality) in said
    ]


def exactly(rows: list[tuple[int, str, int, Any, int]]) -> list[str]:
    """Tell True from 1 and 1 from 1.0, which compare equal."""
    return [repr(row) for row in rows]


# The first text drawn on a machine builds hypothesis' table of characters, about 2 s.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cases(), st.integers(150, 2000))
def test_messages_say_exactly_what_the_delivery_says(
    case: tuple[TagTable, list[Row], list[bool] | None, bool], limit: int
) -> None:
    table, rows, keep, historical = case
    delivery, said = delivery_of(table, rows, historical=historical, keep=keep)
    encoder = Encoder("gw-1", table)
    for _ in range(2):  # the second time from the prepared layout
        whole = encoder.messages(delivery)
        assert exactly(spoken(whole)) == exactly(expected(said, table))
        assert len({message.device for message in whole}) == len(whole)
    split = Encoder("gw-1", table, lambda _: limit).messages(delivery)
    assert exactly(spoken(split)) == exactly(expected(said, table))
    for message in split:
        assert len(message.payload) <= limit or (len(message.rows) == 1 and not message.fits)


def test_the_smallest_message_reads_as_documented() -> None:
    table = table_of([Kind.FLOAT64])
    delivery, _ = delivery_of(table, [(0, T0, 1.5, 0)])
    (message,) = Encoder("gw-1", table).messages(delivery)
    assert message.payload.decode() == (
        '{"gw":"gw-1","epoch":"3-9f86d081884c7d65","seq":7,"dev":"cz/press/line1/m0",'
        f'"t0":{T0},"tags":["tag “0”"],"v":[1.5]}}'
    )


def test_rows_whose_times_are_too_far_apart_for_one_message_go_in_two() -> None:
    table = table_of([Kind.FLOAT64] * 4)
    rows: list[Row] = [(0, T0, 1.5, 0), (1, -(2**63), 2.5, 0), (2, 2**63 - 1, 3.5, 0), (3, T0 + 1, 4.5, 0)]
    delivery, said = delivery_of(table, rows)
    messages = Encoder("gw-1", table).messages(delivery)
    assert exactly(spoken(messages)) == exactly(expected(said, table))
    assert all(abs(dt) < 2**63 for each in messages for dt in json.loads(each.payload).get("dt", []))


def test_live_and_historical_differ_in_the_mark_alone() -> None:
    table = table_of([Kind.FLOAT64] * 200)
    rows: list[Row] = [(i, T0, i / 7, 0) for i in range(200)]
    live, _ = delivery_of(table, rows)
    late, _ = delivery_of(table, rows, historical=True)
    for limit in range(1000, 6000, 37):
        encoder = Encoder("gw-1", table, lambda _, limit=limit: limit)
        first, again = encoder.messages(live), encoder.messages(late)
        assert [m.payload for m in first] == [m.payload.replace(b',"hist":true', b"") for m in again]
        assert all(b',"hist":true' in m.payload and len(m.payload) <= limit for m in again)


@pytest.mark.fault("D8")
def test_d8_a_good_nan_is_never_written_as_a_number(record_measure) -> None:
    table = table_of([Kind.FLOAT64, Kind.INT32, Kind.BOOL])
    columns = Columns(
        np.arange(3, dtype=np.int32), np.full(3, T0), np.full(3, math.nan), np.zeros(3, np.uint32)
    )
    (message,) = Encoder("gw-1", table).messages(Delivery(Batch((columns,), T0), EPOCH, 1))
    assert json.loads(message.payload)["v"] == [None, None, None]
    record_measure("NaN called good, of three kinds: null in JSON")


def test_a_renamed_tag_is_written_with_its_new_name() -> None:
    table = table_of([Kind.FLOAT64])
    encoder = Encoder("gw-1", table)
    delivery, _ = delivery_of(table, [(0, T0, 1.0, 0)])
    encoder.messages(delivery)
    old = table[0].path
    table.announce([Tag("cz/press/line1/m0/power", Kind.FLOAT64, "C62", "plc", was=old)])
    (message,) = encoder.messages(delivery)
    assert json.loads(message.payload)["tags"] == ["power"]


def test_prepared_layouts_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.mqtt.forms.shares._CACHED_ROWS", 10)
    table = table_of([Kind.FLOAT64] * 8)
    encoder = Encoder("gw-1", table)
    for first in range(6):
        delivery, _ = delivery_of(table, [(first, T0, 1.0, 0), (first + 1, T0, 2.0, 0), (7, T0, 3.0, 0)])
        encoder.messages(delivery)
    assert sum(len(share) for shares in encoder._layouts.values() for share, _ in shares) <= 10


def test_a_backlog_says_its_units_once_the_catalogue_tells_others() -> None:
    table = table_of([Kind.FLOAT64, Kind.FLOAT64])
    encoder = Encoder("gw-1", table)
    delivery, _ = delivery_of(table, [(0, T0, 5000.0, 0), (1, T0, 1.0, 0)])
    (before,) = encoder.messages(delivery)
    assert "unit" not in json.loads(before.payload)
    (new,) = table.announce([replace(table[0], unit="KWH")]).tolist()
    (old,) = encoder.messages(delivery)
    assert json.loads(old.payload)["unit"] == ["C62", "C62"]
    (live,) = encoder.messages(delivery_of(table, [(new, T0, 5.0, 0), (1, T0, 1.0, 0)])[0])
    assert "unit" not in json.loads(live.payload)


def test_rows_of_a_tag_that_is_gone_say_their_unit() -> None:
    table = table_of([Kind.FLOAT64, Kind.FLOAT64])
    table.keep_only("plc", np.array([1], np.int32))
    delivery, _ = delivery_of(table, [(0, T0, 5000.0, 0)])
    (message,) = Encoder("gw-1", table).messages(delivery)
    assert json.loads(message.payload)["unit"] == ["C62"]


def test_what_was_read_from_a_history_is_marked_past_and_filled() -> None:
    table = table_of([Kind.FLOAT64] * 2)
    live, _ = delivery_of(table, [(0, T0, 1.5, 0), (1, T0, 2.5, 0)])
    filled = replace(live, batch=replace(live.batch, origin=Origin.BACKFILL))
    encoder = Encoder("gw-1", table, lambda _: 1000)
    (before,), (after,) = encoder.messages(live), encoder.messages(filled)
    assert after.payload.endswith(b',"fill":true}')
    assert after.payload.replace(b',"hist":true', b"").replace(b',"fill":true', b"") == before.payload
    assert json.loads(after.payload)["hist"] is True
