"""What the gateway asks of its buffer: one durable log, one cursor per sink."""

from asyncio import Future
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from connectors import Batch, Delivery, Order, Refusal
from gateway.ledger import Gap

STORE: Final = "buffer"
"""Where in the data directory the durable log lives; history and books come beside it."""

Receipt = Future[int]
"""Resolves to the batch's seq once it is on disk; fails with StoreFailed when it can't be."""


class StoreFailed(Exception):
    """The disk does not take the batch: nothing was accepted and nothing may be acknowledged."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits for one sink."""

    rows: int
    """Stored rows this sink has not acknowledged."""
    oldest: int | None
    """Arrival of the oldest of them, ns UTC; None when there are none."""

    def age_s(self, now: int) -> float:
        """Return how long the oldest has waited, in seconds."""
        return 0.0 if self.oldest is None else max(0, now - self.oldest) / 1e9


class Cursor(Protocol):
    """A sink's place in the log. Positions are saved at most once a second; `next` repeats until `ack`."""

    async def next(self, max_rows: int) -> Sequence[Delivery]:
        """Wait until something is stored for this sink and return whole deliveries, the same until `ack`.

        At least one delivery, more while the sum of their rows stays within `max_rows`. All deliveries of one
        call are live or all are historical. A LIVE_FIRST sink that asks again more than 5 s later gets what
        was live then as history.
        """
        ...

    async def ack(self, refused: Sequence[Refusal] = (), wanted: Sequence[int] | None = None) -> None:
        """Move past what `next` returned; refused rows enter quarantine in the same transaction.

        `wanted` are the rows of each delivery that the sink was to get; None is all of them. What is left
        over its selection left out: the ledger counts it apart.
        """
        ...

    def backlog(self) -> Backlog:
        """Tell what waits."""
        ...


class Buffer(Protocol):
    """The durable log."""

    async def append(self, source: str, batch: Batch, resume: bytes | None = None) -> Receipt:
        """Queue a batch for commit, waiting only for room; the Receipt resolves when it is on disk.

        `resume` is the source's token, stored in the same transaction.
        """
        ...

    def cursor(
        self,
        sink: str,
        order: Order,
        *,
        start: Literal["now", "oldest"] = "now",
        required: bool = True,
        replay_rate: int | None = None,
        after: int | None = None,
        knows_again: bool = False,
    ) -> Cursor:
        """Return the sink's cursor, where it was left, or new at `start`.

        A segment waits for every `required` sink. `replay_rate` limits a LIVE_FIRST backlog, rows per second.
        `after` is the last seq a sink with its own database has booked; it overrules what is saved here. One
        that `knows_again` what it has booked gets what was booked since the save once more, for its account.
        Asking again for a name gives a new cursor at the same place and ends the old one.
        """
        ...

    def ready(self) -> None:
        """Learn that every configured sink has its cursor: park the others, let retention begin."""
        ...

    def release(self, sink: str) -> None:
        """Park the cursor of a sink that was removed: kept seven days, pinning nothing."""
        ...

    def note(self, gap: Gap) -> None:
        """Put a gap on disk, before what is appended next; with what it goes on with it is one."""
        ...

    def last_arrived(self, source: str) -> int | None:
        """Return the arrival of the newest stored batch of a source, ns UTC."""
        ...

    async def newest(self, tags: NDArray[np.int32]) -> NDArray[np.int64]:
        """Return when the newest stored value of each of these tags was true, by tag number, 0 if not known.

        Looked for among the newest rows only; rows the gateway itself wrote about a gap are no values.
        """
        ...

    def resume_token(self, source: str) -> bytes | None:
        """Return the token stored with the newest batch of a source that carried one."""
        ...
