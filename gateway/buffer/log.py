"""What a cursor asks of the store."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from connectors import Clock, Delivery, Refusal
from gateway.ledger import Passing, Rows

if TYPE_CHECKING:
    from gateway.buffer.cursor import LogCursor


class Log(Protocol):
    """What a cursor asks of the store; everything on the event loop."""

    clock: Clock

    def end(self) -> int:
        """Return the seq the next stored batch will get."""
        ...

    def stored(self) -> int:
        """Return the running total of stored rows."""
        ...

    def behind(self) -> int:
        """Return the seq below which everything was stored more than 5 s ago."""
        ...

    def recent(self, seq: int) -> Delivery | None:
        """Return a batch that is still in memory."""
        ...

    async def read(self, start: int, stop: int, max_rows: int) -> Sequence[Delivery]:
        """Return whole deliveries of [start, stop), at least one unless there is none at all."""
        ...

    def count(self, start: int, stop: int) -> Rows:
        """Return the rows stored in [start, stop), by source."""
        ...

    def acquired(self) -> Rows:
        """Return the rows the log has taken since it exists, by source; whoever keeps them copies them."""
        ...

    def arrived(self, seq: int) -> int:
        """Return when the first batch at or after `seq` arrived, ns UTC, at worst its segment's first."""
        ...

    def moved(self, sink: str) -> None:
        """Learn that a cursor wants saving."""
        ...

    async def settle(
        self, cursor: "LogCursor", refused: Sequence[Refusal], passing: Passing, entries: Sequence[int]
    ) -> None:
        """Save what an acknowledgement changes in one transaction, then let the cursor `finish` it.

        Refused rows enter quarantine, entries a retry has settled leave it.
        """
        ...

    async def take_retries(self, cursor: "LogCursor", max_rows: int) -> Sequence[tuple[int, Delivery]]:
        """Return (entry, delivery) of what somebody wants sent again, and note them as lent."""
        ...
