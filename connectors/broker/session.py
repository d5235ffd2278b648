"""One connection to a broker with a window and a deadline of our own.

A message is in flight from `publish` until its PUBACK. The window bounds how many are, hence how many are
repeated after a broken link. The ack deadline runs for the oldest of them, from the moment it became the
oldest: a slow link that still acknowledges is not taken for a dead one, a lost PUBACK is still found.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from config.connections import MqttPublishing
from connectors.broker.reasons import PACKET_TOO_LARGE, REFUSES_THE_BYTES, refused_by
from connectors.broker.seen import Seen
from connectors.broker.wire import Limits, Will, Wire
from connectors.contract import Certificate
from connectors.dial import Traffic
from connectors.errors import NotConnected

GRACE_S: Final = 2.0
"""Longest wait for each step of a goodbye."""
_MOST_UNHEARD: Final = 10_000
"""Messages a peer may send while nobody listens."""


@dataclass(slots=True)
class Statistics:
    """Counts over all sessions of a sink."""

    messages: int = 0
    bytes: int = 0
    acks: int = 0
    refused: int = 0
    timeouts: int = 0


@dataclass(frozen=True, slots=True)
class Refused:
    """A message the broker will never take."""

    topic: str
    ticket: Any
    reason: str
    is_too_large: bool


class Session:
    """Open once, publish, close; never reopened."""

    def __init__(
        self,
        options: MqttPublishing,
        client_id: str,
        will: Will | None,
        statistics: Statistics,
        *,
        window: int,
        subscriptions: Sequence[str] = (),
        make_wire: Callable[..., Wire] = Wire,
    ) -> None:
        self._connect_timeout_s = options.connect_timeout / 1e9
        self._ack_timeout_s = options.ack_timeout / 1e9
        self._statistics = statistics
        self._seen: Seen | None = None
        self._wire = make_wire(options, client_id, will, self, window=window, subscriptions=subscriptions)
        self._in_flight: dict[int, tuple[str, Any]] = {}
        self.alone = 0
        """So many messages more are sent one by one, each after the one before was acknowledged."""
        self._oldest_since = 0.0
        self._refused: list[Refused] = []
        self._heard: list[tuple[str, bytes]] = []
        self._lost: NotConnected | None = None
        self._change: asyncio.Future[None] | None = None
        self.limits = Limits(window)

    @property
    def unacknowledged(self) -> int:
        """How many messages are in flight, or were when the link broke."""
        return len(self._in_flight)

    @property
    def certificates(self) -> tuple[Certificate, ...]:
        """What protects the connection."""
        return self._wire.certificates

    def count_into(self, traffic: Traffic) -> None:
        """Count what the session moves there, beside others; call it before `open`."""
        self._wire.traffic = traffic

    def show_in(self, seen: Seen) -> None:
        """Note there what is published, for people who look."""
        self._seen = seen

    def _count(self, topic: str, payload: bytes, *, retained: bool = False) -> None:
        self._statistics.messages += 1
        self._statistics.bytes += len(payload)
        if self._seen is not None:
            self._seen.note(topic, payload, retained=retained)

    @property
    def broker(self) -> str:
        """Where it leads, host and port."""
        return self._wire.broker

    async def open(self) -> None:
        """Return connected, `limits` being the broker's; close() is due whatever happens.

        Raises:
            NotConnected: with the exact reason.
        """
        self._loop = asyncio.get_running_loop()
        self._opening: asyncio.Future[Limits] = self._loop.create_future()
        self.limits = await self._wire.open(self._opening, self._connect_timeout_s)

    async def publish(
        self,
        topic: str,
        payload: bytes,
        ticket: Any = None,
        *,
        retain: bool = False,
        properties: Properties | None = None,
    ) -> None:
        """Send with QoS 1 as soon as the window has room; `ticket` comes back should it be refused.

        Raises:
            NotConnected: the link is down, or the oldest message passed its ack deadline.
        """
        while len(self._in_flight) >= self.limits.window:
            await self._wait()
        self.raise_if_lost()
        packet_id = self._wire.publish(topic, payload, retain=retain, properties=properties)
        if packet_id is None:
            await self._wire.ended(GRACE_S)  # the reason is on its way
            self.raise_if_lost()
            raise NotConnected(f"{self._wire.broker} closed the connection")
        if not self._in_flight:
            self._oldest_since = self._loop.time()
        self._in_flight[packet_id] = (topic, ticket)
        self._count(topic, payload, retained=retain)
        if self.alone:
            self.alone -= 1
            await self.drain()

    def send(self, topic: str, payload: bytes) -> None:
        """Send with QoS 0, which nobody acknowledges.

        Raises:
            NotConnected: the link is down.
        """
        self.raise_if_lost()
        if not self._wire.send(topic, payload):
            raise NotConnected(f"{self._wire.broker} closed the connection")
        self._count(topic, payload)

    async def drain(self, most: int = 0) -> None:
        """Return once at most so many messages are not acknowledged, by acceptance or by refusal."""
        while len(self._in_flight) > most:
            await self._wait()
        self.raise_if_lost()

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is in flight, and nothing waits to be taken."""
        return not self._in_flight and not self._heard

    def take_heard(self) -> list[tuple[str, bytes]]:
        """Return what came on the subscriptions, as (topic, payload), each once."""
        heard, self._heard = self._heard, []
        return heard

    async def hear(self, since: float, topic: str) -> None:
        """Return once something comes; what was sent on `topic` at `since` waits for it.

        Raises:
            NotConnected: the link is down, or that message passed its ack deadline.
        """
        what = f"acknowledged a message on {topic} but did not answer it"
        while not self._heard:
            await self._change_before(since + self._ack_timeout_s, what, lambda: not self._heard)

    def take_refused(self) -> list[Refused]:
        """Return the messages the broker will never take, each once; also after the link was lost."""
        refused, self._refused = self._refused, []
        return refused

    async def close(self, *, goodbye: bool) -> None:
        """Close within twice GRACE_S; without a goodbye the broker sends the will."""
        await self._wire.hang_up(GRACE_S, politely=goodbye and self._lost is None)

    def opened(self, limits: Limits) -> None:
        """Take over what the broker accepts."""
        if not self._opening.done():
            self._opening.set_result(limits)

    def acknowledged(self, acks: deque[tuple[int, ReasonCode]]) -> None:
        """Strike out what is acknowledged, and note what is refused."""
        oldest, now = next(iter(self._in_flight), None), self._loop.time()
        while acks:
            packet_id, reason = acks.popleft()
            message = self._in_flight.pop(packet_id, None)
            if message is not None:
                self._statistics.acks += 1
                if reason.is_failure:
                    self._on_refusal(*message, reason)
        if next(iter(self._in_flight), None) != oldest:
            self._oldest_since = now
        self._wake()

    def heard(self, topic: str, payload: bytes) -> None:
        """Keep what came until it is taken."""
        if len(self._heard) < _MOST_UNHEARD:
            self._heard.append((topic, payload))
        else:
            self.failed(NotConnected(f"{self._wire.broker} sends more than is read"))
        self._wake()

    def failed(self, error: NotConnected) -> None:
        """Remember the first reason; everything waiting gets it."""
        if self._lost is None:
            self._lost = error
        if not self._opening.done():
            self._opening.set_exception(error)
        self._wake()

    def _on_refusal(self, topic: str, ticket: Any, reason: ReasonCode) -> None:
        self._statistics.refused += 1
        lasting = REFUSES_THE_BYTES.get(reason.value)
        if lasting is None:
            self.failed(refused_by(self._wire.broker, f"refused a message on {topic}", reason))
        else:
            self._refused.append(Refused(topic, ticket, lasting, reason.value == PACKET_TOO_LARGE))

    async def _wait(self) -> None:
        """Wait for the next acknowledgement, at most until the oldest message's deadline."""
        since = self._oldest_since
        await self._change_before(
            since + self._ack_timeout_s,
            "left a message unacknowledged",
            lambda: bool(self._in_flight) and self._oldest_since == since,
        )

    async def _change_before(self, deadline: float, what: str, is_missing: Callable[[], bool]) -> None:
        """Wait for the next change; at the deadline the link is lost if what it is for is still missing."""
        self.raise_if_lost()
        self._change = self._loop.create_future()
        try:
            async with asyncio.timeout_at(deadline):
                await self._change
        except TimeoutError:
            self._wire.collect()  # after a busy loop both may be due: the acknowledgement counts
            if is_missing():
                self._statistics.timeouts += 1
                self.failed(NotConnected(f"{self._wire.broker} {what} for {self._ack_timeout_s:g} s"))
        finally:
            self._change = None
        self.raise_if_lost()

    def _wake(self) -> None:
        if self._change is not None and not self._change.done():
            self._change.set_result(None)

    @property
    def is_lost(self) -> bool:
        """Whether the link is down."""
        return self._lost is not None

    def raise_if_lost(self) -> None:
        """Raise the reason why the link is down, if it is."""
        if self._lost is not None:
            raise self._lost
