"""/healthz, /metrics and, for the page's process, /told: on loopback, from a thread of their own."""

import asyncio
import contextlib
import json
import socket
import sys
import threading
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self

import orjson
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from gateway.control import ANSWER_WITHIN_S, MOST_BYTES
from gateway.observe import PrometheusCollector, Snapshot

Command = Callable[[Mapping[str, Any]], Coroutine[Any, Any, dict[str, Any] | None]]
"""Answers a command; None for who may not ask."""
_END_S: Final = 1.0
LOOP_ANSWERS_WITHIN_S: Final = 2.0
"""An event loop later than this is not collecting: unhealthy."""


class StatusServer:
    """Serve snapshots taken on the running event loop."""

    def __init__(
        self,
        port: int,
        snapshot: Callable[[], Snapshot],
        tell: Callable[[], object] = dict,
        command: Command | None = None,
    ) -> None:
        self._port = port
        self._snapshot = snapshot
        self._tell = tell
        self._command = command
        self._server: _Server | None = None

    @property
    def port(self) -> int:
        """Return the port served; a free one was taken when 0 was asked for."""
        return self._port if self._server is None else self._server.server_port

    async def __aenter__(self) -> Self:
        """Listen on loopback; OSError when the port is taken."""
        loop = asyncio.get_running_loop()

        def take(call: Callable[[], Any]) -> Any:
            async def on_loop() -> Any:
                return call()

            return asyncio.run_coroutine_threadsafe(on_loop(), loop).result(LOOP_ANSWERS_WITHIN_S)

        def command(asked: Mapping[str, Any]) -> dict[str, Any] | None:
            if self._command is None:
                return None
            return asyncio.run_coroutine_threadsafe(self._command(asked), loop).result(ANSWER_WITHIN_S)

        answers = _Answers(lambda: take(self._snapshot), lambda: take(self._tell), command)
        handler = type("Handler", (_Handler,), {"gateway": answers})
        self._server = _Server(("127.0.0.1", self._port), handler)
        self._server.begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Stop listening."""
        if self._server is not None:
            await asyncio.to_thread(self._server.end)


class _Server(ThreadingHTTPServer):
    """Sleeps until somebody asks: the base class's loop looks twice a second whether it is to end."""

    daemon_threads = True
    _ending = False

    def begin(self) -> None:
        """Answer from a thread of its own."""
        self._thread = threading.Thread(target=self._answer, name="status", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Stop listening: a visitor who asks nothing wakes the thread."""
        self._ending = True
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.server_port), _END_S):
            pass
        self._thread.join(_END_S)
        self.server_close()

    def _answer(self) -> None:
        while not self._ending:
            self.handle_request()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing when a scraper hangs up before its answer; the base class prints a traceback."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


@dataclass(frozen=True)
class _Answers:
    take: Callable[[], Snapshot]
    tell: Callable[[], object]
    command: Callable[[Mapping[str, Any]], dict[str, Any] | None]


class _Handler(BaseHTTPRequestHandler):
    """One request."""

    timeout = 10
    gateway: _Answers

    def do_GET(self) -> None:
        """Answer who looks."""
        try:
            answers = {"/healthz": self._health, "/metrics": self._metrics, "/told": self._told}
            answer = answers.get(self.path)
            self._send(404, "text/plain", b"/healthz and /metrics are here\n") if answer is None else answer()
        except TimeoutError:
            self._send(503, "application/json", b'{"status":"stalled","reasons":["event loop"]}')

    def do_POST(self) -> None:
        """Answer a command; only who knows the secret is told whether there is such a thing."""
        asked = self._asked()
        try:
            answer = None if asked is None else self.gateway.command(asked)
        except TimeoutError:
            answer = None
        if answer is None:
            self._send(404, "text/plain", b"")
        else:
            self._send(200, "application/json", json.dumps(answer, ensure_ascii=False).encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
        """Say nothing: a scrape is not an event."""

    def _health(self) -> None:
        snapshot = self.gateway.take()
        body = json.dumps(snapshot.health, ensure_ascii=False).encode()
        self._send(200 if snapshot.healthy else 503, "application/json", body)

    def _metrics(self) -> None:
        samples = self.gateway.take().samples
        registry = CollectorRegistry(auto_describe=False)
        registry.register(PrometheusCollector(lambda: samples))
        self._send(200, CONTENT_TYPE_LATEST, generate_latest(registry))

    def _told(self) -> None:
        # A foreign page whose name leads here must not read what links and peers there are.
        if self.headers.get("Host", "").rpartition(":")[0] != "127.0.0.1":
            self._send(421, "text/plain", b"ask 127.0.0.1\n")
            return
        self._send(200, "application/json", orjson.dumps(self.gateway.tell()))

    def _asked(self) -> Mapping[str, Any] | None:
        """Return the command in the request's body; None when there is none."""
        length = self.headers.get("Content-Length", "")
        if self.path != "/control" or not length.isdecimal() or int(length) > MOST_BYTES:
            return None
        try:
            asked = json.loads(self.rfile.read(int(length)))
        except ValueError:
            return None
        return asked if isinstance(asked, dict) else None

    def _send(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
