"""From the metrics of a device's rows to messages none of which is too large. Pure."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from connectors.sparkplug.edge.encode import Metrics

_BESIDE: Final = 11
"""Most bytes of a message beside its metrics: time and sequence number."""

Message = tuple[bytes, NDArray[np.int32]]
"""Metrics and the rows they are; without bytes: one row that no message can carry."""


def cut(encoded: Sequence[Metrics], row: NDArray[np.int32], limit: int) -> Iterator[Message]:
    """Yield messages of at most `limit` bytes of payload, in order; `row` numbers the metrics, (n,)."""
    limit -= _BESIDE
    data = encoded[0].data if len(encoded) == 1 else b"".join(each.data for each in encoded)
    if len(data) <= limit:
        yield data, row
        return
    sizes = np.concatenate([each.sizes() for each in encoded])
    ends = np.cumsum(sizes)
    first = 0
    while first < len(sizes):
        begin = int(ends[first] - sizes[first])
        last = int(np.searchsorted(ends, begin + limit, side="right"))
        if last > first:
            yield data[begin : int(ends[last - 1])], row[first:last]
        else:
            last = first + 1
            yield b"", row[first:last]
        first = last
