"""Addresses where nothing of a factory is and something else may be: a cloud's secrets, or everybody."""

import ipaddress
from collections.abc import Sequence
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_METADATA: Final = frozenset({ipaddress.ip_address(each) for each in ("100.100.100.200", "fd00:ec2::254")})
"""Where clouds answer for their machines beside link-local: Alibaba's, and Amazon's over IPv6."""
_EVERYBODY: Final = ipaddress.ip_address("255.255.255.255")
_TRANSLATED: Final = ipaddress.IPv6Network("64:ff9b::/96")


def literal(host: str) -> Address | None:
    """Return the address a host is written as; None for a name, `0x7f.1` and their like among them."""
    try:
        return ipaddress.ip_address(host.partition("%")[0].strip("[]"))
    except ValueError:
        return None


def meant(address: Address) -> Address:
    """Return the IPv4 address that lies in an IPv6 one, where one does."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address.sixtofour is not None:
            return address.sixtofour
        if address in _TRANSLATED:
            return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def is_out_of_reach(address: Address) -> bool:
    """Tell whether nothing leads there by itself."""
    ip = meant(address)
    return ip.is_link_local or ip.is_multicast or ip.is_unspecified or ip == _EVERYBODY or ip in _METADATA


def may_reach(address: Address, networks: Sequence[Network]) -> bool:
    """Tell whether an address somebody wrote may be asked."""
    return not is_out_of_reach(address) or any(meant(address) in each for each in networks)


def _network(value: Any) -> Network:
    try:
        return ipaddress.ip_network(str(value))
    except ValueError:
        raise PydanticCustomError("network", "not a network") from None


NetworkText = Annotated[
    Network, BeforeValidator(_network), WithJsonSchema({"type": "string", "examples": ["169.254.7.0/24"]})
]
"""A network, e.g. ``169.254.7.0/24``; one address alone is one too."""
