"""What is said to proxies and WebSocket servers, byte by byte; nothing after an answer is swallowed."""

import base64
import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.base import SecretText
from config.connections import Proxy
from connectors import NotConnected
from connectors.dial.converse import Dialogue
from connectors.dial.proxies import Asking
from connectors.dial.websocket import Frames, NoWebSocket, frame, upgrade


def play(dialogue: Dialogue, answer: bytes | Callable[[bytes], bytes]) -> tuple[bytes, bytes]:
    """Lead a dialogue; return what was said, and what of the answer nobody asked for."""
    said, heard = b"", b""
    left = answer if isinstance(answer, bytes) else b""
    while True:
        try:
            wish = dialogue.send(heard) if heard else next(dialogue)
        except StopIteration:
            return said, left
        heard = b""
        if isinstance(wish, bytes):
            said += wish
            if callable(answer):
                left = answer(said)
        else:
            heard, left = left[:wish], left[wish:]
            assert heard, "waits for more than there is"


def asking(kind: str, host: str = "broker.example", **more: Any) -> Dialogue:
    proxy = Proxy.model_validate({"kind": kind, "host": "gate", "port": 3128, **more})
    return Asking(proxy, host, 8883).dialogue()


LOGIN = {"username": "me", "password": SecretText("secret")}


def test_an_http_proxy_is_asked_for_a_tunnel_and_its_answer_heard_to_the_end() -> None:
    said, left = play(asking("http"), b"HTTP/1.1 200 Connection established\r\nVia: 1.1 gate\r\n\r\n\x20\x02")
    assert said == b"CONNECT broker.example:8883 HTTP/1.1\r\nHost: broker.example:8883\r\n\r\n"
    assert left == b"\x20\x02"
    said, left = play(asking("http", "2001:db8::1", **LOGIN), b"HTTP/1.0 200\r\n\r\n")
    assert said.startswith(b"CONNECT [2001:db8::1]:8883 HTTP/1.1\r\n")
    assert b"\r\nProxy-Authorization: Basic " + base64.b64encode(b"me:secret") + b"\r\n" in said
    assert left == b""


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("broker.example", b"\x03\x0ebroker.example"),
        ("10.1.2.3", b"\x01\x0a\x01\x02\x03"),
        ("2001:db8::1", b"\x04" + bytes.fromhex("20010db8000000000000000000000001")),
    ],
)
def test_a_socks_proxy_gets_the_name_as_it_is_written(host: str, address: bytes) -> None:
    granted = b"\x05\x00" + b"\x05\x00\x00\x03\x04gate\x00\x50" + b"next"
    said, left = play(asking("socks5", host), granted)
    assert said == b"\x05\x01\x00" + b"\x05\x01\x00" + address + (8883).to_bytes(2, "big")
    assert left == b"next"


def test_a_socks_proxy_gets_the_password_only_when_it_asks() -> None:
    said, _ = play(asking("socks5", **LOGIN), b"\x05\x00" + b"\x05\x00\x00\x01" + bytes(6))
    assert b"secret" not in said
    said, _ = play(asking("socks5", **LOGIN), b"\x05\x02" + b"\x01\x00" + b"\x05\x00\x00\x01" + bytes(6))
    assert b"\x01\x02me\x06secret" in said


REFUSALS: dict[str, tuple[str, bytes, dict[str, Any], str, bool]] = {
    "wants a login": (
        "http", b"HTTP/1.1 407 no\r\nProxy-Authenticate: Basic realm=x\r\n\r\n", {},
        "write `proxy.username`", True,
    ),
    "another password": (
        "http", b"HTTP/1.1 407 no\r\nProxy-Authenticate: basic\r\n\r\n", LOGIN,
        "does not accept user name", True,
    ),
    "NTLM only": (
        "http", b"HTTP/1.1 407\r\nProxy-Authenticate: NTLM\r\nproxy-authenticate: Negotiate\r\n\r\n", LOGIN,
        "another way to log in, NTLM, Negotiate", True,
    ),
    "forbidden": ("http", b"HTTP/1.1 403 no\r\n\r\n", {}, "does not let this through, 403", True),
    "bad gateway": ("http", b"HTTP/1.1 502 no\r\n\r\n", {}, "can't reach it, 502", False),
    "a web page": ("http", b"<html>" * 9, {}, "is no HTTP proxy", True),
    "no end": ("http", b"HTTP/1.1 200 ok\r\n" + b"x: y\r\n" * 9999, {}, "is no HTTP proxy", True),
    "socks wants a login": ("socks5", b"\x05\xff", {}, "write `proxy.username`", True),
    "socks has another way": ("socks5", b"\x05\xff", LOGIN, "another way to log in", True),
    "socks password": ("socks5", b"\x05\x02\x01\x01", LOGIN, "does not accept user name", True),
    "socks forbids": ("socks5", b"\x05\x00\x05\x02\x00\x01", {}, "through, not allowed", True),
    "socks host": ("socks5", b"\x05\x00\x05\x04\x00\x01", {}, "can't reach it, host unreachable", False),
    "socks new code": ("socks5", b"\x05\x00\x05\x63\x00\x01", {}, "can't reach it, 99", False),
    "http for socks": ("socks5", b"HTTP/1.1 400 Bad Request\r\n\r\n", {}, "is no SOCKS5 proxy", True),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS)
def test_every_refusal_of_a_proxy_has_its_own_words(case: str) -> None:
    kind, answer, login, text, person = REFUSALS[case]
    with pytest.raises(NotConnected) as raised:
        play(asking(kind, **login), answer)
    assert str(raised.value).startswith("broker.example:8883: ")
    assert "gate:3128" in str(raised.value)
    assert text in str(raised.value)
    assert "secret" not in str(raised.value)
    assert raised.value.needs_a_person is person


def accepting(said: bytes, protocol: bytes = b"mqtt") -> bytes:
    key = said.partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0]
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())  # noqa: S324
    return (
        b"HTTP/1.1 101 ok\r\nupgrade: websocket\r\nsec-websocket-accept:" + accept
        + b"\r\nSec-WebSocket-Protocol:" + protocol + b"\r\n\r\nrest"
    )  # fmt: skip


def test_a_websocket_is_asked_for_and_what_follows_the_answer_is_left() -> None:
    said, left = play(upgrade("broker:8083", "/mqtt?token=a"), accepting)
    assert said.startswith(b"GET /mqtt?token=a HTTP/1.1\r\nHost: broker:8083\r\n")
    assert left == b"rest"


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (b"HTTP/1.1 404 no\r\n\r\n", "HTTP 404"),
        (b"HTTP/1.1 200 ok\r\n\r\n", "HTTP 200"),
        (b"HTTP/1.1 101 ok\r\nSec-WebSocket-Accept:x\r\n\r\n", "Sec-WebSocket-Accept"),
        (lambda said: accepting(said, b"amqp"), "Sec-WebSocket-Protocol"),
        (b"\x20\x02\x00\x00\x00", "not HTTP"),
    ],
)
def test_what_is_no_websocket_for_mqtt_is_told(answer: Any, detail: str) -> None:
    with pytest.raises(NoWebSocket) as raised:
        play(upgrade("broker", "/"), answer)
    assert raised.value.detail == detail


def served(payload: bytes, opcode: int = 2, *, final: bool = True) -> bytes:
    """Return a frame as a server sends it, unmasked."""
    first = bytes([0x80 * final | opcode])
    if len(payload) < 126:
        return first + bytes([len(payload)]) + payload
    if len(payload) < 65536:
        return first + b"\x7e" + len(payload).to_bytes(2, "big") + payload
    return first + b"\x7f" + len(payload).to_bytes(8, "big") + payload


def unmasked(raw: bytes) -> tuple[int, bytes]:
    """Read one frame of a client as a strict server does: it must be masked."""
    opcode, length, at = raw[0] & 15, raw[1] & 127, 2
    assert raw[0] & 0xF0 == 0x80
    assert raw[1] & 0x80, "a client's frame must be masked"
    if length >= 126:
        size = 2 if length == 126 else 8
        length, at = int.from_bytes(raw[2 : 2 + size], "big"), 2 + size
    mask, body = raw[at : at + 4], raw[at + 4 :]
    assert len(body) == length
    return opcode, bytes(byte ^ mask[i % 4] for i, byte in enumerate(body))


@given(st.binary(max_size=300) | st.sampled_from([bytes(125), bytes(126), bytes(65535), bytes(65536)]))
def test_a_frame_is_read_back_by_a_strict_server(payload: bytes) -> None:
    assert unmasked(frame(payload)) == (2, payload)


@given(
    st.lists(st.tuples(st.binary(max_size=400), st.integers(0, 3), st.booleans()), max_size=6),
    st.lists(st.integers(1, 50), min_size=1),
)
def test_data_is_the_same_however_it_is_framed_and_cut(
    pieces: list[tuple[bytes, int, bool]], cuts: list[int]
) -> None:
    raw = b""
    for payload, pings, final in pieces:
        raw += served(payload, final=final) + served(b"still there?", 9) * pings
    frames = Frames()
    i = at = 0
    while at < len(raw):
        size = cuts[i % len(cuts)]
        frames.feed(raw[at : at + size])
        at, i = at + size, i + 1
    assert bytes(frames.data) == b"".join(payload for payload, _, _ in pieces)
    assert not frames.closed
    pings = sum(each[1] for each in pieces)
    answers, one = bytes(frames.answers), len(frame(b"still there?"))
    assert len(answers) == pings * one
    assert all(unmasked(answers[k * one :][:one]) == (10, b"still there?") for k in range(pings))


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (served(b"\x03\xe9going away", 8), "WebSocket close 1001 going away"),
        (served(b"", 8), "WebSocket close 1005"),
        (served(b"text", 1), "a text frame, which MQTT forbids"),
        (b"\xc2\x01x", "a frame with reserved bits, or masked by the server"),
        (b"\x82\x81abcdx", "a frame with reserved bits, or masked by the server"),
        (b"\x89\x7e\x00\xff", "a control frame that is too long"),
    ],
)
def test_a_server_that_closes_or_breaks_the_rules_is_told(raw: bytes, why: str) -> None:
    frames = Frames()
    frames.feed(served(b"before") + raw + served(b"after"))
    assert bytes(frames.data) == b"before"
    assert frames.closed == why


@given(st.binary(max_size=200))
def test_arbitrary_bytes_never_raise(raw: bytes) -> None:
    Frames().feed(raw)
