"""What goes wrong on the way to a peer: each with its reason, none for longer than the connect timeout."""

import asyncio
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from config.base import SecretText
from connectors import NotConnected
from tests.processes import free_port
from tests.servers import proxies
from tests.servers.broker import Broker
from tests.servers.proxies import ScriptedProxy, microsocks, tinyproxy
from tests.unit.dial.test_dialogues import accepting, served
from tests.unit.influxdb import plant as influx
from tests.unit.mqtt.plant import delivery, sink

pytestmark = pytest.mark.server
NOWHERE = "no-such-broker.invalid"
ESTABLISHED = b"HTTP/1.1 200 ok\r\n\r\n"
BEGUN = {"http": b"HTTP/1.1 200 ok\r\nx: ", "socks5": b"\x05\x00\x05\x00\x00\x03\xff"}
"""Answers that need some two hundred bytes more."""


def through(kind: str, port: int, **more: Any) -> dict[str, Any]:
    return {"proxy": {"kind": kind, "host": "127.0.0.1", "port": port, **more}}


async def error_of(entering: Any, within_s: float = 6.0) -> NotConnected:
    """Enter, which must fail in time and leave no thread behind."""
    began = time.monotonic()
    with pytest.raises(NotConnected) as raised:
        async with entering:
            pass
    assert time.monotonic() - began < within_s
    assert "\n" not in str(raised.value)
    deadline = time.monotonic() + 5
    while any(thread.name.startswith(("mqtt-dial", "influxdb")) for thread in threading.enumerate()):
        assert time.monotonic() < deadline, "a thread still dials"
        await asyncio.sleep(0.01)
    return raised.value


async def test_a_proxy_that_is_not_there_is_told_as_the_proxy() -> None:
    error = await error_of(sink(1883, **through("http", free_port())))
    assert "127.0.0.1:1883: the proxy 127.0.0.1:" in str(error)
    assert "can't be reached: Connection refused; check `proxy`" in str(error)


@pytest.mark.fault("B10")
@pytest.mark.parametrize("kind", ["http", "socks5"])
@pytest.mark.parametrize("how", ["hangs", "trickles"])
async def test_a_proxy_that_hangs_or_trickles_is_given_up_at_the_connect_timeout(kind: str, how: str) -> None:
    with ScriptedProxy(proxies.hang if how == "hangs" else proxies.trickle(BEGUN[kind])) as proxy:
        error = await error_of(sink(1883, connect_timeout="500ms", **through(kind, proxy.port)))
        assert f"the proxy 127.0.0.1:{proxy.port} did not answer within 0.5 s" in str(error)
        written = influx.sink("http://127.0.0.1:8086", timeout="500ms", **through(kind, proxy.port))
        assert "did not answer within 0.5 s" in str(await error_of(written))


async def test_a_proxy_that_closes_in_the_handshake_is_told() -> None:
    with ScriptedProxy(lambda connection: connection.close()) as proxy:
        error = await error_of(sink(1883, **through("http", proxy.port)))
        assert "closed the connection without a reason" in str(error)


async def test_a_proxy_that_goes_away_later_ends_the_session(tmp_path: Path) -> None:
    with Broker(tmp_path) as broker, ScriptedProxy(proxies.tunnel(ESTABLISHED, to=broker.port)) as proxy:
        mqtt = await sink(broker.port, **through("http", proxy.port)).__aenter__()
        await mqtt.write([delivery(1)])
        proxy.__exit__()
        with pytest.raises(NotConnected, match="closed the connection") as raised:
            await mqtt.write([delivery(seq) for seq in range(2, 9)])
        await mqtt.__aexit__(raised.type, raised.value, raised.tb)


async def test_an_answer_that_comes_in_pieces_leaves_nothing_on_the_connection(tmp_path: Path) -> None:
    """PySocks takes the first line only: the rest would be taken for the broker's."""
    pieces = (b"HTTP/1.1 200 ok\r\n", b"Via: x\r\nX-Lo", b"ng: y\r\n\r", b"\n")
    with Broker(tmp_path) as broker, ScriptedProxy(proxies.tunnel(*pieces, to=broker.port)) as proxy:
        async with sink(broker.port, **through("http", proxy.port)) as mqtt:
            await mqtt.write([delivery(1)])


async def test_real_proxies_tell_of_passwords_targets_and_rules(tmp_path: Path) -> None:
    (tmp_path / "http").mkdir()
    (tmp_path / "socks").mkdir()
    login = ("me", "secret")
    wrong = {"username": "me", "password": SecretText("other")}
    with (
        tinyproxy(tmp_path / "http", login, allow=443) as http,
        microsocks(tmp_path / "socks", login) as socks,
    ):
        right = {"username": "me", "password": SecretText("secret")}
        for kind, port in (("http", http), ("socks5", socks)):
            error = await error_of(sink(free_port(), **through(kind, port)))
            assert "wants a user name and a password" in str(error)
            assert error.needs_a_person
            error = await error_of(sink(free_port(), **through(kind, port, **wrong)))
            assert error.needs_a_person
            assert "other" not in str(error)
        error = await error_of(sink(free_port(), **through("http", http, **right)))
        assert "does not let this through, 403" in str(error)
        assert error.needs_a_person
        error = await error_of(sink(free_port(), **through("socks5", socks, **right)))
        assert "can't reach it, connection refused" in str(error)
        assert not error.needs_a_person
        error = await error_of(sink(1883, host=NOWHERE, **through("socks5", socks, **right)))
        assert "can't reach it" in str(error)


async def test_no_proxy_is_taken_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """paho and others would: what the plant file does not name is not used."""
    for name in ("mqtt_proxy", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    with Broker(tmp_path) as broker:
        async with sink(broker.port) as mqtt:
            await mqtt.write([delivery(1)])


@pytest.mark.parametrize("port_of", ["broker", "web server"])
async def test_a_port_without_websocket_is_named(tmp_path: Path, port_of: str) -> None:
    page = proxies.answering(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    with Broker(tmp_path) as broker, ScriptedProxy(page) as web:
        port = broker.port if port_of == "broker" else web.port
        error = await error_of(sink(port, websocket="/mqtt"))
        detail = "HTTP 404" if port_of == "web server" else "closed"
        assert f"has no WebSocket for MQTT there: {detail}; check `port`" in str(error)


async def test_a_websocket_that_is_closed_says_why() -> None:
    def closing(connection: socket.socket) -> None:
        connection.sendall(accepting(proxies.hear_request(connection)).removesuffix(b"rest"))
        connection.recv(4096)
        connection.sendall(served(b"\x03\xf0no subscription", 8))
        connection.recv(4096)

    with ScriptedProxy(closing) as server:
        error = await error_of(sink(server.port, websocket="/"))
        assert "WebSocket close 1008 no subscription" in str(error)


async def test_what_waits_for_a_name_or_a_proxy_is_let_go_when_the_link_is_stopped() -> None:
    with ScriptedProxy(proxies.hang) as proxy:
        entering = asyncio.create_task(
            sink(1883, connect_timeout="60s", **through("http", proxy.port)).__aenter__()
        )
        while not proxy.met:
            await asyncio.sleep(0.01)
        entering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await entering
        deadline = time.monotonic() + 5
        while any(thread.name.startswith("mqtt-dial") for thread in threading.enumerate()):
            assert time.monotonic() < deadline, "a thread still dials"
            await asyncio.sleep(0.01)
