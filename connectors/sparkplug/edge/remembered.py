"""The newest rows of tags that were thinned for this sink: births tell them, and nobody else has them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from connectors.batch import Columns
from connectors.contract import LastValues
from connectors.tags import DTYPE_OF_PART, PART_OF_KIND, TagTable

Rows = dict[int, tuple[int, Any, int]]
"""Time, value and quality by tag; outlives the session."""


class Remembered:
    """Everybody's newest rows, and those of our own tags."""

    def __init__(self, last: LastValues, tags: TagTable, rows: Rows) -> None:
        self._last = last
        self._tags = tags
        self._rows = rows

    def last(self, tags: NDArray[np.int32]) -> Sequence[Columns]:
        """Return the newest known row of each of these tags that has one, in parts."""
        found = list(self._last.last(tags))
        own = [number for number in tags.tolist() if number in self._rows] if self._rows else []
        for part, dtype in DTYPE_OF_PART.items():
            mine = [number for number in own if PART_OF_KIND[self._tags[number].kind] == part]
            if mine:
                time, value, quality = zip(*(self._rows[number] for number in mine), strict=True)
                column = np.empty(len(mine), dtype)
                column[:] = value
                numbers = np.array(mine, np.int32)
                found.append(Columns(numbers, np.array(time, np.int64), column, np.array(quality, np.uint32)))
        return found

    def are_own(self, tags: NDArray[np.int32]) -> bool:
        """Tell whether any of these tags was thinned for this sink."""
        return any(self._tags[number].for_sink for number in tags.tolist())

    def remember(self, columns: Sequence[Columns]) -> None:
        """Learn rows that were told as what is; few, as they are thinned."""
        for each in columns:
            rows = zip(each.time.tolist(), each.value.tolist(), each.quality.tolist(), strict=True)
            for number, row in zip(each.tag.tolist(), rows, strict=True):
                if self._tags[number].for_sink:
                    self._rows[number] = row
