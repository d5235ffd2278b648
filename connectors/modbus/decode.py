"""From the replies of one scan to columns: one gather, then a view per group. Raw values; no scaling here."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from connectors.batch import Columns, one_time
from connectors.line.dialogue import Answers
from connectors.modbus.layout import Group, Layout
from connectors.quality import (
    BAD_OUT_OF_RANGE,
    GOOD,
    UNCERTAIN,
    UNCERTAIN_ENGINEERING_UNITS_EXCEEDED,
)
from connectors.tags import DTYPE_OF_PART, Part

ONE_STAMP_NS: Final = 100_000_000
"""A scan shorter than this carries one time, a longer one each reply's own."""
_EXACT: Final = 1 << 53
"""The largest integer up to which a float64 holds every one."""
_DIGITS: Final = 18
"""Decimal digits an int64 always holds."""


Flags = list[tuple[NDArray[Any] | slice, int]]
"""Rows of a group and the quality they get, later ones over earlier ones."""
Read = Callable[[NDArray[np.uint8], Group, Flags], NDArray[Any] | list[str]]
"""Gathered bytes of a group → its values; what is not good is added to the flags."""


class Decoder:
    """Decodes the scans of one device under one plan; holds what every batch shares."""

    def __init__(self, layout: Layout, numbers: NDArray[np.int32]) -> None:
        """Remember the gather and the tag numbers, (n,) int32 in the order of the device's values."""
        self._layout = layout
        self._tag = tuple(_frozen(numbers[rows.place]) for rows in layout.parts)
        self._good = tuple(_frozen(np.full(len(rows.place), GOOD, np.uint32)) for rows in layout.parts)
        self._groups = tuple(
            tuple((group, _READ[group.wire]) for group in layout.groups if group.part is rows.part)
            for rows in layout.parts
        )

    def columns(self, answers: Answers) -> tuple[Columns, ...]:
        """Return a row for every tag of the device; arrays that batches share are read-only."""
        layout = self._layout
        gathered = np.frombuffer(b"".join(answers.replies), np.uint8).take(layout.gather)
        first, last = min(answers.times), max(answers.times)
        at_once = last - first < ONE_STAMP_NS
        failed = any(answers.status)
        parts = []
        for i, rows in enumerate(layout.parts):
            value, quality = self._part(rows.part, i, gathered)
            if failed:
                status = np.array(answers.status, np.uint32)[rows.request]
                quality = np.where(status == GOOD, quality, status)
            if at_once:
                time = one_time(last, len(rows.place))
            else:
                time = np.array(answers.times, np.int64)[rows.request]
            parts.append(Columns(self._tag[i], time, value, quality))
        return tuple(parts)

    def _part(
        self, part: Part, i: int, gathered: NDArray[np.uint8]
    ) -> tuple[NDArray[Any], NDArray[np.uint32]]:
        quality = self._good[i]
        value = np.empty(len(quality), DTYPE_OF_PART[part])
        for group, read in self._groups[i]:
            raw = gathered[group.bytes]
            flags: Flags = []
            value[group.rows] = read(raw, group, flags)
            if len(group.absent_rows):
                wanted = raw.reshape(-1, group.width)[group.absent_rows] == group.absent
                flags.append((group.absent_rows[wanted.all(axis=1)], BAD_OUT_OF_RANGE))
            if flags:
                if quality is self._good[i]:
                    quality = quality.copy()
                for rows, code in flags:
                    quality[group.rows][rows] = code
        return value, quality


def _frozen(column: NDArray[Any]) -> NDArray[Any]:
    column.flags.writeable = False
    return column


def _number(dtype: str) -> Read:
    """A number whose every value a float64 holds, or an int64 that stays one."""

    def read(raw: NDArray[np.uint8], group: Group, flags: Flags) -> NDArray[Any]:  # noqa: ARG001  always good
        return raw.view(dtype)

    return read


def _float(dtype: str) -> Read:
    def read(raw: NDArray[np.uint8], group: Group, flags: Flags) -> NDArray[Any]:  # noqa: ARG001
        value = raw.view(dtype)
        finite: NDArray[np.bool_] = np.isfinite(value)
        if not finite.all():
            # Not even a Bad row carries them on: a signalling NaN warns in every cast behind us.
            value[~finite] = 0.0
            flags.append((~finite, BAD_OUT_OF_RANGE))
        return value

    return read


def _wide(dtype: str) -> Read:
    def read(raw: NDArray[np.uint8], group: Group, flags: Flags) -> NDArray[Any]:
        if group.part is Part.INTEGER:
            return raw.view("<i8")
        value: NDArray[Any] = raw.view(dtype)
        _flag_inexact(value, flags)
        return value

    return read


def _bits(dtype: str) -> Read:
    def read(raw: NDArray[np.uint8], group: Group, flags: Flags) -> NDArray[Any]:  # noqa: ARG001
        value: NDArray[np.bool_] = (raw.view(dtype) & group.mask) != 0
        return value

    return read


def _bcd(raw: NDArray[np.uint8], group: Group, flags: Flags) -> NDArray[Any]:
    octets = raw.reshape(-1, group.width)
    digits = np.empty((len(octets), 2 * group.width), np.int64)
    digits[:, 0::2] = octets >> 4
    digits[:, 1::2] = octets & 0x0F
    low = digits[:, -_DIGITS:]
    value: NDArray[np.int64] = low @ 10 ** np.arange(low.shape[1] - 1, -1, -1, dtype=np.int64)
    wrong = np.logical_or((digits > 9).any(axis=1), digits[:, :-_DIGITS].any(axis=1))
    if group.part is Part.NUMBER:
        _flag_inexact(value, flags)
    if wrong.any():
        flags.append((wrong, BAD_OUT_OF_RANGE))
    return value


def _text(raw: NDArray[np.uint8], group: Group, flags: Flags) -> list[str]:
    # A device's strings are few (a serial number, a batch name): this loop costs 0.4 us a value.
    octets, width = raw.tobytes(), group.width
    texts: list[str] = []
    for i in range(0, len(octets), width):
        content = octets[i : i + width].partition(b"\0")[0].rstrip(b" ")
        try:
            texts.append(content.decode())
        except UnicodeDecodeError:
            texts.append(content.decode(errors="replace"))
            flags.append((slice(i // width, i // width + 1), UNCERTAIN))
    return texts


def _flag_inexact(value: NDArray[Any], flags: Flags) -> None:
    inexact: NDArray[np.bool_] = np.greater(value, _EXACT)
    if value.dtype.kind == "i":
        inexact |= value < -_EXACT
    if inexact.any():
        flags.append((inexact, UNCERTAIN_ENGINEERING_UNITS_EXCEEDED))


_READ: Final[dict[str, Read]] = {
    "bit": _bits("u1"),
    "bool": _bits("<u2"),
    "int8": _number("i1"),
    "uint8": _number("u1"),
    "int16": _number("<i2"),
    "uint16": _number("<u2"),
    "int32": _number("<i4"),
    "uint32": _number("<u4"),
    "int64": _wide("<i8"),
    "uint64": _wide("<u8"),
    "float16": _float("<f2"),
    "float32": _float("<f4"),
    "float64": _float("<f8"),
    "bcd": _bcd,
    "string": _text,
}
"""How each wire type is read; a new one adds a row."""
