"""The page's certificate as its process holds it: loaded anew when its files change, no connection lost."""

import logging
import ssl
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from gateway.security.certificate import OWN, ends_of, fingerprint

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 60.0
_Marks = tuple[int, ...]


class Loaded:
    """A context that new connections are made with; those there are keep what they have."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._certificate, self._key = certificate, key
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20")
        self.context.set_alpn_protocols(["http/1.1"])
        self._load()

    @property
    def own(self) -> Path | None:
        """Return the file the gateway made; None where a person gave what is used."""
        return self._certificate if self._certificate.name == OWN else None

    def look(self) -> bool:
        """Load the files if they have changed; tell whether it was done. What is no pair changes nothing."""
        try:
            if self._changed() == self._marks:
                return False
            self._load()
        except (OSError, ValueError) as exc:
            log.warning("the page's certificate can't be loaded, the one before stays: %s", exc)
            return False
        return True

    def keep_new(self) -> None:
        """Look for ever; in a thread of its own."""
        while not threading.Event().wait(LOOK_EVERY_S):
            self.look()

    def days_left(self) -> int:
        """Return how many whole days the certificate still has; negative when it has ended."""
        return (self.ends - datetime.now(UTC)).days

    def _load(self) -> None:
        marks = self._changed()
        # Half a pair would leave the context without any; a password given keeps OpenSSL from asking for one.
        for context in (ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), self.context):
            context.load_cert_chain(self._certificate, self._key, password="")
        self.ends = ends_of(self._certificate)
        self.fingerprint = fingerprint(self._certificate)
        self._marks = marks

    def _changed(self) -> _Marks:
        states = (each.stat() for each in (self._certificate, self._key))
        return tuple(mark for state in states for mark in (state.st_mtime_ns, state.st_ino, state.st_size))
