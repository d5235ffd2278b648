"""The plant's past: what its meters and counters showed before it began.

Each day of it is a plant of its own that has warmed up like the one that runs, so that days are computed
beside each other; its totals are moved so that they end where the next day's begin, and the last day's where
the running plant's do. What happens within a day is the model's, to the last bit.
"""

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_deploy.plant.clock import SECOND, ZONE
from edge_deploy.plant.model import COUNTED, METERS, Plant

APART_S: Final = 3
"""Seconds between two readings of the counters: three scans of a second, so that the books see no gap."""
POWER_S: Final = 60
_KWH: Final = 3_600_000
"""W·s in a kilowatt-hour."""


class Past(NamedTuple):
    """A stretch before the plant began, ascending; times are the plant's, ns since 1970."""

    time: NDArray[np.int64]
    """(n,)"""
    counted: NDArray[np.int64]
    """(n, COUNTED) W·s and pieces."""
    minute: NDArray[np.int64]
    """(m,)"""
    power: NDArray[np.int64]
    """(m, METERS) W."""

    def of(self, name: str) -> NDArray[np.int64]:
        """Return a total of `COUNTED`, (n,)."""
        return self.counted[:, COUNTED.index(name)]


def spans(start: int, days: int) -> list[tuple[int, int]]:
    """Return first and last moment of today's and of so many whole local days before, the oldest first."""
    today = datetime.fromtimestamp(start // SECOND, ZONE).replace(hour=0, minute=0, second=0)
    edges = [round((today - timedelta(days=back)).timestamp()) * SECOND for back in range(days, -1, -1)]
    edges += [start] if start > edges[-1] else []
    return list(itertools.pairwise(edges))


def compute(seed: int, first: int, last: int) -> Past:
    """Return a day's readings in first ≤ time ≤ last; totals count from the day's end, so none is above 0."""
    day = datetime.fromtimestamp(first // SECOND, ZONE).toordinal()
    plant = Plant(seed * 10_000_000 + day, first)
    seconds = (last - first) // SECOND
    told, made = [], [plant.counts()[-3:]]
    for _ in range(seconds):
        told.append(plant.powers())
        made.append(plant.pass_second())
    power = np.array(told, np.int64).reshape(-1, len(METERS))
    shown = np.append(np.arange(0, seconds, APART_S), seconds)
    totals = np.zeros((seconds + 1, len(COUNTED)), np.int64)
    for i in range(len(METERS)):
        np.cumsum(np.maximum(power[:, i], 0), out=totals[1:, 2 * i])
        np.cumsum(np.maximum(-power[:, i], 0), out=totals[1:, 2 * i + 1])
    totals[:, -3:] = np.array(made, np.int64)
    counted = (totals - totals[-1])[shown]
    minutes = np.arange(0, seconds, POWER_S)
    return Past(first + shown * SECOND, counted, first + minutes * SECOND, power[minutes])


def at_start(seed: int, start: int) -> NDArray[np.int64]:
    """Return what the running plant's totals begin with, (COUNTED,)."""
    begun = Plant(seed, start).counts()
    return np.array([_small(total, name) for total, name in zip(begun, COUNTED, strict=True)], np.int64)


def joined(days: Sequence[Past], end: NDArray[np.int64]) -> Past:
    """Return the days, oldest first, as one past that ends with these totals."""
    found = []
    for i, day in reversed(list(enumerate(days))):
        is_last = i == len(days) - 1
        upto = slice(None) if is_last else slice(-1)  # its last is the next one's first
        found.append(Past(day.time[upto], day.counted[upto] + end, day.minute, day.power))
        end = end + day.counted[0]
    return Past(*(np.concatenate(column) for column in zip(*reversed(found), strict=True)))


def orders(past: Past, since: int) -> list[tuple[str, int, int]]:
    """Return name, begin and end of the press's orders that began at or after a time and are over."""
    number = past.of("press.order")
    begins = np.flatnonzero(np.diff(number)) + 1
    found = [(f"A-{number[i]}", int(past.time[i]), int(past.time[j])) for i, j in pairwise(begins)]
    return [each for each in found if each[1] >= since]


def save(file: Path, days: Sequence[Past]) -> None:
    """Write days into a file, for `load` of another process."""
    np.savez(
        file,
        **{f"{i}_{name}": column for i, day in enumerate(days) for name, column in day._asdict().items()},
    )


def load(file: Path) -> list[Past]:
    """Return the days of `save`."""
    with np.load(file) as stored:
        return [
            Past(*(stored[f"{i}_{name}"] for name in Past._fields))
            for i in range(len(stored.files) // len(Past._fields))
        ]


def _small(total: int, name: str) -> int:
    """Return a total in W·s: at whole seconds nothing is left over. What is counted stays as it is."""
    return total // SECOND if name.endswith(("import", "export")) else total


def kwh_units(watt_seconds: NDArray[np.int64], resolution_wh: int) -> NDArray[np.int64]:
    """Return how many whole units of a meter's resolution have passed, as `registers.counted`."""
    return watt_seconds * 1000 // (_KWH * resolution_wh)
