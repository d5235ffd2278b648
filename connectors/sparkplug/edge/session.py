"""The edge node's connection: data go out with QoS 0, markers behind them with QoS 1, commands come in.

say ──► DDATA DDATA DDATA …   QoS 0, nobody acknowledges
mark ─► marker ──► PUBACK     the broker takes one connection's packets in order: it has all before it
"""

import contextlib
from collections.abc import Callable, Sequence
from typing import Any, Final

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from config.connections import SparkplugSink
from connectors.broker.session import Session
from connectors.broker.wire import Will, Wire
from connectors.errors import NotConnected
from connectors.sparkplug.edge.counts import Statistics

_MOST_MARKERS: Final = 4
"""Not yet acknowledged: paho's queue of QoS 0 has no end of its own."""
_LARGEST_COMMAND: Final = 65_536
_COMMANDS_AHEAD: Final = 100
_DISCONNECT_WITH_WILL: Final = 4

Hears = Callable[[str, bytes], None]
"""Told of a message and its topic, on the event loop."""


class EdgeSession(Session):
    """Open once, subscribed when `open` returns; say, mark, close."""

    def __init__(
        self,
        options: SparkplugSink,
        client_id: str,
        will: Will,
        statistics: Statistics,
        *,
        subscriptions: Sequence[str],
        hears: Hears,
        ends: Callable[[], None],
    ) -> None:
        super().__init__(
            options,
            client_id,
            will,
            statistics,
            window=_MOST_MARKERS,
            subscriptions=subscriptions,
            make_wire=EdgeWire,
        )
        self._hears = hears
        self._death = will
        self._marker = f"{options.prefix}/marker/{client_id}"
        self._ends = ends
        self._mark_every = options.max_message
        self._unmarked = 0
        self.is_said_dead = False

    def say(self, topic: str, payload: bytes) -> None:
        """Send with QoS 0; what counts is the next mark.

        Raises:
            NotConnected: the link is down.
        """
        self.send(topic, payload)
        self._unmarked += len(topic) + len(payload)

    async def keep_pace(self) -> None:
        """Wait where more is under way than the broker has taken."""
        if self._unmarked >= self._mark_every:
            await self.mark()

    async def mark(self) -> None:
        """Send a marker; when `drain` returns, the broker has everything said before it."""
        self._unmarked = 0
        await self.publish(self._marker, b"")

    async def die(self) -> None:
        """Say the node's death ourselves, once; return when the broker has it."""
        if not self.is_said_dead:
            await self.publish(self._death.topic, self._death.payload)
            self.is_said_dead = True
        await self.drain()

    async def leave(self, *, is_born: bool) -> None:
        """Close; one that was born and has not died has the broker say its death."""
        wire = self._wire
        if isinstance(wire, EdgeWire):
            wire.leaves_will = is_born
        await self.close(goodbye=self.is_said_dead or not is_born)

    def heard(self, topic: str, payload: bytes) -> None:
        """Hand on what came, at once: it may be what ends the session."""
        self._hears(topic, payload)

    def failed(self, error: NotConnected) -> None:
        """Wake who waits for something to do, too."""
        super().failed(error)
        self._ends()


class EdgeWire(Wire):
    """Takes commands of a size that commands have, and can leave its will."""

    leaves_will = False
    """Whether a DISCONNECT has the broker send the will: MQTT 5 can, and Sparkplug asks for it."""

    def _say_goodbye(self) -> None:
        if self.is_v5 and self.leaves_will:
            self._client.disconnect(ReasonCode(PacketTypes.DISCONNECT, identifier=_DISCONNECT_WITH_WILL))
        else:
            super()._say_goodbye()

    # What follows runs on paho's thread.

    def _connect(self, client: Client, host: str, port: int, keepalive: int) -> None:
        if not self.is_v5:
            super()._connect(client, host, port, keepalive)
            return
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.ReceiveMaximum = _COMMANDS_AHEAD
        properties.MaximumPacketSize = _LARGEST_COMMAND
        client.connect(host, port, keepalive=keepalive, clean_start=True, properties=properties)

    def _on_message(self, client: Client, data: Any, message: MQTTMessage) -> None:
        if len(message.payload) <= _LARGEST_COMMAND:
            with contextlib.suppress(UnicodeDecodeError):  # on a topic that is none nobody commands
                super()._on_message(client, data, message)
