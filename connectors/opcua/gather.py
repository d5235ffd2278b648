"""From the places of records to columns: a gather per field, a conversion per type.

Fields of one width are read through a view of the message that begins an element at every byte, so records
of any mix of layouts are one indexing operation; where each field lies follows from the record's mask.
"""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from connectors.opcua.records import (
    HAS_SERVER_PICOSECONDS,
    HAS_SERVER_TIME,
    HAS_SOURCE_PICOSECONDS,
    HAS_SOURCE_TIME,
    HAS_STATUS,
    HAS_VALUE,
    LOCALIZED_TEXT,
    MASKS,
    STRING,
    WIDTH,
    OddValue,
    Records,
)
from connectors.opcua.rows import Other, Run
from connectors.opcua.times import time_ns, times_ns, with_picoseconds, with_picoseconds_of
from connectors.quality import UNCERTAIN

_NUMBER, _INTEGER, _TEXT = range(3)
_BOOLEAN: Final = 1
_DATE_TIME: Final = 13
_DTYPE: Final = {
    1: "u1", 2: "i1", 3: "u1", 4: "<i2", 5: "<u2", 6: "<i4", 7: "<u4", 10: "<f4", 11: "<f8", 19: "<u4",
    8: "<i8", 9: "<i8", 13: "<i8",
}  # fmt: skip
"""How a value of a built-in type is read; UInt64 as its bit pattern."""
_INTEGERS: Final = (8, 9, _DATE_TIME)
_FLOAT: Final = 10


def _table(size: int, entries: dict[int, int], dtype: type) -> NDArray[Any]:
    table: NDArray[Any] = np.zeros(size, dtype)
    for index, entry in entries.items():
        table[index] = entry
    table.flags.writeable = False
    return table


_WIDTH_OF: Final = _table(256, WIDTH, np.int64)
_GROUP_OF: Final = _table(
    256, dict.fromkeys(_INTEGERS, _INTEGER) | dict.fromkeys((STRING, LOCALIZED_TEXT), _TEXT), np.uint8
)


class _Field(NamedTuple):
    """One optional field behind the value: its bit in the mask, its type, and where it lies by mask."""

    bit: int
    dtype: str
    offset: NDArray[np.int64]


def _fields() -> dict[int, _Field]:
    # The order of the specification: picoseconds stand behind their own time (OPC 10000-6, 5.2.2.17).
    order = [
        (HAS_STATUS, "<u4", 4),
        (HAS_SOURCE_TIME, "<i8", 8),
        (HAS_SOURCE_PICOSECONDS, "<u2", 2),
        (HAS_SERVER_TIME, "<i8", 8),
        (HAS_SERVER_PICOSECONDS, "<u2", 2),
    ]
    fields = {}
    for i, (bit, dtype, _) in enumerate(order):
        before = {mask: sum(size for b, _, size in order[:i] if mask & b) for mask in range(MASKS)}
        fields[bit] = _Field(bit, dtype, _table(MASKS, before, np.int64))
    return fields


_FIELDS: Final = _fields()


class _Where(NamedTuple):
    """Records of one run: where each begins, how it is laid out, where its status and times begin."""

    at: NDArray[np.int64]
    mask: NDArray[np.uint8]
    kind: NDArray[np.uint8]
    tail: NDArray[np.int64]
    place: NDArray[np.int32]


def gather(body: bytes, records: Records) -> tuple[Run, ...]:
    """Return the records as at most three runs: numbers, integers, texts; the walk checked the offsets."""
    at = records.positions()
    if not len(at):
        return ()
    octets = np.frombuffer(body, np.uint8)
    mask = octets[at]
    kind = octets.take(at + 1, mode="clip")
    tail = at + (_WIDTH_OF[kind] + 2)
    valueless = (mask & HAS_VALUE) == 0
    if valueless.any():
        kind[valueless] = 0
        tail[valueless] = at[valueless] + 1
    every = _Where(at, mask, kind, tail, records.places())
    group = _GROUP_OF[kind]
    counts = np.bincount(group, minlength=3)
    runs = []
    for wanted, read in enumerate((_numbers, _integers)):
        if counts[wanted]:
            where = _only(every, group, wanted, counts[wanted])
            runs.append(_run(body, records.lead, where, read(body, where)))
    if counts[_TEXT]:
        begin, end = _text_places(body, every, records)
        where = _only(every, group, _TEXT, counts[_TEXT])
        value, doubtful = _texts(body, begin, end)
        run = _run(body, records.lead, where, value)
        for row in doubtful:
            run.status[row] = run.status[row] or UNCERTAIN
        runs.append(run)
    return tuple(runs)


def others(body: bytes, records: Records) -> tuple[Other, ...]:
    """Return the records that were put aside."""
    return tuple(_other(body, records.lead, odd) for odd in records.odd)


def _only(every: _Where, group: NDArray[np.uint8], wanted: int, count: int) -> _Where:
    if count == len(group):
        return every
    rows = np.flatnonzero(group == wanted)
    return _Where(every.at[rows], every.mask[rows], every.kind[rows], every.tail[rows], every.place[rows])


def _run(body: bytes, lead: int, where: _Where, value: NDArray[Any]) -> Run:
    n = len(value)
    return Run(
        place=where.place,
        handle=_over(body, "<u4")[where.at - lead] if lead else np.zeros(n, np.uint32),
        builtin=where.kind,
        value=value,
        status=_field(body, where, HAS_STATUS, np.zeros(n, np.uint32)),
        source_time=_time(body, where, HAS_SOURCE_TIME, HAS_SOURCE_PICOSECONDS),
        server_time=_time(body, where, HAS_SERVER_TIME, HAS_SERVER_PICOSECONDS),
    )


def _over(body: bytes, dtype: str) -> NDArray[Any]:
    """Return the message as numbers of this type that begin at every byte."""
    return np.ndarray((len(body) - np.dtype(dtype).itemsize + 1,), dtype, body, 0, (1,))


def _field(body: bytes, where: _Where, bit: int, absent: NDArray[Any]) -> NDArray[Any]:
    """Return an optional field of every record; `absent` where the mask says it is not there."""
    _, dtype, offset = _FIELDS[bit]
    first = where.mask[0]
    if (where.mask == first).all():
        if not first & bit:
            return absent
        everywhere: NDArray[Any] = _over(body, dtype)[where.tail + offset[first]]
        return everywhere
    has = (where.mask & bit) != 0
    rows = np.flatnonzero(has)
    if len(rows):
        absent[rows] = _over(body, dtype)[where.tail[rows] + offset[where.mask[rows]]]
    return absent


def _time(body: bytes, where: _Where, bit: int, fraction: int) -> NDArray[np.int64]:
    n = len(where.at)
    times = times_ns(_field(body, where, bit, np.zeros(n, np.int64)))
    if (where.mask & fraction).any():
        times = with_picoseconds(times, _field(body, where, fraction, np.zeros(n, np.uint16)))
    return times


def _numbers(body: bytes, where: _Where) -> NDArray[np.float64]:
    first = where.kind[0]
    if (where.kind == first).all():
        return _as_float(body, int(first), where.at + 2)
    value = np.empty(len(where.at), np.float64)
    for kind in np.flatnonzero(np.bincount(where.kind)).tolist():
        rows = np.flatnonzero(where.kind == kind)
        value[rows] = _as_float(body, kind, where.at[rows] + 2)
    return value


def _as_float(body: bytes, kind: int, at: NDArray[np.int64]) -> NDArray[np.float64]:
    if not kind:
        return np.zeros(len(at))
    raw = _over(body, _DTYPE[kind])[at]
    if kind == _BOOLEAN:
        raw = raw != 0
    if kind == _FLOAT:
        with np.errstate(invalid="ignore"):  # a signalling NaN is the pipeline's to refuse
            return raw.astype(np.float64)
    return raw.astype(np.float64, copy=False)


def _integers(body: bytes, where: _Where) -> NDArray[np.int64]:
    value: NDArray[np.int64] = _over(body, "<i8")[where.at + 2]
    dates = where.kind == _DATE_TIME
    if dates.any():
        value[dates] = times_ns(value[dates])
    return value


def _text_places(body: bytes, every: _Where, records: Records) -> tuple[list[int], list[int]]:
    """Return where each text begins and ends, and correct where what follows it begins."""
    rows = np.flatnonzero(every.kind == STRING)
    begin = every.at + 2 + 4
    end = begin.copy()
    if len(rows):
        end[rows] += np.maximum(_over(body, "<i4")[every.at[rows] + 2], 0)
        every.tail[rows] = end[rows]
    for text in records.texts:
        begin[text.row], end[text.row], every.tail[text.row] = text.begin, text.end, text.tail
    texts = np.flatnonzero(_GROUP_OF[every.kind] == _TEXT)
    return begin[texts].tolist(), end[texts].tolist()


def _texts(body: bytes, begin: list[int], end: list[int]) -> tuple[NDArray[np.object_], list[int]]:
    """Return the texts, and the rows of those that were not UTF-8."""
    value = np.empty(len(begin), object)
    try:
        value[:] = [body[a:b].decode() for a, b in zip(begin, end, strict=True)]
    except UnicodeDecodeError:
        octets = [body[a:b] for a, b in zip(begin, end, strict=True)]
        value[:] = [text.decode(errors="replace") for text in octets]
        return value, [row for row, text in enumerate(octets) if text != value[row].encode()]
    return value, []


def _other(body: bytes, lead: int, odd: OddValue) -> Other:
    mask, kind = body[odd.at], body[odd.at + 1]

    def field(bit: int) -> int:
        if not mask & bit:
            return 0
        _, dtype, offset = _FIELDS[bit]
        first = odd.tail + int(offset[mask])
        return int.from_bytes(body[first : first + np.dtype(dtype).itemsize], "little", signed="i" in dtype)

    def time(bit: int, fraction: int) -> int:
        return with_picoseconds_of(time_ns(field(bit)), field(fraction))

    return Other(
        place=odd.place,
        handle=int.from_bytes(body[odd.at - lead : odd.at], "little"),
        builtin=kind & 0x3F,
        array=bool(kind & 0x80),
        status=field(HAS_STATUS),
        source_time=time(HAS_SOURCE_TIME, HAS_SOURCE_PICOSECONDS),
        server_time=time(HAS_SERVER_TIME, HAS_SERVER_PICOSECONDS),
        raw=body[odd.at + 1 : odd.tail],
    )
