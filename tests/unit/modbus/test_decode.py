"""decode(encode(x)) == x for every type and order; what is no value is never Good."""

import math
import struct
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.connections import ModbusDevice
from connectors.batch import Columns
from connectors.line.dialogue import Answers
from connectors.modbus.decode import Decoder
from connectors.modbus.layout import compile_layout, kind_of
from connectors.modbus.plan import plan_requests, values_of
from connectors.quality import (
    BAD_OUT_OF_RANGE,
    BAD_TIMEOUT,
    GOOD,
    UNCERTAIN,
    UNCERTAIN_ENGINEERING_UNITS_EXCEEDED,
)
from connectors.tags import PART_OF_KIND, Kind, Part

FORMATS = {
    "int16": ">h", "uint16": ">H", "int32": ">i", "uint32": ">I", "int64": ">q", "uint64": ">Q",
    "float16": ">e", "float32": ">f", "float64": ">d",
}  # fmt: skip
RANGES: dict[str, st.SearchStrategy[Any]] = {
    "int16": st.integers(-(2**15), 2**15 - 1),
    "uint16": st.integers(0, 2**16 - 1),
    "int32": st.integers(-(2**31), 2**31 - 1),
    "uint32": st.integers(0, 2**32 - 1),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "uint64": st.integers(0, 2**64 - 1),
    "float16": st.floats(width=16, allow_nan=False, allow_infinity=False),
    "float32": st.floats(width=32, allow_nan=False, allow_infinity=False),
    "float64": st.floats(allow_nan=False, allow_infinity=False),
}
NAMED = ("ABCD", "CDAB", "BADC", "DCBA")


def sent(big_endian: bytes, order: str) -> bytes:
    """Put the bytes of a number, most significant first, in the order a device sends them."""
    if len(order) == len(big_endian):
        return bytes(big_endian[ord(letter) - 65] for letter in order)
    words = [big_endian[i : i + 2] for i in range(0, len(big_endian), 2)]
    if order in ("CDAB", "DCBA"):
        words.reverse()
    if order in ("BADC", "DCBA"):
        words = [word[::-1] for word in words]
    return b"".join(words)


def decode(
    tags: dict[str, dict[str, object]], memory: bytes, **options: object
) -> dict[str, tuple[Any, int]]:
    """Serve registers (or, for bit tables, bytes) from address 0 on and return (value, quality) by name."""
    device = ModbusDevice.model_validate({"tags": tags, **options})
    values = values_of(device)
    requests = plan_requests(device, values)
    replies = []
    for request in requests:
        if request.table in ("coil", "discrete"):
            bits = np.unpackbits(np.frombuffer(memory, np.uint8), bitorder="little")
            asked = bits[request.address : request.address + request.count]
            replies.append(np.packbits(asked, bitorder="little").tobytes())
        else:
            replies.append(memory[2 * request.address : 2 * (request.address + request.count)])
    numbers = np.arange(100, 100 + len(values), dtype=np.int32)
    answers = Answers(replies, [GOOD] * len(requests), [1] * len(requests))
    parts = Decoder(compile_layout(requests), numbers).columns(answers)
    return rows(parts, [value.name for value in values])


def rows(parts: tuple[Columns, ...], names: list[str]) -> dict[str, tuple[Any, int]]:
    return {
        names[int(tag) - 100]: (value, int(quality))
        for part in parts
        for tag, value, quality in zip(part.tag, part.value.tolist(), part.quality, strict=True)
    }


@pytest.mark.parametrize("wire", FORMATS)
@pytest.mark.parametrize("order", NAMED)
@given(data=st.data())
def test_every_number_comes_back_in_every_named_order(wire: str, order: str, data: st.DataObject) -> None:
    numbers = data.draw(st.lists(RANGES[wire], min_size=1, max_size=8))
    memory = b"".join(sent(struct.pack(FORMATS[wire], number), order) for number in numbers)
    found = decode({"v": {"address": 0, "type": wire, "order": order, "count": len(numbers)}}, memory)
    for (value, quality), number in zip(found.values(), numbers, strict=True):
        assert quality == GOOD
        expected = struct.unpack(">q", struct.pack(">Q", number))[0] if wire == "uint64" else number
        assert value == expected
        assert math.copysign(1, value) == math.copysign(1, expected)


@given(st.lists(st.tuples(st.integers(-128, 127), st.integers(0, 255)), min_size=2, max_size=8))
@pytest.mark.parametrize("order", ["ABCD", "BA"])
def test_each_half_of_a_register_is_a_number_of_its_own(order: str, halves: list[tuple[int, int]]) -> None:
    memory = b"".join(sent(struct.pack(">bB", high, low), order) for high, low in halves)
    both = {"address": 0, "order": order, "count": len(halves)}
    found = decode(
        {"h": {**both, "type": "int8", "byte": "high"}, "l": {**both, "type": "uint8", "byte": "low"}}, memory
    )
    for place, (high, low) in enumerate(halves):
        assert found[f"h_{place}"] == (high, GOOD)
        assert found[f"l_{place}"] == (low, GOOD)


def test_half_precision_is_what_the_standard_shows() -> None:
    # IEEE 754 binary16: 0x3555 is the number nearest a third, 0x7BFF the largest, 0x0001 the smallest.
    memory = bytes.fromhex("3555 7BFF 0001 C000 7C00 7E00")
    found = decode({"v": {"address": 0, "type": "float16", "count": 6}}, memory)
    assert list(found.values())[:4] == [
        (0.333251953125, GOOD),
        (65504.0, GOOD),
        (2.0**-24, GOOD),
        (-2.0, GOOD),
    ]
    assert [quality for _, quality in list(found.values())[4:]] == [BAD_OUT_OF_RANGE] * 2


def test_every_one_of_the_24_orders_of_four_bytes_is_understood() -> None:
    for letters in permutations("ABCD"):
        order = "".join(letters)
        found = decode(
            {"v": {"address": 0, "type": "float32", "order": order}}, sent(struct.pack(">f", -0.15625), order)
        )
        assert found == {"v": (-0.15625, GOOD)}


@given(st.permutations("ABCDEFGH"), RANGES["int64"])
def test_any_order_of_eight_bytes_spelled_out_is_understood(letters: list[str], number: int) -> None:
    order = "".join(letters)
    memory = sent(struct.pack(">q", number), order)
    assert decode({"v": {"address": 0, "type": "int64", "order": order}}, memory) == {"v": (number, GOOD)}


def test_a_pocket_calculator_value_in_the_four_orders() -> None:
    # 123456.0 as float32 is 0x47F12000, known from the standard, not from our encoder.
    for order, hex_ in zip(NAMED, ("47F12000", "200047F1", "F1470020", "0020F147"), strict=True):
        assert decode({"v": {"address": 0, "type": "float32", "order": order}}, bytes.fromhex(hex_)) == {
            "v": (123456.0, GOOD)
        }


@pytest.mark.fault("D8")
@pytest.mark.parametrize("wire", ["float32", "float64"])
@pytest.mark.parametrize(
    "pattern",
    ["7FC00000", "7F800001", "FFC00001", "7F800000", "FF800000"],
    ids=["quiet nan", "signalling nan", "negative nan", "infinity", "minus infinity"],
)
def test_d8_what_is_no_number_is_bad_and_carries_none(wire: str, pattern: str) -> None:
    bits = int(pattern, 16)
    if wire == "float64":
        mantissa = bits & 0x7FFFFF
        memory = ((bits >> 31 << 63) | (0x7FF << 52) | (mantissa << 29 | (mantissa & 1))).to_bytes(8, "big")
    else:
        memory = bits.to_bytes(4, "big")
    one = struct.pack(FORMATS[wire], 1.5)
    found = decode({"v": {"address": 0, "type": wire, "count": 3}}, one + memory + one)
    assert found["v_0"] == found["v_2"] == (1.5, GOOD)
    assert found["v_1"][1] == BAD_OUT_OF_RANGE
    assert math.isfinite(found["v_1"][0])


@pytest.mark.fault("D8")
@given(st.integers(0, 2**32 - 1))
def test_d8_no_pattern_of_bits_yields_a_good_row_that_is_not_finite(bits: int) -> None:
    value, quality = decode({"v": {"address": 0, "type": "float32"}}, bits.to_bytes(4, "big"))["v"]
    expected = struct.unpack(">f", bits.to_bytes(4, "big"))[0]
    assert (quality == GOOD) == math.isfinite(expected)
    if quality == GOOD:
        assert value == expected  # denormals included


@pytest.mark.fault("D8")
@pytest.mark.parametrize(
    ("wire", "extra", "pattern"),
    [
        ("int16", {}, "8000"),
        ("uint16", {"order": "BA"}, "FFFF"),
        ("int32", {"order": "CDAB"}, "80000000"),
        ("uint64", {"order": "DCBA"}, "FFFFFFFFFFFFFFFE"),
        ("float16", {}, "FE00"),
        ("float32", {}, "7FC00000"),
        ("float32", {"scale": 10.0}, "C2C80000"),
        ("bcd", {"length": 3}, "FFFFFFFFFFFF"),
        ("bool", {"bit": 3}, "FFFF"),
        ("string", {"length": 2}, "2D2D2D2D"),
    ],
)
def test_d8_the_device_own_pattern_for_not_available_is_bad(
    wire: str, extra: dict[str, object], pattern: str
) -> None:
    tag = {"address": 0, "type": wire, "not_available": int(pattern, 16), "count": 2, **extra}
    width = len(pattern) // 2
    other = {"bcd": bytes.fromhex("000000001234"), "string": b"ab\0\0"}.get(wire, bytes([1] * width))
    memory = sent(bytes.fromhex(pattern), str(extra.get("order", "ABCD"))) + other
    found = decode({"v": tag}, memory)
    assert found["v_0"][1] == BAD_OUT_OF_RANGE
    assert found["v_1"][1] == GOOD


@pytest.mark.fault("D9")
@given(RANGES["uint64"])
def test_d9_uint64_keeps_every_bit(number: int) -> None:
    (value, quality) = decode({"v": {"address": 0, "type": "uint64"}}, struct.pack(">Q", number))["v"]
    assert (value % 2**64, quality) == (number, GOOD)


@pytest.mark.fault("D9")
@pytest.mark.parametrize("wire", ["int64", "uint64"])
@given(data=st.data())
def test_d9_a_scaled_64_bit_value_too_large_for_a_float_is_uncertain(wire: str, data: st.DataObject) -> None:
    edge = st.integers(2**53 - 2, 2**53 + 2)
    number = data.draw(RANGES[wire] | edge | (edge.map(lambda n: -n) if wire == "int64" else edge))
    memory = struct.pack(FORMATS[wire], number)
    value, quality = decode({"v": {"address": 0, "type": wire, "scale": 0.1}}, memory)["v"]
    assert quality == (GOOD if abs(number) <= 2**53 else UNCERTAIN_ENGINEERING_UNITS_EXCEEDED)
    assert value == float(number)


@given(st.integers(1, 4), st.data())
def test_bcd_comes_back(registers: int, data: st.DataObject) -> None:
    number = data.draw(st.integers(0, 10 ** (4 * registers) - 1))
    memory = bytes.fromhex(str(number).zfill(4 * registers))
    tag = {"address": 0, "type": "bcd", "length": registers}
    assert decode({"v": tag}, memory) == {"v": (number, GOOD)}


@given(st.binary(min_size=4, max_size=4))
def test_a_bcd_digit_above_nine_is_bad(memory: bytes) -> None:
    _, quality = decode({"v": {"address": 0, "type": "bcd", "length": 2}}, memory)["v"]
    assert (quality == GOOD) == memory.hex().isdecimal()


def test_a_bcd_number_too_long_for_an_integer_is_bad_not_wrong() -> None:
    tag = {"address": 0, "type": "bcd", "length": 5}
    assert decode({"v": tag}, bytes.fromhex("00123456789012345678")) == {"v": (123456789012345678, GOOD)}
    assert decode({"v": tag}, bytes.fromhex("12345678901234567890"))["v"][1] == BAD_OUT_OF_RANGE


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40),
    st.sampled_from(["ABCD", "BADC"]),
)
def test_text_comes_back_without_its_padding(text: str, order: str) -> None:
    octets = text.encode()[:250]
    octets += b"\0" * (len(octets) % 2)
    length = max(1, len(octets) // 2)
    memory = sent(octets.ljust(2 * length, b"\0"), order)
    found = decode({"v": {"address": 0, "type": "string", "length": length, "order": order}}, memory)
    assert found == {"v": (text.rstrip(" "), GOOD)}


def test_text_that_is_no_text_is_replaced_and_uncertain() -> None:
    found = decode({"v": {"address": 0, "type": "string", "length": 2, "count": 3}}, b"ab  \xff\xfeabcd\0x")
    assert found == {"v_0": ("ab", GOOD), "v_1": ("��ab", UNCERTAIN), "v_2": ("cd", GOOD)}


@given(st.binary(min_size=4, max_size=4), st.integers(0, 15))
def test_a_bit_is_counted_from_the_least_significant(memory: bytes, bit: int) -> None:
    found = decode({"v": {"address": 0, "type": "bool", "bit": bit, "count": 2}}, memory)
    words = struct.unpack(">HH", memory)
    assert [value for value, _ in found.values()] == [float(word >> bit & 1) for word in words]


def test_a_bool_without_a_bit_is_true_when_any_bit_is() -> None:
    found = decode({"v": {"address": 0, "type": "bool", "count": 3}}, b"\0\0\0\x04\x80\0")
    assert [value for value, _ in found.values()] == [0.0, 1.0, 1.0]


@given(
    st.binary(min_size=20, max_size=20), st.lists(st.integers(0, 159), min_size=1, max_size=20, unique=True)
)
def test_coils_are_taken_wherever_they_lie(memory: bytes, addresses: list[int]) -> None:
    tags = {f"c{a}": {"table": "coil", "address": a, "type": "bool"} for a in addresses}
    found = decode(tags, memory, max_bits=64, max_gap=3)
    for address in addresses:
        assert found[f"c{address}"] == (float(memory[address // 8] >> address % 8 & 1), GOOD)


def test_kinds_follow_type_and_scale() -> None:
    tags = {
        "coil": {"table": "coil", "address": 0, "type": "bool"},
        "bit": {"address": 0, "type": "bool", "bit": 1},
        "short": {"address": 0, "type": "int16"},
        "word": {"address": 0, "type": "uint32"},
        "scaled": {"address": 0, "type": "uint16", "scale": 0.1},
        "delivered": {"address": 0, "type": "uint32", "unit": "Wh", "deliver_as": "kWh"},
        "real": {"address": 0, "type": "float32"},
        "half": {"address": 0, "type": "float16"},
        "byte": {"address": 0, "type": "uint8", "byte": "high"},
        "wide": {"address": 0, "type": "int64"},
        "unsigned": {"address": 0, "type": "uint64"},
        "wide_scaled": {"address": 0, "type": "uint64", "scale": 0.01},
        "bcd8": {"address": 0, "type": "bcd", "length": 2},
        "bcd12": {"address": 0, "type": "bcd", "length": 3},
        "text": {"address": 0, "type": "string", "length": 3},
    }
    device = ModbusDevice.model_validate({"tags": tags})
    assert {name: kind_of(tag) for name, tag in device.tags.items()} == {
        "coil": Kind.BOOL, "bit": Kind.BOOL, "short": Kind.INT32, "word": Kind.INT32, "scaled": Kind.FLOAT64,
        "delivered": Kind.FLOAT64, "real": Kind.FLOAT64, "wide": Kind.INT64, "unsigned": Kind.UINT64,
        "half": Kind.FLOAT64, "byte": Kind.INT32,
        "wide_scaled": Kind.FLOAT64, "bcd8": Kind.INT32, "bcd12": Kind.INT64, "text": Kind.TEXT,
    }  # fmt: skip


def test_columns_are_shared_where_they_never_change_and_parts_keep_their_order() -> None:
    device = ModbusDevice.model_validate(
        {
            "tags": {
                "text": {"address": 0, "type": "string"},
                "wide": {"address": 1, "type": "int64"},
                "real": {"address": 5, "type": "float32"},
            }
        }
    )
    values = values_of(device)
    requests = plan_requests(device, values)
    decoder = Decoder(compile_layout(requests), np.arange(3, dtype=np.int32))
    answers = Answers([bytes(request.payload) for request in requests], [GOOD], [5])
    first, second = decoder.columns(answers), decoder.columns(answers)
    assert [part.tag.tolist() for part in first] == [[2], [1], [0]]
    for part, again, expected in zip(first, second, Part, strict=True):
        assert part.tag is again.tag
        assert part.quality is again.quality
        assert part.value is not again.value
        assert part.time.tolist() == [5]
        assert PART_OF_KIND[kind_of(values[part.tag[0]].tag)] is expected
        with pytest.raises(ValueError, match="read-only"):
            part.quality[0] = 1


def test_only_the_rows_of_a_failed_request_are_bad_and_a_long_scan_keeps_each_reply_time() -> None:
    device = ModbusDevice.model_validate(
        {"tags": {"v": {"address": 0, "type": "uint16", "count": 4}}, "max_registers": 2}
    )
    requests = plan_requests(device, values_of(device))
    decoder = Decoder(compile_layout(requests), np.arange(4, dtype=np.int32))
    answers = Answers([b"\0\1\0\2", bytes(4)], [GOOD, BAD_TIMEOUT], [7, 7 + 200_000_000])
    (part,) = decoder.columns(answers)
    assert part.quality.tolist() == [GOOD, GOOD, BAD_TIMEOUT, BAD_TIMEOUT]
    assert part.value[:2].tolist() == [1, 2]
    assert part.time.tolist() == [7, 7, 200_000_007, 200_000_007]
