"""A Modbus server that has every device and a value for none: its link is up."""

import contextlib
import socketserver
import struct
import threading
from collections.abc import Iterator
from typing import Final

_HEAD: Final = struct.Struct(">HHHB")
_FAILURE: Final = 4
"""Server device failure (Modbus application protocol 1.1b3, 7)."""


class _Answer(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        while len(head := self.rfile.read(_HEAD.size)) == _HEAD.size:
            transaction, _, size, unit = _HEAD.unpack(head)
            asked = self.rfile.read(size - 1)
            said = bytes([asked[0] | 0x80, _FAILURE])
            self.wfile.write(_HEAD.pack(transaction, 0, 1 + len(said), unit) + said)


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


@contextlib.contextmanager
def answering(port: int) -> Iterator[None]:
    """Answer until the context is left; who is connected then is left alone."""
    with _Server(("127.0.0.1", port), _Answer) as server:
        serving = threading.Thread(target=server.serve_forever, name="modbus", daemon=True)
        serving.start()
        try:
            yield
        finally:
            server.shutdown()
            serving.join()
