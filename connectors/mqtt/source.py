"""The MQTT source: messages become rows; a message is acknowledged to the broker when it is on disk."""

import asyncio
import contextlib
import os
from collections import deque
from dataclasses import asdict
from types import TracebackType
from typing import Final, Self

from paho.mqtt.client import MQTTMessage

from config.connections import MqttSource as MqttOptions
from connectors.batch import Batch, Origin
from connectors.clock import Clock
from connectors.errors import NotConnected
from connectors.mqtt.counts import SAMPLE_BYTES, Refusals, Statistics
from connectors.mqtt.extract import Extraction, Malformed
from connectors.mqtt.feed import Arrival, Feed, without_covered
from connectors.mqtt.redelivery import Entry, Redelivery, checksum
from connectors.mqtt.rows import Rows
from connectors.mqtt.rules import Refusal, Rules
from connectors.tags import TagTable

_GRACE_S: Final = 2.0
"""Longest wait for each step of a goodbye."""
_MOST_ROWS: Final = 1_000
"""A batch that is ready; pipeline and log are at their best from there."""
_LINGER_S: Final = 0.005
"""A batch waits for more rows at most so long …"""
_STEP_S: Final = 0.001
"""… and no longer than this when nothing more comes: the broker may wait for our acknowledgements."""
_TURN: Final = 100
"""Messages handled before the event loop gets its turn, some 3 ms."""
_TURN_BYTES: Final = 2**20


class Mqtt:
    """Subscribe, read, acknowledge."""

    def __init__(
        self, name: str, options: MqttOptions, *, gateway: str, site: str, tags: TagTable, clock: Clock
    ) -> None:
        self._options = options
        self._clock = clock
        self._client_id = options.client_id or f"wanglian-in-{gateway}-{name}"
        self._rules = Rules(name, options, site, tags)
        self._filters = without_covered([each.topic for each in options.messages])
        self._redelivery = Redelivery(self._filters)
        self._statistics = Statistics()
        self._refusals = Refusals(self._statistics, clock)
        self._rows = Rows()
        self._origin = Origin.LIVE
        self._entries: list[Entry] = []
        """Messages in `_rows`, or without rows, in order."""
        self._pending: deque[tuple[Batch, list[Entry]]] = deque()
        """Batches read and not acknowledged, with the messages to acknowledge."""
        self._is_persistent = True
        self._in_doubt = 0
        """Messages taken and not acknowledged."""
        self._lost: NotConnected | None = None
        self._change: asyncio.Future[None] | None = None

    def resume_from(self, token: bytes | None) -> None:
        """Learn which messages are in the store although the broker may repeat them."""
        self._redelivery.load(token)

    async def __aenter__(self) -> Self:
        """Announce the tags that are known, connect, subscribe."""
        self._rules.announce_known()
        self._loop = asyncio.get_running_loop()
        self._opening: asyncio.Future[bool] = self._loop.create_future()
        self._feed = Feed(
            self._options,
            self._client_id,
            self._filters,
            self,
            self._clock,
            stale=self._redelivery.stale_filters,
            persistent=self._is_persistent,
        )
        try:
            present = await self._feed.open(self._opening, self._options.connect_timeout / 1e9)
        except BaseException:
            await self._feed.hang_up(_GRACE_S, politely=False)
            raise
        self._redelivery.open(self._clock.monotonic(), session_present=present)
        return self

    async def read(self) -> Batch:
        """Return the rows of some messages: up to a thousand, or what came within 5 ms."""
        until = 0.0
        await asyncio.sleep(0)  # under a flood there is always something: others want their turn too
        while True:
            if self._lost is not None and not self._has_left():
                raise self._lost
            took = self._take()
            if self._is_ready(took):
                return self._finish()
            if len(self._rows):
                now = self._loop.time()
                until = until or now + _LINGER_S
                if now >= until or not took:
                    return self._finish()
                await asyncio.sleep(0 if self._feed.waiting else _STEP_S)
            else:
                self._settle()
                await (asyncio.sleep(0) if took else self._arrival())

    async def listen(self, seconds: float) -> Batch | None:
        """Return what came within this time, through a session of its own beside the gateway's."""
        self._client_id = f"{self._client_id}-{os.getpid()}"
        self._is_persistent = False
        async with self:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    while self._lost is None:
                        if not self._take():
                            await self._arrival()
                        await asyncio.sleep(0)
            if self._lost is not None:
                raise self._lost
            return self._rows.batch(self._clock.now(), self._origin) if len(self._rows) else None

    async def ack(self, batch: Batch) -> None:
        """Acknowledge the batch's messages to the broker."""
        expected, entries = self._pending.popleft()
        if expected is not batch:
            raise RuntimeError("batches are acknowledged in the order they were read")
        self._puback(entries)

    def resume_token(self, batch: Batch) -> bytes:  # noqa: ARG002  it covers every batch read so far
        """Return what tells the messages of this and all earlier batches from new ones."""
        return self._redelivery.token()

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Close; what was not acknowledged comes again."""
        await self._feed.hang_up(_GRACE_S, politely=self._lost is None)

    def statistics(self) -> dict[str, int]:
        """Return the counts of this session."""
        return asdict(self._statistics)

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
        self._redelivery.proven(marker)

    def failed(self, error: NotConnected) -> None:
        """Remember the first reason."""
        if self._lost is None:
            self._lost = error
        if not self._opening.done():
            self._opening.set_exception(error)
        self.arrived()

    async def _arrival(self) -> None:
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
        return bool(waiting) or len(self._rows) > 0

    def _is_ready(self, took: int) -> bool:
        """Tell whether the batch is full, ends with its origin, or fills the broker's window."""
        rows = len(self._rows)
        if not rows:
            return False
        is_split = bool(self._feed.waiting) and not took
        return rows >= _MOST_ROWS or is_split or self._in_doubt >= self._options.window

    def _take(self) -> int:
        """Turn some of what waits into rows; return how many messages that were."""
        arrivals = self._feed.take(_TURN, _TURN_BYTES)
        if not arrivals:
            self._redelivery.caught_up(self._clock.monotonic())
            return 0
        arrivals = self._of_one_origin(arrivals)
        topics = [_topic_of(message) for message, _ in arrivals]
        self._rules.learn(topics)
        for (message, arrived), topic in zip(arrivals, topics, strict=True):
            self._handle(message, topic, arrived)
        return len(arrivals)

    def _of_one_origin(self, arrivals: list[Arrival]) -> list[Arrival]:
        """Return the first messages that belong into the batch; put back those of another origin."""
        if not self._is_persistent:  # a probe shows all in one
            return arrivals
        origin = Origin.INITIAL if arrivals[0][0].retain else Origin.LIVE
        if origin is not self._origin and len(self._rows):
            self._feed.put_back(arrivals)
            return []
        self._origin = origin
        for i, (message, _) in enumerate(arrivals):
            if bool(message.retain) is not (origin is Origin.INITIAL):
                self._feed.put_back(arrivals[i:])
                return arrivals[:i]
        return arrivals

    def _handle(self, message: MQTTMessage, topic: str, arrived: int) -> None:
        counts, payload = self._statistics, message.payload
        counts.messages += 1
        counts.bytes += len(payload)
        counts.retained += bool(message.retain)
        is_too_large = len(payload) > self._options.max_payload
        found = self._rules[topic]
        if message.qos:
            summed = checksum(topic, payload[:SAMPLE_BYTES] if is_too_large else payload)
            can_tell = message.dup or (isinstance(found, Extraction) and found.can_tell)
            is_repeat = self._redelivery.is_repeat(message.mid, summed, can_tell=can_tell)
            self._entries.append(self._redelivery.note(message.mid, summed))
            self._in_doubt += 1
            if is_repeat:
                counts.repeated += 1
                return
        if isinstance(found, Refusal):
            self._refusals.tell(found.reason, topic, payload)
        elif is_too_large:
            self._refusals.tell("too_large", topic, payload)
        else:
            self._extract(found, topic, payload, arrived)

    def _extract(self, found: Extraction, topic: str, payload: bytes | bytearray, arrived: int) -> None:
        try:
            said = found.parse(payload, self._options.max_depth)
        except Malformed as exc:
            self._refusals.tell("malformed", topic, payload, str(exc))
            return
        if found.ids is not None and found.ids.is_duplicate(said, self._statistics):
            self._statistics.duplicates += 1
            return
        missing = found.append(said, arrived, self._rows)
        if missing:
            self._statistics.values_missing += missing

    def _finish(self) -> Batch:
        batch = self._rows.batch(self._clock.now(), self._origin)
        self._pending.append((batch, self._entries))
        self._rows, self._entries = Rows(), []
        return batch

    def _settle(self) -> None:
        """See that messages without rows are acknowledged: behind the batches before them, or now."""
        if not self._entries:
            return
        if self._pending:
            self._pending[-1][1].extend(self._entries)
        else:
            self._puback(self._entries)
        self._entries = []

    def _puback(self, entries: list[Entry]) -> None:
        self._in_doubt -= len(entries)
        if self._lost is not None or not entries:
            return
        self._feed.ack([packet_id for packet_id, _ in entries])
        self._statistics.acks += len(entries)
        self._redelivery.acked(entries)
        now = self._clock.monotonic()
        if self._redelivery.wants_marker(now):
            marker = self._feed.mark()
            if marker is not None:
                self._redelivery.marked(marker, now)


def _topic_of(message: MQTTMessage) -> str:
    try:
        return message.topic
    except UnicodeDecodeError:
        return ""  # no topic is empty: it matches nothing
