"""Energy as pricing takes it, in columns, and its sums by cell of a timetable."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gateway.energy.pricing.timetable import QUARTER_NS, Timetable

_LARGEST: Final = 2**62


@dataclass(frozen=True, slots=True)
class Energy:
    """Energy of one meter, or of several (m rows), in the intervals from `start` on."""

    start: NDArray[np.int64]
    """When each interval begins, ns UTC, (n,)."""
    width: int | NDArray[np.int64]
    """Of every interval or of each, ns; none lies across two bands."""
    quanta: NDArray[Any]
    """int64, or Python's own integers or Decimals; not below zero, (n,) or (m, n)."""
    quantum: Decimal = Decimal(1)
    """kWh of one of `quanta`."""
    estimated: NDArray[Any] | None = None
    """How much of `quanta` is estimated; same shape. None: nothing."""
    manual: NDArray[Any] | None = None
    """How much was entered or imported by hand; same shape."""
    missing: NDArray[np.bool_] | None = None
    """Where nothing is known; same shape. `quanta` is 0 there."""

    def as_row(self) -> "Energy":
        """Return the energy of one meter as that of several."""
        columns = (self.estimated, self.manual, self.missing)
        rows = [None if each is None else each[np.newaxis] for each in columns]
        return Energy(self.start, self.width, self.quanta[np.newaxis], self.quantum, *rows)


class Sums(NamedTuple):
    """Sums of quanta by cell, for each row of an energy."""

    cells: list[int]
    before: list[list[Any]]
    """Of what begins before the period, (rows, cells)."""
    within: tuple[list[list[Any]], list[list[Any]], list[list[Any]]]
    """Of the rest: all, estimated, manual."""


def cells_of(table: Timetable, energy: Energy) -> NDArray[np.int64]:
    """Return the cell of each interval, (n,).

    Raises:
        ValueError: an interval lies outside the timetable, across two bands or over another.
    """
    width = np.broadcast_to(np.asarray(energy.width, np.int64), energy.start.shape)
    first = energy.start // QUARTER_NS - table.first
    last = (energy.start + width - 1) // QUARTER_NS - table.first
    if len(first) and (first.min() < 0 or last.max() >= len(table.cell)):
        raise ValueError("an interval lies outside the timetable")
    run = np.cumsum(np.append(False, table.cell[1:] != table.cell[:-1]))
    order = np.argsort(energy.start, kind="stable")
    if (np.diff(energy.start[order]) < width[order][:-1]).any():
        raise ValueError("intervals overlap")
    if (run[first] != run[last]).any():
        raise ValueError("an interval lies across two bands: use shorter intervals")
    return table.cell[first]


def sums_of(table: Timetable, energy: Energy, since: int) -> Sums:
    """Return the sums of what begins before `since` and of the rest. Raises as `cells_of`, and for shares."""
    key = cells_of(table, energy) * 2 + (energy.start >= since)
    order = np.argsort(key, kind="stable")
    begins = np.flatnonzero(np.append(True, np.diff(key[order]) != 0)) if len(key) else np.array([], int)
    keys = key[order][begins].tolist()
    cells = list(dict.fromkeys(each // 2 for each in keys))
    place = {each: i for i, each in enumerate(keys)}

    def by_cell(values: NDArray[Any] | None, is_within: int) -> list[list[Any]]:
        rows = by_run(np.zeros_like(energy.quanta) if values is None else values, order, begins)
        at = [place.get(cell * 2 + is_within) for cell in cells]
        return [[0 if i is None else row[i] for i in at] for row in rows]

    within = (by_cell(energy.quanta, 1), by_cell(energy.estimated, 1), by_cell(energy.manual, 1))
    return Sums(cells, by_cell(energy.quanta, 0), within)


def by_run(values: NDArray[Any], order: NDArray[np.intp], begins: NDArray[np.intp]) -> list[list[Any]]:
    """Return each row's sums of the runs that begin there, in this order; ValueError below zero."""
    if not values.size:
        return [[] for _ in range(len(values))]
    if values.min() < 0:
        raise ValueError("an energy is below zero")
    if values.dtype != object:
        if not np.issubdtype(values.dtype, np.integer):
            raise ValueError("energies are whole quanta or Decimals")
        if int(values.max()) * values.shape[1] > _LARGEST:
            values = values.astype(object)
    summed: list[list[Any]] = np.add.reduceat(values[:, order], begins, axis=1).tolist()
    return summed
