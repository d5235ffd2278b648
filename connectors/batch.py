"""A batch is what one read returned, in columns; it is never changed after it is made."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Origin(IntEnum):
    """Why these rows came now."""

    LIVE = 0
    INITIAL = 1
    """An MQTT retained value: known, but of unknown age."""
    BACKFILL = 2
    """Read from a history after a gap."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Row i says `tag[i]` had `value[i]` at `time[i]`; all four have shape (n,)."""

    tag: NDArray[np.int32]
    """Number in the TagTable."""
    time: NDArray[np.int64]
    """Source timestamp, ns since 1970 UTC."""
    value: NDArray[Any]
    """One dtype: float64 (also bool and integers up to 32 bit), int64, or object holding str."""
    quality: NDArray[np.uint32]
    """OPC UA StatusCode; the value of a Bad row means nothing."""

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.tag)

    def where(self, keep: NDArray[np.bool_]) -> "Columns":
        """Return the rows for which `keep` is true; `self` when all are."""
        if keep.all():
            return self
        return Columns(self.tag[keep], self.time[keep], self.value[keep], self.quality[keep])

    def take(self, rows: NDArray[np.intp]) -> "Columns":
        """Return the rows at the given places, in that order."""
        return Columns(self.tag[rows], self.time[rows], self.value[rows], self.quality[rows])


@dataclass(frozen=True, slots=True)
class Batch:
    """What one read returned.

    At most three parts, in the order number (float64), integer (int64), text (object), none empty. A row's
    number is its place in the stored batch, counted through the parts in order.
    """

    parts: tuple[Columns, ...]
    arrived: int
    """Gateway time, ns UTC."""
    origin: Origin = Origin.LIVE

    def __len__(self) -> int:
        """Return the number of rows over all parts."""
        return sum([len(part.tag) for part in self.parts])  # asked a thousand times a booking


def joined(parts: Sequence[Columns]) -> Columns:
    """Return the rows of at least one column, all of one kind of value, as one, in this order."""
    return Columns(*(np.concatenate([getattr(each, name) for each in parts]) for name in Columns.__slots__))


def together(batches: Sequence[Batch]) -> Batch:
    """Return the rows of some batches as one."""
    parts: dict[str, list[Columns]] = {}
    for batch in batches:
        for part in batch.parts:
            parts.setdefault(part.value.dtype.kind, []).append(part)
    return Batch(
        tuple(map(joined, parts.values())), max(batch.arrived for batch in batches), batches[0].origin
    )


def one_time(time: int, rows: int) -> NDArray[np.int64]:
    """Return a time column of `rows` equal times, (rows,) int64, read-only, in the memory of one.

    Most batches say one time a thousand times; this keeps eight kilobytes out of memory for each.
    """
    return np.ndarray((rows,), np.int64, time.to_bytes(8, sys.byteorder, signed=True), strides=(0,))


def nbytes(batch: Batch) -> int:
    """Estimate the memory a batch holds, in bytes; text is counted at 64 bytes a value."""
    return sum(
        part.tag.nbytes
        + (part.time.nbytes if part.time.strides[0] else 8)
        + part.quality.nbytes
        + (64 * len(part) if part.value.dtype == object else part.value.nbytes)
        for part in batch.parts
    )
