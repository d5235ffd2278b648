"""What a sink publishes, told to whoever subscribes: channels, messages and their JSON Schema (2020-12)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

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
    security: Sequence[Literal["userPassword", "X509", "bearer"]] = ()


def mqtt_protocol(*, encrypted: bool, websocket: bool) -> Protocol:
    """Return AsyncAPI's name of the way to a broker."""
    if websocket:
        return "wss" if encrypted else "ws"
    return "secure-mqtt" if encrypted else "mqtt"
