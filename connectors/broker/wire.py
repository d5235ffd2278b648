"""What publishes: one connection that sends with QoS 1 and tells of PUBACKs and of what it has subscribed.

    event loop                          paho's thread
    Wire.publish ── client.publish ───────► socket
    listener ◄── call_soon_threadsafe ◄── PUBACK, CONNACK, SUBACK, PUBLISH, DISCONNECT

Acknowledgements gather in a deque and wake the event loop once, however many came. Reconnecting is off: a
session that ends stays ended.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from config.connections import MqttConnection
from connectors.broker.line import Dialled, Line, acknowledge_at_once
from connectors.broker.reasons import refused_by
from connectors.errors import NotConnected


@dataclass(frozen=True, slots=True)
class Limits:
    """What the broker takes, as far as it says so."""

    window: int
    """Messages in flight."""
    packet: int | None = None
    """Bytes of one whole PUBLISH; None is any."""


class Listener(Protocol):
    """Who is told; every call comes on the event loop."""

    def opened(self, limits: Limits) -> None:
        """Learn that the broker accepted the connection and the subscriptions; at most once."""
        ...

    def acknowledged(self, acks: deque[tuple[int, ReasonCode]]) -> None:
        """Learn of PUBACKs as (packet id, reason); take them out of the deque."""
        ...

    def heard(self, topic: str, payload: bytes) -> None:
        """Learn of a message on a subscription."""
        ...

    def failed(self, error: NotConnected) -> None:
        """Learn that the link is down, or never came up."""
        ...


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker says for us, with QoS 1, when we end without a word."""

    topic: str
    payload: bytes
    retain: bool = True


class Wire(Line):
    """Dial once, publish, hang up."""

    def __init__(
        self,
        options: MqttConnection,
        client_id: str,
        will: Will | None,
        publisher: Listener,
        *,
        window: int,
        subscriptions: Sequence[str] = (),
    ) -> None:
        super().__init__(options, client_id, publisher)
        self._window = window
        self._subscriptions = subscriptions
        self._will = will
        self._publisher = publisher
        self._acks: deque[tuple[int, ReasonCode]] = deque()
        self._woken = False

    def publish(
        self, topic: str, payload: bytes, *, retain: bool, properties: Properties | None = None
    ) -> int | None:
        """Hand over a message of QoS 1; return its packet id, or None when the link is down."""
        sent = self._client.publish(topic, payload, qos=1, retain=retain, properties=properties)
        return sent.mid if sent.rc is MQTTErrorCode.MQTT_ERR_SUCCESS else None

    def send(self, topic: str, payload: bytes) -> bool:
        """Hand over a message of QoS 0, which nobody acknowledges; tell whether the link is up."""
        return self._client.publish(topic, payload, qos=0).rc is MQTTErrorCode.MQTT_ERR_SUCCESS

    def collect(self) -> None:
        """Hand the acknowledgements that have come to the listener."""
        self._woken = False  # before the deque is emptied, or an ack could be left behind
        self._publisher.acknowledged(self._acks)

    def _make_client(self, *, clean: bool = True, manual_ack: bool = False) -> Dialled:
        client = super()._make_client(clean=clean, manual_ack=manual_ack)
        # 0 is no limit: with one, paho walks all messages in flight at every PUBACK (100 instead of 70 µs).
        client.max_inflight_messages = 0
        if self._will is not None:
            client.will_set(self._will.topic, self._will.payload, qos=1, retain=self._will.retain)
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        return client

    def _went(self, error: NotConnected) -> None:
        self.collect()
        super()._went(error)

    # What follows runs on paho's thread.

    def _accepted(self, client: Client, _flags: ConnectFlags, properties: Properties | None) -> None:
        self._granted = self._limits(properties)
        if self._subscriptions:
            client.subscribe([(each, 1) for each in self._subscriptions])
        else:
            self._post(self._publisher.opened, self._granted)

    def _limits(self, properties: Properties | None) -> Limits:
        window = min(self._window, getattr(properties, "ReceiveMaximum", 65_535))
        return Limits(window, getattr(properties, "MaximumPacketSize", None))

    def _on_subscribe(
        self, _client: Client, _data: Any, _mid: int, reasons: list[ReasonCode], _more: Properties | None
    ) -> None:
        for topic, reason in zip(self._subscriptions, reasons, strict=False):
            if reason.is_failure:
                error = refused_by(self.broker, f"refused the subscription to {topic}", reason)
                self._post(self._publisher.failed, NotConnected(str(error), needs_a_person=True))
                return
        self._post(self._publisher.opened, self._granted)

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        self._post(self._publisher.heard, message.topic, message.payload)

    def _on_publish(
        self, client: Client, _data: Any, mid: int, reason: ReasonCode, _properties: Properties
    ) -> None:
        self._acks.append((mid, reason))
        acknowledge_at_once(client.socket())
        if not self._woken:
            self._woken = True
            self._post(self.collect)
