"""The MQTT sink: QoS 1, one message per device and stored batch, accepted when the broker says so."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from config.connections import MqttSink as MqttOptions
from connectors.broker.session import GRACE_S, Session, Statistics
from connectors.broker.wire import Will
from connectors.contract import Context, Delivery, Order
from connectors.errors import NotConnected, Refusal, Rejected
from connectors.mqtt.catalogue import device_catalogues, status
from connectors.mqtt.payload import Encoder, Message
from connectors.mqtt.topics import data_topic, status_topic, tags_topic

_STATUS_INTERVAL_NS: Final = 30_000_000_000
_PUBLISH_OVERHEAD: Final = 1 + 4 + 2 + 2 + 1
"""Most bytes of a PUBLISH beside topic and payload: type, length, topic length, packet id, no property."""

log = logging.getLogger(__name__)

_Key = tuple[str, object]
"""Topic and, on it, what makes this message the same in the next session."""


@dataclass(frozen=True, slots=True)
class _Ticket:
    """What comes back with a message that is refused."""

    key: _Key
    delivery: int | None = None
    """Index into what `write` was given; None for a catalogue or status."""
    rows: NDArray[np.int32] | None = None


class MqttSink:
    """Publish what the buffer delivers, new values first."""

    order = Order.LIVE_FIRST

    def __init__(self, name: str, options: MqttOptions, context: Context, site: str) -> None:
        self._options = options
        self._context = context
        self._client_id = options.client_id or f"wanglian-{context.gateway}-{name}"
        self._status_topic = status_topic(options.prefix, site, context.gateway)
        self._statistics = Statistics()
        self._refused: dict[_Key, str] = {}

    async def __aenter__(self) -> Self:
        """Connect, then publish the status and the catalogue."""
        options = self._options
        will = Will(self._status_topic, status(self._context.gateway, online=False))
        self._session = Session(options, self._client_id, will, self._statistics, window=options.window)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._session.close, goodbye=False)
            await self._session.open()
            self._encoder = Encoder(self._context.gateway, self._context.tags, self._limit)
            self._catalogue_version = -1
            self._told: set[_Key] = set()
            self._status_due = self._context.clock.monotonic()
            try:
                await self._tell()
                await self._session.drain()
            finally:
                self._learn()
            stack.pop_all()
        return self

    async def write(self, deliveries: Sequence[Delivery]) -> None:
        """Return once the broker has acknowledged every message.

        Raises:
            NotConnected: what was acknowledged before will come again; its keys make that harmless.
            Rejected: the rows of messages the broker refuses for what they are.
        """
        await self._tell()
        refusals: list[Refusal] = []
        try:
            for index, delivery in enumerate(deliveries):
                for message in self._encoder.messages(delivery):
                    refusal = await self._publish_rows(index, delivery, message)
                    if refusal is not None:
                        refusals.append(refusal)
            await self._session.drain()
        finally:
            refusals += self._learn()
        self._refused = {key: why for key, why in self._refused.items() if not isinstance(key[1], tuple)}
        if refusals:
            raise Rejected(refusals)

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Close; a clean stop says so, after a fault the broker sends the will."""
        is_clean = exc is None or isinstance(exc, asyncio.CancelledError)
        try:
            if is_clean:
                with suppress(NotConnected, TimeoutError):
                    async with asyncio.timeout(GRACE_S):
                        await self._publish_status(online=False)
                        await self._session.drain()
        finally:
            await self._session.close(goodbye=is_clean)

    def statistics(self) -> dict[str, int]:
        """Return the counts since start: messages, bytes, acks, refused, timeouts."""
        return asdict(self._statistics)

    def _limit(self, device: str) -> int:
        """Return how many bytes a payload on this device's topic may have."""
        return self._payload_limit(data_topic(self._options.prefix, device))

    def _payload_limit(self, topic: str) -> int:
        packet = self._session.limits.packet
        if packet is None:
            return self._options.max_message
        return min(self._options.max_message, packet - len(topic.encode()) - _PUBLISH_OVERHEAD)

    async def _tell(self) -> None:
        """Publish status and catalogue where they are due."""
        now = self._context.clock.monotonic()
        if now >= self._status_due:
            self._status_due = now + _STATUS_INTERVAL_NS
            await self._publish_status(online=True)
        version = self._context.tags.version
        if version != self._catalogue_version:
            await self._publish_catalogue()
            self._catalogue_version = version

    async def _publish_status(self, *, online: bool) -> None:
        payload = status(self._context.gateway, online=online, more=self._context.status())
        key = (self._status_topic, online)
        await self._session.publish(self._status_topic, payload, _Ticket(key), retain=True)

    async def _publish_catalogue(self) -> None:
        context = self._context
        for device, payload in device_catalogues(context.gateway, context.tags, context.selects):
            topic = tags_topic(self._options.prefix, device)
            key = (topic, hash(payload))
            if key not in self._told:
                self._told.add(key)
                if key in self._refused:
                    continue
                if len(payload) <= self._payload_limit(topic):
                    await self._session.publish(topic, payload, _Ticket(key), retain=True)
                else:
                    _warn(topic, f"{len(payload)} bytes are more than a message may have")
            await asyncio.sleep(0)  # 100,000 tags take a fifth of a second to describe

    async def _publish_rows(self, index: int, delivery: Delivery, message: Message) -> Refusal | None:
        if not message.fits:
            return Refusal(index, message.rows, f"one row makes a message of {len(message.payload)} bytes")
        topic = data_topic(self._options.prefix, message.device)
        key = (topic, (delivery.epoch, delivery.seq, int(message.rows[0])))
        if key in self._refused:
            return Refusal(index, message.rows, self._refused[key])
        await self._session.publish(topic, message.payload, _Ticket(key, index, message.rows))
        return None

    def _learn(self) -> list[Refusal]:
        """Return the refusals of rows, and remember every refusal for the next session.

        Mosquitto 2.0 closes the connection after PUBACK 0x95: sent again, such a message would end every
        session before `write` could tell of it.
        """
        refusals = []
        for each in self._session.take_refused():
            ticket: _Ticket = each.ticket
            self._refused[ticket.key] = each.reason
            if ticket.delivery is None:
                _warn(each.topic, each.reason)
            else:
                refusals.append(Refusal(ticket.delivery, ticket.rows, each.reason))
        return refusals


def _warn(topic: str, reason: str) -> None:
    log.warning("not published", extra={"topic": topic, "reason": reason})
