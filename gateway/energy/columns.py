"""A subject's amounts in columns, as fine as the books are: for what goes over years of quarter hours."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gateway.energy.accounts.state import Integers
from gateway.energy.cells import Cells
from gateway.energy.periods import Span
from gateway.energy.virtual import Made

_AMOUNTS: Final = ("total", "estimated", "manual")
_LARGEST: Final = 2**62


class Pieces(NamedTuple):
    """Amounts between boundaries, (n,) each, in quanta of what the subject is made of."""

    made: Made
    start: Integers
    """ns UTC, ascending."""
    width: Integers
    quanta: NDArray[Any]
    """int64, or Python's integers where they are large; 0 where nothing is known."""
    estimated: NDArray[Any]
    manual: NDArray[Any]
    known: NDArray[np.bool_]
    """Every term is known …"""
    whole: NDArray[np.bool_]
    """… and was read from end to end."""


def pieces_of(parts: Sequence[Cells], made: Made, span: Span) -> Pieces:
    """Return what each cell of a span holds, from the cells of each term; both ends are boundaries."""
    time = parts[0].time
    within = slice(*np.searchsorted(time, [span.first, span.last]).tolist())
    known, whole = np.ones((2, len(time[within])), np.bool_)
    sums: list[NDArray[Any]] = [np.zeros(len(known), np.int64) for _ in _AMOUNTS]
    for cells, factor in zip(parts, made.factors, strict=True):
        known &= cells.known[0, within]
        whole &= cells.whole[0, within]
        for i, name in enumerate(_AMOUNTS):
            column: NDArray[Any] = cells.amounts[name][0, within]
            size = factor if name == "total" else abs(factor)
            if len(column) and int(np.abs(column).max()) * abs(size) * len(parts) > _LARGEST:
                column = column.astype(object)
            sums[i] = sums[i] + size * column
    quanta, estimated, manual = (np.where(known, each, 0) for each in sums)
    start = time[within]
    width = time[within.start + 1 : within.stop + 1] - start
    return Pieces(made, start, width, quanta, estimated, manual, known, whole)
