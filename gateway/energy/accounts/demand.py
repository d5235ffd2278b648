"""Demand: the mean power of a quarter of an hour, by the clock or sliding by the minute, and its forecast.

Energy in a window divided by its length: a demand is as exact as the energy it comes from.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np

from gateway.energy.accounts.intervals import grid, totals_at
from gateway.energy.accounts.state import Integers, Knots
from gateway.energy.periods import MINUTE_NS, QUARTER_NS

WINDOW: Final = QUARTER_NS // MINUTE_NS
"""Minutes in a demand window."""


@dataclass(frozen=True, slots=True)
class Sliding:
    """The totals at the last minutes, and the highest window since the last boundary."""

    minute: int = -1
    """The newest minute, ns; -1: none yet."""
    totals: tuple[int, ...] = ()
    """At the newest minutes, at most sixteen, the newest last, in quanta."""
    peak: int = -1
    """The highest window that ended since the last boundary, quanta; -1: none."""


@dataclass(frozen=True, slots=True)
class Minutes:
    """The minutes within some knots, those before them included; (n,) int64."""

    time: Integers
    totals: Integers
    windows: Integers
    """Energy of the quarter of an hour that ends at each, quanta; -1: not known."""
    new: int
    """Where the knots' own minutes begin."""


def minutes_of(before: Sliding, knots: Knots) -> Minutes:
    """Return the minutes within knots that follow what was before."""
    first = int(knots.time[0]) - 1 if before.minute < 0 else before.minute
    time = grid(first, int(knots.time[-1]), MINUTE_NS)
    old = len(before.totals)
    known = before.minute + MINUTE_NS * np.arange(1 - old, 1, dtype=np.int64)
    totals = np.concatenate([np.array(before.totals, np.int64), totals_at(knots, time)])
    windows = np.full(len(totals), -1, np.int64)
    windows[WINDOW:] = totals[WINDOW:] - totals[:-WINDOW]
    return Minutes(np.concatenate([known, time]), totals, windows, old)


def peaks(before: Sliding, minutes: Minutes, boundaries: Integers) -> Integers:
    """Return the highest window that ended since the boundary before each boundary, (n,) quanta or -1."""
    ends = np.searchsorted(minutes.time, boundaries, "right")
    begins = np.append(minutes.new, ends[:-1])
    spans = np.column_stack([np.minimum(begins, ends), ends]).ravel()
    padded = np.append(minutes.windows, -1)
    found: Integers = np.maximum.reduceat(padded, spans)[::2] if len(spans) else np.zeros(0, np.int64)
    found = np.where(begins < ends, found, -1)
    if len(found):
        found[0] = max(int(found[0]), before.peak)
    return found


def after(before: Sliding, minutes: Minutes, time: int, boundary: int) -> Sliding:
    """Return where the minutes stand at `time`; `boundary` is the newest boundary (-1: none among them)."""
    end = int(np.searchsorted(minutes.time, time, "right"))
    begin = max(minutes.new, int(np.searchsorted(minutes.time, boundary, "right")))
    peak = int(minutes.windows[begin:end].max(initial=-1))
    if boundary < 0:
        peak = max(peak, before.peak)
    kept = minutes.totals[max(0, end - WINDOW - 1) : end]
    newest = int(minutes.time[end - 1]) if end else before.minute
    return Sliding(newest, tuple(kept.tolist()), peak)


@dataclass(frozen=True, slots=True)
class Forecast:
    """The running quarter of an hour: what it has taken and where it is heading; all in the medium's unit."""

    first: int
    """Beginning of the window, ns UTC."""
    at: int
    """Time of the newest reading."""
    energy: Fraction
    """So far."""
    power: Fraction
    """Mean of the last minute or two, in units an hour: kW."""
    demand: Fraction
    """If the power stays: the window's mean power, kW."""
    contract: Fraction | None = None
    may_use: Fraction | None = None
    """Mean power left for the rest of the window so that the contract holds, kW; below 0: it can't."""


def forecast(
    times: Integers,
    totals: Integers,
    quantum: Fraction,
    contract: Fraction | None = None,
) -> Forecast | None:
    """Return the forecast from the newest totals (ns ascending, quanta); None where they do not tell.

    The window is the quarter of an hour of the newest total. Its beginning is interpolated; the power is the
    mean since the newest total at least a minute older.
    """
    if len(times) < 2:
        return None
    at = int(times[-1])
    first = at // QUARTER_NS * QUARTER_NS
    back = max(0, int(np.searchsorted(times, at - MINUTE_NS, "right")) - 1)
    since = int(times[back])
    if times[0] > first or since >= at:
        return None
    right = int(np.searchsorted(times, first))
    begun = Fraction(int(totals[right]))
    if times[right] != first:
        left = right - 1
        share = Fraction(first - int(times[left]), int(times[right] - times[left]))
        begun = int(totals[left]) + share * int(totals[right] - totals[left])
    energy = (int(totals[-1]) - begun) * quantum
    power = int(totals[-1] - totals[back]) * quantum * 60 * MINUTE_NS / (at - since)
    left_ns = first + QUARTER_NS - at
    demand = (energy + power * left_ns / (60 * MINUTE_NS)) * 4
    may_use = None
    if contract is not None:
        may_use = (contract / 4 - energy) * 60 * MINUTE_NS / left_ns
    return Forecast(first, at, energy, power, demand, contract, may_use)
