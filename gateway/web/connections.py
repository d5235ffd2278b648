"""How many connections the page holds and how long each may take: who sends a byte a minute holds nobody up.

uvicorn waits for ever for a request that was begun and for a reader that has stopped reading, and counts
connections only when a request is whole. Here each has a deadline, and those above the bounds are dropped at
once. The page is a process of its own: whatever happens here, collection is another.
"""

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from gateway.security.throttle import network
from gateway.web.guard import MOST_HEAD

MOST: Final = 400
"""Connections."""
MOST_OF_ONE: Final = 60
"""From one address."""
MOST_HERE: Final = 300
"""From this machine, where tunnels end; the rest is for others."""
REQUEST_WITHIN_S: Final = 10.0
"""From a request's first byte, or the connection's beginning, to its last byte."""
HANDSHAKE_WITHIN_S: Final = 5.0
ACCEPT_AGAIN_S: Final = 0.1
READ_WITHIN_S: Final = 30.0
"""A browser that takes nothing of what waits for it."""
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1"})


class Bounded(H11Protocol):
    """One connection."""

    leave: Callable[[], None] = staticmethod(lambda: None)
    """Called when the connection is over."""
    _deadline: asyncio.TimerHandle | None = None
    _stall: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin; the first request has its deadline from here on."""
        super().connection_made(transport)
        self._deadline = self.loop.call_later(REQUEST_WITHIN_S, transport.abort)

    def data_received(self, data: bytes) -> None:
        """Take what came; a request that was begun has a deadline that more bytes do not move."""
        super().data_received(data)
        if self.conn.their_state in (h11.IDLE, h11.SEND_BODY) and self._is_in_parts():
            if self._deadline is None:
                self._deadline = self.loop.call_later(REQUEST_WITHIN_S, self.transport.abort)
        elif self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def pause_writing(self) -> None:
        """Wait for a reader, not for ever."""
        super().pause_writing()
        if self._stall is None:
            self._stall = self.loop.call_later(READ_WITHIN_S, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on."""
        super().resume_writing()
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        for timer in (self._deadline, self._stall):
            if timer is not None:
                timer.cancel()
        self.leave()
        super().connection_lost(exc)

    def _is_in_parts(self) -> bool:
        return self.conn.their_state is h11.SEND_BODY or bool(self.conn.trailing_data[0])


class Doorkeeper:
    """Takes connections, and drops those above the bounds before a handshake costs anything."""

    def __init__(
        self, listener: socket.socket, take: Callable[[], Bounded], tls: ssl.SSLContext | None
    ) -> None:
        self._listener = listener
        self._take = take
        self._tls = tls
        self._there: Counter[str] = Counter()
        self._arriving: set[asyncio.Task[None]] = set()
        listener.settimeout(0)
        self._accepting = asyncio.get_running_loop().create_task(self._accept(), name="accept")

    def close(self) -> None:
        """Take no more."""
        self._accepting.cancel()
        for each in self._arriving:
            each.cancel()
        self._listener.close()

    async def wait_closed(self) -> None:
        """Return once nobody is between the door and the room."""
        await asyncio.gather(self._accepting, *self._arriving, return_exceptions=True)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, peer = await loop.sock_accept(self._listener)
            except OSError:  # no descriptor is free, or the peer has gone again
                await asyncio.sleep(ACCEPT_AGAIN_S)
                continue
            place = network(peer[0])
            most = MOST_HERE if peer[0] in _LOOPBACK else MOST_OF_ONE
            if self._there.total() >= MOST or self._there[place] >= most:
                connection.close()
            else:
                self._there[place] += 1
                task = loop.create_task(self._let_in(connection, place))
                self._arriving.add(task)
                task.add_done_callback(self._arriving.discard)
            await asyncio.sleep(0)  # who knocks without a pause must not keep those inside waiting

    async def _let_in(self, connection: socket.socket, place: str) -> None:
        protocol = self._take()
        protocol.leave = lambda: self._forget(place)
        handshake = None if self._tls is None else HANDSHAKE_WITHIN_S
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: protocol, connection, ssl=self._tls, ssl_handshake_timeout=handshake
            )
        except (OSError, asyncio.CancelledError) as exc:
            connection.close()
            self._forget(place)
            if isinstance(exc, asyncio.CancelledError):
                raise

    def _forget(self, place: str) -> None:
        self._there[place] -= 1
        if self._there[place] <= 0:
            del self._there[place]


class Server(uvicorn.Server):
    """One listener, with TLS or without; streams are told to end, or the end would wait for the browsers."""

    def __init__(self, app: Any, listener: socket.socket, tls: ssl.SSLContext | None) -> None:
        config = uvicorn.Config(
            app,
            http=Bounded,
            log_level="error",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            lifespan="off",
            ws="none",
            limit_concurrency=MOST + 1,
            timeout_graceful_shutdown=1,
            h11_max_incomplete_event_size=MOST_HEAD,
        )
        super().__init__(config)
        self._app = app
        self._listener = listener
        self._tls = tls

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen; uvicorn's own way knows no deadline for a handshake."""
        del sockets
        await self.lifespan.startup()

        def take() -> Bounded:
            return Bounded(self.config, self.server_state, self.lifespan.state)

        self.servers = [Doorkeeper(self._listener, take, self._tls)]  # type: ignore[list-item]
        self.started = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let the listeners go, then end as usual."""
        for each in self._app.state.lasting:
            await each.end()
        await super().shutdown(sockets)
