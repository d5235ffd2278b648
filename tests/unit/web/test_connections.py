"""Who holds a connection and says nothing, says too much, or hears nothing."""

import asyncio
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.web import connections, pace
from gateway.web.connections import Server
from gateway.web.guard import MOST_BODY, MOST_HEAD, Guard
from gateway.web.pace import AT_ONCE, PER_S, Pace
from gateway.web.tls import Loaded
from tests.servers.certificates import Authority

LONG = b"x" * 2**25


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer what was said, or more than any buffer holds."""
    message = await receive()
    body = LONG if scope["path"] == "/long" else message["body"] or b"well"
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]}
    )
    await send({"type": "http.response.body", "body": body, "more_body": False})


class App(Guard):
    """The guard, around an application that needs no gateway."""

    def __init__(self) -> None:
        super().__init__(echo)
        self.state = SimpleNamespace(lasting=())


@asynccontextmanager
async def served(tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(App(), listener, tls)
    running = asyncio.create_task(server._serve())
    async with asyncio.timeout(20):
        while not server.started:
            await asyncio.sleep(0.01)
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            await running


async def said_to(port: int, *pieces: bytes, pause_s: float = 0.0, closes: bool = False) -> bytes:
    """Return everything that was answered until the other side hung up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for each in pieces:
            writer.write(each)
            await writer.drain()
            await asyncio.sleep(pause_s)
        if closes:
            writer.write_eof()
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


HOST = b"Host: 127.0.0.1\r\n"
BEHIND = b"0\r\n\r\nGET / HTTP/1.1\r\n" + HOST + b"\r\n"
CLOSE = b"Connection: close\r\n"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "REQUEST_WITHIN_S", 0.3)
    monkeypatch.setattr(connections, "HANDSHAKE_WITHIN_S", 0.3)
    monkeypatch.setattr(connections, "READ_WITHIN_S", 0.3)


@pytest.mark.fault("S9")
@pytest.mark.usefixtures("quick")
async def test_a_request_that_never_ends_is_dropped_however_it_trickles(record_measure) -> None:
    slow_head = [b"GET / HTTP/1.1\r\n", HOST, *[b"X: y\r\n"] * 100]
    slow_body = [b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 1000\r\n\r\n", *[b"x"] * 100]
    async with served() as port:
        heard = await asyncio.gather(
            said_to(port),
            said_to(port, *slow_head, pause_s=0.05),
            said_to(port, *slow_body, pause_s=0.05),
        )
        assert heard[0] == b""
        assert heard[1] == b""
        assert b"200 OK" not in heard[2]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
        assert (await reader.readuntil(b"well")).count(b"200 OK") == 1
        with pytest.raises(ConnectionError):
            for each in slow_head:
                writer.write(each)
                await writer.drain()
                await asyncio.sleep(0.05)
        writer.close()
        assert b"200 OK" in await said_to(port, b"GET / HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n")
    record_measure(
        "silent, slow head, slow body, slow second request: each dropped at its deadline", row="S9"
    )


@pytest.mark.fault("S9")
@pytest.mark.usefixtures("quick")
async def test_a_reader_that_does_not_read_is_dropped() -> None:
    async with served() as port, AsyncExitStack() as open_sockets:
        taken = open_sockets.enter_context(socket.create_connection(("127.0.0.1", port)))
        taken.sendall(b"GET /long HTTP/1.1\r\n" + HOST + b"\r\n")
        await asyncio.sleep(3 * connections.READ_WITHIN_S)
        taken.settimeout(0)
        got = 0
        with pytest.raises(ConnectionError):
            while piece := await asyncio.get_running_loop().sock_recv(taken, 2**20):
                got += len(piece)
            raise ConnectionError  # it may also see an end
        assert got < len(LONG)


@pytest.mark.fault("S9")
@pytest.mark.usefixtures("quick")
async def test_a_handshake_that_never_ends_is_dropped(tmp_path: Path) -> None:
    pair = Authority(tmp_path).issue("page")
    async with served(Loaded(pair.certificate, pair.key).context) as port:
        assert await said_to(port) == b""
        assert await said_to(port, b"GET / HTTP/1.1\r\n\r\n") != b"HTTP"
        command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-quiet", "-tls1_2"]
        asked = (b"GET / HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n").decode()
        ran = await asyncio.to_thread(
            subprocess.run, command, input=asked, capture_output=True, text=True, check=False, timeout=10
        )
        assert "200 OK" in ran.stdout
        old = await asyncio.to_thread(
            subprocess.run,
            [*command[:-1], "-tls1_1"],
            input=asked,
            capture_output=True,
            text=True,
            check=False,
            timeout=10,
        )
        assert "200 OK" not in old.stdout


@pytest.mark.fault("S9")
async def test_one_address_gets_so_many_connections_and_leaves_room_for_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "_LOOPBACK", frozenset())
    async with served() as port:
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(connections.MOST_OF_ONE)]
        assert await said_to(port, b"GET / HTTP/1.1\r\n" + HOST + b"\r\n") == b""
        for _, writer in held:
            writer.close()

        async def is_let_in() -> bool:
            return b"200 OK" in await said_to(port, b"GET / HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n")

        while not await is_let_in():
            await asyncio.sleep(0.02)


@pytest.mark.fault("S9")
async def test_who_only_begins_handshakes_takes_no_more_room(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(connections, "_LOOPBACK", frozenset())
    pair = Authority(tmp_path).issue("page")
    async with served(Loaded(pair.certificate, pair.key).context) as port:
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(connections.MOST_OF_ONE)]
        assert await said_to(port) == b""  # at once, and not after the five seconds of a handshake
        for _, writer in held:
            writer.close()


@pytest.mark.fault("S9")
@pytest.mark.parametrize(
    "request_",
    [
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n" + BEHIND,
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : 127.0.0.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"y" * MOST_HEAD + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"X: y\r\n" * 5000 + b"\r\n",
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n" % (MOST_BODY + 1),
        b"\x16\x03\x01 not HTTP at all\r\n\r\n",
    ],
)
async def test_what_two_readers_could_read_differently_is_refused(request_: bytes) -> None:
    async with served() as port:
        heard = await said_to(port, request_, closes=True)
    assert b"200 OK" not in heard
    assert heard.count(b"HTTP/1.1 ") <= 1


@pytest.mark.fault("S9")
def test_an_address_that_asks_without_end_gets_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    kept = Pace(lambda: now)
    assert sum(kept.is_kept("192.0.2.7") for _ in range(2000)) == AT_ONCE
    assert kept.is_kept("192.0.2.8")
    now = 10.0
    assert sum(kept.is_kept("192.0.2.7") for _ in range(2000)) == min(AT_ONCE, 10 * PER_S)
    assert all(kept.is_kept("127.0.0.1") for _ in range(2000))
    monkeypatch.setattr(pace, "_REMEMBERED", 3)
    for i in range(10):
        kept.is_kept(f"192.0.2.{i}")
    assert len(kept._left) <= 4
