"""Where a name leads: looked up once, judged, and connected to nothing but what was judged.

An address somebody wrote was judged when the plant file was read. Who answers for a name can't lead the
gateway to its own cloud's secrets, nor to another address between the look and the connection.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from config.problems import Phrase
from config.reach import is_out_of_reach, literal
from connectors.errors import NotConnected

T = TypeVar("T")
Found = tuple[Any, Any, int, str, Any]
"""What `getaddrinfo` gives: family, kind, protocol, canonical name, socket address."""


def look_up(host: str, port: int) -> list[Found]:
    """Return the addresses of a host that may be reached; blocks.

    Raises:
        OSError: it has none.
        NotConnected: all it has are out of reach.
    """
    return judged(host, port, socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))


async def addresses(host: str, port: int) -> list[str]:
    """Return the same as texts to connect to, in order. Raises as `look_up`."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in judged(host, port, found)))


async def first_that_answers(host: str, port: int, connect: Callable[[str], Awaitable[T]]) -> T:
    """Return what connecting to the first of a host's addresses that answers gives. Raises as `look_up`."""
    problem: OSError | None = None
    for address in await addresses(host, port):
        try:
            return await connect(address)
        except OSError as exc:
            problem = exc
    raise problem or OSError("no address")


def judged(host: str, port: int, found: Sequence[Found]) -> list[Found]:
    """Return those of a host's addresses that may be reached. Raises NotConnected where none may."""
    if literal(host) is not None:
        return list(found)
    kept = [each for each in found if not is_out_of_reach(_address(each))]
    if found and not kept:
        filling = {"peer": f"{host}:{port}", "address": _address(found[0])}
        raise NotConnected(Phrase("link.out_of_reach", filling).text("en"), needs_a_person=True)
    return kept


def _address(found: Found) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(str(found[4][0]).partition("%")[0])
