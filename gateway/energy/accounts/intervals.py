"""From accepted readings to what the books hold at each boundary in time: interpolated, and rounded once.

A boundary between two readings gets its share of what passed between them. The truth lies between those two
readings, so `below` and `above` say how far it may be from what is booked. Energy of an interval is the
difference of two boundaries: whatever is added up of such differences is again a difference, exactly.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gateway.energy.accounts.state import Integers, Knots

_FITS: Final = 4.0e18
"""A product below it fits 63 bits, whatever a float64 made of it."""


class Boundaries(NamedTuple):
    """What the books hold at moments in time, (n,) int64 each; quanta and ns."""

    time: Integers
    total: Integers
    estimated: Integers
    manual: Integers
    slack: Integers
    covered: Integers
    below: Integers
    """The truth is at least total - below …"""
    above: Integers
    """… and at most total + above, beside `slack`."""
    peak: Integers
    """Most in any quarter of an hour that ended, on a minute, since the boundary before; -1: not known."""
    flags: Integers
    """Of every stretch of readings since the boundary before."""


def grid(after: int, until: int, step: int) -> Integers:
    """Return the multiples of `step` with after < time ≤ until, ns."""
    # Not from `after` in steps: numpy counts those in float64, which a year of nanoseconds outgrows.
    first = after // step + 1
    return np.arange(first, until // step + 1, dtype=np.int64) * step


def totals_at(knots: Knots, time: Integers) -> Integers:
    """Return the total at ascending times within the knots, (n,) int64."""
    right = np.searchsorted(knots.time, time)
    left = np.maximum(right - 1, 0)
    gain = knots.total[right] - knots.total[left]
    length = np.maximum(knots.time[right] - knots.time[left], 1)
    is_on = knots.time[right] == time
    share = _share(gain, np.where(is_on, 0, time - knots.time[left]), length)
    return np.where(is_on, knots.total[right], knots.total[left] + share)


def boundaries(knots: Knots, time: Integers, open_flags: int = 0) -> Boundaries:
    """Return what the books hold at ascending times, each within the knots.

    `open_flags` are those of the stretches before these knots and since the last boundary. `peak` is unknown.
    """
    right = np.searchsorted(knots.time, time)
    left = np.maximum(right - 1, 0)
    is_on = knots.time[right] == time
    length = np.maximum(knots.time[right] - knots.time[left], 1)
    passed = np.where(is_on, length, time - knots.time[left])

    def gained(column: Integers) -> Integers:
        return column[right] - column[left]

    share = np.where(is_on, gained(knots.total), _share(gained(knots.total), passed, length))
    whole = gained(knots.total)

    def part(column: Integers) -> Integers:
        """Return a column that gained either all of the stretch's energy or none of it."""
        return column[left] + np.where(gained(column) == whole, share, 0)

    total = knots.total[left] + share
    covered = knots.covered[left] + np.where(gained(knots.covered) > 0, passed, 0)
    # Within a stretch that hides something, it may have passed before the boundary or behind it.
    hidden = np.where(is_on, 0, gained(knots.slack))
    width = knots.width
    below = np.where(is_on, width[right], total - knots.total[left] + width[left] + hidden)
    above = np.where(is_on, width[right], knots.total[right] - total + width[right] + hidden)
    return Boundaries(
        time,
        total,
        part(knots.estimated),
        part(knots.manual),
        knots.slack[right],
        covered,
        below,
        above,
        np.full(len(time), -1, np.int64),
        _cell_flags(knots, right, is_on, open_flags),
    )


def flags_left_open(knots: Knots, last: int, open_flags: int) -> int:
    """Return the flags of the stretches that reach beyond the boundary `last` (-1: there was none here)."""
    if last < 0:
        return int(np.bitwise_or.reduce(knots.flags[1:], initial=open_flags))
    first = int(np.searchsorted(knots.time, last, "right"))
    return int(np.bitwise_or.reduce(knots.flags[max(first, 1) :], initial=0))


def _share(gain: Integers, passed: Integers, length: Integers) -> Integers:
    """Return gain × passed / length, rounded half up, exactly."""
    if not len(gain):
        return gain
    is_small = 2.0 * gain.astype(np.float64) * passed.astype(np.float64) + length.astype(np.float64) < _FITS
    share = np.zeros(len(gain), np.int64)
    s = is_small
    share[s] = (2 * gain[s] * passed[s] + length[s]) // (2 * length[s])
    for i in np.flatnonzero(~is_small).tolist():
        g, p, d = int(gain[i]), int(passed[i]), int(length[i])
        share[i] = (2 * g * p + d) // (2 * d)
    return share


def _cell_flags(knots: Knots, right: NDArray[np.intp], is_on: NDArray[np.bool_], open_flags: int) -> Integers:
    """Return the flags of every stretch between each boundary and the one before."""
    if not len(right):
        return np.zeros(0, np.int64)
    # A cell begins with the stretch its first moment lies in: behind a boundary on a knot, the next one.
    begins = np.empty(len(right), np.intp)
    begins[0] = 1
    begins[1:] = right[:-1] + is_on[:-1]
    spans = np.column_stack([np.minimum(begins, right), right + 1]).ravel()
    padded = np.append(knots.flags, 0)
    cells: Integers = np.bitwise_or.reduceat(padded, spans)[::2]
    cells[0] |= open_flags
    return cells
