"""A TLS server that only counts: what it shows is as bad as a test wants it, what it hears is the measure."""

import contextlib
import socket
import ssl
import threading
import warnings
from typing import Self

from tests.servers.certificates import Pair


class TlsListener:
    """Listens on `port` of loopback while entered, shows a certificate, counts what it is told."""

    def __init__(self, pair: Pair, newest: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED) -> None:
        self.heard = 0
        """Bytes that were said to it inside TLS."""
        self.met = 0
        """Connections."""
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.set_ciphers("DEFAULT:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # as old as a test wants it
            self._context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
            self._context.maximum_version = newest
        self._context.load_cert_chain(*pair)

    def __enter__(self) -> Self:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(10)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self.met += 1
            connection.settimeout(5)
            with connection, contextlib.suppress(OSError):
                encrypted = self._context.wrap_socket(
                    connection, server_side=True, do_handshake_on_connect=False
                )
                with encrypted:
                    encrypted.do_handshake()
                    while piece := encrypted.recv(4096):
                        self.heard += len(piece)
