"""What paho takes for a socket: a connection that was dialled here and is counted until it is closed."""

import socket
import ssl
from typing import Final

from connectors.dial.traffic import COUNTED, Traffic
from connectors.dial.websocket import Frames, frame

_PIECE: Final = 65_536


class Stream:
    """A connection, plain or with TLS; never more than one thread reads or writes."""

    def __init__(self, sock: socket.socket, traffic: Traffic, number: int) -> None:
        self.parting = ""
        """What the peer said when it closed, if anything."""
        self.alert: ssl.SSLError | None = None
        """Why TLS ended, if it was TLS that did."""
        self.ended = False
        """Whether the peer closed in due form: no line does that, and no crash of a machine."""
        self._sock = sock
        self._traffic = traffic
        self._number = number

    def recv(self, size: int) -> bytes:
        """Return what came, nothing at the end; BlockingIOError when there is nothing yet."""
        try:
            found = self._sock.recv(size)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as exc:
            self.alert = exc
            raise
        self.ended |= not found
        if not COUNTED:
            self._traffic.moved(len(found))
        return found

    def send(self, data: bytes | bytearray | memoryview) -> int:
        """Send what goes now; return how much of `data` is done with."""
        sent = self._sock.send(data)
        if not COUNTED:
            self._traffic.moved(sent)
        return sent

    def pending(self) -> int:
        """Return what can be read although `select` does not say so."""
        return self._sock.pending() if isinstance(self._sock, ssl.SSLSocket) else 0

    def fileno(self) -> int:
        """Return what `select` waits for."""
        return self._sock.fileno()

    def setblocking(self, flag: bool, /) -> None:
        """Wait in `recv` and `send`, or don't."""
        self._sock.setblocking(flag)

    def setsockopt(self, level: int, name: int, value: int, /) -> None:
        """Set an option of the socket."""
        self._sock.setsockopt(level, name, value)

    def cut(self) -> None:
        """Make whoever reads see the end; any thread."""
        # Not SSLSocket.shutdown: it drops the cipher first, and what is queued would leave in the clear.
        socket.socket.shutdown(self._sock, socket.SHUT_RDWR)

    def close(self) -> None:
        """Count, and close."""
        self._traffic.end(self._number)
        self._sock.close()


class WebSocketStream(Stream):
    """The same within binary frames."""

    def __init__(self, sock: socket.socket, traffic: Traffic, number: int) -> None:
        super().__init__(sock, traffic, number)
        self._frames = Frames()
        self._out = bytearray()
        self._size = 0
        """Of the data whose frame is in `_out`."""

    def recv(self, size: int) -> bytes:
        """Return what came in frames; the end when the server says close, or breaks the rules."""
        frames = self._frames
        while not frames.data and not frames.closed:
            raw = super().recv(_PIECE)
            if not raw:
                return b""
            frames.feed(raw)
            self._answer()
        if not frames.data:
            self.parting = frames.closed
            return b""
        found = bytes(frames.data[:size])
        del frames.data[:size]
        return found

    def send(self, data: bytes | bytearray | memoryview) -> int:
        """Send a frame; BlockingIOError until all of it is gone: then come again with the same data."""
        if not self._size:
            self._out += frame(data)
            self._size = len(data)
        self._flush()
        size, self._size = self._size, 0
        self._answer()
        return size

    def pending(self) -> int:
        """Return what was read and not taken, and what lies decrypted."""
        return len(self._frames.data) + super().pending()

    def _answer(self) -> None:
        """Answer a ping or a close; behind a frame that is half out."""
        if self._frames.answers and not self._size:
            self._out += self._frames.answers
            self._frames.answers.clear()
            self._flush()

    def _flush(self) -> None:
        while self._out:
            try:
                sent = super().send(self._out)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                if self._size:
                    raise
                return
            del self._out[:sent]
