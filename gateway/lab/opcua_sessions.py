"""What asyncua's server does not do by itself: be slow, forget sessions, refuse, show another certificate."""

import asyncio
from collections import deque
from typing import Any, Final

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.server.internal_server import InternalServer
from asyncua.server.internal_session import InternalSession, SessionState
from cryptography.hazmat.primitives.serialization import Encoding

ANY: Final = 2**32


class Sessions(InternalServer):
    """The server behind the sockets, with limits that may change while it runs."""

    def __init__(self) -> None:
        super().__init__()
        self.most_operations = ANY
        """In a request; none is told of."""
        self.most_items = ANY
        """Monitored, of all sessions together."""
        self.delay_s = 0.0
        """By how much everything is said later."""
        self.refuses = False
        """Whoever would open a session: their certificate is not trusted here."""
        self.sessions = 0
        """Activated so far."""
        # It would ask a forgotten session whether it is active.
        self.max_pending_activation_seconds = 0

    def create_session(self, name: str, user: Any = None, external: bool = False) -> InternalSession:
        """Make a session, of a client or of the server itself."""
        given = {} if user is None else {"user": user}
        kind = _Session if external else InternalSession
        return kind(self, self.aspace, self.subscription_service, name, external=external, **given)

    def items(self) -> int:
        """Return how many items are monitored."""
        subscriptions = self.subscription_service.subscriptions.values()
        return sum(len(each.monitored_item_srv._monitored_items) for each in subscriptions)  # noqa: SLF001


class _Session(InternalSession):
    """A client's."""

    iserver: Sessions

    def is_activated(self) -> bool:
        if self.state == SessionState.Closed:
            raise ServiceError(ua.StatusCodes.BadSessionIdInvalid)
        return bool(super().is_activated())

    async def create_session(self, params: Any, sockname: Any = None) -> Any:
        self._let_in()
        return await super().create_session(params, sockname=sockname)

    def activate_session(self, params: Any, peer_certificate: bytes | None) -> Any:
        self._let_in()
        result = super().activate_session(params, peer_certificate)
        self.iserver.sessions += 1
        return result

    async def close_session(self, delete_subs: bool = True) -> None:
        await super().close_session(delete_subs)
        self.external = False  # nothing is left for another connection

    async def read(self, params: Any) -> Any:
        self._allow(params.NodesToRead)
        return await super().read(params)

    async def browse(self, params: Any) -> Any:
        self._allow(params.NodesToBrowse)
        return await super().browse(params)

    async def translate_browsepaths_to_nodeids(self, params: Any) -> Any:
        self._allow(params)
        return await super().translate_browsepaths_to_nodeids(params)

    async def create_monitored_items(self, params: Any) -> Any:
        wanted = params.ItemsToCreate
        self._allow(wanted)
        room = max(0, self.iserver.most_items - self.iserver.items())
        params.ItemsToCreate = wanted[:room]
        refused = ua.StatusCode(ua.StatusCodes.BadTooManyMonitoredItems)
        made = await super().create_monitored_items(params)
        return [*made, *(ua.MonitoredItemCreateResult(StatusCode=refused) for _ in wanted[room:])]

    def _let_in(self) -> None:
        if self.iserver.refuses:
            raise ServiceError(ua.StatusCodes.BadCertificateUntrusted)

    def _allow(self, wanted: Any) -> None:
        if len(wanted) > self.iserver.most_operations:
            raise ServiceError(ua.StatusCodes.BadTooManyOperations)


class Clients(list[Any]):
    """The connections of a server; what it says on each goes out late, and in order."""

    def __init__(self, server: Sessions) -> None:
        super().__init__()
        self._server = server

    def append(self, client: Any) -> None:
        """Take one that was made just now."""
        processor = client.processor
        processor._transport = _Late(processor._transport, self._server)  # noqa: SLF001  no other way in
        super().append(client)


class _Late:
    """The way out of one connection."""

    def __init__(self, transport: asyncio.Transport, server: Sessions) -> None:
        self._transport = transport
        self._server = server
        self._waiting: deque[bytes] = deque()
        self._due = 0.0

    def write(self, data: bytes) -> None:
        """Send it when it is its turn: nothing overtakes what was said before."""
        loop = asyncio.get_running_loop()
        self._due = max(self._due, loop.time() + self._server.delay_s)
        self._waiting.append(data)
        loop.call_at(self._due, self._send)

    def _send(self) -> None:
        data = self._waiting.popleft()
        if not self._transport.is_closing():
            self._transport.write(data)


def show_certificate(server: Any, certificate: Any, key: Any) -> None:
    """Let a running server show another certificate to who connects from now on; connections end."""
    server.iserver.certificate, server.iserver.private_key = certificate, key
    for endpoint in server.iserver.endpoints:
        endpoint.ServerCertificate = certificate.public_bytes(Encoding.DER)
    for policy in server._policies:  # noqa: SLF001  no other way in
        policy.certificate, policy.private_key = certificate, key
    for client in list(server.bserver.clients):
        client.transport.close()


async def forget_sessions(server: Any) -> None:
    """End the sessions of all clients, whose connections stay; the requests that wait are answered so."""
    for client in list(server.bserver.clients):
        processor = client.processor
        if processor is None or processor.session is None:
            continue
        await processor.session.close_session(delete_subs=True)
        waiting = processor._publish_requests  # noqa: SLF001  nobody else can answer them
        while waiting:
            request = waiting.popleft()
            answer = ua.ServiceFault()
            answer.ResponseHeader.ServiceResult = ua.StatusCode(ua.StatusCodes.BadSessionClosed)
            processor.send_response(request.requesthdr.RequestHandle, request.seqhdr, answer)
