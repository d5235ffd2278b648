"""From deliveries to the columns of a booking: what is new, in time's bounds, sorted by tag."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from connectors import Delivery
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
    gathered: list[list[tuple[NDArray[Any], ...]]] = [[] for _ in SORT_OF_DTYPE]
    rows, skipped = 0, 0
    for delivery in deliveries:
        if delivery.seq <= booked.get(delivery.epoch, -1):
            continue
        for part in delivery.batch.parts:
            sort = SORT_OF_DTYPE[part.value.dtype.kind]
            in_time = (part.time >= earliest) & (part.time <= latest)
            skipped += len(part) - int(in_time.sum())
            kept = part.where(in_time & _is_new(part.tag, sort, delivery, floors) if floors else in_time)
            if len(kept):
                rows += len(kept)
                gathered[sort].append((kept.tag, kept.time, kept.value, kept.quality))
    return Gathered([_by_tag(each) for each in gathered], rows, skipped)


def _by_tag(gathered: Sequence[tuple[NDArray[Any], ...]]) -> list[NDArray[Any]]:
    if not gathered:
        return []
    tag, time, value, quality = (np.concatenate(column) for column in zip(*gathered, strict=True))
    order = np.argsort(tag, kind="stable")
    value, quality = value[order], quality[order]
    # What a Bad row has for a value means nothing, and nothing compresses best.
    value[is_bad(quality)] = "" if value.dtype.kind == "O" else 0
    return [tag[order], time[order], value, quality.astype(np.int64)]


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
