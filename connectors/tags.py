"""The TagTable: what is configured about each tag, compiled to arrays the hot path gathers from.

A tag's identity is (path, kind, unit) and, where it was thinned for one sink, that sink. Its number is given
once, persisted before its first row, and never reused: a change of kind or unit is a new number, a rename
(`was`) keeps the number. Retired tags keep their metadata, so an old backlog is sent with the unit it was
taken in.

Columns grow by doubling and are replaced when they do: hold the table, never its arrays.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from connectors.batch import Columns


class Kind(IntEnum):
    """What a tag's value is; fixed per tag."""

    BOOL = 0
    INT32 = 1
    """Any integer that fits 32 bits, signed or not; travels as float64, exactly."""
    FLOAT64 = 2
    INT64 = 3
    UINT64 = 4
    """Travels as its int64 bit pattern."""
    TEXT = 5


class Part(IntEnum):
    """Which column of a batch a kind travels in."""

    NUMBER = 0
    INTEGER = 1
    TEXT = 2


PART_OF_KIND: Final = {
    Kind.BOOL: Part.NUMBER,
    Kind.INT32: Part.NUMBER,
    Kind.FLOAT64: Part.NUMBER,
    Kind.INT64: Part.INTEGER,
    Kind.UINT64: Part.INTEGER,
    Kind.TEXT: Part.TEXT,
}
_PART_NUMBER: Final = np.array([PART_OF_KIND[kind] for kind in Kind], np.uint8)
DTYPE_OF_PART: Final[dict[Part, np.dtype[Any]]] = {
    Part.NUMBER: np.dtype(np.float64),
    Part.INTEGER: np.dtype(np.int64),
    Part.TEXT: np.dtype(object),
}


@dataclass(frozen=True, slots=True)
class Tag:
    """What a source announces about one tag."""

    path: str
    """site/area/line/device/tag"""
    kind: Kind
    unit: str
    """UNECE Rec 20 common code of the delivered value, e.g. KWH."""
    source: str
    scale: float = 1.0
    """Delivered value = scale × raw + offset; numbers only."""
    offset: float = 0.0
    low: float = math.nan
    """Plausible limits of the delivered value; NaN is no limit."""
    high: float = math.nan
    deadband: float = math.nan
    """Absolute, in the delivered unit; NaN reports every reading, 0 every change."""
    heartbeat: int = 0
    """Report at least this often, ns; 0 is never by itself."""
    counter: bool = False
    tag_class: str = ""
    was: str = ""
    """The path this tag had before it was renamed."""
    read_as: int = 0
    """Changes with how the raw value is found at its device (address, type, word order); 0 is not told."""
    for_sink: str = ""
    """The one sink that gets this tag: it was thinned for it; empty is every sink."""

    def __post_init__(self) -> None:
        """Give every NaN the same object, so that tags that say the same are equal."""
        for name in ("low", "high", "deadband"):
            if math.isnan(getattr(self, name)):
                object.__setattr__(self, name, math.nan)

    @property
    def identity(self) -> "Identity":
        """Return what makes it this tag and no other."""
        return self.path, self.kind, self.unit, self.for_sink

    @property
    def device(self) -> str:
        """Return the path without the last level."""
        return self.path.rpartition("/")[0]

    @property
    def name(self) -> str:
        """Return the last level of the path."""
        return self.path.rpartition("/")[2]


Identity = tuple[str, Kind, str, str]
Persist = Callable[[Sequence[tuple[int, Tag]]], None]
"""Called with every new or changed (number, tag) before `announce` returns; durable when it returns."""


def as_float(value: NDArray[Any], unsigned: NDArray[np.bool_] | bool) -> NDArray[np.float64]:
    """Return numbers as float64, (n,); `unsigned` tells which of an int64 column are a UINT64's bits."""
    number: NDArray[np.float64] = value.astype(np.float64)
    if value.dtype == np.int64:
        number[unsigned & (value < 0)] += 2.0**64
    return number


class TagTable:
    """All tags that ever were, by number. Not thread-safe: the event loop owns it; others only read."""

    def __init__(self, known: Iterable[tuple[int, Tag]] = (), persist: Persist | None = None) -> None:
        self._persist = persist
        self._tags: list[Tag | None] = []
        self._by_identity: dict[Identity, int] = {}
        self._by_path: dict[str, int] = {}
        self._by_source: dict[str, list[int]] = {}
        self._devices: dict[str, int] = {}
        self._device_paths: list[str] = []
        self._active: set[int] = set()
        self.renamed: Mapping[str, str] = {}
        """Paths devices had before the plant file renamed them, by those they have."""
        self.version = 0
        """Grows with every change; who publishes the catalogue compares it."""
        self.moved = 0
        """Grows when a tag gets another path or class and keeps its number: rules may want it now, or not."""
        self.kind = np.zeros(64, np.uint8)
        self.device = np.zeros(64, np.int32)
        self.scale = np.ones(64)
        self.offset = np.zeros(64)
        self.low = np.full(64, np.nan)
        self.high = np.full(64, np.nan)
        self.deadband = np.full(64, np.nan)
        self.heartbeat = np.zeros(64, np.int64)
        for number, tag in known:
            self._put(number, tag)

    def __len__(self) -> int:
        """Return one more than the highest number given."""
        return len(self._tags)

    def __getitem__(self, number: int) -> Tag:
        """Return the tag with this number; KeyError if there never was one."""
        tag = self._tags[number] if 0 <= number < len(self._tags) else None
        if tag is None:
            raise KeyError(number)
        return tag

    def announce(self, tags: Sequence[Tag]) -> NDArray[np.int32]:
        """Number and persist what is new or changed; return the tags' numbers, (n,) int32, in order."""
        tags = [self._with_past(tag) for tag in tags]
        numbers: list[int] = []
        changed: list[tuple[int, Tag]] = []
        next_number = len(self._tags)
        fresh: dict[Identity, int] = {}
        for tag in tags:
            identity = tag.identity
            number = self._by_identity.get(identity, fresh.get(identity))
            if number is None and tag.was:
                number = self._by_identity.get(replace(tag, path=tag.was).identity)
            if number is None:
                number = next_number
                next_number += 1
                fresh[identity] = number
                changed.append((number, tag))
            elif number >= len(self._tags):
                raise ValueError(f"tag {tag.path} is announced twice")
            elif self._tags[number] != tag:
                changed.append((number, tag))
            numbers.append(number)
        if changed:
            if self._persist is not None:
                self._persist(changed)
            for number, tag in changed:
                self._put(number, tag)
            self.version += 1
        self._activate(numbers, tags)
        return np.array(numbers, np.int32)

    def announce_each(self, groups: Sequence[Sequence[Tag]]) -> list[NDArray[np.int32]]:
        """Announce the tags of several devices in one go; return each one's numbers.

        What is new is synced to the disk, and the loop waits for that: once, however many devices there are.
        """
        numbers = self.announce([tag for group in groups for tag in group])
        ends = np.cumsum([len(group) for group in groups])
        return np.split(numbers, ends[:-1]) if groups else []

    def former(self, path: str) -> str:
        """Return the path a tag had before its device was renamed; empty when it was not."""
        device, _, name = path.rpartition("/")
        old = self.renamed.get(device)
        return f"{old}/{name}" if old else ""

    def as_float(self, columns: Columns) -> NDArray[np.float64]:
        """Return the numbers of a column as float64, (n,): a UINT64 travels as int64 and is unsigned here."""
        return as_float(columns.value, self.kind[columns.tag] == Kind.UINT64)

    def part(self, numbers: NDArray[np.int32]) -> NDArray[np.uint8]:
        """Return the Part each of these tags travels in, (n,)."""
        return _PART_NUMBER[self.kind[numbers]]

    def sortable(self, columns: Columns, value: NDArray[Any] | None = None) -> NDArray[Any]:
        """Return the values of a column, or others of the same tags, so that a UINT64 sorts as unsigned.

        Its sign bit is flipped; twice is back.
        """
        value = columns.value if value is None else value
        if value.dtype != np.int64:
            return value
        unsigned = self.kind[columns.tag] == Kind.UINT64
        return np.where(unsigned, value ^ np.int64(-(2**63)), value)

    def keep_only(self, source: str, numbers: NDArray[np.int32]) -> None:
        """Retire every other tag of this source: metadata stays, the catalogue no longer lists it."""
        gone = set(self._by_source.get(source, ())) - set(numbers.tolist())
        if gone & self._active:
            self._active -= gone
            self.version += 1

    def of_source(self, source: str) -> NDArray[np.int32]:
        """Return the numbers of a source's active tags, (n,) int32, ascending."""
        numbers = (n for n in self._by_source.get(source, ()) if n in self._active)
        return np.fromiter(sorted(numbers), np.int32)

    def known_of(self, source: str) -> list[Tag]:
        """Return every tag a source ever announced, retired ones too."""
        return [self[number] for number in self._by_source.get(source, ())]

    def active(self) -> NDArray[np.int32]:
        """Return the numbers of all tags announced in this run and not retired, ascending."""
        return np.fromiter(sorted(self._active), np.int32, len(self._active))

    def is_active(self, number: int) -> bool:
        """Tell whether a tag was announced in this run and not retired."""
        return number in self._active

    def is_told(self, number: int) -> bool:
        """Tell whether the catalogue tells this tag's unit: no later tag of its path has another."""
        tag = self[number]
        current = self._by_path.get(tag.path)
        return current in self._active and self[current].unit == tag.unit

    def number(self, path: str) -> int | None:
        """Return the number of the tag that has this path now."""
        return self._by_path.get(path)

    def without_tags(self) -> set[str]:
        """Return the paths of devices that were and have no active tag now: removed, or renamed."""
        left = np.unique(self.device[self.active()]).tolist()
        return set(self._device_paths) - {self._device_paths[number] for number in left}

    @property
    def device_count(self) -> int:
        """Return one more than the highest device number, as found in `device`."""
        return len(self._device_paths)

    def device_path(self, device: int) -> str:
        """Return the path of a device number, as found in `device[tag]`."""
        return self._device_paths[device]

    def _with_past(self, tag: Tag) -> Tag:
        was = "" if tag.was else self.former(tag.path)
        return replace(tag, was=was) if was else tag

    def _activate(self, numbers: list[int], tags: Sequence[Tag]) -> None:
        for number, tag in zip(numbers, tags, strict=True):
            previous = self._by_path.get(tag.path)
            if previous != number:
                self._by_path[tag.path] = number
                self._active.discard(-1 if previous is None else previous)
        before = len(self._active)
        self._active.update(numbers)
        self.version += len(self._active) != before

    def _put(self, number: int, tag: Tag) -> None:
        if number >= len(self.kind):
            self._grow(number + 1)
        old = self._tags[number] if number < len(self._tags) else None
        if old is not None:
            self._by_identity.pop(old.identity, None)
            if self._by_path.get(old.path) == number:
                del self._by_path[old.path]
            if old.source != tag.source:
                self._by_source[old.source].remove(number)
        if old is None or old.source != tag.source:
            self._by_source.setdefault(tag.source, []).append(number)
        self._by_identity[tag.identity] = number
        if self._by_path.get(tag.path) not in self._active:
            self._by_path[tag.path] = number
        if tag.was:
            self._device_number(tag.was.rpartition("/")[0])
        self.kind[number] = tag.kind
        self.device[number] = self._device_number(tag.device)
        self.scale[number] = tag.scale
        self.offset[number] = tag.offset
        self.low[number] = tag.low
        self.high[number] = tag.high
        self.deadband[number] = tag.deadband
        self.heartbeat[number] = tag.heartbeat
        # Last: threads that book read on to the end of the table, and what they find there must be whole.
        self._tags += [None] * (number - len(self._tags))
        self._tags[number : number + 1] = [tag]
        self.moved += old is not None and (old.path, old.tag_class) != (tag.path, tag.tag_class)

    def _grow(self, needed: int) -> None:
        size = max(needed, 2 * len(self.kind))
        for column in ("kind", "device", "scale", "offset", "low", "high", "deadband", "heartbeat"):
            old = getattr(self, column)
            new = np.zeros(size, old.dtype)
            new[: len(old)] = old
            setattr(self, column, new)

    def _device_number(self, path: str) -> int:
        number = self._devices.get(path)
        if number is None:
            number = self._devices[path] = len(self._device_paths)
            self._device_paths.append(path)
        return number
