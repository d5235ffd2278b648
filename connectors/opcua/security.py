"""Who is spoken to: the endpoint asked for and no other, by a certificate a person has trusted."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlparse

from asyncua import ua
from asyncua.common.utils import ServiceError
from cryptography import x509

from config.connections import OpcUaSource
from connectors.contract import Certificate
from connectors.errors import NotConnected
from connectors.opcua.client import CONNECTION_PROBLEMS, POLICIES, UNREADABLE, GatewayClient
from connectors.opcua.own import Own
from connectors.opcua.pki import Pki, Refused, below
from connectors.opcua.reasons import explain

_MODES: Final = {
    "Sign": ua.MessageSecurityMode.Sign,
    "SignAndEncrypt": ua.MessageSecurityMode.SignAndEncrypt,
}
_SESSION_MS: Final = 60_000
"""A gateway that died without a word holds its session on the server this long."""
_TRANSPORT: Final = "http://opcfoundation.org/UA-Profile/Transport/uatcp-uasc-uabinary"


class Security:
    """How one source's sessions are protected."""

    def __init__(self, options: OpcUaSource, directory: Path, gateway: str) -> None:
        self._options = options
        self._pki = Pki(below(directory))
        self._gateway = gateway
        self._timeout_s = options.timeout / 1e9
        self.is_open = options.security.policy == "none"
        """Whether everything is sent readable and anybody is believed."""
        self._used = b""
        """The server's certificate, DER, that was examined for the session being opened."""
        self.certificates: tuple[Certificate, ...] = ()
        """What protects the session; none where nothing does."""

    @property
    def own_certificate(self) -> str:
        """Return the file of the gateway's own certificate."""
        return str(self._pki.own_certificate)

    async def client(self, lost: Callable[[str], None]) -> GatewayClient:
        """Return a client ready to connect.

        Raises:
            NotConnected: the server does not offer what is asked for, or its certificate is refused.
        """
        options = self._options
        client = GatewayClient(options.endpoint, self._timeout_s, lost)
        client.certificate_validator = self._validate
        # What is asked for in a session keeps it alive: publish requests, or polls.
        devices = options.devices.values()
        scans = ((device.scan, *(tag.scan or 0 for tag in device.tags.values())) for device in devices)
        longest_scan = max(scan for each in scans for scan in each)
        client.session_timeout = max(_SESSION_MS, 3 * longest_scan // 1_000_000)
        if self.is_open:
            return client
        own = await asyncio.to_thread(self._pki.own, self._gateway)
        client.application_uri = own.uri
        endpoint = await self._endpoint()
        await self._examine(endpoint)
        self._used = endpoint.ServerCertificate
        server = x509.load_der_x509_certificate(_first(endpoint.ServerCertificate))
        self.certificates = (
            Certificate("peer", _ns(server.not_valid_after_utc)),
            Certificate("own", _ns(own.certificate.not_valid_after_utc)),
        )
        policy = POLICIES[options.security.policy](
            server,
            own.certificate,
            own.key,
            _MODES[options.security.mode],
        )
        client.security_policy = policy
        client.uaclient.set_security(policy)
        await asyncio.to_thread(self._add_user, client)
        return client

    async def _endpoint(self) -> ua.EndpointDescription:
        """Ask the server what it offers and return exactly what the plant file names."""
        options = self._options
        asking = GatewayClient(options.endpoint, self._timeout_s, lambda _: None)
        try:
            async with asyncio.timeout(2 * self._timeout_s):
                offered = await asking.endpoints()
        except (*CONNECTION_PROBLEMS, *UNREADABLE) as exc:
            raise explain(exc, options, self.own_certificate) from exc
        uri, mode = POLICIES[options.security.policy].URI, _MODES[options.security.mode]
        for each in offered:
            is_binary = each.TransportProfileUri in (None, "", _TRANSPORT)
            if is_binary and each.SecurityPolicyUri == uri and each.SecurityMode == mode:
                if not each.ServerCertificate:
                    raise NotConnected(f"{options.endpoint} shows no certificate", needs_a_person=True)
                return each
        names = sorted(
            {
                f"{(each.SecurityPolicyUri or '').rpartition('#')[2]} {each.SecurityMode.name.rstrip('_')}"
                for each in offered
            }
        )
        raise NotConnected(
            f"{options.endpoint} does not offer {options.security.policy} {options.security.mode}, only:"
            f" {', '.join(names) or 'nothing'}; nothing else is taken in its place",
            needs_a_person=True,
        )

    async def _examine(self, endpoint: ua.EndpointDescription) -> None:
        host = urlparse(self._options.endpoint).hostname or ""
        try:
            await asyncio.to_thread(
                self._pki.examine, endpoint.ServerCertificate, endpoint.Server.ApplicationUri or "", host
            )
        except Refused as refused:
            raise NotConnected(f"{self._options.endpoint}: {refused}", needs_a_person=True) from refused

    async def _validate(self, certificate: x509.Certificate, _server: ua.ApplicationDescription) -> None:
        """Be asyncua's validator: the certificate of the session is the one that was examined."""
        if not self.is_open and certificate != x509.load_der_x509_certificate(_first(self._used)):
            raise ServiceError(ua.StatusCodes.BadCertificateInvalid)

    def _add_user(self, client: GatewayClient) -> None:
        user = self._options.user
        if user is None:
            return
        if user.name is not None:
            client.set_user(user.name)
            client.set_password(user.password.get_secret_value() if user.password is not None else "")
        elif user.certificate is not None and user.key is not None:
            password = None if user.key_password is None else user.key_password.get_secret_value().encode()
            pair = Own.load(Path(user.certificate), Path(user.key), password)
            client.user_certificate, client.user_private_key = pair.certificate, pair.key


def _ns(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000_000


def _first(chain: bytes) -> bytes:
    """Return the first certificate of several written one behind the other."""
    return chain[: 4 + int.from_bytes(chain[2:4], "big")]
