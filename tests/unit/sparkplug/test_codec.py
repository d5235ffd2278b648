"""The codec against the lab's, which writes protobuf by hand: every data type, and what is no payload."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.quality import (
    BAD,
    BAD_ENCODING_LIMITS_EXCEEDED,
    BAD_OUT_OF_RANGE,
    BAD_TYPE_MISMATCH,
    GOOD,
    UNCERTAIN,
    UNCERTAIN_LAST_USABLE_VALUE,
)
from connectors.sparkplug.datatypes import MOST_BYTES, read, read_array
from connectors.sparkplug.payload import (
    MOST_METRICS,
    Malformed,
    bd_seq,
    parse,
    properties,
    quality_of,
    rebirth_request,
    state,
)
from connectors.sparkplug.schema import Payload
from gateway.lab import sparkplug_payload as lab
from gateway.lab.sparkplug import EdgeNode, is_rebirth_request
from gateway.lab.sparkplug_payload import Metric, payload

NOW = 1_790_000_000_000


def one(metric: Metric) -> tuple[object, int]:
    said = parse(payload([metric], NOW, 0)).metrics[0]
    return read(said, said.datatype)


@pytest.mark.parametrize(
    ("datatype", "value", "expected"),
    [
        (lab.INT8, -128, -128),
        (lab.INT8, 127, 127),
        (lab.INT16, -2, -2),
        (lab.INT32, -(2**31), -(2**31)),
        (lab.INT64, -(2**63), -(2**63)),
        (lab.INT64, 2**63 - 1, 2**63 - 1),
        (lab.UINT8, 255, 255),
        (lab.UINT16, 65_535, 65_535),
        (lab.UINT32, 2**32 - 1, 2**32 - 1),
        (lab.UINT64, 2**64 - 1, -1),
        (lab.UINT64, 7, 7),
        (lab.FLOAT, 0.5, 0.5),
        (lab.DOUBLE, 1e300, 1e300),
        (lab.BOOLEAN, True, 1.0),
        (lab.BOOLEAN, False, 0.0),
        (lab.STRING, "网联", "网联"),
        (lab.TEXT, "", ""),
        (lab.UUID, "8a2b", "8a2b"),
        (lab.DATETIME, NOW, NOW * 1_000_000),
        (lab.BYTES, b"\x00\xff", "00ff"),
    ],
)
def test_every_data_type_is_read_as_it_was_written(datatype: int, value: object, expected: object) -> None:
    assert one(Metric(value, datatype)) == (expected, GOOD)


@pytest.mark.parametrize(
    ("metric", "quality"),
    [
        (Metric(300, lab.UINT8), BAD_OUT_OF_RANGE),
        (Metric(40_000, lab.INT8), BAD_OUT_OF_RANGE),
        (Metric(float("nan"), lab.DOUBLE), BAD_OUT_OF_RANGE),
        (Metric(float("inf"), lab.FLOAT), BAD_OUT_OF_RANGE),
        (Metric(2**63 - 1, lab.DATETIME), BAD_OUT_OF_RANGE),
        (Metric("5", lab.INT32), BAD_TYPE_MISMATCH),
        (Metric(5.0, lab.INT32), BAD_TYPE_MISMATCH),
        (Metric(2.5, lab.STRING), BAD_TYPE_MISMATCH),
        (Metric("on", lab.BOOLEAN), BAD_TYPE_MISMATCH),
        (Metric("x" * 65_537, lab.STRING), BAD_ENCODING_LIMITS_EXCEEDED),
        (Metric(b"x" * (MOST_BYTES + 1), lab.BYTES), BAD_ENCODING_LIMITS_EXCEEDED),
    ],
)
def test_what_is_not_of_its_type_or_too_large_is_bad(metric: Metric, quality: int) -> None:
    assert one(metric)[1] == quality


def test_a_signed_value_in_a_field_that_leaves_its_sign_open_is_bad_and_never_guessed() -> None:
    said = Payload()
    said.metrics.add(datatype=lab.INT64, int_value=2**32 - 5)
    assert read(said.metrics[0], lab.INT64)[1] == BAD_TYPE_MISMATCH
    said.metrics.add(datatype=lab.UINT64, int_value=2**32 - 5)
    assert read(said.metrics[1], lab.UINT64) == (2**32 - 5, GOOD), "unsigned is unsigned"


@given(st.integers(-128, 127))
def test_a_small_integer_cut_to_its_width_is_the_same_as_one_extended(value: int) -> None:
    said = Payload()
    said.metrics.add(datatype=lab.INT8, int_value=value & 0xFF)
    assert read(said.metrics[0], lab.INT8) == one(Metric(value, lab.INT8)) == (value, GOOD)


@pytest.mark.parametrize(
    ("datatype", "elements", "expected"),
    [
        (lab.INT8_ARRAY, [-1, 5], [-1, 5]),
        (lab.INT16_ARRAY, [-300], [-300]),
        (lab.INT32_ARRAY, [-(2**31), 1], [-(2**31), 1]),
        (lab.INT64_ARRAY, [-(2**63)], [-(2**63)]),
        (lab.UINT8_ARRAY, [0, 255], [0, 255]),
        (lab.UINT16_ARRAY, [65_535], [65_535]),
        (lab.UINT32_ARRAY, [2**32 - 1], [2**32 - 1]),
        (lab.UINT64_ARRAY, [2**64 - 1], [-1]),
        (lab.FLOAT_ARRAY, [0.5, -1.5], [0.5, -1.5]),
        (lab.DOUBLE_ARRAY, [1e300], [1e300]),
        (
            lab.BOOLEAN_ARRAY,
            [False, False, True, True, False, True, False, False, True],
            [0, 0, 1, 1, 0, 1, 0, 0, 1],
        ),
        (lab.STRING_ARRAY, ["ab", "", "网"], ["ab", "", "网"]),
        (lab.DATETIME_ARRAY, [NOW], [NOW * 1_000_000]),
    ],
)
def test_every_array_comes_apart(datatype: int, elements: list[object], expected: list[object]) -> None:
    found = read_array(lab.packed(datatype, elements), datatype, 100)
    assert found is not None
    assert [value for value, _ in found] == expected
    assert {quality for _, quality in found} == {GOOD}


def test_the_bits_of_an_array_lie_as_in_the_specifications_example() -> None:
    bits = [False, False, True, True, False, True, False, False, True, True, False, True]
    assert lab.packed(lab.BOOLEAN_ARRAY, bits) == bytes.fromhex("0C000000 34D0")


@pytest.mark.parametrize(
    ("datatype", "data"),
    [
        (lab.INT16_ARRAY, b"\x01"),
        (lab.BOOLEAN_ARRAY, b"\x01"),
        (lab.BOOLEAN_ARRAY, struct.pack("<I", 2**32 - 1) + b"\xff"),
        (lab.STRING_ARRAY, b"ab"),
        (lab.STRING_ARRAY, b"\xff\0"),
        (lab.DOUBLE_ARRAY, b"\0" * 8 * 101),
    ],
)
def test_bytes_that_are_no_such_array_are_none(datatype: int, data: bytes) -> None:
    assert read_array(data, datatype, 100) is None


@pytest.mark.fault("G1")
@given(st.binary(max_size=300))
def test_any_bytes_are_a_payload_or_malformed(data: bytes) -> None:
    try:
        parse(data)
    except Malformed:
        return


@given(st.binary(max_size=100), st.sampled_from([*range(22, 35)]))
def test_any_bytes_are_an_array_or_none(data: bytes, datatype: int) -> None:
    found = read_array(data, datatype, 50)
    assert found is None or len(found) <= 50


@pytest.mark.parametrize(
    "data",
    [
        b"\x12\xff",
        b"\x12\x05\x0a\x03\xff\xfe\xfd",
        payload([], NOW, 256),
        b"\x12\x00" * (MOST_METRICS + 1),
        b"\x12\x00" * 2**19,
        b"\x08",
    ],
    ids=["cut short", "not UTF-8", "beyond 255", "too many", "far too many", "no number"],
)
def test_what_cannot_be_read_whole_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse(data)


def test_templates_without_end_are_malformed() -> None:
    inner = Metric(1.0, name="x")
    for _ in range(200):
        inner = Metric(lab.Template((inner,)), lab.TEMPLATE, "t")
    with pytest.raises(Malformed):
        parse(payload([inner], NOW, 0))


def test_what_the_lab_writes_by_hand_protobuf_writes_the_same() -> None:
    node = EdgeNode(
        "g",
        "n",
        {
            "a": -5,
            "b": True,
            "c": "网",
            "d": 1.5,
            "e": None,
            "f": b"\x01",
            "t": lab.Template((Metric(1.5, name="x"),)),
            "s": lab.DataSet(("u", "v"), (lab.INT32, lab.STRING), ((1, "x"), (-2, "y"))),
        },
        first_alias=2**64 - 9,
    )
    for _, data in (node.birth(NOW), node.data({"a": 7, "d": -0.5}, NOW, historical=True), node.death(NOW)):
        assert parse(data).SerializeToString() == data


def test_a_field_that_was_not_sent_is_told_from_one_that_is_zero() -> None:
    without, with_zero = parse(payload([Metric(1.0)], NOW, 0)), parse(payload([Metric(1.0, alias=0)], NOW, 0))
    assert not without.metrics[0].HasField("alias")
    assert with_zero.metrics[0].HasField("alias")
    assert not parse(payload([], NOW, None)).HasField("seq")


def test_the_number_of_a_session_is_found_in_birth_and_death() -> None:
    node = EdgeNode("g", "n", {"a": 1.0}, bd_seq=255)
    assert bd_seq(parse(node.birth(NOW)[1])) == bd_seq(parse(node.death(NOW)[1])) == 255
    assert bd_seq(parse(node.data({"a": 2.0}, NOW)[1])) is None


@pytest.mark.parametrize(
    ("said", "quality"),
    [
        (192, GOOD),
        (0, BAD),
        (500, UNCERTAIN_LAST_USABLE_VALUE),
        (64, UNCERTAIN),
        (24, BAD),
        (216, GOOD),
        (0x80000200, BAD),
        ("good", UNCERTAIN),
    ],
)
def test_the_property_quality_is_a_status_code(said: int | str, quality: int) -> None:
    kind = lab.STRING if isinstance(said, str) else lab.INT32
    metric = Metric(1.0, properties=(("engUnit", lab.STRING, "kW"), ("Quality", kind, said)))
    told = properties(parse(payload([metric], NOW, 0)).metrics[0])
    assert told["engUnit"] == "kW"
    assert quality_of(told) == quality
    assert quality_of({}) == GOOD


def test_the_only_command_is_the_rebirth_request() -> None:
    assert is_rebirth_request(rebirth_request(NOW * 1_000_000))
    assert parse(rebirth_request(NOW * 1_000_000)).metrics[0].datatype == lab.BOOLEAN
    assert state(NOW * 1_000_000, online=True) == b'{"online":true,"timestamp":%d}' % NOW
