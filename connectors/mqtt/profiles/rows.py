"""From a delivery to what any platform can be told: device by device, names, values, milliseconds.

A platform has no place for quality. A Bad row would be a number that means nothing, so it is left out, and
counted: `left_out`. Names are looked up once per layout of a batch.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from connectors.batch import Columns
from connectors.contract import Delivery
from connectors.mqtt.forms.units import has_changed
from connectors.mqtt.profiles.packs import Cell
from connectors.quality import is_bad
from connectors.tags import Kind, TagTable

_MOST_LAYOUTS: Final = 256
_NS_PER_MS: Final = 1_000_000

NameOf = Callable[[str, str], str | None]
"""What the tag of a device (device path, tag name) is called on the platform; None: it has no name there."""


@dataclass(slots=True)
class DeviceRows:
    """One device's rows of a delivery, in stored order; the lists are of equal length."""

    device: str
    """site/area/line/device"""
    names: list[str] = field(default_factory=list)
    keys: list[bytes] = field(default_factory=list)
    """The names as JSON."""
    values: list[bytes] = field(default_factory=list)
    """JSON."""
    times: list[int] = field(default_factory=list)
    """ms since 1970 UTC."""
    rows: list[int] = field(default_factory=list)
    """``index of the delivery << 32 | stored row number``"""
    nameless: dict[str, list[int]] = field(default_factory=dict)
    """Rows of tags that have no name on the platform, by tag."""
    changed: list[int] = field(default_factory=list)
    """Rows in another unit than their tag has now: a platform would take them for values in that one."""

    def by_time(self) -> list[tuple[tuple[int, int], list[int]]]:
        """Return ((ms, n), places) in order, a name once in each: two of a millisecond have n 0 and 1."""
        if len(set(self.times)) == 1 and len(set(self.names)) == len(self.names):
            return [((self.times[0], 0), list(range(len(self.names))))]
        found: dict[tuple[int, int], list[int]] = {}
        seen: dict[tuple[int, str], int] = {}
        for i, (time, name) in enumerate(zip(self.times, self.names, strict=True)):
            again = seen[time, name] = seen.get((time, name), -1) + 1
            found.setdefault((time, again), []).append(i)
        return sorted(found.items())

    def turns(self) -> list[list[int]]:
        """Return places in turns: each name at most once in a turn, earlier readings in earlier turns."""
        if len(set(self.names)) == len(self.names):
            return [list(range(len(self.names)))]
        found: list[list[int]] = []
        seen: dict[str, int] = {}
        for i, name in enumerate(self.names):
            turn = seen[name] = seen.get(name, -1) + 1
            if turn == len(found):
                found.append([])
            found[turn].append(i)
        return found


def cells_by_time(devices: Iterable[DeviceRows]) -> Iterator[Cell]:
    """Yield what each device read, the readings of one time together."""
    for found in devices:
        for section, places in found.by_time():
            for i in places:
                text = b"%b:%b" % (found.keys[i], found.values[i])
                yield Cell(found.device, section, text, found.rows[i], found.names[i])


@dataclass(frozen=True, slots=True)
class _Share:
    """One device's places in one part."""

    device: str
    places: NDArray[np.intp]
    tags: list[str]
    names: list[str | None]
    keys: list[bytes]
    kinds: list[int]
    changed: list[bool]
    """Whether a tag's unit is another now."""
    is_plain: bool
    """Nothing but floats that have a name, in the unit of now."""


class RowReader:
    """Reads deliveries; `truth` is how the platform writes false and true."""

    def __init__(self, tags: TagTable, name_of: NameOf, truth: tuple[bytes, bytes]) -> None:
        self._tags = tags
        self._name_of = name_of
        self._truth = truth
        self._layouts: dict[bytes, list[_Share]] = {}
        self._version = -1
        self._claims: dict[tuple[str, str], list[int]] = {}
        """By device and name on the platform: the tags that would be called so, ascending."""
        self._moved = tags.moved
        self._claimed = 0
        """Tags below this number have made their claim."""
        self.left_out = 0
        """Bad rows, since start."""

    def read(self, deliveries: Iterable[tuple[int, Delivery]]) -> list[DeviceRows]:
        """Return the rows of these (index, delivery) by device; Bad rows are left out."""
        if self._version != self._tags.version:  # a renamed tag keeps its number
            self._version = self._tags.version
            self._layouts.clear()
            if self._moved != self._tags.moved:
                self._moved, self._claimed = self._tags.moved, 0
                self._claims.clear()
            self._claim()
        found: dict[str, DeviceRows] = {}
        for index, delivery in deliveries:
            for part, row_numbers in zip(delivery.batch.parts, delivery.row_numbers(), strict=True):
                numbers = row_numbers.astype(np.int64) | (index << 32)
                for share in self._layout(part):
                    into = found.get(share.device)
                    if into is None:
                        into = found[share.device] = DeviceRows(share.device)
                    self._add(into, share, part, numbers)
        return list(found.values())

    def _layout(self, part: Columns) -> list[_Share]:
        key = part.tag.tobytes()
        shares = self._layouts.get(key)
        if shares is None:
            if len(self._layouts) >= _MOST_LAYOUTS:
                self._layouts.clear()
            shares = self._layouts[key] = list(self._shares(part.tag))
        return shares

    def _shares(self, tag: NDArray[np.int32]) -> Iterator[_Share]:
        device = self._tags.device[tag]
        for number in np.unique(device).tolist():
            places = np.flatnonzero(device == number)
            path = self._tags.device_path(number)
            numbers = tag[places].tolist()
            tags = [self._tags[each].name for each in numbers]
            names = [self._own_name(path, each) for each in numbers]
            kinds = [int(self._tags.kind[each]) for each in numbers]
            keys = [orjson.dumps(each) for each in names]
            changed = [has_changed(self._tags, each) for each in numbers]
            is_plain = None not in names and set(kinds) == {Kind.FLOAT64} and True not in changed
            yield _Share(path, places, tags, names, keys, kinds, changed, is_plain)

    def _claim(self) -> None:
        """Note the names of tags that are new in the table, which only grows."""
        for number in range(self._claimed, len(self._tags)):
            try:
                tag = self._tags[number]
            except KeyError:  # a number that was never used
                continue
            name = self._name_of(tag.device, tag.name)
            if name is not None:
                self._claims.setdefault((tag.device, name), []).append(number)
        self._claimed = len(self._tags)

    def _own_name(self, device: str, number: int) -> str | None:
        """Return a tag's name, None where an older tag of the device is called so: their values would mix."""
        path = self._tags[number].path
        name = self._name_of(device, self._tags[number].name)
        if name is None:
            return None
        active = (each for each in self._claims.get((device, name), ()) if self._tags.is_active(each))
        owner = next(active, number)
        return name if self._tags[owner].path == path else None

    def _add(self, into: DeviceRows, share: _Share, part: Columns, row_numbers: NDArray[np.int64]) -> None:
        """Python objects, 0.1 to 0.6 µs a value: a platform takes some fifty messages a second."""
        unknown = is_bad(part.quality[share.places])
        value = part.value[share.places]
        if value.dtype == np.float64:
            unknown = unknown | ~np.isfinite(value)
        times = (part.time[share.places] // _NS_PER_MS).tolist()
        rows = row_numbers[share.places].tolist()
        if share.is_plain and not unknown.any():
            into.names += [name for name in share.names if name is not None]
            into.keys += share.keys
            into.values += orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")
            into.times += times
            into.rows += rows
            return
        for i, (each, is_unknown) in enumerate(zip(value.tolist(), unknown.tolist(), strict=True)):
            name = share.names[i]
            if is_unknown:
                self.left_out += 1
            elif name is None:
                into.nameless.setdefault(share.tags[i], []).append(rows[i])
            elif share.changed[i]:
                into.changed.append(rows[i])
            else:
                into.names.append(name)
                into.keys.append(share.keys[i])
                into.values.append(self._json(share.kinds[i], each))
                into.times.append(times[i])
                into.rows.append(rows[i])

    def _json(self, kind: int, value: Any) -> bytes:
        match kind:
            case Kind.BOOL:
                return self._truth[value != 0]
            case Kind.INT32:
                return b"%d" % value
            case Kind.UINT64:
                return b"%d" % (value % 2**64)
            case _:
                return orjson.dumps(value)
