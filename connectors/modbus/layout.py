"""Where every value's bytes lie in the replies of one scan, as arrays the decoder gathers with.

The replies' data lie one behind the other in one buffer; a failed request leaves zeros of the same length, so
nothing ever moves. Values of one wire type and width form a group: one run in the gathered bytes, one run of
rows in a part. The gather puts each value's bytes in little-endian order, whatever the device's own, so a
group is read by a single view:

    replies   [ request 0 data ][ request 1 data ][ request 2 data ]
                  ╲  ╳  one gather: index of every wanted byte  ╱
    gathered  [ float64 … ][ int32 … ][ float32 … ][ int16 … ][ bits … ][ text … ]
                  views, one per group, cast into the part's column
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from config.connections import ModbusTag
from connectors.describe import is_scaled
from connectors.modbus.plan import Request, Value
from connectors.tags import PART_OF_KIND, Kind, Part

_KIND_OF_INTEGER: Final = {"int64": Kind.INT64, "uint64": Kind.UINT64}
MOST_SIGNIFICANT_FIRST: Final = ("bcd", "string")
"""Wire types gathered in reading order, not as little-endian numbers."""
_WIDEST_FIRST: Final = {8: 0, 4: 1, 2: 2, 1: 3}
"""Groups of 8, 4, 2, 1 bytes a value in this order keep every view aligned; odd widths come last."""


@dataclass(frozen=True, slots=True)
class Group:
    """Values of one wire type, one width and one part."""

    wire: str
    """The tag's type; ``bit`` for coils and discrete inputs."""
    width: int
    """Bytes a value takes in the gathered bytes."""
    part: Part
    bytes: slice
    """Where in the gathered bytes."""
    rows: slice
    """Where in the part."""
    mask: NDArray[Any] | None
    """For bit and bool: which bits of the byte or register make it true."""
    absent_rows: NDArray[np.intp]
    """Rows, counted from the group's first, whose device has a pattern for 'not available'."""
    absent: NDArray[np.uint8]
    """Their patterns as gathered bytes, (len(absent_rows), width)."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of one part."""

    part: Part
    place: NDArray[np.intp]
    """Number of each row's value among the device's values."""
    request: NDArray[np.intp]
    """Which request brings the row."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The gather of one device, compiled for one plan."""

    gather: NDArray[np.intp]
    """Index into the joined replies, one per gathered byte."""
    groups: tuple[Group, ...]
    parts: tuple[Rows, ...]
    """In the order number, integer, text; none empty."""


def kind_of(tag: ModbusTag) -> Kind:
    """Return what a tag's value is: scaled numbers are FLOAT64, bits BOOL, others follow their wire type."""
    if tag.type == "string" and not tag.is_bits:
        return Kind.TEXT
    if is_scaled(tag):
        return Kind.FLOAT64
    if tag.is_bits or tag.type == "bool":
        return Kind.BOOL
    if tag.type in ("float16", "float32", "float64"):
        return Kind.FLOAT64
    if tag.type == "bcd":
        return Kind.INT32 if tag.registers <= 2 else Kind.INT64
    return _KIND_OF_INTEGER.get(tag.type, Kind.INT32)


def compile_layout(requests: Sequence[Request]) -> Layout:
    """Return the gather for the replies of these requests, joined in this order.

    The order of rows depends on the values alone: cutting a request in two moves no row.
    """
    shapes: dict[int, _Shape] = {}
    found: dict[_Key, list[_Member]] = {}
    offset = 0
    for number, request in enumerate(requests):
        for value in request.values:
            shape = shapes.get(id(value.tag))
            if shape is None:
                shape = shapes[id(value.tag)] = _shape(value.tag)
            start = value.address - request.address
            member = _Member(value, number, offset + (start // 8 if value.tag.is_bits else 2 * start), start)
            found.setdefault(shape.key, []).append(member)
        offset += request.payload
    gather: list[NDArray[np.intp]] = []
    groups: list[Group] = []
    rows: dict[Part, list[_Member]] = {}
    taken = 0
    for key, members in sorted(found.items(), key=lambda item: _position(item[0])):
        part, wire, width = key
        members.sort(key=lambda member: member.value.place)
        before = len(rows.setdefault(part, []))
        rows[part] += members
        starts = np.array([member.at for member in members], np.intp)
        places = np.array([shapes[id(member.value.tag)].places for member in members], np.intp)
        gather.append((starts[:, None] + places).ravel())
        absent = [i for i, member in enumerate(members) if member.value.tag.not_available is not None]
        patterns = [_absent(members[i].value.tag, wire, width) for i in absent]
        groups.append(
            Group(
                wire,
                width,
                part,
                slice(taken, taken + width * len(members)),
                slice(before, before + len(members)),
                _masks(wire, members),
                np.array(absent, np.intp),
                np.array(patterns, np.uint8).reshape(-1, width),
            )
        )
        taken += width * len(members)
    return Layout(
        np.concatenate(gather),
        tuple(groups),
        tuple(
            Rows(
                part,
                np.array([member.value.place for member in rows[part]], np.intp),
                np.array([member.request for member in rows[part]], np.intp),
            )
            for part in Part
            if part in rows
        ),
    )


_Key = tuple[Part, str, int]


class _Member(NamedTuple):
    value: Value
    request: int
    at: int
    """First byte in the joined replies."""
    start: int
    """First register or bit in its request."""


class _Shape(NamedTuple):
    key: _Key
    places: tuple[int, ...]
    """For each gathered byte, which byte of the value as sent."""


def _shape(tag: ModbusTag) -> _Shape:
    part = PART_OF_KIND[kind_of(tag)]
    if tag.is_bits:
        return _Shape((part, "bit", 1), (0,))
    places = sorted(range(2 * tag.registers), key=tag.byte_order.__getitem__)
    if tag.type == "string" and tag.characters != "both":
        places = places[tag.characters == "low" :: 2]
    if tag.byte is not None:
        places = [places[tag.byte == "low"]]
    if tag.type not in MOST_SIGNIFICANT_FIRST:
        places.reverse()
    return _Shape((part, tag.type, len(places)), tuple(places))


def _position(key: _Key) -> tuple[int, int, Part, str]:
    part, wire, width = key
    return (_WIDEST_FIRST.get(width, 4), width, part, wire)


def _masks(wire: str, members: list[_Member]) -> NDArray[Any] | None:
    if wire == "bit":
        # The first bit asked for is the least significant of the first byte (specification 6.1).
        return np.array([1 << member.start % 8 for member in members], np.uint8)
    if wire == "bool":
        # Without a bit number any bit of the register makes it true.
        bits = [member.value.tag.bit for member in members]
        return np.array([0xFFFF if bit is None else 1 << bit for bit in bits], np.uint16)
    return None


def _absent(tag: ModbusTag, wire: str, width: int) -> list[int]:
    pattern = (tag.not_available or 0) % (1 << (8 * width))
    return list(pattern.to_bytes(width, "big" if wire in MOST_SIGNIFICANT_FIRST else "little"))
