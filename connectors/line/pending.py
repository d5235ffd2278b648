"""What the system still holds of a connection: what came and was not read, what has not left."""

import asyncio
import select
import struct
import sys
from collections.abc import Callable
from typing import Any

try:
    import fcntl
    import termios
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


def unread(transport: asyncio.Transport) -> Callable[[], bool]:
    """Return a function that tells whether bytes lie ready that the loop has not handed on yet."""
    connection: Any = transport.get_extra_info("socket")
    port: Any = getattr(transport, "sync_serial", None)
    if connection is None and sys.platform == "win32":
        return lambda: bool(port.is_open and port.in_waiting)
    if connection is not None and sys.platform == "win32":
        return lambda: bool(select.select([connection], [], [], 0)[0])
    number = (port if connection is None else connection).fileno()
    waiting = select.poll()  # select() knows no descriptor above 1023
    waiting.register(number, select.POLLIN)
    return lambda: bool(waiting.poll(0))


def unsent(transport: asyncio.Transport) -> Callable[[], bool]:
    """Return a function that tells whether something written has not left, or its peer's TCP not taken it."""
    connection: Any = transport.get_extra_info("socket")
    port: Any = getattr(transport, "sync_serial", None)
    if connection is None and sys.platform == "win32":
        return lambda: bool(port.is_open and port.out_waiting)
    if sys.platform != "linux":
        return lambda: transport.get_write_buffer_size() > 0
    number = (port if connection is None else connection).fileno()

    def tell() -> bool:
        if transport.get_write_buffer_size():
            return True
        # The same number asks a socket for what is not acknowledged (SIOCOUTQ).
        left = fcntl.ioctl(number, termios.TIOCOUTQ, bytes(4))
        return bool(struct.unpack("i", left)[0])

    return tell
