"""MQTT northbound: where the broker is, how it is trusted, how messages are formed."""

from typing import Annotated, Literal

from pydantic import Field

from config.base import Duration, FileName, Model, NamedSecret
from config.select import SinkOptions


class Tls(Model):
    """How the connection is protected and the peer is checked; checking can't be switched off."""

    ca: FileName | None = None
    """File of the certificate authority; the machine's own trust store when absent."""
    certificate: FileName | None = None
    """Client certificate file, for mutual TLS."""
    key: FileName | None = None
    """Client key file."""
    key_password: NamedSecret | None = None


class MqttSink(SinkOptions):
    """Publish to an MQTT broker, QoS 1, one message per device and stored batch."""

    kind: Literal["mqtt"]
    host: Annotated[str, Field(min_length=1)]
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """1883, or 8883 with TLS, when absent."""
    version: Literal["3.1.1", "5"] = "5"
    client_id: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    """``wanglian-<gateway>-<sink>`` when absent; fixed, so that a broker sees one session."""
    username: str | None = None
    password: NamedSecret | None = None
    tls: Tls | None = None
    prefix: Annotated[str, Field(pattern=r"^[^#+\s\x00]+$", max_length=200)] = "wanglian"
    """First levels of every topic: ``{prefix}/{site}/{area}/{line}/{device}``."""
    keepalive: Annotated[Duration, Field(ge=5_000_000_000, le=3_600_000_000_000)] = 15_000_000_000
    connect_timeout: Annotated[Duration, Field(ge=1_000_000)] = 10_000_000_000
    ack_timeout: Annotated[Duration, Field(ge=1_000_000_000)] = 10_000_000_000
    """A message unacknowledged this long closes the connection: a half-open link is not a link."""
    window: Annotated[int, Field(ge=1, le=65535)] = 64
    """Messages in flight at once; the broker's own receive maximum holds if it is smaller."""
    max_message: Annotated[int, Field(ge=1024)] = 262_144
    """Bytes of one payload; a device's rows that need more are sent in several messages."""
