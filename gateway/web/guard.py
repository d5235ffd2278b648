"""What every request must be and every answer carries, whatever the route: hosts, methods, sizes, headers."""

from dataclasses import dataclass, field
from typing import Final

import orjson
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from config.problems import Phrase
from gateway.web.pace import Pace
from gateway.web.refused import told

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
METHODS: Final = frozenset({"GET", "HEAD", "POST", "DELETE"})
HOSTS: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
MOST_HEAD: Final = 16 * 1024
MOST_BODY: Final = 64 * 1024
MOST_PLANT: Final = 4 * 2**20
"""Of a body that holds a plant file as JSON."""
MOST_REPORT: Final = 16 * 2**20
_BODIES: Final = {"/api/config/": MOST_PLANT, "/api/reports/check": MOST_REPORT}


@dataclass(frozen=True, slots=True)
class Place:
    """Where the page is reached."""

    port: int = 0
    is_secure: bool = False
    listens: bool = False
    """Beyond this machine."""
    hosts: frozenset[str] = field(default=HOSTS)
    """Names it is asked by, small letters, without a port."""


HERE: Final = Place()


class Guard:
    """An ASGI layer around the application."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str] = HOSTS) -> None:
        self._app = app
        self._hosts = hosts
        self._pace = Pace()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse what must not pass; add the headers to everything."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                if "cache-control" not in headers:
                    headers["Cache-Control"] = "no-store"
            await send(message)

        refusal = self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, with_headers)
        else:
            status, why = refusal
            body = orjson.dumps(told(why))
            # What comes after a request that was not read could be taken for another.
            head = [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
                (b"connection", b"close"),
            ]
            await with_headers({"type": "http.response.start", "status": status, "headers": head})
            await send({"type": "http.response.body", "body": body})

    def _refusal(self, scope: Scope) -> tuple[int, Phrase] | None:
        headers = Headers(scope=scope)
        # A name that leads here through somebody else's DNS is how foreign pages reach a loopback server.
        if not self._is_ours(_name(headers.get("host", "")), scope):
            return 421, Phrase("E-PG-0012")
        if sum(len(name) + len(value) + 4 for name, value in scope["headers"]) > MOST_HEAD:
            return 431, Phrase("E-PG-0013", {"most": MOST_HEAD})
        if scope["method"] not in METHODS:
            return 405, Phrase("E-PG-0003")
        client = scope.get("client")
        if client is not None and not self._pace.is_kept(client[0]):
            return 429, Phrase("E-PG-0014")
        length = headers.get("content-length", "0")
        most = next((most for path, most in _BODIES.items() if scope["path"].startswith(path)), MOST_BODY)
        if "transfer-encoding" in headers or not length.isdecimal() or int(length) > most:
            return 413, Phrase("E-PG-0015", {"most": most})
        return None

    def _is_ours(self, name: str, scope: Scope) -> bool:
        if name in self._hosts:
            return True
        # The address the connection really came to is no name: nobody's DNS can lead a browser astray by it.
        server = scope.get("server")
        return server is not None and name.strip("[]") == server[0]


def _name(host: str) -> str:
    """Return a Host header's name without the port."""
    if host.startswith("["):
        return host.partition("]")[0].lower() + "]"
    return host.rpartition(":")[0].lower() if ":" in host else host.lower()
