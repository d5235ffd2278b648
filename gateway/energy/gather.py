"""From deliveries to readings: which rows are a meter's, Good, and what they are in whole quanta."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from config.energy_meters import Meter, medium_units
from config.units import find_unit
from connectors import Delivery, Kind, TagTable
from gateway.energy.readings import Readings, sorted_readings
from gateway.energy.state import LARGEST, Integers
from gateway.history.files import Booked

_GOOD: Final = np.uint32(0x40000000)
"""Below it a StatusCode is Good: Uncertain values are shown, not booked."""
_EXACT: Final = 2.0**53


class Scale(NamedTuple):
    """How a tag's value becomes quanta: value × times / by, rounded."""

    times: int
    by: int


class Wanted:
    """Which tag is which meter's, worked out once per tag."""

    def __init__(self, meters: Mapping[str, Meter], tags: TagTable) -> None:
        self._tags = tags
        self._order = list(meters.values())
        self._by_path = {meter.tag: i for i, meter in enumerate(self._order) if meter.tag}
        self._meter = np.zeros(0, np.int32)
        self._scales: dict[int, Scale] = {}

    def of(self, tag: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return the meter of each tag by its place in `meters`, -1 for none: (n,) → (n,) int32."""
        known = len(self._meter)
        if known < len(self._tags):
            fresh = [self._match(number) for number in range(known, len(self._tags))]
            self._meter = np.append(self._meter, np.array(fresh, np.int32))
        return self._meter[tag]

    def quanta(self, number: int, value: NDArray[np.float64] | Integers) -> Integers:
        """Return a tag's values in quanta of its meter, rounded half to even; -1 where they do not fit."""
        scale = self._scales[number]
        if value.dtype == np.int64:
            if self._tags.kind[number] == Kind.UINT64 or scale.by != 1:
                whole = [self._exact(int(each), number, scale) for each in value.tolist()]
                return np.array([each if 0 <= each < LARGEST else -1 for each in whole], np.int64)
            is_fit = (value >= 0) & (value < LARGEST // scale.times)
            return np.where(is_fit, np.where(is_fit, value, 0) * scale.times, -1)
        exact = np.rint(value * float(scale.times) / float(scale.by))
        is_fit = (exact >= 0) & (exact < float(LARGEST))
        return np.where(is_fit, np.where(is_fit, exact, 0).astype(np.int64), -1)

    def _exact(self, value: int, number: int, scale: Scale) -> int:
        if value < 0 and self._tags.kind[number] == Kind.UINT64:
            value += 2**64
        return (2 * value * scale.times + scale.by) // (2 * scale.by)

    def _match(self, number: int) -> int:
        try:
            tag = self._tags[number]
        except KeyError:
            return -1
        at = self._by_path.get(tag.path, -1)
        unit = find_unit(tag.unit)
        if at < 0 or unit is None or tag.kind == Kind.TEXT or tag.for_sink:
            return -1
        meter = self._order[at]
        if meter.kind == "power":
            if unit.quantity != "power":
                return -1
            times = Fraction(repr(unit.factor)) / 1000 / meter.quantum  # W → kWh an hour
        elif unit.quantity not in meter.medium.quantities:
            return -1
        else:
            times = medium_units(unit, meter.medium) / meter.quantum
        self._scales[number] = Scale(times.numerator, times.denominator)
        return at


def gather(
    deliveries: Sequence[Delivery], booked: Booked, wanted: Wanted, *, latest: int
) -> dict[int, Readings]:
    """Return the Good readings up to `latest`, by meter (its place), of deliveries not booked yet."""
    found: dict[int, list[tuple[Integers, Integers]]] = {}
    columns = list(_rows(deliveries, booked, wanted, latest))
    for sort in ("f", "i"):
        chosen = [each for each in columns if each[2].dtype.kind == sort]
        if not chosen:
            continue
        tag, time, value, meter = (np.concatenate(column) for column in zip(*chosen, strict=True))
        for number, rows in _groups(tag):
            raw = wanted.quanta(number, value[rows])
            found.setdefault(int(meter[rows[0]]), []).append((time[rows], raw))
    return {
        at: sorted_readings(
            np.concatenate([time for time, _ in parts]), np.concatenate([raw for _, raw in parts])
        )
        for at, parts in sorted(found.items())
    }


def _rows(
    deliveries: Iterable[Delivery], booked: Booked, wanted: Wanted, latest: int
) -> Iterator[tuple[NDArray[np.int32], Integers, NDArray[Any], NDArray[np.int32]]]:
    for delivery in deliveries:
        if delivery.seq <= booked.get(delivery.epoch, -1):
            continue
        for part in delivery.batch.parts:
            if part.value.dtype.kind not in "fi":
                continue
            meter = wanted.of(part.tag)
            keep = meter >= 0
            if not keep.any():
                continue
            keep &= (part.quality < _GOOD) & (part.time <= latest)
            if part.value.dtype.kind == "f":
                keep &= np.isfinite(part.value)
            if keep.any():
                yield part.tag[keep], part.time[keep], part.value[keep], meter[keep]


def _groups(tag: NDArray[np.int32]) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Yield each tag and its rows, tags ascending, rows in the order they came."""
    order = np.argsort(tag, kind="stable")
    numbers, first = np.unique(tag[order], return_index=True)
    yield from zip(numbers.tolist(), np.split(order, first[1:]), strict=True)
