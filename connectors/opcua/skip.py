"""Walks over encoded OPC UA values without making them: where does what begins here end?

Everything that is no plain scalar passes here once, so that no length is believed before the bytes are there
and no decoder of others is given an array that costs more than it weighs. Nesting ends at 100 levels (OPC
10000-6, 5.1.12). Reading beyond the end raises `struct.error` or `IndexError`, which the decoders report as
`Malformed`.
"""

from collections.abc import Callable
from math import prod
from struct import Struct
from typing import Final

from connectors.opcua.rows import Malformed

INT32: Final = Struct("<i")
_DEPTH: Final = 100
_DIMENSIONS: Final = 1 << 20
"""Elements a value of several dimensions may declare."""
_NODE_ID: Final = {0: 2, 1: 4, 2: 7, 3: 3, 4: 19, 5: 3}
"""Bytes of a NodeId by its form; 3 and 5 are followed by a String (OPC 10000-6, 5.2.2.9)."""
_FIXED: Final = {
    0: 0, 1: 1, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 4, 8: 8, 9: 8, 10: 4, 11: 8, 13: 8, 14: 16, 19: 4,
}  # fmt: skip
"""Bytes of the built-in types of one size."""
_LAST_BUILTIN: Final = 31
"""Ids 26 to 31 are reserved and read as ByteString."""


def string(body: bytes, at: int) -> int:
    """Return the end of a String, ByteString or XmlElement."""
    (length,) = INT32.unpack_from(body, at)
    at += 4
    if length > 0:
        at += length
    elif length < -1:
        raise Malformed(f"a length of {length}")
    return _inside(body, at)


def array(body: bytes, at: int, element: Callable[[bytes, int], int], least: int = 1) -> int:
    """Return the end of an array whose elements take at least `least` bytes."""
    count = length(body, at, least)
    at += 4
    for _ in range(count):
        at = element(body, at)
    return at


def length(body: bytes, at: int, least: int) -> int:
    """Return the number of elements an array declares, 0 for a null array; raise if they can't be there."""
    count: int = INT32.unpack_from(body, at)[0]
    if count < -1 or count * least > len(body) - at:
        raise Malformed(f"an array of {count} elements in a message of {len(body)} bytes")
    return max(count, 0)


def node_id(body: bytes, at: int) -> int:
    """Return the end of a NodeId or ExpandedNodeId."""
    form = body[at]
    size = _NODE_ID.get(form & 0x3F)
    if size is None:
        raise Malformed(f"a NodeId of form {form}")
    at += size
    if form & 0x3F in {3, 5}:
        at = string(body, at)
    if form & 0x80:
        at = string(body, at)
    if form & 0x40:
        at += 4
    return _inside(body, at)


def extension_object(body: bytes, at: int) -> int:
    """Return the end of an ExtensionObject; its body is not looked into."""
    at = node_id(body, at)
    encoding = body[at]
    if encoding == 0:
        return at + 1
    if encoding in {1, 2}:
        return string(body, at + 1)
    raise Malformed(f"an ExtensionObject of encoding {encoding}")


def diagnostic_info(body: bytes, at: int) -> int:
    """Return the end of a DiagnosticInfo (OPC 10000-6, 5.2.2.12)."""
    for _ in range(_DEPTH):
        mask = body[at]
        if mask & 0x80:
            raise Malformed(f"a DiagnosticInfo of mask {mask}")
        at += 1 + 4 * (mask & 0x0F).bit_count()
        if mask & 0x10:
            at = string(body, at)
        if mask & 0x20:
            at += 4
        if not mask & 0x40:
            return _inside(body, at)
    raise Malformed("a DiagnosticInfo of too many levels")


def variant(body: bytes, at: int, depth: int = _DEPTH) -> int:
    """Return the end of a Variant."""
    kind = body[at] & 0x3F
    if kind > _LAST_BUILTIN or not depth:
        raise Malformed(f"a Variant of type {kind}, {_DEPTH - depth} levels deep")
    if not body[at] & 0x80:
        end = scalar(body, at + 1, kind, depth)
        count = 1
    else:
        end, count = elements(body, at + 1, kind, depth)
    if body[at] & 0x40:
        dimensions = length(body, end, 4)
        sizes = Struct(f"<{dimensions}i").unpack_from(body, end + 4)
        if any(size < 0 for size in sizes) or prod(sizes) > max(count, 1) or prod(sizes) > _DIMENSIONS:
            raise Malformed(f"dimensions {sizes[:8]} of {count} elements")
        end += 4 + 4 * dimensions
    return end


def data_value(body: bytes, at: int, depth: int = _DEPTH) -> int:
    """Return the end of a DataValue."""
    mask = body[at]
    if mask & 0xC0:
        raise Malformed(f"a DataValue of mask {mask}")
    at += 1
    if mask & 0x01:
        at = variant(body, at, depth)
    return _inside(body, at + tail(mask))


def tail(mask: int) -> int:
    """Return how many bytes of a DataValue follow its value: status, timestamps, picoseconds."""
    return 4 * bool(mask & 2) + 8 * (mask >> 2 & 3).bit_count() + 2 * (mask >> 4 & 3).bit_count()


def localized_text(body: bytes, at: int) -> int:
    """Return the end of a LocalizedText."""
    mask = body[at]
    if mask & 0xFC:
        raise Malformed(f"a LocalizedText of mask {mask}")
    at += 1
    for bit in (1, 2):
        if mask & bit:
            at = string(body, at)
    return at


def _qualified_name(body: bytes, at: int) -> int:
    return string(body, at + 2)


_SIMPLE: Final[dict[int, Callable[[bytes, int], int]]] = {
    12: string, 15: string, 16: string, 17: node_id, 18: node_id, 20: _qualified_name, 21: localized_text,
    22: extension_object, 25: diagnostic_info, **dict.fromkeys(range(26, 32), string),
}  # fmt: skip
_NESTED: Final = {23: data_value, 24: variant}


def scalar(body: bytes, at: int, kind: int, depth: int = _DEPTH) -> int:
    """Return the end of one value of a built-in type."""
    fixed = _FIXED.get(kind)
    if fixed is not None:
        return _inside(body, at + fixed)
    if kind in _NESTED:
        return _NESTED[kind](body, at, depth - 1)
    return _SIMPLE[kind](body, at)


def elements(body: bytes, at: int, kind: int, depth: int = _DEPTH) -> tuple[int, int]:
    """Return the end of an array of a Variant, and how many elements it has."""
    # An element of type Null takes no byte: any number of them fits, so none is allowed.
    fixed = _FIXED.get(kind)
    count = length(body, at, max(fixed or 0, 1))
    at += 4
    if fixed is not None:
        if not fixed and count:
            raise Malformed(f"an array of {count} nulls")
        return _inside(body, at + fixed * count), count
    for _ in range(count):
        at = scalar(body, at, kind, depth)
    return at, count


def _inside(body: bytes, at: int) -> int:
    if at > len(body):
        raise Malformed(f"the message ends {at - len(body)} bytes before a value does")
    return at
