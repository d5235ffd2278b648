"""Rows on their way into columns: gathered in lists, turned into arrays once per read."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from connectors.batch import Batch, Columns, Origin
from connectors.tags import DTYPE_OF_PART, Part


class _Gathered:
    """Rows of one part. Times are kept per message, qualities only where not Good."""

    def __init__(self, part: Part) -> None:
        self._dtype = DTYPE_OF_PART[part]
        self.numbers: list[int] = []
        self._values: list[Any] = []
        self._times: list[int] = []
        self._counts: list[int] = []
        self._not_good: list[tuple[int, int]] = []

    def extend(self, numbers: Sequence[int], values: Sequence[Any], time: int) -> None:
        """Add Good rows of one time."""
        self.numbers += numbers
        self._values += values
        self._times.append(time)
        self._counts.append(len(values))

    def append(self, number: int, value: Any, time: int, quality: int) -> None:
        """Add one row."""
        if quality:
            self._not_good.append((len(self.numbers), quality))
        self.extend((number,), (value,), time)

    def columns(self) -> Columns:
        """Return the rows, in the order they were added."""
        n = len(self.numbers)
        value = np.empty(n, self._dtype)
        value[:] = self._values
        quality = np.zeros(n, np.uint32)
        if self._not_good:
            rows, codes = zip(*self._not_good, strict=True)
            quality[list(rows)] = codes
        time = np.repeat(np.array(self._times, np.int64), self._counts)
        return Columns(np.array(self.numbers, np.int32), time, value, quality)


class Rows:
    """Rows of one batch to be."""

    def __init__(self) -> None:
        self.numbers = _Gathered(Part.NUMBER)
        self._integers = _Gathered(Part.INTEGER)
        self._texts = _Gathered(Part.TEXT)

    def __len__(self) -> int:
        """Return the number of rows."""
        return sum(len(self.part(part).numbers) for part in Part)

    def part(self, part: Part) -> _Gathered:
        """Return where rows of this part go."""
        return (self.numbers, self._integers, self._texts)[part]

    def batch(self, arrived: int, origin: Origin) -> Batch:
        """Return what was gathered."""
        parts = tuple(self.part(part).columns() for part in Part if self.part(part).numbers)
        return Batch(parts, arrived, origin)
