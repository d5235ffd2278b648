"""Yuan by interval: what the lines of the bill grow by from one moment to another.

    what the bill had come to:   0 ──── 12.31 ──── 30.07 ── … ── the bill, to the fen
    an interval:                   12.31      17.76

Every moment has one such sum, so intervals add up to days, and days to bills, whoever asks for which.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from config.bands import BANDS, Band
from gateway.energy.periods import Span
from gateway.energy.pricing.amounts import Energy, by_run, cells_of
from gateway.energy.pricing.band_lines import PricedSlot, line_of, priced_slots
from gateway.energy.pricing.lines import exactly
from gateway.energy.pricing.timetable import Timetable


class _Line(NamedTuple):
    """A line of the bill that grows."""

    band: int
    key: tuple[object, ...]
    runs: list[tuple[int, int]] | None
    """Fen per quantum of each part of its price."""


class Spread(NamedTuple):
    """What energy costs in each of some spans of time, and by band in all of them."""

    yuan: list[Decimal | None]
    """None: nothing is known of the span, or some of its energy has no price."""
    kwh: dict[Band | None, Decimal]
    """By band; None: which band is not decided."""
    by_band: dict[Band | None, Decimal | None]
    """Yuan; None: some of the band's energy has no price."""


def spread(table: Timetable, energy: Energy, spans: Sequence[Span]) -> Spread:
    """Return what one meter's energy costs in each span, exactly what `cost` says of it.

    Timetable and energy begin with a bill, and no interval of the energy lies across an end of a span.

    Raises:
        ValueError: as `cost`.
    """
    if not spans or not len(energy.start):
        return Spread([None] * len(spans), {}, {})
    moments = np.unique(np.array([each[:2] for each in spans], np.int64))
    piece = np.searchsorted(moments, energy.start, "right")
    fen, quanta, dark = _by_piece(table, energy, piece, len(moments) + 1)
    known = np.ones(len(energy.start), bool) if energy.missing is None else ~energy.missing
    seen = np.bincount(piece[known], minlength=len(moments) + 1)
    # A moment's sum is of all pieces before it; piece 0 lies before the first moment.
    at = np.searchsorted(moments, [each[:2] for each in spans]) + 1

    def within(columns: NDArray[Any]) -> NDArray[Any]:
        """Return each span's sums of columns by piece, (spans, ...)."""
        sums = np.concatenate([np.zeros_like(columns[:1]), np.cumsum(columns, axis=0)])
        return np.asarray(sums[at[:, 1]] - sums[at[:, 0]])

    fen, quanta, dark, seen = (within(each) for each in (fen, quanta, dark, seen))
    yuan = [
        None if missing or not some else Decimal(int(each)).scaleb(-2)
        for each, missing, some in zip(fen.sum(axis=1), dark.sum(axis=1), seen, strict=True)
    ]
    kwh: dict[Band | None, Decimal] = {}
    by_band: dict[Band | None, Decimal | None] = {}
    with exactly():
        for code, band in enumerate((*BANDS, None)):
            if taken := quanta[:, code].sum():
                kwh[band] = Decimal(taken) * energy.quantum
                by_band[band] = None if dark[:, code].any() else Decimal(int(fen[:, code].sum())).scaleb(-2)
    return Spread(yuan, kwh, by_band)


def _by_piece(
    table: Timetable, energy: Energy, piece: NDArray[np.intp], pieces: int
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return by piece of time and band: fen the lines grew by, quanta, and slots without a price."""
    cells, which = np.unique(cells_of(table, energy), return_inverse=True)
    slots = priced_slots(table, cells.tolist())
    order = np.lexsort((piece, which))
    begins = np.flatnonzero(np.append(True, (np.diff(which[order]) != 0) | (np.diff(piece[order]) != 0)))
    (sums,) = by_run(energy.quanta[np.newaxis], order, begins)
    fen, quanta, dark = (np.zeros((pieces, len(BANDS) + 1), kind) for kind in (object, object, np.int64))
    rows = zip(piece[order][begins].tolist(), which[order][begins].tolist(), sums, strict=True)
    code = {band: i for i, band in enumerate((*BANDS, None))}
    with exactly():
        lines = [_Line(code[each.slot.band], line_of(each), _runs(each, energy.quantum)) for each in slots]
    grown: dict[tuple[object, ...], int] = {}
    # In the order of time, because slots that are one line grow together.
    # About 3 µs a row; a year of days has some 1,500.
    for at, number, some in sorted(rows):
        line = lines[number]
        quanta[at, line.band] += some
        if line.runs is None:
            dark[at, line.band] += bool(some)
            continue
        before = grown.get(line.key, 0)
        after = grown[line.key] = before + some
        fen[at, line.band] += sum(_rounded(after, run) - _rounded(before, run) for run in line.runs)
    return fen, quanta, dark


def _runs(slot: PricedSlot, quantum: Decimal) -> list[tuple[int, int]] | None:
    """Return fen per quantum of each part as a ratio of whole numbers, None where one is not known."""
    prices = list(slot.price.parts.values()) if slot.price else [None]
    if None in prices:
        return None
    return [(100 * quantum * each).as_integer_ratio() for each in prices if each is not None]


def _rounded(quanta: int, price: tuple[int, int]) -> int:
    """Return fen, halves away from zero, as `lines.fen`."""
    upper, lower = quanta * price[0], price[1]
    whole = (2 * abs(upper) + lower) // (2 * lower)
    return -whole if upper < 0 else whole
