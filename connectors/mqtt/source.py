"""The MQTT source: messages become rows; a message is acknowledged to the broker when it is on disk."""

import os
from dataclasses import asdict
from types import TracebackType
from typing import Any, Self

from paho.mqtt.client import MQTTMessage

from config.connections import MqttSource as MqttOptions
from connectors.batch import Batch, Origin
from connectors.broker.feed import Arrival, Feed, without_covered
from connectors.broker.reader import GRACE_S, TURN, TURN_BYTES, Reader
from connectors.broker.refusals import SAMPLE_BYTES, Refusals
from connectors.broker.rows import Rows
from connectors.clock import Clock
from connectors.mqtt.counts import Statistics
from connectors.mqtt.extract import Extraction, Malformed
from connectors.mqtt.redelivery import Entry, Redelivery, checksum
from connectors.mqtt.rules import Refusal, Rules, Told
from connectors.tags import TagTable


class Mqtt(Reader[Entry]):
    """Subscribe, read, acknowledge."""

    def __init__(
        self, name: str, options: MqttOptions, *, gateway: str, site: str, tags: TagTable, clock: Clock
    ) -> None:
        super().__init__(options)
        self._options = options
        self._clock = clock
        self._client_id = options.client_id or f"wanglian-in-{gateway}-{name}"
        self._rules = Rules(name, options, site, tags)
        self._filters = without_covered([each.topic for each in options.messages])
        self._redelivery = Redelivery(self._filters)
        self._statistics = Statistics()
        self._refusals = Refusals(self._statistics, clock)
        # As our own sinks begin, whatever way the message came back: a bridge, another name of the broker.
        self._own = f'{{"gw":"{gateway}",'.encode()
        self._rows = Rows()
        self._origin = Origin.LIVE
        self._is_persistent = True

    def resume_from(self, token: bytes | None) -> None:
        """Learn which messages are in the store although the broker may repeat them."""
        self._redelivery.load(token)

    async def __aenter__(self) -> Self:
        """Announce the tags that are known, connect, subscribe."""
        self._rules.announce_known()
        feed = Feed(
            self._options,
            self._client_id,
            self._filters,
            self,
            self._clock,
            qos=self._options.qos if self._is_persistent else 0,
            kept=self._options.session_expiry if self._is_persistent else None,
            stale=self._redelivery.stale_filters,
        )
        present = await self._open(feed)
        self._redelivery.open(self._clock.monotonic(), session_present=present)
        return self

    async def listen(self, seconds: float) -> Batch | None:
        """Return what came within this time, through a session of its own beside the gateway's."""
        self._client_id = f"{self._client_id}-{os.getpid()}"
        self._is_persistent = False
        async with self:
            await self._take_in(seconds)
            return self._rows.batch(self._clock.now(), self._origin) if len(self._rows) else None

    def resume_token(self, batch: Batch) -> bytes:  # noqa: ARG002  it covers every batch read so far
        """Return what tells the messages of this and all earlier batches from new ones."""
        return self._redelivery.token()

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Close; what was not acknowledged comes again."""
        await self._feed.hang_up(GRACE_S, politely=self._lost is None)

    def statistics(self) -> dict[str, int]:
        """Return the counts of this session."""
        return asdict(self._statistics)

    def proven(self, marker: int) -> None:
        """Learn that all PUBACKs before the marker have reached the broker."""
        self._redelivery.proven(marker)

    def _gathered(self) -> int:
        return len(self._rows)

    def _is_ready(self, rows: int, took: int) -> bool:
        """Tell too whether the batch ends with its origin: something waits that could not be taken."""
        return super()._is_ready(rows, took) or (bool(self._feed.waiting) and not took)

    def _take(self) -> int:
        """Turn some of what waits into rows; return how many messages that were."""
        arrivals = self._feed.take(TURN, TURN_BYTES)
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
            can_tell = message.dup or self._can_tell(found)
            is_repeat = self._redelivery.is_repeat(message.mid, summed, can_tell=can_tell)
            self._entries.append(self._redelivery.note(message.mid, summed))
            self._in_doubt += 1
            if is_repeat:
                counts.repeated += 1
                return
        if payload.startswith(self._own):
            self._refusals.tell("own_output", topic, payload)
        elif isinstance(found, Refusal):
            self._refusals.tell(found.reason, topic, payload)
        elif is_too_large:
            self._refusals.tell("too_large", topic, payload)
        else:
            self._extract(found, message, topic, arrived)

    def _can_tell(self, found: Extraction | Refusal | Told) -> bool:
        """Tell whether messages of a topic have a time or id of their own."""
        reader = found.reader if isinstance(found, Told) else found
        return isinstance(reader, Extraction) and reader.can_tell

    def _extract(self, found: Extraction | Told, message: MQTTMessage, topic: str, arrived: int) -> None:
        payload = message.payload
        try:
            if isinstance(found, Told):
                said = found.reader.parse(payload, self._options.max_depth)
                fitted = self._rules.fit(topic, found, said)
            else:
                said, fitted = found.parse(payload, self._options.max_depth), found
        except Malformed as exc:
            self._refusals.tell("malformed", topic, payload, str(exc))
            return
        if isinstance(fitted, Refusal):
            self._refusals.tell(fitted.reason, topic, payload)
        elif fitted is None:
            self._statistics.values_missing += len(found.entry.tags) if isinstance(found, Told) else 0
        else:
            self._append(fitted, said, arrived, is_retained=bool(message.retain))

    def _append(self, found: Extraction, said: Any, arrived: int, *, is_retained: bool) -> None:
        if found.ids is not None and found.ids.is_duplicate(said, self._statistics):
            self._statistics.duplicates += 1
            return
        missing = found.append(said, arrived, self._rows, is_retained=is_retained)
        if missing:
            self._statistics.values_missing += missing

    def _batch(self) -> Batch:
        batch = self._rows.batch(self._clock.now(), self._origin)
        self._rows = Rows()
        return batch

    def _acknowledge(self, entries: list[Entry]) -> None:
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
