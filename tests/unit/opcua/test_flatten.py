"""What values that are more than one are taken apart into, and that nothing a server sends can break it."""

import uuid
from struct import pack
from typing import Any

import pytest
from asyncua import ua
from asyncua.ua.ua_binary import variant_to_binary
from hypothesis import given
from hypothesis import strategies as st

from connectors import quality
from connectors.opcua import skip
from connectors.opcua.types.flatten import Flat, flatten
from connectors.opcua.types.model import Enumeration, Field, Form, NodeKey, Structure, Types
from tests.unit.opcua.messages import array, arrays, every_variant, string

MODE = Enumeration({0: "Off", 1: "On"})
AXIS, PRESS, CHOICE, PARTS, LOOP, HOLE = (NodeKey(2, i) for i in range(6))
INSIDE = NodeKey(2, 99)
STRUCTURES = {
    AXIS: Structure(Form.PLAIN, (Field("position", 11), Field("mode", 6, enumeration=MODE))),
    PRESS: Structure(
        Form.PLAIN,
        (
            Field("name", 12),
            Field("axes", 0, AXIS, dimensions=1),
            Field("grid", 7, dimensions=2),
            Field("any", 24),
        ),
    ),
    CHOICE: Structure(Form.UNION, (Field("number", 7), Field("text", 12))),
    PARTS: Structure(
        Form.OPTIONAL, (Field("a", 3), Field("b", 3, is_optional=True), Field("c", 3, is_optional=True))
    ),
    LOOP: Structure(Form.PLAIN, (Field("next", 0, LOOP),)),
    HOLE: Structure(Form.PLAIN, (Field("inside", 0, INSIDE),)),
}
TYPES = Types(
    structures=STRUCTURES,
    encodings={NodeKey(3, i): NodeKey(2, i) for i in range(6)},
    namespaces=["http://opcfoundation.org/UA/", "urn:a"],
)


def extension(encoding: int, body: bytes, form: int = 1) -> bytes:
    return pack("<BBHB", 1, 3, encoding, form) + string(body)


def taken(raw: bytes, most: int = 50, enums: Any = "number") -> Flat:
    return flatten(raw, TYPES, most=most, enums=enums)


def values(raw: bytes, **more: Any) -> dict[str, Any]:
    return {
        leaf.suffix: leaf.value if leaf.status < quality.BAD else leaf.status
        for leaf in taken(raw, **more).leaves
    }


def axis(position: float, mode: int) -> bytes:
    return pack("<di", position, mode)


def test_an_array_is_its_elements_and_a_matrix_has_an_index_for_each_dimension() -> None:
    numbers = variant_to_binary(ua.Variant([1.5, 2.5], ua.VariantType.Double))
    assert values(numbers) == {"_0": 1.5, "_1": 2.5}
    grid = variant_to_binary(ua.Variant([[1, 2, 3], [4, 5, 6]], ua.VariantType.UInt16))
    assert values(grid) == {"_0_0": 1, "_0_1": 2, "_0_2": 3, "_1_0": 4, "_1_1": 5, "_1_2": 6}


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("Guid", uuid.UUID(int=7), str(uuid.UUID(int=7))),
        ("ByteString", b"\xff\0", "/wA="),
        ("NodeId", ua.NodeId("x", 1), "nsu=urn:a;s=x"),
        ("NodeId", ua.NodeId(5, 0), "nsu=http://opcfoundation.org/UA/;i=5"),
        ("QualifiedName", ua.QualifiedName("name", 1), "name"),
        ("LocalizedText", ua.LocalizedText("text", "zh"), "text"),
        ("XmlElement", ua.XmlElement("<a/>"), "<a/>"),
        ("UInt64", 2**64 - 1, 2**64 - 1),
        ("Boolean", True, True),
        ("StatusCode", ua.StatusCode(ua.StatusCodes.BadTimeout), 0x800A0000),
    ],
)
def test_single_values_that_come_in_no_column_are_numbers_and_texts(
    kind: str, value: Any, expected: Any
) -> None:
    kind = ua.VariantType[kind]
    assert values(variant_to_binary(ua.Variant(value, kind))) == {"": expected}
    assert values(variant_to_binary(ua.Variant([value] * 2, kind))) == {"_0": expected, "_1": expected}


def test_a_structure_is_its_fields_however_deep() -> None:
    body = string(b"P1") + array([axis(1.5, 1), axis(-2.0, 7)])
    body += array([pack("<i", 2), pack("<i", 1)]) + pack("<II", 8, 9) + b"\x01\x01"
    assert values(b"\x16" + extension(1, body)) == {
        ".name": "P1",
        ".axes_0.position": 1.5,
        ".axes_0.mode": 1,
        ".axes_1.position": -2.0,
        ".axes_1.mode": 7,
        ".grid_0_0": 8,
        ".grid_1_0": 9,
        ".any": True,
    }
    both = values(b"\x96" + array([extension(0, axis(1.0, 0))]), enums="both")
    assert both == {"_0.position": 1.0, "_0.mode": 0, "_0.mode.text": "Off"}
    assert values(b"\x16" + extension(0, axis(1.0, 7)), enums="text") == {".position": 1.0, ".mode": "7"}


def test_a_union_has_one_field_and_optional_fields_are_there_or_not() -> None:
    assert values(b"\x16" + extension(2, pack("<I", 2) + string(b"x"))) == {".text": "x"}
    assert values(b"\x16" + extension(2, pack("<I", 0))) == {}
    assert values(b"\x16" + extension(3, pack("<IBB", 2, 7, 9))) == {".a": 7, ".c": 9}


def test_a_range_is_known_without_asking() -> None:
    raw = b"\x16\x01\0" + pack("<H", 886) + b"\x01" + string(pack("<dd", -5.0, 5.0))
    assert values(raw) == {".Low": -5.0, ".High": 5.0}


def test_what_cannot_be_read_is_one_bad_value_in_its_place_and_the_rest_is_there() -> None:
    good = extension(0, axis(3.0, 0))
    rest = {"_1.position": 3.0, "_1.mode": 0}
    for wrong, status in (
        (extension(0, b"\0" * 11), quality.BAD_DECODING_ERROR),
        (extension(0, b"\0" * 13), quality.BAD_DECODING_ERROR),
        (extension(2, pack("<I", 3)), quality.BAD_DECODING_ERROR),
        (extension(4, b""), quality.BAD_DECODING_ERROR),
        (extension(5, b""), quality.BAD_DATA_TYPE_ID_UNKNOWN),
        (extension(77, b"abc"), quality.BAD_DATA_TYPE_ID_UNKNOWN),
        (extension(0, b"<xml/>", form=2), quality.BAD_NOT_SUPPORTED),
    ):
        assert values(b"\x96" + array([wrong, good])) == {"_0": status} | rest
    assert taken(b"\x96" + array([extension(77, b"abc"), good])).unknown == {NodeKey(3, 77)}


def test_no_more_is_kept_than_may_be_and_no_more_looked_at() -> None:
    found = taken(b"\x8b" + array([pack("<d", i) for i in range(1000)]), most=3)
    assert [leaf.suffix for leaf in found.leaves] == ["_0", "_1", "_2"]
    assert found.is_cut
    empty = Types(structures={AXIS: Structure(Form.PLAIN, ())}, encodings={NodeKey(3, 0): AXIS})
    found = flatten(b"\x96" + array([extension(0, b"")] * 5000), empty, most=3, enums="number")
    assert (found.leaves, found.is_cut) == ([], True)


def test_a_matrix_of_a_thousand_dimensions_is_one_bad_value() -> None:
    raw = b"\xc3" + array([b"\x01"]) + array([pack("<i", 1)] * 1000)
    assert skip.variant(raw, 0) == len(raw)
    assert values(raw) == {"": quality.BAD_DECODING_ERROR}
    deep = string(b"") + array([]) + array([pack("<i", 1)] * 1000) + pack("<I", 1) + b"\0"
    assert values(b"\x16" + extension(1, deep)) == {"": quality.BAD_DECODING_ERROR}


@given(every_variant | arrays(), st.integers(1, 9), st.sampled_from(["number", "text", "both"]))
def test_every_value_there_can_be_is_taken_apart(raw: bytes, most: int, enums: Any) -> None:
    assert skip.variant(raw, 0) == len(raw)
    found = taken(raw, most, enums)
    assert len(found.leaves) <= most
    assert quality.BAD_DECODING_ERROR not in {leaf.status for leaf in found.leaves}
    names = [leaf.suffix for leaf in found.leaves]
    assert len(names) == len(set(names))


@given(st.integers(0, 5), st.binary(max_size=60))
def test_no_bytes_in_a_structure_break_it(which: int, body: bytes) -> None:
    found = taken(b"\x96" + array([extension(which, body), extension(0, axis(3.0, 0))]))
    assert [leaf.value for leaf in found.leaves[-2:]] == [3.0, 0] or found.is_cut


@given(st.binary(max_size=80))
def test_no_bytes_at_all_break_it(raw: bytes) -> None:
    assert len(taken(raw, 7).leaves) <= 8


@given(
    st.lists(st.tuples(st.floats(allow_nan=False), st.integers(-(2**31), 2**31 - 1)), max_size=8),
    st.none() | st.text(max_size=9),
)
def test_what_was_encoded_comes_back(axes: list[tuple[float, int]], name: str | None) -> None:
    body = string(None if name is None else name.encode()) + array([axis(*each) for each in axes])
    body += array([]) + b"\0"
    found = values(b"\x16" + extension(1, body))
    assert found.pop(".name") == (name or "")
    expected = {f".axes_{i}.position": p for i, (p, _) in enumerate(axes)}
    assert found == expected | {f".axes_{i}.mode": m for i, (_, m) in enumerate(axes)}
