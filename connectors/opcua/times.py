"""From FILETIME ticks to the clock everything else uses.

A DateTime is a count of 100 ns since 1601 (OPC 10000-6, 5.2.2.5). 0, and whatever lies before, means "none"
and becomes 0. Times that int64 nanoseconds since 1970 can't hold end at its borders, in 1677 and in 2262:
servers send the largest DateTime for "never".
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_UNIX: Final = 116_444_736_000_000_000
"""Ticks at 1970-01-01."""
_LAST: Final = (1 << 63) - 1
_LOWEST: Final = _UNIX - _LAST // 100
_HIGHEST: Final = _UNIX + _LAST // 100
_PICO_UNITS: Final = 100
"""Picosecond fields count 10 ps, so this many make a nanosecond."""
_PICO_MOST: Final = 9_999


def time_ns(ticks: int) -> int:
    """Return ns since 1970 UTC of FILETIME ticks; 0 for none."""
    if ticks <= 0:
        return 0
    return (min(max(ticks, _LOWEST), _HIGHEST) - _UNIX) * 100


def times_ns(ticks: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return ns since 1970 UTC, (n,) int64, of FILETIME ticks; 0 for none."""
    above: NDArray[np.uint64] = (ticks - _LOWEST).view(np.uint64)
    if np.maximum.reduce(above) <= _HIGHEST - _LOWEST:
        return (ticks - _UNIX) * 100
    held = (np.clip(ticks, _LOWEST, _HIGHEST) - _UNIX) * 100
    none: NDArray[np.bool_] = ticks <= 0
    held[none] = 0
    return held


def as_text(time: int) -> str:
    """Return ns since 1970 as ISO 8601, e.g. ``2026-11-29T15:32:05.1234567Z``; empty for none."""
    return f"{str(np.datetime64(time, 'ns'))[:-2]}Z" if time else ""


def with_picoseconds(times: NDArray[np.int64], units: NDArray[Any]) -> NDArray[np.int64]:
    """Return the times with their picosecond fields, counts of 10 ps, added as whole ns; none stays none."""
    more = np.minimum(units, _PICO_MOST) // _PICO_UNITS
    return np.where((times == 0) | (times > _LAST - _PICO_UNITS), times, times + more)


def with_picoseconds_of(time: int, units: int) -> int:
    """Return one time with its picosecond field added, by the same rules."""
    if time == 0 or time > _LAST - _PICO_UNITS:
        return time
    return time + min(units, _PICO_MOST) // _PICO_UNITS
