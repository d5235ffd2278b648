"""What a stretch of time held, tag by tag: pure arithmetic that can be taken up again and joined.

A bucket is everything but the rows themselves: how many were usable and how many Bad, the worst quality, the
least, greatest and last value, the sum. Every one of these can be joined with that of more rows of the same
stretch, so rows that come late, in any order, land where they belong; and because the history books each row
once, none counts twice. A bucket without usable rows says so: `good` is 0 and its values mean nothing.
"""

from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from connectors.quality import is_bad
from connectors.tags import as_float

MINUTE_NS: Final = 60_000_000_000


@dataclass(frozen=True, slots=True)
class Buckets:
    """One row per tag and slot; all (n,)."""

    tag: NDArray[np.int32]
    slot: NDArray[np.int64]
    """Time since 1970 UTC, in widths of the bucket."""
    good: NDArray[np.int64]
    """Usable rows: Good or Uncertain."""
    bad: NDArray[np.int64]
    """Bad rows: from there on nothing is known until the next usable one."""
    worst: NDArray[np.int64]
    """The highest StatusCode."""
    at: NDArray[np.int64]
    """When the last usable row was, ns since 1970 UTC; 0 without one."""
    low: NDArray[Any]
    high: NDArray[Any]
    last: NDArray[Any]
    """float64, int64 (a UINT64 as its bit pattern) or, `last` alone, text; the others are 0 for text."""
    total: NDArray[np.float64]
    """Sum of the usable values."""

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.tag)

    def where(self, keep: NDArray[np.bool_]) -> "Buckets":
        """Return the rows for which `keep` is true."""
        return self if keep.all() else Buckets(*(column[keep] for column in self.columns()))

    def columns(self) -> list[NDArray[Any]]:
        """Return all columns, the tag first."""
        return [getattr(self, field.name) for field in fields(self)]


def buckets_of(
    tag: NDArray[np.int32],
    time: NDArray[np.int64],
    value: NDArray[Any],
    quality: NDArray[np.int64],
    unsigned: NDArray[np.bool_],
    *,
    width: int = MINUTE_NS,
) -> Buckets:
    """Return the buckets of rows in booking order; `unsigned` tells whose int64 is a UINT64's bits."""
    usable = ~is_bad(quality.astype(np.uint32))
    if value.dtype == object:
        number = np.zeros(len(tag), np.int64)
        total = np.zeros(len(tag))
    else:
        number = value
        total = as_float(value, unsigned)
    good = usable.astype(np.int64)
    rows = Buckets(
        tag,
        time // width,
        good,
        1 - good,
        quality,
        np.where(usable, time, 0),
        number,
        number,
        value,
        np.where(usable, total, 0.0),
    )
    return joined(rows, unsigned)


def widened(buckets: Buckets, width: int, unsigned: NDArray[np.bool_]) -> Buckets:
    """Join minutes into buckets of `width`, a multiple of a minute."""
    columns = buckets.columns()
    columns[1] = buckets.slot // (width // MINUTE_NS)
    return joined(Buckets(*columns), unsigned)


def joined(rows: Buckets, unsigned: NDArray[np.bool_]) -> Buckets:
    """Return one row per tag and slot, ascending by both; of equal last times the later row stands."""
    if not len(rows):
        return rows
    usable = rows.good > 0
    # Rows without a usable value come first in their bucket, so that its last row is the one that stands.
    order = np.lexsort((np.where(usable, rows.at, np.iinfo(np.int64).min), rows.slot, rows.tag))
    tag, slot = rows.tag[order], rows.slot[order]
    is_first = np.append(True, (tag[1:] != tag[:-1]) | (slot[1:] != slot[:-1]))
    starts = np.flatnonzero(is_first)
    stands = order[np.append(starts[1:], len(order)) - 1]
    good = np.add.reduceat(rows.good[order], starts)
    empty = good == 0
    low, high = _extremes(rows, order, starts, unsigned)
    last = rows.last[stands]
    if empty.any():
        low, high, last = low.copy(), high.copy(), last.copy()
        low[empty], high[empty] = 0, 0
        last[empty] = "" if last.dtype == object else 0
    with np.errstate(over="ignore", invalid="ignore"):
        total = np.add.reduceat(rows.total[order], starts)
    return Buckets(
        tag[starts],
        slot[starts],
        good,
        np.add.reduceat(rows.bad[order], starts),
        np.maximum.reduceat(rows.worst[order], starts),
        np.where(empty, 0, rows.at[stands]),
        low,
        high,
        last,
        total,
    )


def concatenated(parts: list[Buckets]) -> Buckets:
    """Return all rows of several; at least one."""
    return Buckets(*(np.concatenate(column) for column in zip(*(p.columns() for p in parts), strict=True)))


def _extremes(
    rows: Buckets, order: NDArray[np.intp], starts: NDArray[np.intp], unsigned: NDArray[np.bool_]
) -> tuple[NDArray[Any], NDArray[Any]]:
    if rows.low.dtype == np.float64:
        most: Any = np.inf
        least: Any = -np.inf
        low, high = rows.low, rows.high
    else:
        most, least = np.iinfo(np.int64).max, np.iinfo(np.int64).min
        low, high = _sortable(rows.low, unsigned), _sortable(rows.high, unsigned)
    usable = rows.good > 0
    low = np.minimum.reduceat(np.where(usable, low, most)[order], starts)
    high = np.maximum.reduceat(np.where(usable, high, least)[order], starts)
    if rows.low.dtype == np.float64:
        return low, high
    stands = unsigned[order][starts]
    return _sortable(low, stands), _sortable(high, stands)


def _sortable(value: NDArray[np.int64], unsigned: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Flip the sign bit where an int64 is a UINT64's bits: it then sorts as unsigned; twice is back."""
    return np.where(unsigned, value ^ np.int64(-(2**63)), value) if unsigned.any() else value
