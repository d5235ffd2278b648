"""What protects any connection: are certificate and key whole and sound; is a host this machine?"""

import ipaddress
from collections.abc import Iterator

from config.checks.certificates import check_authority, check_pair
from config.connections import Tls
from config.problems import Problem
from config.reading.document import Document, Path


def check_tls(tls: Tls, document: Document, path: Path) -> Iterator[Problem]:
    """Yield parts of a client certificate that are missing, and files that are not what they should be."""
    if tls.key is not None and tls.certificate is None:
        yield document.problem("E-CF-0708", (*path, "key"), at_key=True)
    if tls.certificate is not None and tls.key is None:
        yield document.problem("E-CF-0709", (*path, "certificate"), at_key=True)
    if tls.key_password is not None and tls.key is None:
        yield document.problem("E-CF-0710", (*path, "key_password"), at_key=True)
    yield from check_authority(tls.ca, document, (*path, "ca"))
    yield from check_pair(tls.certificate, tls.key, tls.key_password, document, path)


def is_this_machine(host: str) -> bool:
    """Tell whether a host is this machine, by name or by a loopback address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
