"""One row per tag out of many: last, mean, min, max, in bounded memory.

Rows are gathered and, every so often, reduced to one partial row per tag; partial rows reduce together with
further rows, so a window of an hour needs no more memory than one of a minute.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from connectors import Columns
from connectors.quality import UNCERTAIN_SUBNORMAL, is_bad

How = Literal["last", "mean", "min", "max"]

REDUCE_AT: Final = 50_000
"""Rows gathered before they are reduced: about 2 MB."""


Closing = Callable[[NDArray[np.int32]], tuple[NDArray[np.bool_], NDArray[np.bool_]]]
"""Tells of which tags a window closes, and of which all of it is known: (n,) int32 → (n,) bool, twice."""


@dataclass(frozen=True, slots=True)
class Partial:
    """Partial rows, all columns (n,). For a mean, `value` is the sum of `weight` usable values."""

    tag: NDArray[np.int32]
    time: NDArray[np.int64]
    value: NDArray[Any]
    quality: NDArray[np.uint32]
    """Worst quality among the usable rows; of the last row when none is usable."""
    weight: NDArray[np.int64]
    """How many usable rows are in it."""
    has_bad: NDArray[np.bool_]

    @classmethod
    def of(cls, rows: Columns, how: How) -> "Partial":
        """Take stored rows in: a Bad row weighs nothing."""
        bad = is_bad(rows.quality)
        value = rows.value
        if how == "mean" and value.dtype != object:
            value = np.where(bad, 0.0, value.astype(np.float64))
        return cls(rows.tag, rows.time, value, rows.quality, (~bad).astype(np.int64), bad)

    def where(self, keep: NDArray[np.bool_]) -> "Partial":
        """Return the rows to keep, (n,) bool."""
        return Partial(*(getattr(self, f.name)[keep] for f in fields(Partial)))


def reduce(partials: list[Partial], how: How) -> Partial:
    """Return one partial row per tag, ascending by tag."""
    joined = Partial(*(np.concatenate([getattr(p, f.name) for p in partials]) for f in fields(Partial)))
    usable = joined.weight > 0
    is_text = joined.value.dtype == object
    # Within a tag the row that stands for it comes last: usable before not, then by what is asked, then time.
    match how:
        case "max" if not is_text:
            keys: tuple[NDArray[Any], ...] = (joined.time, joined.value, usable, joined.tag)
        case "min" if not is_text:
            keys = (joined.time, _descending(joined.value), usable, joined.tag)
        case _:
            keys = (joined.time, usable, joined.tag)
    order = np.lexsort(keys)
    tag = joined.tag[order]
    starts = np.flatnonzero(np.append(True, tag[1:] != tag[:-1]))
    chosen = order[np.append(starts[1:], len(order)) - 1]
    weight = np.add.reduceat(joined.weight[order], starts)
    worst = np.maximum.reduceat(np.where(usable, joined.quality, np.uint32(0))[order], starts)
    value = joined.value[chosen]
    if how == "mean" and not is_text:
        value = np.add.reduceat(joined.value[order], starts)
    return Partial(
        tag[starts],
        joined.time[chosen],
        value,
        np.where(weight > 0, worst, joined.quality[chosen]),
        weight,
        np.logical_or.reduceat(joined.has_bad[order], starts),
    )


def finish(partial: Partial, how: How, end: int, *, is_whole: NDArray[np.bool_] | bool) -> Columns:
    """Turn one partial row per tag into the rows to store.

    `last`, `min` and `max` are readings and keep their source timestamp; a mean is stamped with the window's
    end. A window with Bad rows among usable ones, or of which only a part is known, is Uncertain.
    """
    quality, time, value = partial.quality, partial.time, partial.value
    is_usable = partial.weight > 0
    doubtful = is_usable & (partial.has_bad | np.logical_not(is_whole))
    quality = np.where(doubtful, np.maximum(quality, np.uint32(UNCERTAIN_SUBNORMAL)), quality)
    if how == "mean" and value.dtype != object:
        value = value / np.maximum(partial.weight, 1)
        time = np.where(is_usable, end, time)
    return Columns(partial.tag, time, value, quality)


@dataclass(slots=True)
class Window:
    """Rows of one rule between start and end: gathered, and reduced when they are many."""

    first_seq: int
    gathered: dict[np.dtype[Any], list[Partial]] = field(default_factory=dict)
    rows: int = 0

    def add(self, rows: Columns, how: How) -> None:
        """Take rows in."""
        partial = Partial.of(rows, how)
        self.gathered.setdefault(partial.value.dtype, []).append(partial)
        self.rows += len(rows)
        if self.rows > REDUCE_AT:
            self.gathered = {dtype: [reduce(parts, how)] for dtype, parts in self.gathered.items()}
            self.rows = 0

    def close(self, how: How, end: int, closing: Closing) -> Iterator[Columns]:
        """Yield one row per tag that closes, a part per dtype, and keep the others."""
        for dtype, partials in list(self.gathered.items()):
            part = reduce(partials, how)
            is_closed, is_whole = closing(part.tag)
            if is_closed.any():
                yield finish(part.where(is_closed), how, end, is_whole=is_whole[is_closed])
            if is_closed.all():
                del self.gathered[dtype]
            else:
                self.gathered[dtype] = [part.where(~is_closed)]
        self.rows = 0

    def tags(self) -> NDArray[np.int32]:
        """Return the tags it has rows of, some more than once."""
        return np.concatenate([part.tag for parts in self.gathered.values() for part in parts])


def _descending(value: NDArray[Any]) -> NDArray[Any]:
    # ~x orders int64 downwards without overflowing at the smallest one, as -x would.
    return ~value if value.dtype == np.int64 else -value
