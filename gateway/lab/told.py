"""What a fault is told, read when its scenario is: a wrong value is refused before anything begins.

Each function returns the reader of one fault: from what is told, or its default, to what goes wrong.
"""

import math
from collections.abc import Callable
from typing import Final, TypeVar

from gateway.lab import amounts

Told = str | float | None
T = TypeVar("T")
_MOST: Final = 2**31 - 1
_LONGEST_S: Final = 1e11
YEARS_S: Final = 10 * 365 * 86_400.0
"""Ten years: as far from now as a certificate or a timestamp goes."""


def plain(it: T) -> Callable[[Told], T]:
    """Of a fault that is told nothing."""

    def read(told: Told) -> T:
        if told is not None:
            raise ValueError("this fault takes no value")
        return it

    return read


def seconds(
    default: float, make: Callable[[float], T], *, most: float = _LONGEST_S, signed: bool = False
) -> Callable[[Told], T]:
    """Of a fault that is told a duration; one with a sign may lie in the past."""

    def read(told: Told) -> T:
        text = default if told is None else told
        is_minus = signed and str(text).startswith("-")
        if is_minus:
            text = text[1:] if isinstance(text, str) else -text
        found = amounts.seconds(text)
        if found > most:
            raise ValueError(f"{told!r} is more than {most:g} s")
        return make(-found if is_minus else found)

    return read


def octets(default: int, make: Callable[[int], T]) -> Callable[[Told], T]:
    """Of a fault that is told a size."""
    return lambda told: make(default if told is None else amounts.octets(told))


def number(
    default: int, make: Callable[[int], T], *, least: int = 0, most: int = _MOST
) -> Callable[[Told], T]:
    """Of a fault that is told a whole number."""

    def read(told: Told) -> T:
        found = default if told is None else _whole(told)
        if found is None or not least <= found <= most:
            raise ValueError(f"{told!r} is not a whole number from {least} to {most}")
        return make(found)

    return read


def _whole(told: str | float) -> int | None:
    if isinstance(told, str):
        text = told.strip()
        return int(text) if text.isascii() and text.isdecimal() else None
    return int(told) if math.isfinite(told) and told == int(told) else None
