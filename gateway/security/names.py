"""The names and addresses by which people ask for the page; what is none of them is refused."""

import ipaddress
import socket

from config.plant import PageOptions


def names_of(options: PageOptions) -> tuple[str, ...]:
    """Return the names and addresses the page answers to, small letters, without ports."""
    own = {"localhost", "127.0.0.1", "::1", socket.gethostname(), *_addresses(), *options.hosts}
    listens = ipaddress.ip_address(options.listen)
    if not listens.is_unspecified:
        own.add(str(listens))
    return tuple(sorted(each.lower() for each in own if each))


def _addresses() -> set[str]:
    """Return the addresses this machine's own name leads to; the others it is asked by stand in `hosts`."""
    try:
        found = socket.getaddrinfo(socket.gethostname(), None, type=socket.SOCK_STREAM)
    except OSError:
        return set()
    return {str(entry[4][0]).partition("%")[0] for entry in found}
