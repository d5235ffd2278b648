"""One POST to an address a person wrote: where it may lead, no redirects, little read. Blocks.

The name is looked up once, every address it has is judged, and the connection goes to one that was judged:
who answers for the name can't lead it elsewhere in between. Never to link-local addresses, where clouds keep
their machines' secrets; to this machine and its own network only where the plant file says so. Behind a proxy
names are looked up by it, in its own network: only an address that was written is judged here.
"""

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
from typing import Final
from urllib.parse import urlsplit

from config.proxy import Proxy
from config.reach import is_out_of_reach, literal, meant
from connectors import NotConnected
from connectors.dial import Dial, Traffic
from connectors.unreachable import unreachable

WITHIN_S: Final = 10.0
_PATIENCE: Final = 3
"""Of all waits together, in single ones."""
_MOST_ANSWER: Final = 16 * 1024


def post(
    url: str,
    query: str,
    body: bytes,
    *,
    is_local: bool,
    proxy: Proxy | None = None,
    within_s: float = WITHIN_S,
) -> tuple[int, bytes]:
    """Return status and the beginning of the answer.

    Raises:
        NotConnected: nobody is there, or one must not go there; its words hold nothing of the path.
    """
    peer = "webhook"
    try:
        address = urlsplit(url)
        host, is_secure = address.hostname or "", address.scheme == "https"
        port = address.port or (443 if is_secure else 80)
        peer = f"{host}:{port}"
        there = "&".join(each for each in (address.query, query) if each)
        with _connected(host, port, proxy, is_local=is_local, within_s=within_s) as plain:
            cut = threading.Timer(_PATIENCE * within_s, _hang_up, (plain,))
            cut.start()
            try:
                return _asked(
                    plain, host, port, f"{address.path or '/'}?{there}".rstrip("?"), body, is_secure
                )
            finally:
                cut.cancel()
    except http.client.HTTPException as exc:
        raise NotConnected(f"{peer} does not speak HTTP") from exc
    except (OSError, ValueError) as exc:
        raise unreachable(peer, exc) from exc


def _connected(
    host: str, port: int, proxy: Proxy | None, *, is_local: bool, within_s: float
) -> socket.socket:
    if proxy is None:
        return socket.create_connection((_judged(host, port, is_local=is_local), port), within_s)
    if literal(host) is not None:
        _must_be_allowed(host, host, is_local=is_local)
    return Dial(host, port, seconds=within_s, traffic=Traffic(), proxy=proxy).connect()


def _asked(  # noqa: PLR0917  one request, taken apart
    plain: socket.socket,
    host: str,
    port: int,
    target: str,
    body: bytes,
    is_secure: bool,
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(host, port)
    connection.default_port = port  # so that the Host header names none
    stream = ssl.create_default_context().wrap_socket(plain, server_hostname=host) if is_secure else plain
    with stream:
        connection.sock = stream
        headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "wanglian"}
        connection.request("POST", target, body, headers)
        answer = connection.getresponse()
        with answer:
            return answer.status, answer.read(_MOST_ANSWER)


def _hang_up(plain: socket.socket) -> None:
    """End what a peer drags out byte by byte."""
    with contextlib.suppress(OSError):
        plain.shutdown(socket.SHUT_RDWR)


def _judged(host: str, port: int, *, is_local: bool) -> str:
    """Return an address of this name to connect to; NotConnected when one of them is forbidden."""
    found = [str(each[4][0]) for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    for each in found:
        _must_be_allowed(host, each, is_local=is_local)
    return found[0]


def _must_be_allowed(host: str, address: str, *, is_local: bool) -> None:
    why = forbidden(address, is_local=is_local)
    if why:
        raise NotConnected(f"{host} leads to {address}: {why}", needs_a_person=True)


def forbidden(address: str, *, is_local: bool) -> str:
    """Return why an address must not be asked; empty when it may."""
    ip = meant(ipaddress.ip_address(address.partition("%")[0]))
    if is_out_of_reach(ip):
        return "no webhook may lead there"
    if not ip.is_global and not is_local:
        return "only with local: true may a webhook lead into its own network"
    return ""
