"""What a source behind a broker does between two messages: it gathers rows, and acknowledges what is stored.

What becomes of a message is the heir's business. A broker that has sent `window` messages waits for our
acknowledgements, and those wait for the store: so a batch ends as soon as the window may be full.
"""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from typing import Final, Generic, TypeVar

from config.connections import MqttSubscription
from connectors.batch import Batch
from connectors.broker.feed import Feed
from connectors.contract import Certificate
from connectors.errors import NotConnected

GRACE_S: Final = 2.0
"""Longest wait for each step of a goodbye."""
MOST_ROWS: Final = 1_000
"""A batch that is ready; pipeline and log are at their best from there."""
TURN: Final = 100
"""Messages handled before the event loop gets its turn, some 3 ms."""
TURN_BYTES: Final = 2**20
_LINGER_S: Final = 0.005
"""A batch waits for more rows at most so long …"""
_STEP_S: Final = 0.001
"""… and no longer than this when nothing more comes: the broker may wait for our acknowledgements."""

E = TypeVar("E")
"""What is remembered of a message until it is acknowledged."""


class Reader(ABC, Generic[E]):
    """One session: open once, read, acknowledge."""

    def __init__(self, options: MqttSubscription) -> None:
        self._window = options.window
        self._connect_timeout_s = options.connect_timeout / 1e9
        self._entries: list[E] = []
        """Messages whose rows wait for their batch, or without rows, in order."""
        self._pending: deque[tuple[Batch, list[E]]] = deque()
        """Batches read and not acknowledged, with the messages to acknowledge."""
        self._in_doubt = 0
        """Messages taken and not acknowledged."""
        self._lost: NotConnected | None = None
        self._change: asyncio.Future[None] | None = None

    async def read(self) -> Batch:
        """Return the rows of some messages: up to a thousand, or what came within 5 ms."""
        until = 0.0
        await asyncio.sleep(0)  # under a flood there is always something: others want their turn too
        while True:
            if self._lost is not None and not self._has_left():
                raise self._lost
            took = self._take()
            rows = self._gathered()
            if rows and self._is_ready(rows, took):
                return self._finish()
            if rows:
                now = self._loop.time()
                until = until or now + _LINGER_S
                if now >= until or not took:
                    return self._finish()
                await asyncio.sleep(0 if self._feed.waiting else _STEP_S)
            else:
                self._settle()
                await (asyncio.sleep(0) if took else self._arrival())

    async def ack(self, batch: Batch) -> None:
        """Acknowledge the batch's messages to the broker."""
        expected, entries = self._pending.popleft()
        if expected is not batch:
            raise RuntimeError("batches are acknowledged in the order they were read")
        self._release(entries)

    def certificates(self) -> Sequence[Certificate]:
        """Return those of the running session; none without TLS."""
        return self._feed.certificates

    # What the feed tells, on the event loop.

    def opened(self, session_present: bool) -> None:
        """Learn that the broker accepted connection and subscriptions."""
        if not self._opening.done():
            self._opening.set_result(session_present)

    def arrived(self) -> None:
        """Learn that messages wait."""
        if self._change is not None and not self._change.done():
            self._change.set_result(None)

    def proven(self, marker: int) -> None:
        """Learn that all PUBACKs before the marker have reached the broker."""

    def failed(self, error: NotConnected) -> None:
        """Remember the first reason."""
        if self._lost is None:
            self._lost = error
        if not self._opening.done():
            self._opening.set_exception(error)
        self.arrived()

    # What an heir does with messages.

    @abstractmethod
    def _take(self) -> int:
        """Turn some of what waits into rows; return how many messages that were."""

    @abstractmethod
    def _gathered(self) -> int:
        """Return how many rows wait for their batch."""

    @abstractmethod
    def _batch(self) -> Batch:
        """Return what was gathered, or what of it can be one batch; it waits no longer."""

    @abstractmethod
    def _acknowledge(self, entries: list[E]) -> None:
        """Send the PUBACKs of these messages; the link is up."""

    def _is_ready(self, rows: int, took: int) -> bool:  # noqa: ARG002  for heirs that know more
        """Tell whether the batch is full, or the broker's window may be."""
        return rows >= MOST_ROWS or self._in_doubt >= self._window

    # What an heir calls.

    async def _open(self, feed: Feed) -> bool:
        """Return connected and subscribed; whether the broker had kept the session."""
        self._loop = asyncio.get_running_loop()
        self._opening: asyncio.Future[bool] = self._loop.create_future()
        self._feed = feed
        try:
            return await feed.open(self._opening, self._connect_timeout_s)
        except BaseException:
            await feed.hang_up(GRACE_S, politely=False)
            raise

    async def _take_in(self, seconds: float) -> None:
        """Take what comes within this time; raise what ended the session before."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._lost is None:
                    if not self._take():
                        await self._arrival()
                    await asyncio.sleep(0)
        if self._lost is not None:
            raise self._lost

    async def _arrival(self) -> None:
        """Wait until a message comes, or the link is lost."""
        self._change = self._loop.create_future()
        self._feed.wanted = True
        try:
            if not self._feed.waiting and self._lost is None:
                await self._change
        finally:
            self._feed.wanted = False
            self._change = None

    def _has_left(self) -> bool:
        """Tell whether a lost link has brought what is not read yet; what comes again is let go."""
        waiting = self._feed.waiting
        if any(message.qos for message, _ in waiting):
            once = [arrival for arrival in waiting if not arrival[0].qos]
            waiting.clear()
            waiting.extend(once)
        return bool(waiting) or self._gathered() > 0

    def _finish(self) -> Batch:
        batch = self._batch()
        self._pending.append((batch, self._entries))
        self._entries = []
        return batch

    def _settle(self) -> None:
        """See that messages without rows are acknowledged: behind the batches before them, or now."""
        if not self._entries:
            return
        if self._pending:
            self._pending[-1][1].extend(self._entries)
        else:
            self._release(self._entries)
        self._entries = []

    def _release(self, entries: list[E]) -> None:
        self._in_doubt -= len(entries)
        if self._lost is None and entries:
            self._acknowledge(entries)
