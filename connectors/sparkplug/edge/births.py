"""Births and deaths: what each device has, what it is worth now, and the messages that say so. Pure.

They are written by protobuf's own objects: seldom, and all that can be said of a metric. A message's sequence
number is not in it: it is written behind, when the message goes out.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from config.units import find_unit
from connectors.batch import Columns
from connectors.contract import LastValues
from connectors.quality import BAD_WAITING_FOR_INITIAL_DATA
from connectors.sparkplug.datatypes import DataType
from connectors.sparkplug.edge.layout import FIRST_ALIAS
from connectors.sparkplug.edge.metric import DATATYPE_OF, add_property, tell
from connectors.sparkplug.edge.naming import metric_names
from connectors.sparkplug.payload import BDSEQ, REBIRTH
from connectors.sparkplug.schema import Payload
from connectors.tags import Kind, Tag, TagTable

BDSEQ_ALIAS: Final = 0
GAP_ALIAS: Final = 1
GAP: Final = "Properties/Gap"
"""The node's metric that tells what is missing, in JSON."""
Wants = Callable[[NDArray[np.int32]], NDArray[np.bool_]]


@dataclass(frozen=True, slots=True)
class Metric:
    """What a birth says of a tag beside its value."""

    number: int
    name: str
    tag: Tag
    prepared: bytes
    """The metric without time, quality and value."""


Metrics = tuple[Metric, ...]


class Catalogue:
    """Which metrics a device has: the tags that are active and wanted, and those whose backlog came."""

    def __init__(self, tags: TagTable, wants: Wants) -> None:
        self._tags = tags
        self._wants = wants
        self._version = -1
        self._wanted = np.zeros(0, np.int32)
        self._extra: dict[int, set[int]] = {}
        """By device."""
        self._known: dict[int, Metric] = {}
        self._of_device: dict[int, Metrics] = {}

    def add(self, device: int, tags: NDArray[np.int32]) -> None:
        """Learn that rows of these tags of a device have come, whatever else is known of them."""
        retired = np.setdiff1d(tags, self.wanted())
        if len(retired):
            self._extra.setdefault(device, set()).update(retired.tolist())
            self._of_device.pop(device, None)

    def wanted(self) -> NDArray[np.int32]:
        """Return the numbers of the tags that are active and wanted, (n,) ascending."""
        if self._version != self._tags.version:
            self._version = self._tags.version
            self._of_device.clear()
            active = self._tags.active()
            self._wanted = active[self._wants(active)]
        return self._wanted

    def devices(self) -> list[int]:
        """Return the numbers of all devices that have a wanted tag."""
        return [int(each) for each in np.unique(self._tags.device[self.wanted()])]

    def metrics(self, device: int) -> Metrics:
        """Return what this device has, in the order of the tags' numbers."""
        wanted = self.wanted()
        found = self._of_device.get(device)
        if found is None:
            found = self._of_device[device] = self._described(device, wanted)
        return found

    def _described(self, device: int, wanted: NDArray[np.int32]) -> Metrics:
        current = wanted[self._tags.device[wanted] == device].tolist()
        numbers = sorted({*current, *self._extra.get(device, ())})
        names = metric_names([(number, self._tags[number]) for number in numbers], current)
        return tuple(self._metric(number, names[number]) for number in numbers)

    def _metric(self, number: int, name: str) -> Metric:
        tag, known = self._tags[number], self._known.get(number)
        if known is None or known.name != name or known.tag is not tag:
            known = self._known[number] = Metric(number, name, tag, _prepared(number, name, tag))
        return known


def of_node(bd_seq: int, now: int, gap: str | None) -> bytes:
    """Return NBIRTH: what the specification asks for, and the newest gap that was told, None: none was."""
    said = _payload(now)
    _add_bd_seq(said, bd_seq, now).alias = BDSEQ_ALIAS
    said.metrics.add(name=REBIRTH, timestamp=_ms(now), datatype=int(DataType.BOOLEAN), boolean_value=False)
    newest_gap = said.metrics.add(
        name=GAP, alias=GAP_ALIAS, timestamp=_ms(now), datatype=int(DataType.STRING)
    )
    if gap is None:
        newest_gap.is_null = True
    else:
        newest_gap.string_value = gap
    return _bytes(said)


def of_gap(ms: int, gap: str) -> bytes:
    """Return NDATA that tells of a gap, without its sequence number."""
    said = Payload(timestamp=ms)
    said.metrics.add(alias=GAP_ALIAS, timestamp=ms, string_value=gap)
    return _bytes(said)


def node_death(bd_seq: int, now: int) -> bytes:
    """Return NDEATH, whole: it has no sequence number."""
    said = _payload(now)
    _add_bd_seq(said, bd_seq, now)
    return _bytes(said)


def device_death(now: int) -> bytes:
    """Return DDEATH."""
    return _bytes(_payload(now))


def of_device(metrics: Metrics, last: Sequence[Columns], now: int) -> bytes:
    """Return DBIRTH: every metric with its newest value, null where none is known."""
    known = _rows(last)
    said = _payload(now)
    for metric in metrics:  # 3 µs each
        time, value, quality = known.get(metric.number, (now, None, BAD_WAITING_FOR_INITIAL_DATA))
        one = said.metrics.add()
        one.ParseFromString(metric.prepared)
        one.timestamp = max(_ms(time), 0)
        tell(one, metric.tag.kind, value, quality)
    return _bytes(said)


def _prepared(number: int, name: str, tag: Tag) -> bytes:
    one = Payload.Metric(name=name, alias=number + FIRST_ALIAS, datatype=int(DATATYPE_OF[tag.kind]))
    for key, (datatype, told) in _properties(tag).items():
        add_property(one.properties, key, datatype, told)
    return _bytes(one)


def newest(last: LastValues, metrics: Metrics) -> Sequence[Columns]:
    """Return the newest known row of each metric that has one."""
    return last.last(np.array([metric.number for metric in metrics], np.int32))


def _rows(last: Sequence[Columns]) -> dict[int, tuple[int, Any, int]]:
    return {
        number: (time, value, quality)
        for part in last
        for number, time, value, quality in zip(
            part.tag.tolist(), part.time.tolist(), part.value.tolist(), part.quality.tolist(), strict=True
        )
    }


def _properties(tag: Tag) -> dict[str, tuple[DataType, Any]]:
    found: dict[str, tuple[DataType, Any]] = {}
    unit = find_unit(tag.unit)
    if tag.kind not in (Kind.TEXT, Kind.BOOL):
        found["engUnit"] = (DataType.STRING, tag.unit if unit is None else unit.symbol)
    for name, limit in (("engLow", tag.low), ("engHigh", tag.high)):
        if not math.isnan(limit):
            found[name] = (DataType.DOUBLE, limit)
    if tag.counter:
        found["counter"] = (DataType.BOOLEAN, True)
    if tag.tag_class:
        found["class"] = (DataType.STRING, tag.tag_class)
    return found


def _payload(now: int) -> Any:
    return Payload(timestamp=_ms(now))


def _add_bd_seq(said: Any, bd_seq: int, now: int) -> Any:
    return said.metrics.add(name=BDSEQ, timestamp=_ms(now), datatype=int(DataType.INT64), long_value=bd_seq)


def _ms(now: int) -> int:
    return now // 1_000_000


def _bytes(said: Any) -> bytes:
    found: bytes = said.SerializeToString()
    return found
