"""How a proxy is asked for a connection: HTTP CONNECT (RFC 9110, 9.3.6) and SOCKS5 (RFC 1928, 1929).

The peer's name goes to the proxy as it is written: who needs a proxy seldom has a name server that knows the
world. An address goes as an address.
"""

import base64
import ipaddress
from collections.abc import Mapping
from typing import Final

from config.connections import Proxy
from config.problems import Phrase
from connectors.dial.converse import Dialogue, TooLong, head
from connectors.errors import NotConnected

_PASSWORD: Final = 2
"""Of SOCKS5's ways to log in."""
_NONE_FITS: Final = 255
_SOCKS_FORBIDS: Final = 2
_SOCKS_REPLIES: Final = {
    1: "general failure",
    2: "not allowed",
    3: "network unreachable",
    4: "host unreachable",
    5: "connection refused",
    6: "TTL expired",
    7: "command not supported",
    8: "address type not supported",
}


class Asking:
    """What is said to one proxy about one peer."""

    def __init__(self, proxy: Proxy, host: str, port: int) -> None:
        self._proxy = proxy
        self._host = host
        self._port = port
        self.where = f"{proxy.host}:{proxy.port}"

    def dialogue(self) -> Dialogue:
        """Return what to say and hear; what follows is the peer's.

        Raises:
            NotConnected: the proxy does not connect, with its reason.
        """
        return self._connect() if self._proxy.kind == "http" else self._socks5()

    def failed(self, key: str, *, needs_a_person: bool = False, **args: object) -> NotConnected:
        """Return why there is no connection: a sentence of the catalogue about this proxy."""
        filling = {"peer": f"{self._host}:{self._port}", "proxy": self.where, **args}
        return NotConnected(Phrase(f"link.proxy_{key}", filling).text("en"), needs_a_person=needs_a_person)

    def _login(self) -> tuple[str, str] | None:
        if self._proxy.username is None:
            return None
        password = self._proxy.password
        return self._proxy.username, "" if password is None else password.current()

    def _connect(self) -> Dialogue:
        host = f"[{self._host}]" if ":" in self._host else self._host.encode("idna").decode()
        target = f"{host}:{self._port}"
        lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
        login = self._login()
        if login is not None:
            token = base64.b64encode(":".join(login).encode()).decode()
            lines.append(f"Proxy-Authorization: Basic {token}")
        yield ("\r\n".join(lines) + "\r\n\r\n").encode()
        try:
            status, headers = yield from head()
        except (ValueError, IndexError, TooLong):
            raise self.failed("strange", kind="HTTP", needs_a_person=True) from None
        if not 200 <= status < 300:
            raise self._refused(status, headers, logged_in=login is not None)

    def _refused(self, status: int, headers: Mapping[str, str], *, logged_in: bool) -> NotConnected:
        if status == 407:
            offered = headers.get("proxy-authenticate", "")
            if "basic" not in offered.lower():
                return self.failed("login", detail=offered[:100] or "407", needs_a_person=True)
            return self.failed("password" if logged_in else "wants_login", needs_a_person=True)
        if status in (502, 503, 504):
            return self.failed("no_way", detail=status)
        return self.failed("forbids", detail=status, needs_a_person=True)

    def _socks5(self) -> Dialogue:
        login = self._login()
        yield b"\x05\x01\x00" if login is None else b"\x05\x02\x00\x02"
        version, method = yield 2
        if version != 5 or method not in (0, _PASSWORD, _NONE_FITS):
            raise self.failed("strange", kind="SOCKS5", needs_a_person=True)
        if method == _NONE_FITS or (method == _PASSWORD and login is None):
            raise self.failed(
                "wants_login" if login is None else "login", detail="SOCKS5", needs_a_person=True
            )
        if method == _PASSWORD and login is not None:
            name, password = (each.encode() for each in login)
            yield bytes([1, len(name)]) + name + bytes([len(password)]) + password
            _, refused = yield 2
            if refused:
                raise self.failed("password", needs_a_person=True)
        yield b"\x05\x01\x00" + _socks_address(self._host) + self._port.to_bytes(2, "big")
        version, reply, _, kind = yield 4
        if version != 5:
            raise self.failed("strange", kind="SOCKS5", needs_a_person=True)
        if reply:
            detail = _SOCKS_REPLIES.get(reply, reply)
            if reply == _SOCKS_FORBIDS:
                raise self.failed("forbids", detail=detail, needs_a_person=True)
            raise self.failed("no_way", detail=detail)
        length = {1: 4, 4: 16}.get(kind)
        if length is None:
            (length,) = yield 1
        yield length + 2


def _socks_address(host: str) -> bytes:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = host.encode("idna")
        return bytes([3, len(name)]) + name
    return bytes([1 if address.version == 4 else 4]) + address.packed
