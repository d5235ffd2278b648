"""What subscribes: one connection with a persistent session whose messages wait here until they are taken.

    paho's thread                              event loop
    socket ─► on_message ─► waiting ─────────► take
    socket ◄─ PUBACK ◄──────────────────────── ack      (when it is on disk)
    UNSUBACK ─────────────────────────────────► proven  (every PUBACK before the marker has arrived)

Back-pressure: the broker sends at most `window` messages ahead of our PUBACKs (MQTT 5 Receive Maximum). A
broker that does not keep to it (3.1.1, QoS 0) is stopped by not reading its socket.
"""

import threading
from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import Any, Final, Protocol

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from config.connections import MqttSubscription
from config.connections.mqtt_source import covers
from connectors.broker.line import Dialled, Line, acknowledge_at_once
from connectors.broker.reasons import refused_by
from connectors.clock import Clock
from connectors.errors import NotConnected

_MOST_BYTES: Final = 8 * 2**20
"""Waiting payloads beyond this stop the reading."""
_MOST_AHEAD: Final = 2
"""So many windows of messages waiting stop the reading."""
_BESIDE_PAYLOAD: Final = 1024
"""Bytes for topic and properties."""
_BEFORE_PAYLOAD: Final = 2 + 65_535 + 2
"""Bytes before it at most: a topic with its length, the packet id."""
_LARGEST_PACKET: Final = 268_435_455
_ONLY_NEW: Final = 1
"""Retain handling: retained messages come with a new subscription, not with every connection."""

Arrival = tuple[MQTTMessage, int]
"""A message and when it came, ns UTC."""


class Listener(Protocol):
    """Who is told; every call comes on the event loop."""

    def opened(self, session_present: bool) -> None:
        """Learn that the broker accepted connection and subscriptions; at most once."""
        ...

    def arrived(self) -> None:
        """Learn that something waits, once after `wanted` was set."""
        ...

    def proven(self, marker: int) -> None:
        """Learn that every PUBACK sent before this marker has reached the broker."""
        ...

    def failed(self, error: NotConnected) -> None:
        """Learn that the link is down, or never came up."""
        ...


class Feed(Line):
    """Dial once, subscribe, receive, acknowledge, hang up.

    The broker keeps the session for `kept` ns after the connection; None: it begins anew and ends with it.
    """

    def __init__(
        self,
        options: MqttSubscription,
        client_id: str,
        filters: Sequence[str],
        subscriber: Listener,
        clock: Clock,
        *,
        qos: int = 1,
        kept: int | None = None,
        stale: Sequence[str] = (),
    ) -> None:
        super().__init__(options, client_id, subscriber)
        self.wanted = False
        """Whether the listener wants to hear of the next message."""
        self.waiting: deque[Arrival] = deque()
        self._subscription = options
        self._qos = qos
        self._kept = kept
        self._filters = filters
        self._stale = stale
        self._subscriber = subscriber
        self._now = clock.now
        self._marker_topic = f"wanglian/marker/{client_id}"
        self._most = max(_MOST_AHEAD * options.window, 1000)
        self._session_present = False
        self._came = self._taken = 0  # bytes; each is written by one thread only
        self._room = threading.Event()
        self._closing = False
        self._ping_s = options.keepalive / 2e9
        """A broker hangs up on who says nothing for one and a half keepalives (MQTT 5, 3.1.2.10)."""

    def take(self, most: int, most_bytes: int) -> list[Arrival]:
        """Return what waits, at most so many messages or a little more than so many bytes."""
        waiting, found, size = self.waiting, [], 0
        for _ in range(min(most, len(waiting))):
            arrival = waiting.popleft()
            found.append(arrival)
            size += len(arrival[0].payload)
            if size >= most_bytes:
                break
        self._taken += size
        if not self._room.is_set():
            self._room.set()
        return found

    def put_back(self, arrivals: Sequence[Arrival]) -> None:
        """Return to the front what was taken too much."""
        self.waiting.extendleft(reversed(arrivals))
        self._taken -= sum(len(message.payload) for message, _ in arrivals)

    def ack(self, packet_ids: Sequence[int]) -> None:
        """Send PUBACKs, in the order the messages came (MQTT 5, 4.6)."""
        for packet_id in packet_ids:
            self._client.ack(packet_id, 1)

    def mark(self) -> int | None:
        """Send a packet whose answer proves that the PUBACKs before it have arrived; return its number.

        It unsubscribes from a filter never subscribed to, which changes nothing; a ping can't be told apart
        from the next one. None when the link is down.
        """
        result, packet_id = self._client.unsubscribe(self._marker_topic)
        return packet_id if result is MQTTErrorCode.MQTT_ERR_SUCCESS else None

    async def hang_up(self, grace_s: float, *, politely: bool) -> None:
        """Close; what waits is dropped unacknowledged and comes again."""
        self._closing = True
        self._room.set()
        await super().hang_up(grace_s, politely=politely)

    def _make_client(self, *, clean: bool = True, manual_ack: bool = False) -> Dialled:  # noqa: ARG002
        client = super()._make_client(clean=self._kept is None, manual_ack=True)
        # MQTT 3.1.1 has no word for the largest packet that is wanted. One byte too many stays, and tells.
        client.most_kept = self._subscription.max_payload + _BEFORE_PAYLOAD + 1
        client.on_message = self._on_message
        client.on_subscribe = self._on_subscribe
        client.on_unsubscribe = self._on_unsubscribe
        return client

    # What follows runs on other threads.

    def _connect(self, client: Client, host: str, port: int, keepalive: int) -> None:
        if not self.is_v5:
            client.connect(host, port, keepalive=keepalive)
            return
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.ReceiveMaximum = self._subscription.window
        # A longer packet the broker drops by itself; what lies between is refused here.
        properties.MaximumPacketSize = min(self._subscription.max_payload + _BESIDE_PAYLOAD, _LARGEST_PACKET)
        if self._kept is not None:
            properties.SessionExpiryInterval = round(self._kept / 1e9)
        clean = self._kept is None
        client.connect(host, port, keepalive=keepalive, clean_start=clean, properties=properties)

    def _accepted(self, client: Client, flags: ConnectFlags, _properties: Properties | None) -> None:
        self._session_present = flags.session_present
        if self._stale and flags.session_present:
            # Beside a new filter that overlaps, an old one would bring every message twice.
            client.unsubscribe(list(self._stale))
        if self.is_v5:
            how = SubscribeOptions(qos=self._qos, retainHandling=_ONLY_NEW)
            client.subscribe([(each, how) for each in self._filters])
        else:
            client.subscribe([(each, self._qos) for each in self._filters])

    def _on_subscribe(
        self, _client: Client, _data: Any, _mid: int, reasons: list[ReasonCode], _more: Properties | None
    ) -> None:
        for topic, reason in zip(self._filters, reasons, strict=False):
            if reason.is_failure:
                error = refused_by(self.broker, f"refused the subscription to {topic}", reason)
                person = NotConnected(str(error), needs_a_person=True)
                self._post(self._subscriber.failed, person)
                return
            if reason.value < self._qos:
                text = f"{self.broker} grants {topic} only QoS {reason.value}: write qos: {reason.value}"
                self._post(self._subscriber.failed, NotConnected(text, needs_a_person=True))
                return
        self._post(self._subscriber.opened, self._session_present)

    def _on_message(self, client: Client, _data: Any, message: MQTTMessage) -> None:
        self.waiting.append((message, self._now()))
        self._came += len(message.payload)
        if self.wanted:
            self.wanted = False
            self._post(self._subscriber.arrived)
            acknowledge_at_once(client.socket())
        if self._is_full():
            # A kept session's backlog comes before SUBACK: who waits for that would wait for ever.
            self._post(self._subscriber.opened, self._session_present)
            self._room.clear()
            while self._is_full() and not self._closing and not self._room.wait(self._ping_s):
                self._client.ping_in_callback()

    def _is_full(self) -> bool:
        return len(self.waiting) > self._most or self._came - self._taken > _MOST_BYTES

    def _on_unsubscribe(self, _client: Client, _data: Any, mid: int, *_: Any) -> None:
        self._post(self._subscriber.proven, mid)


def without_covered(filters: Sequence[str]) -> list[str]:
    """Leave out filters that another covers: a broker may send what matches two of them twice."""
    found: list[str] = []
    for i, each in enumerate(filters):
        others = [*islice(filters, i), *islice(filters, i + 1, None)]
        if each not in found and not any(o != each and covers(o, each) for o in others):
            found.append(each)
    return found
