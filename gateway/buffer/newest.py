"""When what is stored of each tag was true last: where a source goes on that can read what it missed."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from connectors.quality import BAD_DATA_LOST, BAD_NO_COMMUNICATION
from gateway.buffer.log import Log

_STEP: Final = 256
"""Batches looked at together, from the newest backwards …"""
_MOST: Final = 1_000_000
"""… and rows at most: a tag that has none among them is not known."""
_OURS: Final = (BAD_DATA_LOST, BAD_NO_COMMUNICATION)


async def newest(log: Log, oldest: int, tags: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return the time of each tag's newest value, by tag number, 0 where none was found."""
    size = int(tags.max()) + 1 if len(tags) else 0
    found = np.zeros(size, np.int64)
    stop, looked_at = log.end(), 0
    while stop > oldest and looked_at < _MOST and not found[tags].all():
        at, stop = stop, max(oldest, stop - _STEP)
        begin = stop
        while begin < at:
            deliveries = await log.read(begin, at, _MOST)
            for delivery in deliveries:
                for part in delivery.batch.parts:
                    looked_at += len(part)
                    part = part.where((part.tag < size) & ~np.isin(part.quality, _OURS))  # noqa: PLW2901  its values
                    np.maximum.at(found, part.tag, part.time)
            begin = deliveries[-1].seq + 1 if deliveries else at
    return found
