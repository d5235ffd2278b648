"""The thin transport under a dialogue: one connection, one future per scan, one timer."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any, cast

from connectors.clock import Clock
from connectors.errors import NotConnected
from connectors.line.dialogue import Answers, Dialogue, FramingLost, Poll, Terms
from connectors.line.pending import unread, unsent
from connectors.line.statistics import Statistics

_UNACKNOWLEDGED_MS = 5_000
"""A peer whose TCP stays silent this long is gone: half-open links end by this where the system has it."""

_TURNS = 2
"""After so many turns of the loop it has read what there was to read: uvloop fires timers before it does."""


class Exchange(asyncio.Protocol):
    """A connection that asks and awaits; NotConnected from whatever waits when it drops."""

    def __init__(self, peer: str, clock: Clock, dialogue: Dialogue) -> None:
        self._peer = peer
        self._clock = clock
        self._dialogue = dialogue
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._scanning = False
        self._timer: asyncio.TimerHandle | None = None
        self._fires = 0
        self._written = 0
        """When something was last sent, monotonic ns."""
        self._unsent: Callable[[], bool] = lambda: False
        self._lost: NotConnected | None = None
        self._closed = self._loop.create_future()

    @property
    def free(self) -> int:
        """From when on the next request may be sent, monotonic ns."""
        return self._dialogue.free

    async def scan(
        self,
        poll: Poll,
        slots: list[int],
        status: list[int],
        terms: Terms,
        statistics: Statistics,
    ) -> Answers:
        """Ask these requests and return once each is answered or given up; see `Dialogue.begin`."""
        dialogue = self._dialogue
        self._check()
        self._scanning = True
        try:
            self._go_on(dialogue.begin(poll, slots, status, terms, statistics))
            await self._wait()
        finally:
            self._scanning = False
            if not dialogue.done:
                dialogue.abandon()
        return dialogue.answers()

    async def idle(self, delay: float) -> None:
        """Wait this many seconds; NotConnected as soon as the connection drops."""
        self._check()
        timer = self._loop.call_later(delay, self._wake)
        try:
            await self._wait()
        finally:
            timer.cancel()

    async def close(self) -> None:
        """Close and return once the socket is released."""
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._transport.abort()
            await self._closed

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; requests are small and must not wait for one another."""
        self._transport = made = cast("asyncio.Transport", transport)  # uvloop's is one by shape only
        self._dialogue.unread, self._unsent = unread(made), unsent(made)
        self._written = self._clock.monotonic()
        self._dialogue.opened()
        connection: Any = transport.get_extra_info("socket")
        if connection is None:  # a serial port
            return
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNACKNOWLEDGED_MS)

    def data_received(self, data: bytes) -> None:
        """Take replies; send what may be asked next, or wake who waits for the scan."""
        try:
            self._go_on(self._dialogue.receive(data))
        except FramingLost as lost:
            self._drop(f"{self._peer} {lost}", needs_a_person=lost.needs_a_person)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wake who waits: the link is down."""
        self._drop(f"{self._peer} {'closed the connection' if exc is None else f'was lost: {exc}'}", exc)
        if not self._closed.done():
            self._closed.set_result(None)

    async def _wait(self) -> None:
        self._check()
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
        self._check()

    def _check(self) -> None:
        if self._lost is not None:
            lost = NotConnected(str(self._lost), needs_a_person=self._lost.needs_a_person)
            raise lost from self._lost.__cause__

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _go_on(self, data: bytes) -> None:
        if data and self._transport is not None:
            self._transport.write(data)
            self._written = self._clock.monotonic()
            self._dialogue.sent()
        dialogue = self._dialogue
        if not dialogue.waiting:
            if self._scanning and dialogue.done:
                self._wake()
            return
        if self._timer is not None and self._fires > dialogue.deadline:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._arm()

    def _arm(self) -> None:
        # One timer for all: it fires at the oldest deadline it knew, then looks again. Cancelling and
        # starting one per request would cost more than the request.
        self._fires = self._dialogue.deadline
        left = max(0, self._fires - self._clock.monotonic())
        self._timer = self._loop.call_later(left / 1e9, self._look)

    def _look(self, turns: int = _TURNS) -> None:
        self._timer = None
        dialogue = self._dialogue
        if not dialogue.waiting or self._lost is not None:
            return
        if turns and dialogue.unread():  # what came while the loop was busy is taken first
            self._timer = self._loop.call_later(0, self._look, turns - 1)
            return
        if not dialogue.is_numbered and self._unsent():
            if self._clock.monotonic() - self._written > _UNACKNOWLEDGED_MS * 1_000_000:
                self._drop(f"{self._peer} does not take what is sent to it")
                return
            dialogue.sent()
        try:
            self._go_on(dialogue.expire())
        except FramingLost as lost:
            self._drop(f"{self._peer} {lost}", needs_a_person=lost.needs_a_person)

    def _drop(self, reason: str, cause: Exception | None = None, *, needs_a_person: bool = False) -> None:
        if self._lost is None:
            self._lost = NotConnected(reason, needs_a_person=needs_a_person)
            self._lost.__cause__ = cause
        if self._transport is not None:
            self._transport.abort()
        self._wake()
