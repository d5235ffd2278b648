"""The buffer's contract in memory, for tests: the same cursors over a dict, nothing survives."""

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from connectors import Batch, Clock, Delivery, Epoch, Order, Refusal, SystemClock
from gateway.buffer.contract import Receipt
from gateway.buffer.cursor import LogCursor
from gateway.buffer.identity import new_epoch
from gateway.buffer.newest import newest
from gateway.buffer.position import Position
from gateway.buffer.ring import Lateness
from gateway.buffer.segment import SourceState
from gateway.ledger import Books, Gap, Passing, Rows
from gateway.ledger.books import UNKNOWN, add


class MemoryBuffer:
    """Implements `contract.Buffer`; a receipt resolves at once."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock: Clock = clock or SystemClock()
        self.epoch: Epoch = new_epoch(0)
        self.held: list[tuple[str, Delivery, Refusal]] = []
        """What sinks refused: (sink, delivery, refusal)."""
        self.gaps: list[Gap] = []
        """What was noted."""
        self._log: dict[int, Delivery] = {}
        self._rows = 0
        self._acquired: Rows = {}
        self._lateness = Lateness(1)
        self._sources: dict[str, SourceState] = {}
        self._cursors: dict[str, LogCursor] = {}
        self._parked: dict[str, LogCursor] = {}

    async def __aenter__(self) -> Self:
        """Nothing to open."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Nothing to close."""

    async def append(self, source: str, batch: Batch, resume: bytes | None = None) -> Receipt:
        """Take a batch; the Receipt is resolved."""
        seq = self.end()
        self._log[seq] = Delivery(batch, self.epoch, seq, source=source)
        self._rows += len(batch)
        add(self._acquired, {source: len(batch)})
        state = self._sources.setdefault(source, SourceState())
        state.last_arrived = batch.arrived
        state.resume = state.resume if resume is None else resume
        self._lateness.note(self.clock.monotonic(), self.end())
        receipt: Receipt = asyncio.get_running_loop().create_future()
        receipt.set_result(seq)
        for cursor in self._cursors.values():
            cursor.wake()
        return receipt

    def cursor(
        self,
        sink: str,
        order: Order,
        *,
        start: Literal["now", "oldest"] = "now",
        required: bool = True,
        replay_rate: int | None = None,
        after: int | None = None,
        knows_again: bool = False,  # noqa: ARG002  nothing is booked elsewhere
    ) -> LogCursor:
        """Return the sink's cursor, where it was left, or new at `start`."""
        old = self._cursors.get(sink) or self._parked.pop(sink, None)
        position = None if old is None else old.position
        if after is not None or position is None:
            head = self.end() if start == "now" else 1
            head = head if after is None else min(after + 1, self.end())
            position = Position(head, sum(self.count(1, head).values()))
        books = Books(self.clock.now()) if old is None else old.books
        cursor = LogCursor(
            self, sink, order, position, books=books, required=required, replay_rate=replay_rate
        )
        if old is None:
            cursor.books = Books.begun(self.clock.now(), self._acquired, cursor.counted(), {})
        else:
            cursor.reconcile(UNKNOWN)
        self._cursors[sink] = cursor
        return cursor

    def ready(self) -> None:
        """Every sink has its cursor; nothing is ever removed."""

    def release(self, sink: str) -> None:
        """Park the cursor of a sink that was removed."""
        cursor = self._cursors.pop(sink, None)
        if cursor is not None:
            self._parked[sink] = cursor

    def note(self, gap: Gap) -> None:
        """Remember a gap."""
        self.gaps.append(gap)

    def last_arrived(self, source: str) -> int | None:
        """Return the arrival of the newest stored batch of a source, ns UTC."""
        state = self._sources.get(source)
        return None if state is None else state.last_arrived

    async def newest(self, tags: NDArray[np.int32]) -> NDArray[np.int64]:
        """Return when the newest stored value of each of these tags was true, by number; 0 is not known."""
        return await newest(self, 1, tags)

    def resume_token(self, source: str) -> bytes | None:
        """Return the token stored with the newest batch of a source that carried one."""
        state = self._sources.get(source)
        return None if state is None else state.resume

    # What its cursors ask for: `log.Log`.

    def end(self) -> int:
        """Return the seq the next batch will get."""
        return len(self._log) + 1

    def stored(self) -> int:
        """Return the rows taken so far."""
        return self._rows

    def behind(self) -> int:
        """Return the seq below which everything was taken more than 5 s ago."""
        return self._lateness.behind(self.clock.monotonic())

    def recent(self, seq: int) -> Delivery | None:
        """Return a batch."""
        return self._log.get(seq)

    async def read(self, start: int, stop: int, max_rows: int) -> Sequence[Delivery]:
        """Return whole deliveries of [start, stop)."""
        found: list[Delivery] = []
        rows = 0
        for seq in range(start, min(stop, self.end())):
            rows += len(self._log[seq].batch)
            if found and rows > max_rows:
                break
            found.append(self._log[seq])
        return found

    def count(self, start: int, stop: int) -> Rows:
        """Return the rows taken in [start, stop), by source."""
        rows: Rows = {}
        for seq in range(start, min(stop, self.end())):
            add(rows, {self._log[seq].source: len(self._log[seq].batch)})
        return rows

    def acquired(self) -> Rows:
        """Return the rows taken so far, by source."""
        return self._acquired

    def arrived(self, seq: int) -> int:
        """Return when a batch arrived, ns UTC."""
        held = self._log.get(seq)
        return self.clock.now() if held is None else held.batch.arrived

    def moved(self, sink: str) -> None:
        """Nothing is saved."""

    async def settle(
        self,
        cursor: LogCursor,
        refused: Sequence[Refusal],
        passing: Passing,
        entries: Sequence[int],  # noqa: ARG002  nothing is retried from memory
    ) -> None:
        """Remember what was refused."""
        self.held += [(cursor.sink, cursor.in_flight[each.delivery], each) for each in refused]
        cursor.finish(passing)

    async def take_retries(self, cursor: LogCursor, max_rows: int) -> Sequence[tuple[int, Delivery]]:  # noqa: ARG002
        """Nothing is tried again."""
        return ()
