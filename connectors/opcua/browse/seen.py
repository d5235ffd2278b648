"""What was seen already, in eight bytes each: of a server's millions of nodes all must be remembered."""

from array import array
from bisect import bisect_left
from collections.abc import Hashable, Iterable
from typing import Final

import numpy as np

_RECENT: Final = 4_096
"""So many are kept as they are before they are sorted in, which takes some ms at a million."""


class Seen:
    """A set that only grows, by hashes of 64 bits: two of a million share one in 40 million runs."""

    def __init__(self, things: Iterable[Hashable] = ()) -> None:
        self._sorted = array("q")
        self._recent: set[int] = set()
        self.update(things)

    def __contains__(self, thing: Hashable) -> bool:
        """Tell whether it was seen."""
        key = hash(thing)
        if key in self._recent:
            return True
        at = bisect_left(self._sorted, key)
        return at < len(self._sorted) and self._sorted[at] == key

    def __len__(self) -> int:
        """Return how many things were seen."""
        return len(self._sorted) + len(self._recent)

    def update(self, things: Iterable[Hashable]) -> None:
        """Remember all of them."""
        for thing in things:
            self.add(thing)

    def add(self, thing: Hashable) -> bool:
        """Remember it; False when it was seen before."""
        if thing in self:
            return False
        self._recent.add(hash(thing))
        if len(self._recent) >= _RECENT:
            recent = np.fromiter(self._recent, np.int64, len(self._recent))
            joined = np.concatenate([np.frombuffer(self._sorted, np.int64), recent])
            joined.sort(kind="stable")
            self._sorted = array("q", joined.tobytes())
            self._recent.clear()
        return True
