"""What a chart asks for: one tag's rows or buckets, as numbers that can be drawn."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from connectors import Columns
from connectors.tags import as_float
from gateway.history.buckets import Buckets, buckets_of, widened


@dataclass(frozen=True, slots=True)
class Trend:
    """One tag over a stretch of time; all columns (n,), ascending by time. What has no row was not told."""

    tag: int
    width: int
    """ns a row stands for; 0: every row is one stored row."""
    time: NDArray[np.int64]
    """Where the row's stretch begins, ns since 1970 UTC."""
    good: NDArray[np.int64]
    """Usable rows in it; 0: nothing is known there and the numbers are NaN."""
    bad: NDArray[np.int64]
    """Bad rows in it; not 0: the line is broken somewhere in it."""
    worst: NDArray[np.uint32]
    """The worst StatusCode."""
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    mean: NDArray[np.float64]
    """Of the usable rows, each counting the same; NaN for text, and where there are none."""
    last: NDArray[Any]
    """float64, or object holding str, empty without usable rows."""


def trend_of_rows(tag: int, rows: Columns, points: int, width: int, *, unsigned: bool) -> Trend:
    """Return the rows themselves when there are at most `points`, else buckets of `width`."""
    flags = np.full(len(rows), unsigned)
    quality = rows.quality.astype(np.int64)
    if len(rows) > points:
        buckets = buckets_of(rows.tag, rows.time, rows.value, quality, flags, width=width)
        return _trend(tag, buckets, width, buckets.slot * width, unsigned=unsigned)
    # Numbered instead of tagged: rows of the same instant are each a bucket of their own.
    number = np.arange(len(rows), dtype=np.int32)
    each = buckets_of(number, rows.time, rows.value, quality, flags)
    return _trend(tag, each, 0, rows.time, unsigned=unsigned)


def trend_of_minutes(tag: int, minutes: Buckets, width: int, *, unsigned: bool) -> Trend:
    """Return buckets of `width`, a multiple of a minute."""
    buckets = widened(minutes, width, np.full(len(minutes), unsigned))
    return _trend(tag, buckets, width, buckets.slot * width, unsigned=unsigned)


def _trend(tag: int, buckets: Buckets, width: int, time: NDArray[np.int64], *, unsigned: bool) -> Trend:
    is_text = buckets.last.dtype.kind == "O"
    known = buckets.good > 0

    def as_number(column: NDArray[Any]) -> NDArray[np.float64]:
        return np.where(known, as_float(column, unsigned), np.nan)

    nothing = np.full(len(buckets), np.nan)
    mean = np.where(known, buckets.total / np.maximum(buckets.good, 1), np.nan)
    return Trend(
        tag,
        width,
        time,
        buckets.good,
        buckets.bad,
        buckets.worst.astype(np.uint32),
        nothing if is_text else as_number(buckets.low),
        nothing if is_text else as_number(buckets.high),
        nothing if is_text else mean,
        buckets.last if is_text else as_number(buckets.last),
    )
