"""What a sink publishes, told to whoever subscribes: channels, messages and their JSON Schema (2020-12)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from config.connections import MqttPublishing
from config.problems import Phrase

Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class MessageKind:
    """One form of message."""

    name: str
    """Unique within a sink, e.g. ``rows``; also the name of its schema's file."""
    meaning: Phrase
    schema: Schema
    """Of the payload, for any device."""
    content_type: str = "application/json"
    headers: Schema = field(default_factory=dict)
    """Of what may stand beside the payload, e.g. MQTT 5's user properties."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One place where messages come."""

    name: str
    """Unique within a sink."""
    address: str
    """Topic, or path of a request."""
    message: str
    """Name of the one kind of message there."""
    retained: bool = False
    qos: Literal[0, 1] = 1
    """Over MQTT."""
    narrowed: Schema = field(default_factory=dict)
    """What holds here beyond the message's own schema."""


Security = Literal["userPassword", "X509", "bearer"]
Protocol = Literal["mqtt", "secure-mqtt", "ws", "wss", "http", "https"]


@dataclass(frozen=True, slots=True)
class Published:
    """Everything one sink publishes."""

    host: str
    """host:port"""
    protocol: Protocol
    messages: Sequence[MessageKind]
    channels: Sequence[Channel]
    protocol_version: str = ""
    pathname: str = ""
    """Of a WebSocket."""
    security: Sequence[Security] = ()


def over_broker(
    options: MqttPublishing, messages: Sequence[MessageKind], channels: Sequence[Channel]
) -> Published:
    """Return what is published through a broker, with the way there."""
    is_encrypted, is_websocket = options.tls is not None, options.websocket is not None
    if is_websocket:
        protocol: Protocol = "wss" if is_encrypted else "ws"
    else:
        protocol = "secure-mqtt" if is_encrypted else "mqtt"
    security: list[Security] = []
    if options.username is not None:
        security.append("userPassword")
    if options.tls is not None and options.tls.certificate is not None:
        security.append("X509")
    return Published(
        host=f"{options.host}:{options.broker_port}",
        protocol=protocol,
        messages=messages,
        channels=channels,
        protocol_version=options.version,
        pathname=options.websocket or "",
        security=security,
    )
