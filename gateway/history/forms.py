"""Float64 columns as integers, bit for bit: what a meter counts in hundredths compresses as whole numbers.

Each tag takes the first form that gives every one of its values back exactly; a form is never guessed, it is
proved by computing back and comparing the bits.

    form           value =
    0              int64, not a float at all
    1 + k          integer / 10^k        k = 0 … 6   (a number somebody wrote or a device rounded)
    16 + k         integer * 10^-k       k = 1 … 6   (a raw register times its scale)
    32             float32 with these bits
    33             float64 with these bits
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

INTEGER: Final = 0
FLOAT32: Final = 32
FLOAT64: Final = 33
_DIVIDED: Final = 1
_MULTIPLIED: Final = 16
_MOST_DIGITS: Final = 6
_POWER: Final = np.array([float(f"1e{k}") for k in range(_MOST_DIGITS + 1)])
_PART: Final = np.array([float(f"1e-{k}") for k in range(_MOST_DIGITS + 1)])
_EXACT: Final = 2.0**53
"""Beyond it a float64 no longer tells neighbouring integers apart."""

Segments = NDArray[np.intp]
"""Where each tag's rows begin, (m,), the first 0."""


def to_integers(value: NDArray[np.float64], starts: Segments) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Return the integers, (n,) int64, and each segment's form, (m,) uint8."""
    value = np.ascontiguousarray(value, np.float64)
    bits = value.view(np.int64)
    counts = np.diff(np.append(starts, len(value)))
    form = np.full(len(starts), FLOAT64, np.uint8)
    found = bits.copy()
    open_ = np.ones(len(starts), np.bool_)
    with np.errstate(all="ignore"):
        # Three rows of each tag tell most forms that cannot be; only what they leave is tried on all rows.
        sample = value[np.stack([starts, starts + counts // 2, starts + counts - 1])]
        for code, scale in _CANDIDATES:
            likely = open_ & _is_exact(scale(sample), sample, code).all(axis=0)
            if not likely.any():
                continue
            rows = np.repeat(likely, counts)
            tried = value if rows.all() else value[rows]
            whole = scale(tried)
            exact = _is_exact(whole, tried, code)
            if code == FLOAT32:
                integers = whole.view(np.int32).astype(np.int64)
            else:
                integers = np.where(exact, whole, 0.0).astype(np.int64)
            chosen = counts[likely]
            fits = np.logical_and.reduceat(exact, np.append(0, np.cumsum(chosen[:-1])))
            settled = np.flatnonzero(likely)[fits]
            form[settled] = code
            open_[settled] = False
            is_settled = np.repeat(np.isin(np.arange(len(starts)), settled), counts)
            found[is_settled] = integers[np.repeat(fits, chosen)]
            if not open_.any():
                break
    return found, form


def from_integers(
    integers: NDArray[np.int64], form: NDArray[np.uint8], counts: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return the values, (n,) float64: the inverse of `to_integers`."""
    value = np.empty(len(integers), np.float64)
    code_of = np.repeat(form, counts)
    for code in np.unique(form).tolist():
        rows = code_of == code
        mine = integers[rows]
        if code == FLOAT64:
            value[rows] = mine.view(np.float64)
        elif code == FLOAT32:
            value[rows] = mine.astype(np.int32).view(np.float32)
        elif code >= _MULTIPLIED:
            value[rows] = mine.astype(np.float64) * _PART[code - _MULTIPLIED]
        else:
            value[rows] = mine.astype(np.float64) / _POWER[code - _DIVIDED]
    return value


def _scaled(digits: int) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    return lambda value: np.rint(value * _POWER[digits])


def _is_exact(whole: NDArray[Any], value: NDArray[np.float64], code: int) -> NDArray[np.bool_]:
    if code == FLOAT32:
        back = whole.astype(np.float64)
        same: NDArray[np.bool_] = back.view(np.int64) == value.view(np.int64)
        return same
    back = whole * _PART[code - _MULTIPLIED] if code >= _MULTIPLIED else whole / _POWER[code - _DIVIDED]
    # Bits, not equality: minus zero and NaN must come back too. An integer that is none has no bits to be.
    whole_back = whole.astype(np.int64).astype(np.float64)
    is_whole = (np.abs(whole) < _EXACT) & (whole_back.view(np.int64) == whole.view(np.int64))
    exact: NDArray[np.bool_] = is_whole & (back.view(np.int64) == value.view(np.int64))
    return exact


_CANDIDATES: Final[list[tuple[int, Callable[[NDArray[np.float64]], NDArray[Any]]]]] = [
    (_DIVIDED, _scaled(0)),
    *(
        (base + digits, _scaled(digits))
        for digits in range(1, _MOST_DIGITS + 1)
        for base in (_DIVIDED, _MULTIPLIED)
    ),
    (FLOAT32, lambda value: value.astype(np.float32)),
]
