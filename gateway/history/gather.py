"""From deliveries to the columns of a booking: what is new, in time's bounds, sorted by tag."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from connectors import Columns, Delivery
from connectors.batch import joined
from connectors.quality import is_bad
from gateway.history.codec import shelf_of
from gateway.history.files import Booked
from gateway.history.frames import SORT_OF_DTYPE


@dataclass(frozen=True, slots=True)
class Gathered:
    """The new rows of some deliveries."""

    parts: list[list[NDArray[Any]]]
    """For each sort: tag (ascending; of one tag in booking order), time, value, quality; or nothing."""
    rows: int
    out_of_time: int
    """Rows left out for their time."""


def gather(
    deliveries: Sequence[Delivery],
    booked: Booked,
    floors: Mapping[tuple[int, int], Booked],
    *,
    earliest: int,
    latest: int,
) -> Gathered:
    """Return the rows with earliest ≤ time ≤ latest of deliveries not booked yet.

    A row of a (shelf, sort) that has a floor is new above it.
    """
    parts: list[list[Columns]] = [[] for _ in SORT_OF_DTYPE]
    for delivery in deliveries:
        if delivery.seq <= booked.get(delivery.epoch, -1):
            continue
        for part in delivery.batch.parts:
            sort = SORT_OF_DTYPE[part.value.dtype.kind]
            new = part.where(_is_new(part.tag, sort, delivery, floors)) if floors else part
            parts[sort].append(new)
    found: list[list[NDArray[Any]]] = []
    rows, skipped = 0, 0
    for each in parts:
        if not each:
            found.append([])
            continue
        # All at once: looking through ten thousand small batches, one by one, the loop would wait for it.
        whole = joined(each)
        kept = whole.where((whole.time >= earliest) & (whole.time <= latest))
        rows, skipped = rows + len(kept), skipped + len(whole) - len(kept)
        found.append(_by_tag(kept) if len(kept) else [])
    return Gathered(found, rows, skipped)


def _by_tag(columns: Columns) -> list[NDArray[Any]]:
    order = np.argsort(columns.tag, kind="stable")
    value, quality = columns.value[order], columns.quality[order]
    # What a Bad row has for a value means nothing, and nothing compresses best.
    value[is_bad(quality)] = "" if value.dtype.kind == "O" else 0
    return [columns.tag[order], columns.time[order], value, quality.astype(np.int64)]


def _is_new(
    tag: NDArray[np.int32], sort: int, delivery: Delivery, floors: Mapping[tuple[int, int], Booked]
) -> NDArray[np.bool_]:
    shelf = shelf_of(tag)
    had = [
        each
        for each in np.unique(shelf).tolist()
        if delivery.seq <= floors.get((each, sort), {}).get(delivery.epoch, -1)
    ]
    return ~np.isin(shelf, had)
