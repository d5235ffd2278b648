"""What every simulated device must have said at a time, by the rules their simulators print; nothing of ours.

Device names tell the rule:

| device | simulator | rule |
|---|---|---|
| m<d> | tests/servers/modbus_plant.py | v_0 is a version, which its journal has; v_<i> follows from it |
| r<d> | tests/servers/rtu_plant.py | the same, with a journal of its own |
| press_<k> | tests/servers/opcua/plant.mjs | x_<i> follows from the time |
| sensor_<s> | tests/servers/mqtt_sensors.py | v<i> follows from the time |
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.verify.values import MODULUS, Journal

STALE_NS = 2_000_000_000
"""A row's time may differ this much from the journal's: a slow scan, not an old value."""
_DEVICE = re.compile(r"(m|r|press_|sensor_)(\d+)")
_TAG = re.compile(r"(v_|x_|v)(\d+)")

Value = tuple[str, int, Any]
"""Tag name, time in ns, value."""


class Truth:
    """Judges the good values of one device in one stored batch."""

    def __init__(self, journals: Mapping[str, Journal], starts: Sequence[int] = ()) -> None:
        """Remember the journals of the devices that have versions, by the letter of their names.

        `starts` are the times in ns at which a gateway was started, ascending: a reply that was on its way
        to the one before must not be told by the next.
        """
        self._journals = journals
        self._starts = starts

    def wrong(self, device: str, values: Sequence[Value], *, digits: float = 0.0) -> Iterator[str]:
        """Yield what is wrong with each value; `digits` is the relative error a store may add."""
        match = _DEVICE.fullmatch(device)
        if match is None:
            yield from (f"no rule for {device}" for _ in values)
            return
        family, number = match[1], int(match[2])
        version = self.version(device, values) or 0
        for name, time, value in values:
            wanted = self._expected(family, number, version, time, name)
            if not _same(value, wanted, digits):
                yield f"{device}/{name} at {time}: {value!r} for {wanted!r}"
            elif family in self._journals:
                served = self._journals[family].time(number, version)
                if abs(served - time) > STALE_NS or served < self._start_before(time):
                    yield f"{device}/{name}: version {version}, served at {served}, said at {time}"

    def version(self, device: str, values: Sequence[Value]) -> int | None:
        """Return what tells this scan from every other of its device, where time does not."""
        match, tag = _DEVICE.fullmatch(device), _TAG.fullmatch(values[0][0])
        if match is None or tag is None or match[1] not in ("m", "r"):
            return None
        return int(values[0][2] - _offset(int(match[2]), int(tag[2]))) % MODULUS

    def _start_before(self, time: int) -> int:
        began = bisect_right(self._starts, time)
        return self._starts[began - 1] if began else 0

    def _expected(self, family: str, number: int, version: int, time: int, name: str) -> Any:
        match = _TAG.fullmatch(name)
        if match is None:
            return None
        i = int(match[2])
        if family in ("m", "r"):
            return float((version + _offset(number, i)) % MODULUS)
        if time % 1_000_000:
            return None  # both simulators count in whole milliseconds
        ms = time // 1_000_000
        if family == "sensor_":
            return ((2_654_435_761 * ms + 40_503 * number + 7919 * i) % MODULUS) / 8
        n = (ms + 7919 * i) % MODULUS
        return (n / 8, float(n), n - 2**23, n, 2**53 + 1 + n, bool(n & 256), f"s{n}")[i % 7]


def _offset(device: int, i: int) -> int:
    return 7919 * i + 104_729 * device if i else 0


def _same(value: Any, wanted: Any, digits: float) -> bool:
    if isinstance(wanted, str) or wanted is None or isinstance(value, str) or value is None:
        return wanted is not None and value == wanted
    return bool(abs(value - wanted) <= digits * abs(wanted))
