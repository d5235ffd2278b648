"""Finds where each DataValue of a message begins, without making one.

A record's length follows from two bytes, its encoding mask and its value's type, except for text. So the walk
is one dictionary lookup a record; when several records in a row look alike it counts how many more do in one
comparison of every n-th byte, since servers send items in the order they were created in and we create them
sorted by type. What is no plain scalar is stepped over by `connectors.opcua.skip` and put aside.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from connectors.opcua import skip
from connectors.opcua.rows import Malformed

HAS_VALUE: Final = 0x01
"""Bits of a DataValue's encoding mask (OPC 10000-6, 5.2.2.17)."""
HAS_STATUS: Final = 0x02
HAS_SOURCE_TIME: Final = 0x04
HAS_SERVER_TIME: Final = 0x08
HAS_SOURCE_PICOSECONDS: Final = 0x10
HAS_SERVER_PICOSECONDS: Final = 0x20
MASKS: Final = 64
"""Masks there can be; the two bits above are reserved."""

STRING: Final = 12
LOCALIZED_TEXT: Final = 21
WIDTH: Final = {0: 0, 1: 1, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 4, 8: 8, 9: 8, 10: 4, 11: 8, 13: 8, 19: 4}
"""Bytes of the values that become numbers, by built-in type; 0 is the Null value."""

_HEAD: Final = 2
"""Mask and type byte of a DataValue with a value."""
_PEEK: Final = 8
"""Alike records in a row before it is worth asking how many more follow."""
_WINDOW: Final = 64
_GROWTH: Final = 8
"""How far a run is looked ahead first, and how much farther each time it went all the way."""
_RANGE: Final = 32
"""A run shorter than this joins the list of single records."""


class OddValue(NamedTuple):
    """A record put aside."""

    place: int
    at: int
    """Where its DataValue begins."""
    tail: int
    """Where its Variant ends and status and times begin."""


class Text(NamedTuple):
    """A LocalizedText among the records: where it is, and where its text and it end."""

    row: int
    """Number among the records that were found, those put aside not counted."""
    begin: int
    end: int
    tail: int


class Records:
    """The records of one message, gathered over its notifications."""

    def __init__(self, lead: int) -> None:
        """Remember how many bytes stand before each DataValue: 4 for a client handle, 0 in a read."""
        self.lead = lead
        self.odd: list[OddValue] = []
        self.texts: list[Text] = []
        self.count = 0
        """Records so far, those put aside included."""
        self._sizes = _SIZES[lead]
        self._parts: list[NDArray[np.int64]] = []
        self._near: list[int] = []

    def positions(self) -> NDArray[np.int64]:
        """Return where the DataValue of each record begins, (n,) int64, those put aside left out."""
        self._flush()
        if len(self._parts) == 1:
            return self._parts[0]
        return np.concatenate(self._parts) if self._parts else np.empty(0, np.int64)

    def places(self) -> NDArray[np.int32]:
        """Return each such record's place in the message, (n,) int32."""
        places = np.arange(self.count, dtype=np.int32)
        return np.delete(places, [odd.place for odd in self.odd]) if self.odd else places

    def walk(self, body: bytes, at: int, count: int, end: int) -> int:
        """Find `count` records from byte `at` on; return where they end. Raise Malformed beyond `end`."""
        if count * (self.lead + 1) > end - at:
            raise Malformed(f"{count} values in {end - at} bytes")
        sizes, lead = self._sizes, self.lead
        at += lead
        left = count
        size = 0
        while left:
            first, done = at, 0
            block = min(left, _PEEK)
            note = self._near.append
            try:
                for done in range(block):  # noqa: B007  tells where a KeyError came
                    size = sizes[body[at : at + 2]]
                    if size < 0:
                        size = _text(body, at, size)
                    note(at)
                    at += size
            except KeyError:
                at = self._unusual(body, at, count=self.count + done)
                self.count += done + 1
                left -= done + 1
                continue
            self.count += block
            left -= block
            if left and at - first == block * size and at <= end:
                more = _alike(body, at, size, left)
                self._add(at, size, more)
                at += size * more
                self.count += more
                left -= more
            if at > end + lead:
                break
        at -= lead
        if at > end:
            raise Malformed(f"the values end {at - end} bytes beyond their notification")
        return at

    def _add(self, at: int, size: int, count: int) -> None:
        positions = range(at, at + size * count, size)
        if count < _RANGE:
            self._near.extend(positions)
        else:
            self._flush()
            self._parts.append(np.arange(positions.start, positions.stop, size))

    def _flush(self) -> None:
        if self._near:
            self._parts.append(np.array(self._near, np.int64))
            self._near = []

    def _unusual(self, body: bytes, at: int, count: int) -> int:
        mask = body[at]
        end = skip.data_value(body, at)
        tail = end - skip.tail(mask)
        if mask & HAS_VALUE and body[at + 1] == LOCALIZED_TEXT:
            begin, until = _localized(body, at + _HEAD)
            self.texts.append(Text(count - len(self.odd), begin, until, tail))
            self._near.append(at)
        elif mask & HAS_VALUE:
            self.odd.append(OddValue(count, at, tail))
        else:  # the last bytes of a message: too few to look like a record
            self._near.append(at)
        return end + self.lead


def _text(body: bytes, at: int, size: int) -> int:
    length = int.from_bytes(body[at + _HEAD : at + _HEAD + 4], "little", signed=True)
    if length < -1:
        raise Malformed(f"a string of length {length}")
    return max(length, 0) - size


def _localized(body: bytes, at: int) -> tuple[int, int]:
    mask = body[at]
    at += 1
    if mask & 1:
        at = skip.string(body, at)
    if not mask & 2:
        return at, at
    return at + 4, max(at + 4, skip.string(body, at))


def _alike(body: bytes, at: int, size: int, most: int) -> int:
    """Return how many records from `at` on are of the mask and type, so of the size, of the one before."""
    mask, kind = body[at - size : at - size + 1], body[at - size + 1 : at - size + 2]
    if mask[0] & HAS_VALUE and kind[0] == STRING:
        return 0
    found, window = 0, _WINDOW
    while True:
        wanted = min(window, most - found)
        begin = at + found * size
        end = begin + wanted * size
        masks = body[begin:end:size]
        alike = len(masks) - len(masks.lstrip(mask))
        if mask[0] & HAS_VALUE:
            kinds = body[begin + 1 : end + 1 : size]
            alike = min(alike, len(kinds) - len(kinds.lstrip(kind)))
        found += alike
        if alike < wanted or found == most:
            return found
        window *= _GROWTH


def _sizes(lead: int) -> dict[bytes, int]:
    """Bytes from record to record by its first two bytes; of text negative, and without the text."""
    sizes: dict[bytes, int] = {}
    for mask in range(MASKS):
        tail = lead + skip.tail(mask)
        if mask & HAS_VALUE:
            sizes |= {bytes((mask, kind)): _HEAD + width + tail for kind, width in WIDTH.items()}
            sizes[bytes((mask, STRING))] = -(_HEAD + 4 + tail)
        else:
            sizes |= {bytes((mask, following)): 1 + tail for following in range(256)}
    return sizes


_SIZES: Final[dict[int, dict[bytes, int]]] = {lead: _sizes(lead) for lead in (0, 4)}
