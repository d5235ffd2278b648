"""asyncua's client with what we add to it, and the only place that touches what is private to it.

Private to asyncua 2.1 and used here (tests/contract/test_asyncua.py fails when one of them changes):

- `UASocketProtocol._send_request` returns a future of the answer's body. Publish requests go through it,
  several at a time, instead of asyncua's loop, which keeps one in flight and makes an object of each value.
- `UaClient._make_protocol` makes the protocol; ours bounds what a server may make us hold in memory.
- `Client._server_nonce` and `_policy_ids` are what a session is activated with; they are carried over to go
  on with it over another connection.
- `UASocketProtocol._callbackmap` under 0 takes the server's Acknowledge; asyncua's own Hello allows anything.

asyncua's `connect` is not used: it starts tasks that poll the server's state, and a reconnection of its own.
"""

import asyncio
import contextlib
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from asyncua import Client, ua
from asyncua.client.ua_client import UaClient, UASocketProtocol
from asyncua.common.connection import TransportLimits
from asyncua.crypto.security_policies import (
    SecurityPolicyAes128Sha256RsaOaep,
    SecurityPolicyAes256Sha256RsaPss,
    SecurityPolicyBasic256Sha256,
    SecurityPolicyNone,
)
from asyncua.ua.ua_binary import nodeid_from_binary, struct_from_binary, uatcp_to_binary
from asyncua.ua.uaerrors import UaError
from cryptography.exceptions import InvalidSignature

from connectors.reach import first_that_answers

LARGEST_CHUNK: Final = 65_536
"""Bytes; asyncua alone would allow 2 GiB, and gathers a chunk in memory before it looks at it."""
LARGEST_MESSAGE: Final = 96 * 2**20
"""Bytes of one answer; more ends the session. One text of 64 MB must not silence the nodes beside it."""

POLICIES: Final = {
    "none": SecurityPolicyNone,
    "Basic256Sha256": SecurityPolicyBasic256Sha256,
    "Aes128_Sha256_RsaOaep": SecurityPolicyAes128Sha256RsaOaep,
    "Aes256_Sha256_RsaPss": SecurityPolicyAes256Sha256RsaPss,
}
TOKEN_POLICIES: Final = tuple(policy.URI for name, policy in POLICIES.items() if name != "none")
CONNECTION_PROBLEMS: Final = (OSError, TimeoutError, UaError, InvalidSignature, AssertionError)
"""What asyncua raises when a peer does not do what it should; it asserts when no channel is opened."""
UNREADABLE: Final = (UaError, ValueError, TypeError, LookupError, AttributeError, struct.error)
"""What asyncua's own decoding raises on bytes that make no sense."""


_FAULT: Final = ua.FourByteNodeId(ua.ObjectIds.ServiceFault_Encoding_DefaultBinary)


@dataclass(frozen=True, slots=True)
class SessionKey:
    """What it takes to go on with a session over another connection."""

    token: ua.NodeId
    nonce: bytes | None
    """The server's last; what proves who we are is signed over it."""
    policies: Any
    """The server's user token policies."""
    certificate: Any
    """The server's."""


class _Limits(TransportLimits):
    """Ours for what we receive, the server's for what we send."""

    def update_client_limits(self, msg: ua.Acknowledge) -> None:
        # Part 6, 7.1.2.4: the server's ReceiveBufferSize bounds our chunks; asyncua has the two reversed.
        if msg.ReceiveBufferSize:
            self.max_send_buffer: int = min(LARGEST_CHUNK, msg.ReceiveBufferSize)


class _Protocol(UASocketProtocol):
    _opening: "asyncio.Future[Any] | None" = None

    async def send_hello(self, url: str, max_messagesize: int = 0, max_chunkcount: int = 0) -> ua.Acknowledge:
        """Agree on sizes we can hold."""
        hello = ua.Hello(0, LARGEST_CHUNK, LARGEST_CHUNK, max_messagesize, max_chunkcount, url)
        answer: asyncio.Future[ua.Acknowledge] = asyncio.get_running_loop().create_future()
        self._callbackmap[0] = answer
        if self.transport is not None:
            self.transport.write(uatcp_to_binary(ua.MessageType.Hello, hello))
        async with asyncio.timeout(self.timeout):
            return await answer

    async def open_secure_channel(self, params: ua.OpenSecureChannelParameters) -> ua.OpenSecureChannelResult:
        """Open or renew the channel; where asyncua only asserts, tell the status the server gave."""
        try:
            return await super().open_secure_channel(params)
        except AssertionError:
            refusal = self.refusal()
            if refusal is not None:
                refusal.check()
            raise

    def refusal(self) -> ua.StatusCode | None:
        """Return why the server did not open or renew the channel, where it said so."""
        answer = self._opening
        if answer is None or not answer.done() or answer.cancelled() or answer.exception() is not None:
            return None
        body = answer.result().copy()
        with contextlib.suppress(*UNREADABLE):
            if nodeid_from_binary(body) == _FAULT:
                told: ua.StatusCode = struct_from_binary(ua.ResponseHeader, body).ServiceResult
                return told
        return None

    def _send_request(self, request: Any, *args: Any, **more: Any) -> "asyncio.Future[Any]":
        answer: asyncio.Future[Any] = super()._send_request(request, *args, **more)
        if isinstance(request, ua.OpenSecureChannelRequest):
            self._opening = answer
        return answer

    def data_received(self, data: bytes) -> None:
        """Refuse a chunk by the length its header tells, before it is gathered in memory."""
        held: Any = self.receive_buffer  # type: ignore[has-type]
        head = ((held or b"") + data[:8])[:8]
        if len(head) == 8 and int.from_bytes(head[4:8], "little") > LARGEST_CHUNK:
            self.receive_buffer = None
            if self.on_connection_lost is not None:
                self.on_connection_lost(UaError("a chunk larger than agreed came, or no OPC UA at all"))
            self.disconnect_socket()
            return
        super().data_received(data)


class _UaClient(UaClient):
    async def connect_socket(self, host: str, port: int) -> None:
        """Connect to the first of the host's addresses that answers and may be reached."""
        connect = super().connect_socket
        await first_that_answers(host, port, lambda address: connect(address, port))

    def _make_protocol(self) -> UASocketProtocol:
        limits = _Limits(LARGEST_CHUNK, LARGEST_CHUNK, LARGEST_MESSAGE // 8192, LARGEST_MESSAGE)
        self.protocol = _Protocol(self._timeout, security_policy=self.security_policy, limits=limits)
        self.protocol.on_connection_lost = self._on_transport_lost
        return self.protocol


class GatewayClient(Client):
    """A client that speaks for the gateway: bounded, without tasks of its own, passwords only encrypted."""

    def __init__(self, url: str, timeout_s: float, lost: Callable[[str], None]) -> None:
        super().__init__(url, timeout=timeout_s)
        self.uaclient = _UaClient(timeout_s)
        self.max_messagesize = LARGEST_MESSAGE
        self.name = self.description = "Wanglian"
        self.product_uri = "urn:wanglian"
        self._lost = lost

    async def connect_socket(self) -> None:
        """Connect; from now on a lost connection is told."""
        await super().connect_socket()
        protocol = self._protocol()
        surface = protocol.on_connection_lost

        def lost(exc: Exception | None) -> None:
            if surface is not None:
                surface(exc)
            refusal = protocol.refusal()
            if refusal is not None:  # asyncua hangs up by itself then
                self._lost(f"refused the secure channel: {refusal.name}")
            else:
                self._lost("closed the connection" if exc is None else f"was lost: {exc}")

        protocol.on_connection_lost = lost

    async def request(self, request: Any, timeout_s: float) -> Any:
        """Send a request and return the answer's body, a Buffer that begins with its type."""
        return await self._protocol().send_request(request, timeout_s)

    def send(self, request: Any) -> "asyncio.Future[Any]":
        """Send a request without a deadline; the future brings the answer's body, even of a ServiceFault."""
        answer: asyncio.Future[Any] = self._protocol()._send_request(request, 0)  # noqa: SLF001  see above
        return answer

    async def endpoints(self) -> list[ua.EndpointDescription]:
        """Connect without security, ask what the server offers, disconnect."""
        try:
            offered: list[ua.EndpointDescription] = await self.connect_and_get_server_endpoints()
        except BaseException:
            self.abort()
            raise
        return offered

    async def activate(self) -> None:
        """Say who the user is."""
        await self.activate_session(
            username=self._username, password=self._password, certificate=self.user_certificate
        )

    def key(self) -> SessionKey:
        """Return what another client needs to go on with this session."""
        return SessionKey(
            self.uaclient.session.authentication_token,
            self._server_nonce,
            self._policy_ids,
            self.security_policy.peer_certificate,
        )

    async def reactivate(self, key: SessionKey) -> None:
        """Go on with a session that was begun over another connection; UaStatusCodeError if there is none."""
        self.uaclient.session.restore_authentication_token(key.token)
        self._server_nonce, self._policy_ids = key.nonce, key.policies
        if self.security_policy.peer_certificate is None:
            self.security_policy.peer_certificate = key.certificate
        try:
            await self.activate()
        except UaError:
            self.uaclient.session.reset_authentication_token()
            self._server_nonce = None
            raise

    async def leave(self) -> None:
        """End session and channel in order."""
        await self.close_session()
        await self.close_secure_channel()

    def abort(self) -> None:
        """Close the socket now."""
        protocol = self.uaclient.protocol
        if protocol is not None and protocol.transport is not None:
            protocol.on_connection_lost = None
            protocol.transport.abort()

    def server_policy(self, token_type: ua.UserTokenType) -> ua.UserTokenPolicy:
        """Return the policy a user's token is sent by: one that encrypts or signs it, never in the clear.

        asyncua takes the first of the type, and sends a password readable when that one has no policy.
        """
        found = [policy for policy in self._policy_ids if policy.TokenType == token_type]
        if not found:
            raise UnofferedToken(token_type.name)
        if token_type == ua.UserTokenType.Anonymous:
            return found[0]
        for policy in found:
            policy.SecurityPolicyUri = policy.SecurityPolicyUri or self.security_policy.URI
            if policy.SecurityPolicyUri in TOKEN_POLICIES:
                return policy
        if self.security_policy.Mode == ua.MessageSecurityMode.SignAndEncrypt:
            for policy in found:
                if (
                    policy.SecurityPolicyUri == SecurityPolicyNone.URI
                    and token_type == ua.UserTokenType.UserName
                ):
                    return policy
        raise ReadableToken(token_type.name)

    def _protocol(self) -> _Protocol:
        if self.uaclient.protocol is None:
            raise ConnectionError("not connected")
        return self.uaclient.protocol


class UnofferedToken(UaError):
    """The server takes no user of this kind."""


class ReadableToken(UaError):
    """The server would have the token sent so that others can read it."""
