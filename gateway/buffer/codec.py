"""Batch to bytes and back, exactly; docs/reference/store-format.md is the same in prose.

What a column does not need it does not get: integers (times, qualities, tags, counters) are a base and
unsigned offsets of the smallest width, none at all when every row is equal; float64 becomes float32 where
that loses no bit. 1,000 float32 readings of one scan take 4.04 bytes a value. Tags travel beside the data,
because a segment stores equal tag columns once.
"""

import struct
from dataclasses import fields
from itertools import accumulate
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from connectors import Batch, Columns, Kind, Origin, Tag

VERSION: Final = 1
_HEAD: Final = struct.Struct("<BBBx")
"""codec version, origin, number of parts"""
_PART: Final = struct.Struct("<IBBBBqIqI")
"""rows, encoding, time width, time unit (power of ten), quality width, time base, quality base, value base,
bytes of values"""
_FLOAT: Final = 0x10
"""Encoding: this plus the width, 4 or 8."""
_INTEGER: Final = 0x20
"""Encoding: this plus the width of the offsets, 0, 1, 2, 4, 8."""
_TEXT: Final = 0x30
"""Encoding: this plus the width of the lengths; value base is their base."""
_UNSIGNED: Final = {w: np.dtype(f"<u{w}") for w in (1, 2, 4, 8)}
_FLOATS: Final = {w: np.dtype(f"<f{w}") for w in (4, 8)}
_WRAP: Final = 0xFFFF_FFFF_FFFF_FFFF


class Undecodable(ValueError):
    """The bytes are not what `encode` makes."""


def encode(batch: Batch) -> bytes:
    """Return all of the batch but its tags and arrival."""
    pieces = [_HEAD.pack(VERSION, batch.origin, len(batch.parts))]
    with np.errstate(all="ignore"):
        for part in batch.parts:
            pieces += _encode_part(part)
    return b"".join(pieces)


def decode(data: bytes, tags: NDArray[np.int32], arrived: int) -> Batch:
    """Return the batch; `tags` are those of all parts in order, and its slices are not copied.

    Raises:
        Undecodable: the bytes are damaged or of a later codec.
    """
    try:
        version, origin, count = _HEAD.unpack_from(data)
        if version != VERSION:
            raise Undecodable(f"codec version {version}, this release reads {VERSION}")
        at, row = _HEAD.size, 0
        parts = []
        for _ in range(count):
            part, at = _decode_part(data, at, tags[row:])
            row += len(part)
            parts.append(part)
        if row != len(tags) or at != len(data):
            raise Undecodable("the parts do not fill the batch")
        return Batch(tuple(parts), arrived, Origin(origin))
    except (struct.error, ValueError, KeyError, UnicodeDecodeError) as exc:
        raise Undecodable(str(exc)) from exc


def tag_bytes(batch: Batch) -> bytes:
    """Return the tags of all rows as int32, little-endian: the key of a layout."""
    if len(batch.parts) == 1:
        return batch.parts[0].tag.astype("<i4", copy=False).tobytes()
    return b"".join(part.tag.astype("<i4", copy=False).tobytes() for part in batch.parts)


def pack_tags(tags: bytes) -> bytes:
    """Shorten `tag_bytes` of a column that is stored inline: base, width, offsets."""
    base, width, offsets = _pack(np.frombuffer(tags, "<i4").astype(np.int64))
    return struct.pack("<qB", base, width) + offsets


def unpack_tags(packed: bytes, rows: int) -> NDArray[np.int32]:
    """Return the tags of all rows; raise Undecodable."""
    try:
        base, width = struct.unpack_from("<qB", packed)
        return _unpack(packed, 9, rows, base, width).astype(np.int32)
    except (struct.error, ValueError, KeyError) as exc:
        raise Undecodable(str(exc)) from exc


_TAG_FIELDS: Final = tuple(field.name for field in fields(Tag))


def tag_to_json(tag: Tag) -> bytes:
    """Return a tag's record; NaN (no limit, no deadband) is null."""
    # A copy: orjson leaves the kilobytes it worked in behind every record, 800 MB for 100,000 tags.
    return bytes(memoryview(orjson.dumps({name: getattr(tag, name) for name in _TAG_FIELDS})))


def tag_from_json(record: bytes | str) -> Tag:
    """Return the tag; fields a later release added are left out."""
    values: dict[str, Any] = {k: v for k, v in orjson.loads(record).items() if k in _TAG_FIELDS}
    nothing = {name: float("nan") for name, value in values.items() if value is None}
    return Tag(**{**values, **nothing, "kind": Kind(values["kind"])})


def _encode_part(part: Columns) -> tuple[bytes, ...]:
    low, width, times, unit = _pack_times(part.time)
    quality_low, quality_width, qualities = 0, 0, b""
    if part.quality.any():
        quality_low, quality_width, qualities = _pack(part.quality.astype(np.int64))
    value_low = 0
    if part.value.dtype == object:
        texts = part.value.tolist()
        lengths = np.fromiter(map(len, texts), np.int64, len(texts))
        value_low, value_width, values = _pack(lengths)
        values += "".join(texts).encode("utf-8", "surrogatepass")
        encoding = _TEXT | value_width
    elif part.value.dtype == np.int64:
        value_low, value_width, values = _pack(part.value)
        encoding = _INTEGER | value_width
    else:
        # `astype(float64)` also accepts a strided or float32 column; it copies nothing when there is no need.
        exact = np.ascontiguousarray(part.value, _FLOATS[8])
        short = exact.astype(_FLOATS[4])
        lossless = short.astype(_FLOATS[8]).tobytes() == exact.tobytes()
        encoding = _FLOAT | (4 if lossless else 8)
        values = short.tobytes() if lossless else exact.tobytes()
    head = _PART.pack(
        len(part.tag), encoding, width, unit, quality_width, low, quality_low, value_low, len(values)
    )
    return head, times, qualities, values


def _decode_part(data: bytes, at: int, tags: NDArray[np.int32]) -> tuple[Columns, int]:
    n, encoding, width, unit, quality_width, low, quality_low, value_low, size = _PART.unpack_from(data, at)
    if not 0 < n <= len(tags) or unit > 9:
        raise Undecodable("rows or time unit out of range")
    at += _PART.size
    time = _unpack(data, at, n, low, width, unit=10**unit)
    at += n * width
    if quality_width:
        quality = _unpack(data, at, n, quality_low, quality_width).astype(np.uint32)
    else:
        quality = np.full(n, quality_low, np.uint32)
    at += n * quality_width
    value_width = encoding & 0x0F
    value: NDArray[Any]
    match encoding & 0xF0:
        case 0x10:
            value = np.frombuffer(data, _FLOATS[value_width], n, at)
            value = value.astype(np.float64, copy=False)
        case 0x20:
            value = _unpack(data, at, n, value_low, value_width)
        case 0x30:
            value = _texts(data, at, n, base=value_low, width=value_width, size=size)
        case _:
            raise Undecodable(f"unknown encoding 0x{encoding:02x}")
    return Columns(tags[:n], time, value, quality), at + size


def _texts(data: bytes, at: int, n: int, *, base: int, width: int, size: int) -> NDArray[Any]:
    ends = list(accumulate(_unpack(data, at, n, base, width).tolist()))
    text = data[at + n * width : at + size].decode("utf-8", "surrogatepass")
    if ends[-1] != len(text):
        raise Undecodable("text is cut")
    value = np.empty(n, object)
    value[:] = [text[a:b] for a, b in zip([0, *ends], ends, strict=False)]
    return value


def _pack(column: NDArray[np.int64]) -> tuple[int, int, bytes]:
    """Return base, width and offsets; differences wrap, so the whole int64 range is exact."""
    low, high = int(column.min()), int(column.max())
    if low == high:
        return low, 0, b""
    width = _width(high - low)
    offsets = np.ascontiguousarray(column).view(np.uint64) - np.uint64(low & _WRAP)
    return low, width, offsets.astype(_UNSIGNED[width]).tobytes()


def _pack_times(column: NDArray[np.int64]) -> tuple[int, int, bytes, int]:
    first = int(column[0])
    if (column == first).all():
        return first, 0, b"", 0
    low, high = int(column.min()), int(column.max())
    offsets = np.ascontiguousarray(column).view(np.uint64) - np.uint64(low & _WRAP)
    # Most clocks south of us count in ms or us: the offsets then fit a half or a quarter of the width.
    for unit in (6, 3):
        if not (offsets % np.uint64(10**unit)).any():
            offsets //= np.uint64(10**unit)
            width = _width((high - low) // 10**unit)
            return low, width, offsets.astype(_UNSIGNED[width]).tobytes(), unit
    width = _width(high - low)
    return low, width, offsets.astype(_UNSIGNED[width]).tobytes(), 0


def _width(span: int) -> int:
    return 1 if span < 1 << 8 else 2 if span < 1 << 16 else 4 if span < 1 << 32 else 8


def _unpack(data: bytes, at: int, n: int, base: int, width: int, *, unit: int = 1) -> NDArray[np.int64]:
    if width == 0:
        return np.full(n, base, np.int64)
    offsets = np.frombuffer(data, _UNSIGNED[width], n, at).astype(np.uint64)
    if unit != 1:
        offsets *= np.uint64(unit)
    offsets += np.uint64(base & _WRAP)
    return offsets.view(np.int64)
