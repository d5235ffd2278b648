"""Durations, sizes, rates and shares as people write them: `200ms`, `64kbit/s`, `1%`."""

import math
import re
from typing import Final

_NUMBER: Final = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z%/]*)\s*")
_SECONDS: Final = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0}
_BYTES: Final = {"": 1.0, "B": 1.0, "kB": 1e3, "KiB": 1024.0, "MB": 1e6, "MiB": 1048576.0}
_BYTES_A_SECOND: Final = {
    "bit/s": 0.125,
    "kbit/s": 125.0,
    "Mbit/s": 125e3,
    "B/s": 1.0,
    "kB/s": 1e3,
    "MB/s": 1e6,
}
_SHARE: Final = {"": 1.0, "%": 0.01}


def _amount(text: str | float, units: dict[str, float], what: str) -> float:
    if isinstance(text, int | float):
        if not 0 <= text < math.inf:
            raise ValueError(f"{text!r} is not {what}")
        return float(text)
    if text.strip() == "0":
        return 0.0
    match = _NUMBER.fullmatch(text)
    if match is None or match[2] not in units:
        raise ValueError(f"{text!r} is not {what}; its units are {', '.join(filter(None, units))}")
    return float(match[1]) * units[match[2]]


def seconds(text: str | float) -> float:
    """Return a duration in seconds; a bare number is seconds already."""
    return _amount(text, _SECONDS, "a duration")


def octets(text: str | float) -> int:
    """Return a size in bytes."""
    return int(_amount(text, _BYTES, "a size"))


def octets_a_second(text: str | float) -> float:
    """Return a rate in bytes per second."""
    return _amount(text, _BYTES_A_SECOND, "a rate")


def share(text: str | float) -> float:
    """Return a share from 0 to 1; raise ValueError outside."""
    found = _amount(text, _SHARE, "a share")
    if not 0 <= found <= 1:
        raise ValueError(f"{text!r} is not a share: 0 to 1, or 0% to 100%")
    return found
