"""From the places of records to columns: a gather per field, then a conversion per type of value."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from connectors.opcua.fields import Behind, other, over
from connectors.opcua.records import HAS_VALUE, LOCALIZED_TEXT, STRING, WIDTH, Records
from connectors.opcua.rows import Other, Run
from connectors.opcua.times import times_ns
from connectors.quality import UNCERTAIN

_NUMBER, _INTEGER, _TEXT = range(3)
"""The runs a message can have."""
_BOOLEAN, _FLOAT, _DATE_TIME = 1, 10, 13
_FORMS: Final = {
    1: "u1", 2: "i1", 3: "u1", 4: "<i2", 5: "<u2", 6: "<i4", 7: "<u4", 10: "<f4", 11: "<f8", 19: "<u4",
}  # fmt: skip
_DTYPE: Final = {kind: np.dtype(form) for kind, form in _FORMS.items()}
"""How a number of a built-in type is read."""
_HANDLE: Final = np.dtype("<u4")
_INT32: Final = np.dtype("<i4")
_INT64: Final = np.dtype("<i8")
"""Int64, the ticks of a DateTime, and the bit pattern of a UInt64."""
_HEAD: Final = 2
"""Mask and type byte stand before a value."""
_LENGTH: Final = 4
"""The length stands before a text."""


def _table(entries: dict[int, int], dtype: type) -> NDArray[Any]:
    return np.array([entries.get(kind, 0) for kind in range(256)], dtype)


_SIZE_OF: Final = _table({kind: _HEAD + width for kind, width in WIDTH.items()}, np.int64)
_RUN_OF: Final = _table(
    {8: _INTEGER, 9: _INTEGER, _DATE_TIME: _INTEGER, STRING: _TEXT, LOCALIZED_TEXT: _TEXT}, np.uint8
)


def gather(body: bytes, records: Records) -> tuple[Run, ...]:
    """Return the records as at most three runs: numbers, integers, texts; the walk checked the offsets."""
    at = records.positions()
    if not len(at):
        return ()
    octets = np.frombuffer(body, np.uint8)
    mask = octets[at]
    kind = octets.take(at + 1, mode="clip")
    valueless = (mask & HAS_VALUE) == 0
    if valueless.any():
        kind[valueless] = 0
    tail = at + _SIZE_OF[kind]
    tail[valueless] = at[valueless] + 1
    run_of = _RUN_OF[kind]
    counts = np.bincount(run_of, minlength=3).tolist()
    begin: list[int] = []
    end: list[int] = []
    if counts[_TEXT]:
        begin, end = _text_places(body, at, kind, tail, records)
    behind = Behind(body, mask, tail)
    every = Run(
        place=records.places(),
        handle=over(body, _HANDLE)[at - records.lead] if records.lead else np.zeros(len(at), np.uint32),
        builtin=kind,
        value=at,
        status=behind.status(),
        source_time=behind.source_time(),
        server_time=behind.server_time(),
    )
    runs = []
    if counts[_NUMBER]:
        rows = _rows(run_of, _NUMBER, counts)
        runs.append(_only(every, rows, _numbers(body, kind[rows], at[rows])))
    if counts[_INTEGER]:
        rows = _rows(run_of, _INTEGER, counts)
        runs.append(_only(every, rows, _integers(body, kind[rows], at[rows])))
    if counts[_TEXT]:
        value, doubtful = _texts(body, begin, end)
        run = _only(every, _rows(run_of, _TEXT, counts), value)
        for row in doubtful:
            run.status[row] = run.status[row] or UNCERTAIN
        runs.append(run)
    return tuple(runs)


def others(body: bytes, records: Records) -> tuple[Other, ...]:
    """Return the records that were put aside."""
    return tuple(other(body, records.lead, odd) for odd in records.odd)


def _rows(run_of: NDArray[np.uint8], run: int, counts: list[int]) -> NDArray[np.intp] | slice:
    return slice(None) if counts[run] == len(run_of) else np.flatnonzero(run_of == run)


def _only(every: Run, rows: NDArray[np.intp] | slice, value: NDArray[Any]) -> Run:
    return Run(
        every.place[rows],
        every.handle[rows],
        every.builtin[rows],
        value,
        every.status[rows],
        every.source_time[rows],
        every.server_time[rows],
    )


def _numbers(body: bytes, kind: NDArray[np.uint8], at: NDArray[np.int64]) -> NDArray[np.float64]:
    counts = np.bincount(kind)
    present = np.flatnonzero(counts).tolist()
    if len(present) == 1:
        value = np.empty(len(at))
        _as_floats(body, present[0], at + _HEAD, value)
        return value
    order = np.argsort(kind, kind="stable")
    sorted_at = at[order] + _HEAD
    by_kind = np.empty(len(at))
    end = 0
    for each in present:
        begin, end = end, end + int(counts[each])
        _as_floats(body, each, sorted_at[begin:end], by_kind[begin:end])
    value = np.empty(len(at))
    value[order] = by_kind
    return value


def _as_floats(body: bytes, kind: int, at: NDArray[np.int64], value: NDArray[np.float64]) -> None:
    if not kind:
        value[:] = 0.0
        return
    raw = over(body, _DTYPE[kind])[at]
    if kind == _BOOLEAN:
        raw = raw != 0
    if kind == _FLOAT:
        with np.errstate(invalid="ignore"):  # a signalling NaN is the pipeline's to refuse
            value[:] = raw
    else:
        value[:] = raw


def _integers(body: bytes, kind: NDArray[np.uint8], at: NDArray[np.int64]) -> NDArray[np.int64]:
    value: NDArray[np.int64] = over(body, _INT64)[at + _HEAD]
    dates = kind == _DATE_TIME
    if dates.any():
        value[dates] = times_ns(value[dates])
    return value


def _text_places(
    body: bytes,
    at: NDArray[np.int64],
    kind: NDArray[np.uint8],
    tail: NDArray[np.int64],
    records: Records,
) -> tuple[list[int], list[int]]:
    """Return where each text begins and ends; correct in `tail` where what follows it begins."""
    rows = np.flatnonzero(kind == STRING)
    begin = at + (_HEAD + _LENGTH)
    end = begin.copy()
    if len(rows):
        end[rows] += np.maximum(over(body, _INT32)[at[rows] + _HEAD], 0)
        tail[rows] = end[rows]
    for text in records.texts:
        begin[text.row], end[text.row], tail[text.row] = text.begin, text.end, text.tail
    if records.texts:
        rows = np.flatnonzero(_RUN_OF[kind] == _TEXT)
    return begin[rows].tolist(), end[rows].tolist()


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
