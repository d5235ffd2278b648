"""A group's robot on demand: it notes every request and answers by a script. Imports nothing of ours."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Asked:
    """One POST."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """What the robot says."""

    body: bytes = b'{"errcode":0,"errmsg":"ok"}'
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class Robot:
    """Serve on loopback while entered."""

    def __init__(self, script: Callable[[int, Asked], Reply] = lambda _, __: Reply()) -> None:
        self.asked: list[Asked] = []
        self._script = script

    def __enter__(self) -> Self:
        robot = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                url = urlsplit(self.path)
                body = self.rfile.read(int(self.headers["Content-Length"]))
                asked = Asked(url.path, dict(parse_qsl(url.query)), dict(self.headers), body)
                robot.asked.append(asked)
                reply = robot._script(len(robot.asked), asked)
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class's name
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
