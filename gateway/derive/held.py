"""The newest value of every tag a formula is made of, and what of it the log alone no longer tells."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from connectors.quality import BAD_WAITING_FOR_INITIAL_DATA, is_bad

STEP_NS: Final = 60_000_000_000
"""A row older than its tag's newest is late; but not when nothing newer came for so long: a clock was set."""
READ_AGAIN: Final = 500
"""After a crash so many stored batches are read once more; what is older travels with the place."""
_EVER: Final = np.iinfo(np.int64).min


@dataclass(slots=True)
class Held:
    """One entry per input, all (n,)."""

    value: NDArray[np.float64]
    time: NDArray[np.int64]
    newest: NDArray[np.int64]
    """Time of the newest row that was not Bad: Bad rows of ours carry the gateway's time."""
    quality: NDArray[np.uint32]
    arrived: NDArray[np.int64]
    seq: NDArray[np.int64]
    """Of the stored batch it came in; -1 is none yet."""
    since: NDArray[np.int64]
    """Seq from which on the log alone tells all of this: of the row `newest` is of, if there was one."""

    @classmethod
    def nothing(cls, inputs: int) -> Self:
        """Return what is known before the first row."""
        return cls(
            np.zeros(inputs),
            np.full(inputs, _EVER),
            np.full(inputs, _EVER),
            np.full(inputs, BAD_WAITING_FOR_INITIAL_DATA, np.uint32),
            np.zeros(inputs, np.int64),
            np.full(inputs, -1),
            np.full(inputs, -1),
        )

    def take(
        self,
        slot: NDArray[np.int32],
        time: NDArray[np.int64],
        value: NDArray[np.float64],
        quality: NDArray[np.uint32],
        *,
        arrived: int,
        seq: int,
    ) -> NDArray[np.int32]:
        """Take rows in, each of another input; return which were news: a late row is none."""
        bad = is_bad(quality)
        passed = np.abs(arrived - self.arrived[slot])
        news = bad | (time >= self.newest[slot]) | (passed > STEP_NS)
        slot, time, value, quality, bad = slot[news], time[news], value[news], quality[news], bad[news]
        self.value[slot] = value
        self.time[slot] = time
        self.newest[slot] = np.where(bad, self.newest[slot], time)
        self.quality[slot] = quality
        self.arrived[slot] = arrived
        self.seq[slot] = seq
        self.since[slot] = np.where(bad & (self.since[slot] >= 0), self.since[slot], seq)
        return slot

    def copy(self) -> "Held":
        """Return how it stands now."""
        return Held(
            self.value.copy(),
            self.time.copy(),
            self.newest.copy(),
            self.quality.copy(),
            self.arrived.copy(),
            self.seq.copy(),
            self.since.copy(),
        )

    def place(self, seen: int, names: Sequence[str]) -> dict[str, Any]:
        """Return where to begin again, and what was held before that."""
        is_known = self.since >= 0
        is_recent = is_known & (self.since > seen - READ_AGAIN)
        begin = int(self.since.min(initial=seen + 1, where=is_recent))
        old = np.flatnonzero(is_known & ~is_recent).tolist()
        columns = self._columns()
        return {
            "from": begin,
            "seen": seen,
            "held": {names[i]: [column[i].item() for column in columns] for i in old},
        }

    def restore(self, held: Mapping[str, Sequence[Any]], names: Sequence[str]) -> None:
        """Take back what `place` told."""
        for i, name in enumerate(names):
            told = held.get(name, ())
            for column, value in zip(self._columns(), [*told, *told[5:6]], strict=False):
                column[i] = value  # an earlier release told no `since`: what stands for it is `seq`

    def _columns(self) -> tuple[NDArray[Any], ...]:
        return self.value, self.time, self.newest, self.quality, self.arrived, self.seq, self.since
