"""Proxies: can the user name and password be said in the proxy's protocol?"""

from collections.abc import Iterator
from typing import Final

from config.problems import Problem
from config.proxy import Proxy
from config.reading.document import Document, Path

_LONGEST_PASSWORD: Final = 255
"""Bytes (RFC 1929)."""


def check_proxy(proxy: Proxy, document: Document, path: Path) -> Iterator[Problem]:
    """Yield a password without its user name, and what the protocol has no room for."""
    if proxy.username is None:
        if proxy.password is not None:
            yield document.problem("E-CF-0711", (*path, "password"), at_key=True)
        return
    if proxy.kind == "http":
        if ":" in proxy.username:
            yield document.problem("E-CF-0760", (*path, "username"))
        return
    password = "" if proxy.password is None else proxy.password.get_secret_value()
    if not 1 <= len(password.encode()) <= _LONGEST_PASSWORD:
        field = "username" if proxy.password is None else "password"
        yield document.problem("E-CF-0761", (*path, field), bytes=len(password.encode()))
