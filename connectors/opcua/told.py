"""What was told of each item last, to be compared with what the server says when asked."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from connectors.quality import is_bad
from connectors.tags import DTYPE_OF_PART, Part


class Told:
    """The newest value and status of each item."""

    def __init__(self, size: int) -> None:
        self._values = {part: np.zeros(size, DTYPE_OF_PART[part]) for part in Part}
        self.quality = np.zeros(size, np.uint32)
        self.times = np.zeros(size, np.int64)
        """How often the item was told of, roughly; 0 is never."""

    def grow(self, size: int) -> None:
        """Make room for more items."""
        more = max(0, size - len(self.times))
        self._values = {
            part: np.concatenate([value, np.zeros(more, value.dtype)]) for part, value in self._values.items()
        }
        self.quality = np.concatenate([self.quality, np.zeros(more, np.uint32)])
        self.times = np.concatenate([self.times, np.zeros(more, np.int64)])

    def take(self, part: Part, item: NDArray[Any], value: NDArray[Any], quality: NDArray[np.uint32]) -> None:
        """Remember rows of one part."""
        self._values[part][item] = value
        self.take_status(item, quality)

    def take_status(self, item: NDArray[Any], quality: NDArray[np.uint32] | int) -> None:
        """Remember rows without a value."""
        self.quality[item] = quality
        self.times[item] += 1

    def row(self, item: int, part: Part) -> tuple[Any, int]:
        """Return value, None if it is Bad, and status."""
        quality = int(self.quality[item])
        return None if is_bad(self.quality[item]) else self._values[part][item], quality
