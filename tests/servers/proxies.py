"""Proxies on loopback: tinyproxy (HTTP CONNECT), microsocks (SOCKS5), and one that misbehaves."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

from tests.processes import free_port, started

Login = tuple[str, str]


@contextlib.contextmanager
def tinyproxy(folder: Path, login: Login | None = None, allow: int | None = None) -> Iterator[int]:
    """Start an HTTP proxy, return its port; `allow` is the one port it connects to, any when None."""
    port = free_port()
    lines = [
        f"Port {port}",
        "Listen 127.0.0.1",
        "Timeout 60",
        "MaxClients 20",
        f'LogFile "{folder}/tiny.log"',
    ]
    if login is not None:
        lines.append(f"BasicAuth {login[0]} {login[1]}")
    if allow is not None:
        lines.append(f"ConnectPort {allow}")
    config = folder / "tinyproxy.conf"
    config.write_text("\n".join([*lines, ""]))
    with started("tinyproxy", ["/usr/bin/tinyproxy", "-d", "-c", config], folder):
        _listening(port)
        yield port


@contextlib.contextmanager
def microsocks(folder: Path, login: Login | None = None) -> Iterator[int]:
    """Start a SOCKS5 proxy, return its port."""
    port = free_port()
    who = [] if login is None else ["-u", login[0], "-P", login[1]]
    with started("microsocks", ["/usr/bin/microsocks", "-i", "127.0.0.1", "-p", str(port), *who], folder):
        _listening(port)
        yield port


def _listening(port: int) -> None:
    deadline = time.monotonic() + 10
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        assert time.monotonic() < deadline, "the proxy does not listen"
        time.sleep(0.01)


Script = Callable[[socket.socket], None]
"""What is done with each connection; it is closed afterwards."""


class ScriptedProxy:
    """Listens on `port` while entered and plays its script to each connection, on a thread."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self.met = 0
        """Connections so far."""
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._begin(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        for each in [self._server, *self._open]:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            thread.join(10)

    def _begin(self, run: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=run, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                self._open.append(connection)
                self.met += 1
                self._begin(self._play, connection)

    def _play(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            self._script(connection)
        connection.close()


def hear_request(connection: socket.socket) -> bytes:
    """Return the head of what an HTTP client asks."""
    heard = b""
    while b"\r\n\r\n" not in heard:
        piece = connection.recv(4096)
        if not piece:
            break
        heard += piece
    return heard


def hang(connection: socket.socket) -> None:
    """Read for ever, say nothing."""
    while connection.recv(4096):
        pass


def trickle(start: bytes) -> Script:
    """Begin an answer and go on byte by byte: each comes in time, the whole never."""

    def script(connection: socket.socket) -> None:
        connection.sendall(start)
        while True:
            connection.sendall(b"x")
            time.sleep(0.2)

    return script


def answering(*pieces: bytes) -> Script:
    """Answer each request with these pieces, a moment apart, and close."""

    def script(connection: socket.socket) -> None:
        hear_request(connection)
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(0.05)

    return script


def tunnel(*answer: bytes, to: int) -> Script:
    """Answer in pieces, then be the connection to that port of loopback."""

    def script(connection: socket.socket) -> None:
        hear_request(connection)
        for piece in answer:
            connection.sendall(piece)
            time.sleep(0.05)
        with socket.create_connection(("127.0.0.1", to)) as peer:
            back = threading.Thread(target=_copy, args=(peer, connection), daemon=True)
            back.start()
            _copy(connection, peer)
            with contextlib.suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)
            back.join(10)

    return script


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            sink.sendall(piece)
