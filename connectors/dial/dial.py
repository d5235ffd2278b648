"""One attempt to reach a peer: name, TCP, proxy, TLS, WebSocket, all within one deadline.

It blocks, so it runs on a thread of its own; `give_up` ends it from another. What the libraries offer is not
used: a timeout of theirs holds for each byte, so a proxy that trickles holds them for ever; PySocks leaves
the end of a proxy's answer on the connection, where it is taken for the peer's.
"""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Literal

from config.connections import Proxy, Tls
from config.problems import Phrase
from connectors.contract import Certificate
from connectors.dial.converse import Deadline, Ended, converse
from connectors.dial.proxies import Asking
from connectors.dial.stream import Stream, WebSocketStream
from connectors.dial.traffic import Traffic
from connectors.dial.websocket import NoWebSocket, upgrade
from connectors.errors import NotConnected
from connectors.reach import look_up
from connectors.tls import certificates, tls_context
from connectors.unreachable import unreachable

Step = Literal["name", "TCP", "proxy", "TLS", "WebSocket"]


class Dial:
    """Dial once."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        seconds: float,
        traffic: Traffic,
        proxy: Proxy | None = None,
        tls: Tls | None = None,
        websocket: str | None = None,
    ) -> None:
        self.peer = f"{host}:{port}"
        self.certificates: tuple[Certificate, ...] = ()
        """What protects the connection, once it is there."""
        self.step: Step = "name"
        """What is being waited for."""
        self._host = host
        self._port = port
        self._seconds = seconds
        self._traffic = traffic
        self._asking = None if proxy is None else Asking(proxy, host, port)
        self._first = (host, port) if proxy is None else (proxy.host, proxy.port)
        self._tls = tls
        self._websocket = websocket
        self._lock = threading.Lock()
        self._sock: socket.socket | None = None
        self._number = -1
        self._given_up = False
        self._made: Stream | None = None

    def stream(self) -> Stream:
        """Return a connection for paho.

        Raises:
            NotConnected: with the exact reason.
        """
        sock = self.connect()
        make = Stream if self._websocket is None else WebSocketStream
        self._made = make(sock, self._traffic, self._number)
        return self._made

    def connect(self) -> socket.socket:
        """Return a connection that can be used at once; `drop` closes it.

        Raises:
            NotConnected: with the exact reason.
        """
        context = None if self._tls is None else tls_context(self._tls)
        deadline = Deadline(self._seconds)
        with self._closed_on_failure():
            sock = self._tcp(deadline)
            if context is not None:
                sock = self._encrypt(sock, context, deadline)
            if self._websocket is not None:
                self._upgrade(sock, self._websocket, deadline)
            sock.settimeout(self._seconds)
            return sock

    @property
    def parting(self) -> str:
        """What the peer said when it closed, as far as it did so below MQTT."""
        return "" if self._made is None else self._made.parting

    @property
    def alert(self) -> ssl.SSLError | None:
        """Why TLS ended after the handshake, if it was TLS that did."""
        return None if self._made is None else self._made.alert

    @property
    def ended(self) -> bool:
        """Whether the peer closed the connection in due form."""
        return self._made is not None and self._made.ended

    def drop(self) -> None:
        """Count and close what was dialled; more than once does no harm."""
        if self._sock is not None:
            self._traffic.end(self._number)
            self._sock.close()

    def silent(self) -> NotConnected:
        """Return that the deadline has passed, and in which step."""
        seconds = f"{self._seconds:g}"
        if self.step == "proxy" and self._asking is not None:
            return self._asking.failed("silent", seconds=seconds)
        if self.step == "name":
            text = Phrase("link.name_silent", {"peer": self.peer, "seconds": seconds}).text("en")
            return NotConnected(text)
        filling = {"peer": self.peer, "step": self.step, "seconds": seconds}
        return NotConnected(Phrase("link.silent_step", filling).text("en"))

    def give_up(self) -> None:
        """Let a dial that is under way fail soon; any thread."""
        with self._lock:
            self._given_up = True
            if self._sock is not None:
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(self._sock, socket.SHUT_RDWR)

    @contextlib.contextmanager
    def _closed_on_failure(self) -> Iterator[None]:
        with contextlib.ExitStack() as on_failure:
            on_failure.callback(self.drop)
            try:
                yield
            except TimeoutError as exc:
                raise self.silent() from exc
            except (OSError, ValueError) as exc:
                raise unreachable(self.peer, exc) from exc
            on_failure.pop_all()

    def _tcp(self, deadline: Deadline) -> socket.socket:
        if self._asking is None:
            return self._reach(deadline)
        try:
            sock = self._reach(deadline)
        except TimeoutError:
            self.step = "proxy"
            raise
        except (OSError, ValueError) as exc:
            detail = exc.strerror or exc if isinstance(exc, OSError) else exc
            raise self._asking.failed("away", detail=detail) from exc
        self.step = "proxy"
        try:
            converse(sock, self._asking.dialogue(), deadline)
        except TimeoutError:
            raise
        except (Ended, OSError) as exc:
            raise self._asking.failed("closed") from exc
        return sock

    def _reach(self, deadline: Deadline) -> socket.socket:
        """Connect to the first address that answers, each getting its share of the time."""
        found = look_up(*self._first)
        self.step = "TCP"
        problem: OSError | None = None
        for i, (family, kind, protocol, _, address) in enumerate(found):
            sock = socket.socket(family, kind, protocol)
            try:
                self._take(sock)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.settimeout(deadline.left() / (len(found) - i))
                sock.connect(address)
            except OSError as exc:
                problem = exc
                self.drop()
            else:
                return sock
        raise problem or OSError("no address")

    def _take(self, sock: socket.socket) -> None:
        with self._lock:
            if self._given_up:
                sock.close()
                raise ConnectionAbortedError("given up")
            self._sock = sock
            self._number = self._traffic.begin(sock)

    def _encrypt(self, sock: socket.socket, context: ssl.SSLContext, deadline: Deadline) -> socket.socket:
        self.step = "TLS"
        encrypted = context.wrap_socket(sock, server_hostname=self._host, do_handshake_on_connect=False)
        with self._lock:
            self._sock = encrypted
        self._traffic.change(self._number, encrypted)
        encrypted.settimeout(deadline.left())
        encrypted.do_handshake()
        if self._tls is not None:
            self.certificates = certificates(encrypted, self._tls)
        return encrypted

    def _upgrade(self, sock: socket.socket, path: str, deadline: Deadline) -> None:
        self.step = "WebSocket"
        host = f"[{self._host}]" if ":" in self._host else self._host
        standard = 80 if self._tls is None else 443
        where = host if self._port == standard else f"{host}:{self._port}"
        try:
            converse(sock, upgrade(where, path), deadline)
        except (NoWebSocket, Ended, ConnectionResetError) as exc:
            detail = exc.detail if isinstance(exc, NoWebSocket) else "closed"
            text = Phrase("link.no_websocket", {"peer": self.peer, "detail": detail}).text("en")
            raise NotConnected(text, needs_a_person=isinstance(exc, NoWebSocket)) from exc
