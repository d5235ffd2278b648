"""A database that misbehaves on demand: the v2 write API, as much of it as a writer meets.

The script is a function: it gets each write and returns the answer. Points overwrite each other as in
InfluxDB: same measurement, tags, field and time. A field has one type, a line of another is refused.
Imports nothing of ours.
"""

import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from tests.servers.line_protocol import Point, parse


@dataclass(frozen=True)
class Write:
    """One POST."""

    points: list[Point]
    body: bytes
    headers: dict[str, str]
    query: dict[str, str]


@dataclass(frozen=True)
class Answer:
    """What the database does."""

    status: int = 204
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    stores: Callable[[Point], bool] = lambda _: True
    """Which points are kept, whatever the status says."""
    hangs: bool = False
    """No answer until the server stops."""
    drops: bool = False
    """The connection is closed instead of an answer."""


OK = Answer()
Script = Callable[[Write], Answer]
Series = tuple[str, tuple[tuple[str, str], ...], str]
"""Measurement, tags, field."""


def nothing(_: Point) -> bool:
    return False


def refusing(is_bad: Callable[[Point], bool], status: int = 400, *, partial: bool = False) -> Script:
    """Refuse a write that holds a bad point; `partial` keeps the others of it all the same."""

    def script(write: Write) -> Answer:
        bad = sum(map(is_bad, write.points))
        if not bad:
            return OK
        said = b'{"code":"invalid","message":"partial write: field type conflict dropped=%d"}' % bad
        return Answer(status, said, stores=(lambda point: not is_bad(point)) if partial else nothing)

    return script


class ScriptedInflux:
    """Listens on a port of loopback while entered; remembers what it was sent and what it keeps."""

    def __init__(
        self, script: Script = lambda _: OK, *, ping: Answer = OK, tls: ssl.SSLContext | None = None
    ) -> None:
        self.script = script
        self.ping = ping
        self.writes: list[Write] = []
        self.order: list[tuple[Series, int]] = []
        """Every field stored, in order of arrival, repeats included."""
        self.stored: dict[Series, dict[int, Any]] = {}
        self.types: dict[tuple[str, str], str] = {}
        self.connections = 0
        self.requests = 0
        """Whatever was asked, pings included."""
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._tls = tls

    def __enter__(self) -> Self:
        lab = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                super().setup()
                lab.connections += 1

            def do_GET(self) -> None:
                self._answer(lab.ping)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self._answer(lab._take(self.path, dict(self.headers), body))

            def _answer(self, answer: Answer) -> None:
                lab.requests += 1
                if answer.hangs:
                    lab._stopping.wait()
                if answer.hangs or answer.drops:
                    self.close_connection = True
                    return
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        if self._tls is not None:
            self._server.socket = self._tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"{'http' if self._tls is None else 'https'}://127.0.0.1:{self.port}"

    def values(self, name: str = "value") -> dict[str, dict[int, Any]]:
        """Return what one field holds: by the tag named tag, then by time."""
        found: dict[str, dict[int, Any]] = {}
        for (_, tags, key), points in self.stored.items():
            if key == name:
                found.setdefault(dict(tags)["tag"], {}).update(points)
        return found

    def _take(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        where = urlsplit(path)
        if where.path != "/api/v2/write":
            return Answer(404, b'{"message":"no such path"}')
        with self._lock:
            if headers.get("Content-Encoding") == "gzip":
                import gzip

                body = gzip.decompress(body)
            write = Write(parse(body), body, headers, dict(parse_qsl(where.query)))
            self.writes.append(write)
            answer = self.script(write)
            kept = [point for point in write.points if answer.stores(point)]
            for point in kept:
                for key, value, kind in point.fields:
                    known = self.types.setdefault((point.measurement, key), kind)
                    if known != kind:
                        return Answer(422, b'{"message":"field type conflict"}')
                    series = (point.measurement, point.tags, key)
                    self.stored.setdefault(series, {})[point.time] = value
                    self.order.append((series, point.time))
            return answer
