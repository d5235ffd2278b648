"""Which tags are beyond their bounds: all in columns, since a plant may have bounds for every tag it has.

    newest rows ─ gather ─▶ value (n,) ─▶ beyond a bound, back inside ─▶ what holds, of few tags

The newest row of a tag holds until the next one comes, so a value that stands still is judged at every look.
A Bad row says nothing; an Uncertain one is judged: a pressure no sensible plant has must not hide its alarm.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from config.alarms import TagAlarm
from config.plant import Plant
from config.units import Unit
from connectors import TagTable
from connectors.quality import BAD
from gateway.alarms.condition import Condition, Key
from gateway.live import LiveValues

_KIND: Final = "limit"


class Limits:
    """The bounds of one plant's tags."""

    def __init__(self, plant: Plant, tags: TagTable, live: LiveValues) -> None:
        found = list(_alarms_of(plant))
        self._tags = tags
        self._live = live
        self._paths = [path for path, _, _ in found]
        self._rows = {path: row for row, path in enumerate(self._paths)}
        self._alarms = [alarm for _, alarm, _ in found]
        self._units = ["" if unit.code == "C62" else f" {unit.symbol}" for _, _, unit in found]
        self._low = np.array([-np.inf if each.low is None else each.low for each in self._alarms], np.float64)
        self._high = np.array(
            [np.inf if each.high is None else each.high for each in self._alarms], np.float64
        )
        self._back = np.array([each.hysteresis for each in self._alarms], np.float64)
        self._version = -1
        self._number = np.zeros(0, np.int32)
        self._row = np.zeros(0, np.intp)

    def look(self, wanted: Mapping[Key, object]) -> Iterator[Condition]:
        """Yield the tags that are beyond a bound, and of `wanted` those back inside or not known."""
        if not self._paths:
            return
        value = self._values()
        low, high, back = self._low, self._high, self._back
        beyond = (value < low) | (value > high)
        inside = (value >= low + back) & (value <= high - back)
        stands = [self._rows[path] for kind, path in wanted if kind == _KIND and path in self._rows]
        for row in dict.fromkeys([*np.flatnonzero(beyond).tolist(), *stands]):
            # Between the bound and the hysteresis nothing turns: an alarm that stands goes on standing.
            holds = None if np.isnan(value[row]) else not inside[row]
            yield self._condition(row, float(value[row]), holds=holds)

    def _condition(self, row: int, value: float, *, holds: bool | None) -> Condition:
        alarm = self._alarms[row]
        is_low = value < self._low[row]
        bound = float(self._low[row] if is_low or alarm.high is None else self._high[row])
        return Condition(
            _KIND,
            self._paths[row],
            holds,
            "limit_low" if is_low else "limit_high",
            alarm.severity,
            {"value": value, "bound": bound, "unit": self._units[row]} if holds else {},
            alarm.delay,
            alarm.clear_delay,
        )

    def _values(self) -> NDArray[np.float64]:
        """Return the newest value of each tag, (n,); NaN where none is known."""
        if self._version != self._tags.version:
            self._version = self._tags.version
            known = [(self._tags.number(path), row) for row, path in enumerate(self._paths)]
            there = sorted((number, row) for number, row in known if number is not None)
            self._number = np.array([number for number, _ in there], np.int32)
            self._row = np.array([row for _, row in there], np.intp)
        value = np.full(len(self._paths), np.nan)
        for part in self._live.last(self._number):
            if part.value.dtype == object:
                continue
            at = self._row[np.searchsorted(self._number, part.tag)]
            good = part.quality < np.uint32(BAD)
            value[at[good]] = self._tags.as_float(part)[good]
        return value


def _alarms_of(plant: Plant) -> Iterator[tuple[str, TagAlarm, Unit]]:
    """Yield path, bounds and unit of every tag that has bounds; an array's values each."""
    site = plant.gateway.site
    places = [each for source in plant.sources.values() for each in source.devices.items()]
    for name, device in (*places, *plant.derived.items()):
        for tag_name, tag in device.tags.items():
            if tag.alarm is None:
                continue
            path = f"{site}/{device.at}/{name}/{tag_name}"
            unit = tag.deliver_as or tag.unit
            names = [path] if tag.count == 1 else [f"{path}_{i}" for i in range(tag.count)]
            yield from ((each, tag.alarm, unit) for each in names)
