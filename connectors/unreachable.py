"""Why a peer could not be reached, in the words of every connector that dials."""

import re
import socket
import ssl
from typing import Final

from config.problems import Phrase
from connectors.errors import NotConnected

_ALERT: Final = re.compile("ALERT.*(CERTIFICATE|UNKNOWN_CA)")
"""The peer speaks of our certificate; with TLS 1.3 it does so after the handshake."""


def unreachable(peer: str, cause: OSError | ValueError) -> NotConnected:
    """Return why no connection came about; `from` the cause is the caller's to add."""
    detail: object = ""
    needs_a_person = False
    match cause:
        case ssl.SSLCertVerificationError():
            needs_a_person = True
            key, detail = "untrusted", cause.verify_message
        case ssl.SSLError(reason="WRONG_VERSION_NUMBER"):
            needs_a_person = True
            key = "no_tls"
        case ssl.SSLEOFError():
            key = "broke_off_handshake"
        case ssl.SSLError() if _ALERT.search(cause.reason or ""):
            needs_a_person = True
            key, detail = "own_refused", cause.reason
        case ssl.SSLError():
            key, detail = "handshake", cause.reason or cause
        case socket.gaierror():
            key, detail = "name", cause.strerror
        case ConnectionRefusedError():
            key = "refused"
        case ConnectionResetError():
            key = "broke_off_handshake"
        case TimeoutError():
            key = "silent"
        case _:
            key = "unreachable"
            detail = cause.strerror or cause if isinstance(cause, OSError) else cause
    text = Phrase(f"link.{key}", {"peer": peer, "detail": detail}).text("en")
    return NotConnected(text, needs_a_person=needs_a_person)
