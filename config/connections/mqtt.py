"""MQTT: where the broker is and how it is trusted; what is published to it."""

from typing import Annotated, Final, Literal

from pydantic import Field

from config.base import Duration, Host, Model, NamedSecret, Size
from config.connections.mqtt_forms import JsonForm, MqttForm
from config.connections.tls import Tls
from config.proxy import Proxy
from config.select import SinkOptions


class MqttConnection(Model):
    """What any connection to a broker needs, in either direction."""

    host: Host
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """When absent 1883, or 8883 with TLS; over WebSocket 80, or 443 with TLS."""
    version: Literal["3.1.1", "5"] = "5"
    client_id: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    """``wanglian-<gateway>-<name>`` when absent; fixed, so that a broker sees one session."""
    username: str | None = None
    password: NamedSecret | None = None
    tls: Tls | None = None
    websocket: Annotated[str, Field(pattern=r"^/[!-~]*$", max_length=1000)] | None = None
    """Path of MQTT over WebSocket, e.g. ``/mqtt``; absent: plain MQTT."""
    proxy: Proxy | None = None
    keepalive: Annotated[Duration, Field(ge=5_000_000_000, le=3_600_000_000_000)] = 15_000_000_000
    connect_timeout: Annotated[Duration, Field(ge=1_000_000)] = 10_000_000_000

    @property
    def broker_port(self) -> int:
        """Return the port, its default for the kind of connection when none is given."""
        plain, encrypted = (1883, 8883) if self.websocket is None else (80, 443)
        return self.port or (plain if self.tls is None else encrypted)


class MqttSubscription(MqttConnection):
    """What any source behind a broker has."""

    window: Annotated[int, Field(ge=1, le=65535)] = 1_000
    """Messages the broker may send ahead of our acknowledgement."""
    max_payload: Annotated[Size, Field(ge=1024, le=2**28)] = 2**20
    """A larger message is refused and counted."""
    max_tags: Annotated[int, Field(ge=1, le=1_000_000)] = 20_000
    """What would make more tags than this is refused and counted."""


TopicPrefix = Annotated[str, Field(pattern=r"^[^#+\s\x00]+$", max_length=200)]


RESERVED_PROPERTIES: Final = frozenset(("content-encoding", "gateway", "epoch", "seq", "row"))
"""User properties the gateway writes itself."""
PropertyText = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]+$", max_length=256)]


class MqttPublishing(MqttConnection):
    """What any sink behind a broker has."""

    ack_timeout: Annotated[Duration, Field(ge=1_000_000_000)] = 10_000_000_000
    """A message unacknowledged this long closes the connection: a half-open link is not a link."""
    max_message: Annotated[int, Field(ge=1024)] = 262_144
    """Bytes of one payload; a device's rows that need more are sent in several messages."""


class MqttSink(SinkOptions, MqttPublishing):
    """Publish to an MQTT broker, QoS 1."""

    kind: Literal["mqtt"]
    prefix: TopicPrefix = "wanglian"
    """First levels of every topic: ``{prefix}/{site}/{area}/{line}/{device}``."""
    format: MqttForm = JsonForm(kind="json")
    """What a message looks like."""
    window: Annotated[int, Field(ge=1, le=65535)] = 64
    """Messages in flight at once; the broker's own receive maximum holds if it is smaller."""
    gzip: bool = False
    """Compress a payload where that makes it smaller; it is then marked by the user property
    ``content-encoding: gzip``. MQTT 5."""
    message_expiry: Annotated[Duration, Field(ge=1_000_000_000, le=2**32 * 10**9 - 10**9)] | None = None
    """A broker that has not handed a message of data to a subscriber by then drops it. MQTT 5."""
    user_properties: Annotated[dict[PropertyText, PropertyText], Field(max_length=20)] = Field(
        default_factory=dict
    )
    """On every message, e.g. ``{plant: north}``. MQTT 5."""
    identity: bool = False
    """User properties ``gateway``, ``epoch``, ``seq`` and ``row`` (the first) on every message of data, for
    rules that don't read payloads. MQTT 5."""
