"""What connections move over the network: all bytes, both ways, as a metered link's operator counts them.

Linux keeps count of each TCP connection (`TCP_INFO`): bytes sent, those sent again among them, and received,
TLS with them, and segments; to each segment belong the headers of IP and TCP. Elsewhere nothing counts but
what is read and written here, without TLS and headers.
"""

import socket
import struct
import sys
import threading
from typing import Final, Protocol

COUNTED: Final = sys.platform == "linux"
"""Whether the system counts; where it does not, who reads and writes says what `moved`."""
HEADERS: Final = 52
"""Bytes of one segment beside what it carries: IPv4 20, TCP 20 and its timestamps 12; IPv6 takes 20 more."""
_INFO: Final = struct.Struct("128xQII56xQ")
"""struct tcp_info of Linux 4.19 and newer: bytes_received, segs_out, segs_in, bytes_sent."""


class Counted(Protocol):
    """A socket, or what stands for one."""

    def getsockopt(self, level: int, optname: int, buflen: int, /) -> bytes:
        """Return an option as bytes."""
        ...


def on_the_wire(sock: Counted) -> int | None:
    """Return what a TCP connection has moved so far; None where nobody has counted."""
    if sys.platform != "linux":  # what COUNTED says, as mypy reads it
        return None
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO.size)
    except OSError:
        return None
    if len(info) < _INFO.size:
        return None
    received, segments_out, segments_in, sent = _INFO.unpack(info)
    return int(received + sent + HEADERS * (segments_out + segments_in))


class Traffic:
    """The sum over all connections of one session; any thread may look."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[int, Counted] = {}
        self._seen: dict[int, int] = {}
        self._past = 0
        self._next = 0

    def begin(self, sock: Counted) -> int:
        """Count a connection from now on; return the number to `end` it by."""
        with self._lock:
            number, self._next = self._next, self._next + 1
            self._open[number], self._seen[number] = sock, 0
            return number

    def change(self, number: int, sock: Counted) -> None:
        """Learn that TLS has taken the socket over: another object has it now."""
        with self._lock:
            self._open[number] = sock

    def end(self, number: int) -> None:
        """Look at a connection for the last time; call it before the socket is closed."""
        with self._lock:
            if number in self._open:
                self._look(number)
                del self._open[number]
                self._past += self._seen.pop(number)

    def moved(self, size: int) -> None:
        """Count what was read or written where the system does not."""
        with self._lock:
            self._past += size

    def total(self) -> int:
        """Return all bytes so far."""
        with self._lock:
            for number in self._open:
                self._look(number)
            return self._past + sum(self._seen.values())

    def _look(self, number: int) -> None:
        found = on_the_wire(self._open[number])
        if found is not None:
            self._seen[number] = max(found, self._seen[number])
