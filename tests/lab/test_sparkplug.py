"""The edge node's payloads are the protobuf of the specification, in the order a script says."""

import struct
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.lab.sparkplug import ORDERS, EdgeNode, played
from gateway.lab.sparkplug_payload import Metric, payload, varint

NOW = 1_790_000_000_000


def number(data: bytes, at: int) -> tuple[int, int]:
    found = shift = 0
    while True:
        octet = data[at]
        at += 1
        found |= (octet & 0x7F) << shift
        shift += 7
        if octet < 128:
            return found, at


def fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Yield number and value of each field, as any protobuf reader sees them."""
    at = 0
    while at < len(data):
        head, at = number(data, at)
        if head & 7 == 0:
            value, at = number(data, at)
        elif head & 7 == 1:
            (value,), at = struct.unpack_from("<d", data, at), at + 8
        else:
            size, at = number(data, at)
            value, at = data[at : at + size], at + size
        yield head >> 3, value


def read(data: bytes) -> dict[str, Any]:
    names = {1: "name", 2: "alias", 3: "timestamp", 4: "datatype", 5: "historical", 7: "null"}
    names |= {10: "int", 11: "long", 13: "double", 14: "boolean", 15: "string"}
    top: dict[str, Any] = {"metrics": []}
    for each, value in fields(data):
        if each == 2:
            top["metrics"].append({names[n]: v for n, v in fields(value)})
        else:
            top[{1: "timestamp", 3: "seq"}[each]] = value
    return top


def test_every_kind_of_value_is_written_in_its_own_field() -> None:
    said = read(
        payload(
            [
                Metric(2.5, 10, "power", 0, NOW),
                Metric(-7, 4, "count", 1),
                Metric(-7, 3, "small", 2),
                Metric(value=True, datatype=11, name="on"),
                Metric("网联", 12, "text", is_historical=True),
                Metric(None, 10, "none"),
            ],
            NOW,
            255,
        )
    )
    assert (said["timestamp"], said["seq"]) == (NOW, 255)
    power, count, small, on, text, none = said["metrics"]
    assert power == {"name": b"power", "alias": 0, "timestamp": NOW, "datatype": 10, "double": 2.5}
    assert count["long"] == 2**64 - 7
    assert small["int"] == 2**32 - 7
    assert on["boolean"] == 1
    assert (text["string"].decode(), text["historical"]) == ("网联", 1)
    assert none["null"] == 1


def test_a_varint_is_seven_bits_to_the_byte() -> None:
    assert varint(0) == b"\0"
    assert varint(300) == b"\xac\x02"
    assert varint(-1) == b"\xff" * 9 + b"\x01"


def numbers(order: str) -> list[tuple[str, int | None]]:
    node = EdgeNode("plant", "press", {"power": 1.5, "name": "p"}, bd_seq=4)
    return [(topic.split("/")[2], read(data).get("seq")) for topic, data in played(node, ORDERS[order], NOW)]


@pytest.mark.parametrize("order", ORDERS)
def test_an_order_is_out_of_order_in_the_way_it_is_named_for(order: str) -> None:
    expected = {
        "in order": [("NBIRTH", 0), ("NDATA", 1), ("NDATA", 2)],
        "data before birth": [("NDATA", 0), ("NBIRTH", 0), ("NDATA", 1)],
        "a number missing": [("NBIRTH", 0), ("NDATA", 1), ("NDATA", 3)],
        "an alias nobody named": [("NBIRTH", 0), ("NDATA", 1), ("NDATA", 2)],
        "a late death": [("NBIRTH", 0), ("NBIRTH", 0), ("NDEATH", None), ("NDATA", 1)],
        "a death that overtook its birth": [("NBIRTH", 0), ("NDEATH", None), ("NBIRTH", 0)],
        "born twice": [("NBIRTH", 0), ("NDATA", 1), ("NBIRTH", 0), ("NDATA", 1)],
    }
    assert numbers(order) == expected[order]


def test_a_sequence_goes_round_behind_255_and_a_late_death_carries_the_session_before() -> None:
    node = EdgeNode("plant", "press", {"power": 1.5}, bd_seq=0)
    node.birth(NOW)
    for _ in range(255):
        _, last = node.data({"power": 2.5}, NOW)
    assert read(last)["seq"] == 255
    assert read(node.data({"power": 2.5}, NOW)[1])["seq"] == 0
    born = read(node.reborn(NOW)[1])
    assert born["metrics"][0] == {"name": b"bdSeq", "datatype": 4, "long": 1}
    assert read(node.late_death(NOW)[1])["metrics"][0]["long"] == 0
    assert read(node.data({"power": 3.5}, NOW)[1])["metrics"] == [
        {"alias": 0, "timestamp": NOW, "datatype": 10, "double": 3.5}
    ]
