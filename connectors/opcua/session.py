"""One secure channel and session with a server, by asyncua; every failure is a NotConnected that says why."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any, Final, TypeVar

from asyncua import ua
from asyncua.ua.ua_binary import struct_from_binary
from asyncua.ua.uaerrors import UaStatusCodeError

from config.connections import OpcUaSource
from connectors.contract import Certificate
from connectors.errors import NotConnected
from connectors.opcua.client import CONNECTION_PROBLEMS, UNREADABLE, GatewayClient, SessionKey
from connectors.opcua.reasons import explain, status_of
from connectors.opcua.security import Security

T = TypeVar("T")

# What goes wrong is told by NotConnected, once; the library would tell it again, with tracebacks.
logging.getLogger("asyncua").setLevel(logging.CRITICAL + 1)

_STATE: Final = ua.NodeId(ua.ObjectIds.Server_ServerStatus_State)
_CLOSE_WITHIN_S: Final = 1.0
_RENEW_AFTER: Final = 0.75
"""Part of a security token's life after which a new one is asked for (OPC 10000-4, 5.5.2.1)."""


class Session:
    """Open with `open`, close with `close`; in between `ask` and `publish`."""

    def __init__(self, options: OpcUaSource, security: Security) -> None:
        self._options = options
        self._security = security
        self._timeout_s = options.timeout / 1e9
        self._client: GatewayClient | None = None
        self._renewing: asyncio.Task[None] | None = None
        self._lost: str = ""
        self._is_stuck = False
        self.on_lost: Callable[[], None] = lambda: None
        """Called once when the connection drops."""

    @property
    def peer(self) -> str:
        """Return the server's address for messages."""
        return self._options.endpoint

    @property
    def certificates(self) -> tuple[Certificate, ...]:
        """Return what protects the session."""
        return self._security.certificates

    @property
    def was_cut(self) -> bool:
        """Whether the connection is gone, or nothing comes over it: the server may still have the session."""
        return bool(self._lost) or self._is_stuck

    def key(self) -> SessionKey:
        """Return what it takes to go on with this session over another connection."""
        return self._connected().key()

    async def open(self, take_key: Callable[[], SessionKey | None] = lambda: None) -> bool:
        """Connect, prove each other's identity, activate a session; tell whether it is an earlier one.

        `take_key` is asked once there is a channel, for the key of a session to go on with: who was asked has
        given it away. Where the server does not know the session any more, a new one is made.

        Raises:
            NotConnected: with `needs_a_person` when a certificate or user is not accepted.
        """
        try:
            client = self._client = await self._security.client(self.lose)
            await client.connect_socket()
            await client.send_hello()
            await self._open_channel(client)
            is_earlier = await _reactivated(client, take_key())
            if not is_earlier:
                await client.create_session()
                await client.activate()
        except (*CONNECTION_PROBLEMS, *UNREADABLE) as exc:
            await self.close()
            if self._lost and isinstance(exc, ConnectionError):
                raise NotConnected(self._lost) from exc
            raise explain(exc, self._options, self._security.own_certificate) from exc
        except BaseException:
            await self.close()
            raise
        self._renewing = asyncio.create_task(self._renew(client))
        return is_earlier

    async def _open_channel(self, client: GatewayClient) -> None:
        try:
            await client.open_secure_channel()
        except ConnectionError as exc:
            # Many servers hang up on who they do not trust, without a word.
            own = self._security.own_certificate
            hint = "" if self._security.is_open else f"; perhaps it does not trust our certificate, {own}"
            raise NotConnected(f"{self.peer} hung up when the secure channel was opened{hint}") from exc

    async def ask(self, request: Any, answer: type[T]) -> T:
        """Send a request and return the decoded answer.

        Raises:
            UaStatusCodeError: the server refuses the service.
            NotConnected: the connection is gone, or there is no answer in time.
        """
        body = await self.ask_raw(request)
        try:
            response: Any = struct_from_binary(answer, body)
        except UNREADABLE as exc:
            raise NotConnected(f"{self.peer} sent an answer that can't be read: {exc}") from exc
        response.ResponseHeader.ServiceResult.check()
        return response  # type: ignore[no-any-return]

    async def ask_raw(self, request: Any) -> Any:
        """Send a request and return the answer's body as asyncua's Buffer; see `ask` for what it raises."""
        self.check()
        client = self._connected()
        try:
            return await client.request(request, self._timeout_s)
        except UaStatusCodeError:
            raise
        except CONNECTION_PROBLEMS as exc:
            self.check()
            self._is_stuck = isinstance(exc, TimeoutError)
            raise explain(exc, self._options, self._security.own_certificate) from exc

    def send(self, request: Any) -> "asyncio.Future[Any]":
        """Send a request now; the future brings the answer's body, whatever time that takes."""
        self.check()
        try:
            return self._connected().send(request)
        except CONNECTION_PROBLEMS as exc:
            raise explain(exc, self._options, self._security.own_certificate) from exc

    async def knock(self) -> None:
        """Ask for what every server tells, to learn whether anything comes over the connection.

        Raises:
            NotConnected: nothing does.
        """
        request = ua.ReadRequest()
        request.Parameters.NodesToRead = [ua.ReadValueId(NodeId=_STATE, AttributeId=ua.AttributeIds.Value)]
        with contextlib.suppress(UaStatusCodeError):
            await self.ask_raw(request)

    def check(self) -> None:
        """Raise NotConnected when the connection has dropped."""
        if self._lost:
            raise NotConnected(self._lost)

    async def close(self) -> None:
        """End the session, its subscriptions and the connection; never raises, waits a second at most.

        Of a connection that was cut the session is left as it is, to be gone on with.
        """
        renewing, self._renewing = self._renewing, None
        client, self._client = self._client, None
        if renewing is not None:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)
        if client is None:
            return
        if not self.was_cut:
            with contextlib.suppress(*CONNECTION_PROBLEMS, *UNREADABLE):
                async with asyncio.timeout(_CLOSE_WITHIN_S):
                    await client.leave()
        client.abort()

    def _connected(self) -> GatewayClient:
        if self._client is None:
            raise NotConnected(f"{self.peer} is not connected")
        return self._client

    def lose(self, reason: str) -> None:
        """Learn that the connection has dropped, or that the session has over it."""
        if not self._lost:
            self._lost = f"{self.peer} {reason}"
            self.on_lost()

    async def _renew(self, client: GatewayClient) -> None:
        """Renew the channel's keys for as long as the session lives."""
        while True:
            await asyncio.sleep(client.secure_channel_timeout / 1e3 * _RENEW_AFTER)
            try:
                await client.open_secure_channel(renew=True)
                client.uaclient.revolve_security_token()
            except (*CONNECTION_PROBLEMS, *UNREADABLE) as exc:
                why = status_of(exc) or str(exc) or type(exc).__name__
                self.lose(f"did not renew the secure channel: {why}")
                return


async def _reactivated(client: GatewayClient, key: SessionKey | None) -> bool:
    if key is None:
        return False
    try:
        await client.reactivate(key)
    except UaStatusCodeError:
        return False
    return True
