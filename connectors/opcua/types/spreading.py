"""From values that are more than one to rows: each single value finds its tag, or is Bad with the reason."""

import logging
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from connectors.batch import Columns
from connectors.describe import is_scaled
from connectors.opcua.items import ACCEPTED, SCALED, Items
from connectors.opcua.rows import Other, Run
from connectors.opcua.statistics import Statistics
from connectors.opcua.times import as_text
from connectors.opcua.types.flatten import Flat, Leaf, flatten, single
from connectors.opcua.types.leaves import LeafTag
from connectors.opcua.types.model import NodeKey
from connectors.quality import (
    BAD,
    BAD_ENCODING_LIMITS_EXCEEDED,
    BAD_INDEX_RANGE_NO_DATA,
    BAD_TYPE_MISMATCH,
    BAD_WAITING_FOR_INITIAL_DATA,
    UNCERTAIN,
    UNCERTAIN_ENGINEERING_UNITS_EXCEEDED,
)
from connectors.tags import DTYPE_OF_PART, Kind, Part

log = logging.getLogger(__name__)

LONGEST_TEXT: Final = 65_536
"""Characters; a longer text is Bad."""
_EXACT: Final = 2**53
_DATE_TIME: Final = 13
_UINT64: Final = 9
_INTEGERS: Final = (8, _UINT64)


class Value(NamedTuple):
    """A value of one item."""

    item: int
    place: int
    time: int
    status: int
    raw: bytes = b""
    """The encoded Variant, of an array or a structure."""
    builtin: int = 0
    single: Any = None
    """A number or text of this built-in type, without `raw`; 0 is no value."""


class Row(NamedTuple):
    """A row of a leaf."""

    place: int
    number: int
    time: int
    value: Any
    status: int


class Spreading:
    """Makes rows of the values of one Gathering."""

    def __init__(self, items: Items, statistics: Statistics) -> None:
        self._items = items
        self._statistics = statistics
        self._absent: set[tuple[int, str]] = set()
        """Leaves that are known and have no value now; that is told once."""
        self._waiting: list[Value] = []
        """Values of structures the server is still to explain."""
        self.unknown: set[NodeKey] = set()
        """Encodings of those structures."""
        self._cut: set[int] = set()

    def again(self) -> list[Value]:
        """Return the values that waited for what is known now."""
        waiting, self._waiting = self._waiting, []
        self.unknown = set()
        return waiting

    def rows(self, values: Sequence[Value]) -> list[tuple[Part, Row]]:
        """Return the rows of these values, in their order; some wait until their structures are known."""
        flats = [self._flat(each) for each in values]
        self._announce(values, flats)
        found: list[tuple[Part, Row]] = []
        for value, flat in zip(values, flats, strict=True):
            if flat is None:
                found += self._bad(value)
            elif not flat.unknown:
                found += self._spread(value, flat)
            else:
                self._waiting.append(value)
                self.unknown |= flat.unknown
        return found

    def _flat(self, value: Value) -> Flat | None:
        """Take a value apart; None when it has none that counts."""
        if value.status >= BAD or not (value.raw or value.builtin):
            return None
        item, enumeration = self._items.items[value.item], self._items.enumerations.get(value.item)
        if not value.raw:
            return single(value.builtin, value.single, item.enums, enumeration)
        return flatten(
            value.raw, self._items.types, most=item.elements, enums=item.enums, enumeration=enumeration
        )

    def _announce(self, values: Sequence[Value], flats: Sequence[Flat | None]) -> None:
        new: dict[tuple[int, str], Leaf] = {}
        for value, flat in zip(values, flats, strict=True):
            if flat is None or flat.unknown:
                continue
            item = self._items.items[value.item]
            known = self._items.leaves.of.get(value.item, {})
            room = 2 * item.elements - len(known)
            is_cut = flat.is_cut
            for leaf in flat.leaves:
                if leaf.suffix in known:
                    continue
                if room <= 0 or not self._items.leaves.may_have(item, leaf.suffix):
                    is_cut = True
                    continue
                room -= (value.item, leaf.suffix) not in new
                new.setdefault((value.item, leaf.suffix), leaf)
            if is_cut and value.item not in self._cut:
                self._tell_cut(value.item, item.elements)
        if new:
            self._items.spread([(item, leaf) for (item, _), leaf in new.items()])

    def _tell_cut(self, place: int, most: int) -> None:
        """Count that not all of an item is kept, once; say so of the first."""
        self._cut.add(place)
        self._statistics.cut += 1
        if len(self._cut) > 1:
            return
        log.warning(
            "not all of a value is kept: it has more parts than `elements`, or names that are taken",
            extra={"source": self._items.source, "tag": self._items.items[place].path, "elements": most},
        )

    def _spread(self, value: Value, flat: Flat) -> Iterator[tuple[Part, Row]]:
        known = self._items.leaves.of.get(value.item, {})
        scaled = is_scaled(self._items.items[value.item].options)
        missing = dict(known)
        for leaf in flat.leaves:
            tag = missing.pop(leaf.suffix, None)
            if tag is not None:
                self._absent.discard((value.item, leaf.suffix))
                kept, status = self._kept(leaf, tag, value.status, is_scaled=scaled)
                yield tag.part, Row(value.place, tag.number, value.time, kept, status)
        for suffix, tag in missing.items():
            if (value.item, suffix) not in self._absent:
                self._absent.add((value.item, suffix))
                nothing = NOTHING[tag.part]
                yield tag.part, Row(value.place, tag.number, value.time, nothing, BAD_INDEX_RANGE_NO_DATA)

    def _bad(self, value: Value) -> Iterator[tuple[Part, Row]]:
        """Yield that every leaf is Bad, for the reason the server gives."""
        status = value.status if value.status >= BAD else BAD_WAITING_FOR_INITIAL_DATA
        for suffix, tag in self._items.leaves.of.get(value.item, {}).items():
            if (value.item, suffix) not in self._absent:
                yield tag.part, Row(value.place, tag.number, value.time, NOTHING[tag.part], status)

    def _kept(self, leaf: Leaf, tag: LeafTag, status: int, *, is_scaled: bool) -> tuple[Any, int]:
        """Return the value as its column holds it, and its status."""
        if leaf.status >= BAD:
            self._statistics.unsupported += 1
            return NOTHING[tag.part], leaf.status
        accepted = SCALED if is_scaled and tag.kind is Kind.FLOAT64 else ACCEPTED[tag.kind]
        if leaf.builtin not in accepted:
            self._statistics.type_mismatches += 1
            return NOTHING[tag.part], BAD_TYPE_MISMATCH
        status = max(status, leaf.status)
        match tag.part:
            case Part.TEXT:
                text = as_text(leaf.value) if leaf.builtin == _DATE_TIME else leaf.value
                return ("", BAD_ENCODING_LIMITS_EXCEEDED) if len(text) > LONGEST_TEXT else (text, status)
            case Part.INTEGER:
                return leaf.value - 2**64 if leaf.value >= 2**63 else leaf.value, status
            case _:
                inexact = leaf.builtin in _INTEGERS and abs(leaf.value) > _EXACT and status < UNCERTAIN
                return float(leaf.value), UNCERTAIN_ENGINEERING_UNITS_EXCEEDED if inexact else status


NOTHING: Final[dict[Part, Any]] = {Part.NUMBER: 0.0, Part.INTEGER: 0, Part.TEXT: ""}


def digest(value: Value) -> float:
    """Return a number that tells two values apart, for who compares what was told with what is read."""
    return float(zlib.crc32(value.raw or repr(value.single).encode()))


def of_other(other: Other, item: int, arrived: int, *, by_server: bool) -> Value:
    """Return the value of an odd record."""
    times = (other.server_time, other.source_time) if by_server else (other.source_time, other.server_time)
    time = times[0] or times[1] or arrived
    return Value(item, other.place, time, other.status, other.raw)


def of_run(
    run: Run, items: NDArray[Any], times: NDArray[np.int64], rows: NDArray[np.intp]
) -> Iterator[Value]:
    """Yield the values of items that are kept in parts, of rows that hold one number or text."""
    for i in rows.tolist():
        builtin, value = int(run.builtin[i]), run.value[i : i + 1].tolist()[0]
        if builtin == _UINT64 and value < 0:
            value += 2**64
        place, time, status = int(run.place[i]), int(times[i]), int(run.status[i])
        yield Value(int(items[i]), place, time, status, b"", builtin, value)


def columns(part: Part, rows: Sequence[Row]) -> tuple[NDArray[np.int32], Columns]:
    """Return rows of one part as places and columns."""
    value = np.zeros(len(rows), DTYPE_OF_PART[part])
    value[:] = [row.value for row in rows]
    return np.array([row.place for row in rows], np.int32), Columns(
        np.array([row.number for row in rows], np.int32),
        np.array([row.time for row in rows], np.int64),
        value,
        np.array([row.status for row in rows], np.uint32),
    )
