"""paho's client for one connection: dialled once on a thread of its own, never reconnected, hung up in time.

The connection is dialled here and given to paho, which would take a proxy from the environment unasked. What
publishes (`wire`) and what subscribes (`feed`) differ in what they do between the two. paho's network
thread speaks to the event loop only through `post`.
"""

import asyncio
import contextlib
import socket
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Final, Protocol, Self, TypeVar

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
from paho.mqtt.enums import CallbackAPIVersion, LogLevel, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from config.connections import MqttConnection
from connectors.broker import properties as _cheaper  # noqa: F401  it takes its place when imported
from connectors.broker.reasons import refused_by
from connectors.contract import Certificate
from connectors.dial import Dial, Stream, Traffic
from connectors.errors import NotConnected
from connectors.post import post
from connectors.unreachable import unreachable

T = TypeVar("T")
_PIECE: Final = 2**16
"""Bytes received at once of a packet that is not kept."""


class Listener(Protocol):
    """Who is told; every call comes on the event loop."""

    def failed(self, error: NotConnected) -> None:
        """Learn that the link is down, or never came up."""
        ...


class _Beginning(bytearray):
    """The first bytes of a packet; what comes after them is let go."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def __iadd__(self, more: Any) -> Self:  # type: ignore[misc]  # the sum of two keeps all, and is another
        room = self._most - len(self)
        return super().__iadd__(more[:room]) if room > 0 else self


class Dialled(Client):
    """paho's client on a connection somebody else has dialled."""

    most_kept: int | None = None
    """Bytes kept of a packet that announces more; None is all.

    The rest passes by, and what is kept is handled and acknowledged as the packet: a session that ended
    because of it would get it again and again, as a retained message or one of QoS 1.
    """

    def __init__(self, stream: Callable[[], Stream], **how: Any) -> None:
        super().__init__(CallbackAPIVersion.VERSION2, **how)
        self._stream = stream

    def loop_misc(self) -> MQTTErrorCode:
        """Look after the keepalive; whatever has come since a ping answers it.

        Under a flood PINGRESP waits at the broker behind all that was to be sent before it.
        """
        if 0 < self._ping_t < self._last_bytes_received:
            self._ping_t = 0.0
        return super().loop_misc()

    def ping_in_callback(self) -> None:
        """Show the broker that we live where nothing is read or written until a callback returns."""
        self._send_pingreq()
        self._packet_write()

    def _create_socket(self) -> Any:
        return self._stream()

    def _sock_recv(self, bufsize: int) -> bytes:
        packet = self._in_packet
        if (
            self.most_kept is not None
            and packet["to_process"]  # its body; the head has told its length
            and packet["remaining_length"] > self.most_kept
        ):
            if not packet["packet"]:
                packet["packet"] = _Beginning(self.most_kept)
            bufsize = min(bufsize, _PIECE)
        return super()._sock_recv(bufsize)


class Line(ABC):
    """Dial once, hang up."""

    def __init__(self, options: MqttConnection, client_id: str, listener: Listener) -> None:
        self.broker = f"{options.host}:{options.broker_port}"
        self.traffic = Traffic()
        """What this connection moves over the network."""
        self.certificates: tuple[Certificate, ...] = ()
        """What protects the connection, once it is there."""
        self.dialled = False
        """Whether the connection is up, with all that lies beneath MQTT."""
        self.is_v5 = options.version == "5"
        self._options = options
        self._client_id = client_id
        self._listener = listener
        self._lock = threading.Lock()
        self._abandoned = False
        self._trouble = ""
        self._client_is_known = False

    def dial(self) -> None:
        """Begin to connect; the listener hears how it went."""
        self._loop = asyncio.get_running_loop()
        self._gone = asyncio.Event()
        options = self._options
        self._dialling = Dial(
            options.host,
            options.broker_port,
            seconds=options.connect_timeout / 1e9,
            traffic=self.traffic,
            proxy=options.proxy,
            tls=options.tls,
            websocket=options.websocket,
        )
        self._client = self._make_client()
        # A thread of its own: asyncio's pool would hold up the program's end while a resolver hangs.
        name = f"mqtt-dial-{self._client_id}"
        threading.Thread(target=self._dial, args=(self._client,), name=name, daemon=True).start()

    async def open(self, opening: "asyncio.Future[T]", seconds: float) -> T:
        """Dial and return what the listener makes of CONNACK.

        Raises:
            NotConnected: with the exact reason.
        """
        self.dial()
        try:
            async with asyncio.timeout(seconds):
                return await opening
        except TimeoutError:
            if not self.dialled:
                raise self._dialling.silent() from None
            raise NotConnected(f"{self.broker} did not answer CONNECT within {seconds:g} s") from None

    async def ended(self, seconds: float) -> None:
        """Wait until the connection is over and the listener knows why, at most so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._gone.wait()

    async def hang_up(self, grace_s: float, *, politely: bool) -> None:
        """Close, first saying DISCONNECT if `politely`, or the broker sends the will; at most 2 × grace."""
        with self._lock:
            self._abandoned = True
        try:
            if self.dialled and politely:
                self._say_goodbye()
                await self.ended(grace_s)
        finally:
            self._dialling.give_up()
        if self.dialled:
            await self.ended(grace_s)
            self._dialling.drop()
        # Breaks the ring of references, so that paho's sockets close now and not at some collection.
        del self._client

    def _say_goodbye(self) -> None:
        self._client.disconnect()

    def _make_client(self, *, clean: bool = True, manual_ack: bool = False) -> Dialled:
        client = Dialled(
            self._dialling.stream,
            client_id=self._client_id,
            clean_session=None if self.is_v5 else clean,
            protocol=MQTTProtocolVersion.MQTTv5 if self.is_v5 else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
            manual_ack=manual_ack,
        )
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_log = self._on_log
        return client

    def _went(self, error: NotConnected) -> None:
        self._listener.failed(error)
        self._gone.set()

    # What follows runs on other threads.

    def _connect(self, client: Client, host: str, port: int, keepalive: int) -> None:
        client.connect(host, port, keepalive=keepalive)

    @abstractmethod
    def _accepted(self, client: Client, flags: ConnectFlags, properties: Properties | None) -> None:
        """Go on after CONNACK."""

    def _dial(self, client: Client) -> None:
        options = self._options
        try:
            if options.username is not None:
                password = None if options.password is None else options.password.current()
                client.username_pw_set(options.username, password)
            self._connect(client, options.host, options.broker_port, round(options.keepalive / 1e9))
        except NotConnected as exc:
            self._post(self._listener.failed, exc)
            return
        self.certificates = self._dialling.certificates
        with self._lock:
            if self._abandoned:
                self._dialling.drop()
            else:
                self.dialled = True
                client.loop_start()

    def _post(self, call: Callable[..., None], *args: Any) -> None:
        post(self._loop, call, *args)

    def _on_connect(
        self,
        client: Client,
        _data: Any,
        flags: ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._post(self._listener.failed, refused_by(self.broker, "refused the connection", reason))
        elif getattr(properties, "MaximumQoS", 1) < 1:
            error = NotConnected(f"{self.broker} does not offer QoS 1", needs_a_person=True)
            self._post(self._listener.failed, error)
        else:
            self._client_is_known = True
            client.on_log = None  # paho formats a line for every packet while somebody listens
            self._accepted(client, flags, properties)

    def _on_disconnect(
        self, _client: Client, _data: Any, flags: DisconnectFlags, reason: ReasonCode, _properties: Any
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            error = refused_by(self.broker, "ended the connection", reason)
        elif self._dialling.alert is not None:
            error = unreachable(self.broker, self._dialling.alert)
        else:
            # Before CONNACK a load balancer closes too, for a broker that is away.
            error = NotConnected(
                f"{self.broker} closed the connection{self._suspicion()}",
                turned_away=self._client_is_known and self._dialling.ended,
            )
        self._post(self._went, error)

    def _suspicion(self) -> str:
        """Return what a connection that ends without a word may mean."""
        if self._dialling.parting:
            return f": {self._dialling.parting}"
        if self._client_is_known:
            # Mosquitto 2.0 and every MQTT 3.1.1 broker are silent about a session taken over.
            return f"; if it repeats, look for another client with the id {self._client_id}"
        if self._options.tls is not None:
            # TLS 1.3 refuses a client's certificate after the handshake, and the alert may get lost.
            return f" before CONNACK: it may want a client certificate or refuse ours{self._trouble}"
        return f" before CONNACK{self._trouble}"

    def _on_log(self, _client: Client, _data: Any, level: int, line: str) -> None:
        if level == LogLevel.MQTT_LOG_ERR:
            self._trouble = f" ({line})"


def acknowledge_at_once(sock: Any) -> None:
    """Tell TCP not to delay its own acknowledgement.

    A broker that leaves Nagle on (mosquitto does) holds back every packet but the first until TCP
    acknowledges that one, and Linux waits 40 ms to do so: measured 44 ms for a write of ten messages, 1 ms
    with this. The kernel forgets the wish with the next data it sends, hence again each time (1 µs);
    Windows lacks it.
    """
    if sys.platform == "linux" and sock is not None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
