"""From columns to the metrics of a DATA message, by patching what was prepared for a layout. Pure.

A metric, as a birth has named it by its alias:

    12 1a   10 87 01   18 c3 e1 9a d4 f6 33   69 00 00 00 00 00 80 4b 40
    size    alias      time, ms                value: double

Rows of one kind whose aliases take equally many bytes are a group. While all of them are Good and their times
are of this century they differ in time and value only: the group's bytes are copied and these two written
over, 17 µs and 30 to 60 ns a value. Otherwise each field is written as a block as wide as its longest, with a
mask of the bytes that count, and the mask is what is sent: 60 µs and 100 to 250 ns a value. Text, and few
rows, are left to protobuf's objects: 0.6 to 5 µs a value.

A Bad value is null. Quality is told where it is not Good: as `Quality` (0 bad, 500 stale) for hosts, and as
`StatusCode` for who wants to know which.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from connectors.batch import Columns
from connectors.quality import BAD, UNCERTAIN
from connectors.sparkplug.datatypes import MS
from connectors.sparkplug.edge.metric import add_property, encoded, quality_properties
from connectors.sparkplug.edge.wire import Bytes, even, lengths, parts, varints
from connectors.sparkplug.schema import Payload
from connectors.tags import Kind

FEW: Final = 8
"""Rows below which protobuf's objects are quicker than columns …"""
FEW_MIXED: Final = 24
"""… and below which they are where rows are not all alike."""
_TIME_BYTES: Final = 6
_FIRST_MS, _LAST_MS = 1 << 35, (1 << 42) - 1
"""Times of six bytes: 1971 to 2109."""
_METRIC: Final = 0x12
_ALIAS, _TIME = 0x10, 0x18
_HISTORICAL: Final = np.array([0x28, 1], np.uint8)
_NULL: Final = np.array([0x38, 1], np.uint8)
_LONG, _DOUBLE, _BOOLEAN = 0x58, 0x69, 0x70

Mask = NDArray[np.bool_] | None
_Block = tuple[Bytes, Mask]
"""(n, width) or (width,) the same for all; and which bytes count, (n, width) or (n, 1), None for all."""


@dataclass(frozen=True, slots=True)
class Group:
    """Rows of a layout that look alike."""

    part: int
    """Index into the batch's parts."""
    places: slice | NDArray[np.intp]
    kind: Kind
    aliases: tuple[int, ...]
    alias: Bytes
    """The same as they are sent, (n, length)."""
    template: Bytes
    """(n, width) of live rows that are Good; no width where none can be prepared."""

    def __len__(self) -> int:
        return len(self.alias)


@dataclass(frozen=True, slots=True)
class Metrics:
    """Metrics one behind the other."""

    data: bytes
    rows: int
    size: NDArray[np.int64] | int | None
    """Bytes of each, (n,), or of all alike; None: nobody has counted."""

    def sizes(self) -> NDArray[np.int64]:
        """Return the bytes of each, (n,)."""
        size = list(parts(self.data)) if self.size is None else self.size
        return np.broadcast_to(size, self.rows)


def group(part: int, places: slice | NDArray[np.intp], kind: Kind, aliases: NDArray[np.uint64]) -> Group:
    """Prepare rows of one kind whose aliases take equally many bytes."""
    alias = even(aliases, int(lengths(aliases[:1])[0]))
    blank = np.zeros((len(aliases), 0), np.uint8)
    template = _template(alias, kind) if kind in (Kind.FLOAT64, Kind.BOOL) else blank
    return Group(part, places, kind, tuple(aliases.tolist()), alias, template)


def _template(alias: Bytes, kind: Kind) -> Bytes:
    value = bytes([_DOUBLE, *bytes(8)]) if kind is Kind.FLOAT64 else bytes([_BOOLEAN, 0])
    tail = bytes([_TIME, *bytes(_TIME_BYTES), *value])
    head = bytes([_METRIC, 1 + alias.shape[1] + len(tail), _ALIAS])
    n = len(alias)
    return np.hstack([_repeated(head, n), alias, _repeated(tail, n)])


def _repeated(data: bytes, rows: int) -> Bytes:
    return np.broadcast_to(np.frombuffer(data, np.uint8), (rows, len(data)))


def encode(group: Group, columns: Columns, *, historical: NDArray[np.bool_] | bool) -> Metrics:
    """Return the metrics of a group's rows; `columns` are these rows, in the group's order."""
    if group.kind is Kind.TEXT or len(group) < FEW:
        return one_by_one(group, columns, historical=historical)
    if isinstance(historical, np.ndarray) and (historical == historical[0]).all():
        historical = bool(historical[0])
    is_plain = group.template.shape[1] and historical is False and not columns.quality.any()
    if not is_plain and len(group) < FEW_MIXED:
        return one_by_one(group, columns, historical=historical)
    return at_once(group, columns, historical=historical)


def one_by_one(group: Group, columns: Columns, *, historical: NDArray[np.bool_] | bool) -> Metrics:
    """Return what `encode` returns, by protobuf's objects."""
    rows = zip(
        group.aliases,
        milliseconds(columns.time).tolist(),
        columns.value.tolist(),
        columns.quality.tolist(),
        np.broadcast_to(historical, len(group)).tolist(),
        strict=True,
    )
    return Metrics(encoded(group.kind, list(rows)), len(group), None)


def at_once(group: Group, columns: Columns, *, historical: NDArray[np.bool_] | bool) -> Metrics:
    """Return what `encode` returns, by columns; there is no text."""
    # A column of one time is one element in memory: nothing is computed a thousand times.
    is_one_time = columns.time.strides[0] == 0
    ms = milliseconds(columns.time[:1] if is_one_time else columns.time)
    is_plain = group.template.shape[1] and historical is False and not columns.quality.any()
    if is_plain and _are_of_this_century(ms):
        return _patched(group, ms, columns.value)
    return _written(group, columns, np.broadcast_to(ms, len(group)), historical)


def milliseconds(time: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return times as Sparkplug has them; what lies before 1970 is 1970."""
    return np.maximum(time // MS, 0).astype(np.uint64)


def _patched(group: Group, ms: NDArray[np.uint64], value: NDArray[Any]) -> Metrics:
    data = group.template.copy()
    at = 3 + group.alias.shape[1] + 1
    data[:, at : at + _TIME_BYTES] = even(ms, _TIME_BYTES)
    if group.kind is Kind.FLOAT64:
        data[:, -8:] = np.ascontiguousarray(value, "<f8").view(np.uint8).reshape(-1, 8)
    else:
        data[:, -1] = value != 0
    return Metrics(data.tobytes(), len(data), data.shape[1])


def _written(
    group: Group, columns: Columns, ms: NDArray[np.uint64], historical: NDArray[np.bool_] | bool
) -> Metrics:
    bad, uncertain = severities(columns.quality)
    blocks: list[_Block] = [
        _constant(_ALIAS),
        (group.alias, None),
        _constant(_TIME),
        (even(ms, _TIME_BYTES), None) if _are_of_this_century(ms) else varints(ms),
    ]
    if historical is not False:
        blocks.append((_HISTORICAL, None if historical is True else np.asarray(historical)[:, None]))
    if bad.any():
        blocks += [(_NULL, bad[:, None]), (_qualities(_BAD_SET, columns.quality), bad[:, None])]
    if uncertain.any():
        blocks.append((_qualities(_STALE_SET, columns.quality), uncertain[:, None]))
    blocks += _values(group.kind, columns.value, ~bad)
    data, mask = _laid_out(blocks, len(ms))
    size = mask.sum(axis=1)
    # One byte holds the size: an alias of five, a time and a number of ten, a quality of thirty.
    data[:, 0], data[:, 1] = _METRIC, size - 2
    return Metrics(data.tobytes() if mask.all() else data[mask].tobytes(), len(data), size)


def _constant(octet: int) -> _Block:
    return np.array([octet], np.uint8), None


def _are_of_this_century(ms: NDArray[np.uint64]) -> bool:
    return bool(ms.min() >= _FIRST_MS and ms.max() <= _LAST_MS)


def _laid_out(blocks: Sequence[_Block], rows: int) -> tuple[Bytes, NDArray[np.bool_]]:
    """Return two empty columns and the blocks side by side, and which of the bytes count."""
    width = 2 + sum(block.shape[-1] for block, _ in blocks)
    data, mask = np.empty((rows, width), np.uint8), np.ones((rows, width), np.bool_)
    at = 2
    for block, counts in blocks:
        end = at + block.shape[-1]
        data[:, at:end] = block
        if counts is not None:
            mask[:, at:end] = counts
        at = end
    return data, mask


def _values(kind: Kind, value: NDArray[Any], known: NDArray[np.bool_]) -> list[_Block]:
    """Return the blocks of the values; of a row that is not known nothing counts."""
    counts = None if known.all() else known[:, None]
    match kind:
        case Kind.FLOAT64:
            number = np.ascontiguousarray(value, "<f8").view(np.uint8).reshape(-1, 8)
            return [_head(_DOUBLE, counts), (number, counts)]
        case Kind.BOOL:
            return [_head(_BOOLEAN, counts), ((value != 0).astype(np.uint8)[:, None], counts)]
        case _:
            if value.dtype == np.float64:
                value = np.where(known, value, 0.0).astype(np.int64)
            septets, mask = varints(np.ascontiguousarray(value).view(np.uint64))
            return [_head(_LONG, counts), (septets, mask & known[:, None])]


def _head(field: int, counts: Mask) -> _Block:
    return np.array([field], np.uint8), counts


def severities(quality: NDArray[np.uint32]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which rows are Bad and which Uncertain."""
    bad = quality >= np.uint32(BAD)
    return bad, (quality >= np.uint32(UNCERTAIN)) & ~bad


def _quality_set(quality: int) -> bytes:
    """Return the properties of a quality; a StatusCode that is not Good takes the last five bytes."""
    metric = Payload.Metric()
    for name, (datatype, value) in quality_properties(quality).items():
        add_property(metric.properties, name, datatype, value)
    data: bytes = metric.SerializeToString()
    return data


_BAD_SET: Final = _quality_set(BAD)
_STALE_SET: Final = _quality_set(UNCERTAIN)


def _qualities(prepared: bytes, quality: NDArray[np.uint32]) -> Bytes:
    data = _repeated(prepared, len(quality)).copy()
    code = np.maximum(quality, np.uint32(UNCERTAIN)).astype(np.uint64)
    data[:, -5:] = even(code, 5)
    return data
