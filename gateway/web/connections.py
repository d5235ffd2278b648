"""How many connections the page holds and how long each may take: who sends a byte a minute holds nobody up.

uvicorn waits for ever for a request that was begun and for a reader that has stopped reading, and counts
connections only when a request is whole. Here each has a deadline, and those above the bounds are dropped at
once. The page is a process of its own: whatever happens here, collection is another.
"""

import asyncio
import socket
import ssl
from typing import Any, Final

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from gateway.security.throttle import network
from gateway.web.guard import MOST_HEAD

MOST: Final = 400
"""Connections."""
MOST_OF_ONE: Final = 60
"""From one address; this machine's own visitors and its tunnels are many."""
REQUEST_WITHIN_S: Final = 10.0
"""From a request's first byte, or the connection's beginning, to its last byte."""
HANDSHAKE_WITHIN_S: Final = 5.0
READ_WITHIN_S: Final = 30.0
"""A browser that takes nothing of what waits for it."""
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1"})


class Bounded(H11Protocol):
    """One connection."""

    _deadline: asyncio.TimerHandle | None = None
    _stall: asyncio.TimerHandle | None = None
    place: str = ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take it, or drop it when there are too many."""
        super().connection_made(transport)
        self.place = network(self.client[0]) if self.client else ""
        others = sum(each.place == self.place for each in self.connections if isinstance(each, Bounded))
        is_too_many = others > MOST_OF_ONE and self.client is not None and self.client[0] not in _LOOPBACK
        if is_too_many or len(self.connections) > MOST:
            transport.abort()
            return
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
        super().connection_lost(exc)

    def _is_in_parts(self) -> bool:
        return self.conn.their_state is h11.SEND_BODY or bool(self.conn.trailing_data[0])


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

        handshake = None if self._tls is None else HANDSHAKE_WITHIN_S
        listening = await asyncio.get_running_loop().create_server(
            take, sock=self._listener, ssl=self._tls, ssl_handshake_timeout=handshake
        )
        self.servers = [listening]
        self.started = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let the listeners go, then end as usual."""
        await self._app.state.events.end()
        await super().shutdown(sockets)
