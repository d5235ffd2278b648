"""What is said before a connection can be used: dialogues that know no socket, and the one that has it.

A dialogue is a generator. It yields bytes to be sent, or how many bytes it wants to hear and gets exactly
those: what follows them on the connection is left to whoever comes next.
"""

import socket
import time
from collections.abc import Generator
from typing import Final

Dialogue = Generator[bytes | int, bytes, None]

LONGEST_HEAD: Final = 16_384
"""Bytes of an HTTP answer's head; whoever says more says something else."""


class Ended(Exception):
    """The peer closed the connection in the middle of the dialogue."""


class TooLong(Exception):
    """The peer says more than an HTTP head holds."""


class Deadline:
    """So many seconds from now, for all steps together."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    def left(self) -> float:
        """Return the seconds that are left; TimeoutError when there are none."""
        left = self._at - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


def converse(sock: socket.socket, dialogue: Dialogue, deadline: Deadline) -> None:
    """Lead a dialogue to its end.

    Raises:
        Ended: the peer closed the connection.
        OSError: of the socket; TimeoutError at the deadline.
    """
    heard = b""
    while True:
        try:
            wish = dialogue.send(heard) if heard else next(dialogue)
        except StopIteration:
            return
        heard = b""
        if isinstance(wish, bytes):
            sock.settimeout(deadline.left())
            sock.sendall(wish)
            continue
        while len(heard) < wish:
            sock.settimeout(deadline.left())
            piece = sock.recv(wish - len(heard))
            if not piece:
                raise Ended
            heard += piece


def head() -> Generator[int, bytes, tuple[int, dict[str, str]]]:
    """Hear the head of an HTTP answer, and nothing after it; return its status and headers.

    Names of headers are lower case; one that comes twice has both values.

    Raises:
        TooLong: it does not end.
        ValueError: it is no HTTP.
    """
    text = b""
    while not text.endswith(b"\r\n\r\n"):
        if len(text) >= LONGEST_HEAD:
            raise TooLong
        text += yield 1
        if len(text) == len(b"HTTP/") and text != b"HTTP/":
            raise ValueError("not HTTP")
    first, *lines = text.decode("latin-1").split("\r\n")[:-2]
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        name, value = name.strip().lower(), value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return int(first.split(" ")[1]), headers
