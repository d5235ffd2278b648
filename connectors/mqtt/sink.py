"""The MQTT sink: QoS 1, one message per device and stored batch, accepted when the broker says so."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import asdict
from types import TracebackType
from typing import Final, Self

from config.connections import MqttSink as MqttOptions
from connectors.contract import Context, Delivery, Order
from connectors.errors import NotConnected, Refusal, Rejected
from connectors.mqtt.catalogue import device_catalogues, status
from connectors.mqtt.payload import Encoder
from connectors.mqtt.session import GRACE_S, Refused, Session, Statistics
from connectors.mqtt.topics import data_topic, status_topic, tags_topic

_STATUS_INTERVAL_NS: Final = 30_000_000_000
_PUBLISH_OVERHEAD: Final = 1 + 4 + 2 + 2 + 1
"""Most bytes of a PUBLISH beside topic and payload: type, length, topic length, packet id, no property."""

log = logging.getLogger(__name__)


class MqttSink:
    """Publish what the buffer delivers, new values first."""

    order = Order.LIVE_FIRST

    def __init__(self, name: str, options: MqttOptions, context: Context, site: str) -> None:
        self._options = options
        self._context = context
        self._client_id = options.client_id or f"wanglian-{context.gateway}-{name}"
        self._status_topic = status_topic(options.prefix, site, context.gateway)
        self._statistics = Statistics()

    async def __aenter__(self) -> Self:
        """Connect, then publish the status and the catalogue."""
        will = (self._status_topic, status(self._context.gateway, online=False))
        self._session = Session(self._options, self._client_id, will, self._statistics)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._session.close, goodbye=False)
            await self._session.open()
            self._encoder = Encoder(self._context.gateway, self._context.tags, self._limit)
            self._catalogue_version = -1
            self._catalogue_hashes: dict[str, int] = {}
            self._status_due = self._context.clock.monotonic()
            await self._tell()
            self._refusals(await self._session.drain())
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
        for index, delivery in enumerate(deliveries):
            for message in self._encoder.messages(delivery):
                if message.fits:
                    topic = data_topic(self._options.prefix, message.device)
                    await self._session.publish(topic, message.payload, (index, message.rows))
                else:
                    size = len(message.payload)
                    refusals.append(Refusal(index, message.rows, f"one row makes a message of {size} bytes"))
        refusals += self._refusals(await self._session.drain())
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
        await self._session.publish(self._status_topic, payload, retain=True)

    async def _publish_catalogue(self) -> None:
        for device, payload in device_catalogues(self._context.gateway, self._context.tags):
            topic = tags_topic(self._options.prefix, device)
            digest = hash(payload)
            if self._catalogue_hashes.get(device) != digest:
                self._catalogue_hashes[device] = digest
                if len(payload) <= self._payload_limit(topic):
                    await self._session.publish(topic, payload, retain=True)
                else:
                    self._warn(topic, f"{len(payload)} bytes are more than a message may have")
            await asyncio.sleep(0)  # 100,000 tags take a fifth of a second to describe

    def _refusals(self, refused: Sequence[Refused]) -> list[Refusal]:
        """Return the refusals of rows; of a refused catalogue or status only the log tells."""
        refusals = []
        for each in refused:
            if each.ticket is None:
                self._warn(each.topic, each.reason)
            else:
                delivery, rows = each.ticket
                refusals.append(Refusal(delivery, rows, each.reason))
        return refusals

    def _warn(self, topic: str, reason: str) -> None:
        log.warning("not published", extra={"topic": topic, "reason": reason})
