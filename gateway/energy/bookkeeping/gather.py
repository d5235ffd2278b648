"""From deliveries to readings: which rows are a meter's, Good, and what they are in whole quanta."""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from config.energy_meters import Meter, medium_units
from config.units import find_unit
from connectors import Columns, Delivery, Kind, TagTable
from gateway.energy.accounts.readings import Readings, sorted_readings
from gateway.energy.accounts.state import LARGEST, Integers
from gateway.history.files import Booked

_GOOD: Final = np.uint32(0x40000000)
"""Below it a StatusCode is Good: Uncertain values are shown, not booked."""


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
    parts = [
        part
        for delivery in deliveries
        if delivery.seq > booked.get(delivery.epoch, -1)
        for part in delivery.batch.parts
        if part.value.dtype.kind in "fi"
    ]
    found: dict[int, list[tuple[Integers, Integers]]] = {}
    for kind in ("f", "i"):
        chosen = [part for part in parts if part.value.dtype.kind == kind]
        for number, time, value in _by_tag(chosen, wanted, latest):
            at = int(wanted.of(np.array([number], np.int32))[0])
            found.setdefault(at, []).append((time, wanted.quanta(number, value)))
    return {
        at: sorted_readings(
            np.concatenate([time for time, _ in some]), np.concatenate([raw for _, raw in some])
        )
        for at, some in sorted(found.items())
    }


def _by_tag(
    parts: Sequence[Columns], wanted: Wanted, latest: int
) -> Iterator[tuple[int, Integers, NDArray[Any]]]:
    """Yield the number, times and values of each tag that is a meter's, in the order they came."""
    if not parts:
        return
    tag = np.concatenate([part.tag for part in parts])
    keep = np.flatnonzero(wanted.of(tag) >= 0)
    if not len(keep):
        return
    time = np.concatenate([part.time for part in parts])[keep]
    value = np.concatenate([part.value for part in parts])[keep]
    quality = np.concatenate([part.quality for part in parts])[keep]
    good = (quality < _GOOD) & (time <= latest)
    if value.dtype.kind == "f":
        good &= np.isfinite(value)
    order = np.argsort(tag[keep], kind="stable")
    order = order[good[order]]
    if not len(order):
        return  # every meter was Bad
    numbers, first = np.unique(tag[keep][order], return_index=True)
    ends = np.append(first[1:], len(order)).tolist()
    time, value = time[order], value[order]
    for number, begin, end in zip(numbers.tolist(), first.tolist(), ends, strict=True):
        yield number, time[begin:end], value[begin:end]
