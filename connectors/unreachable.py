"""Why a peer could not be reached, in the words of every connector that dials."""

import socket
import ssl

from connectors.errors import NotConnected


def unreachable(peer: str, cause: OSError | ValueError) -> NotConnected:
    """Return why no connection came about; `from` the cause is the caller's to add."""
    needs_a_person = False
    match cause:
        case ssl.SSLCertVerificationError():
            needs_a_person = True
            text = f" is not trusted: {cause.verify_message}; check the peer's certificate and `tls.ca`"
        case ssl.SSLError(reason="WRONG_VERSION_NUMBER"):
            needs_a_person = True
            text = " does not speak TLS on this port"
        case ssl.SSLError():
            text = f": the TLS handshake failed: {cause.reason or cause}"
        case socket.gaierror():
            text = f": the name can't be resolved: {cause.strerror}"
        case ConnectionRefusedError():
            text = " refused the connection"
        case ConnectionResetError():
            text = " broke off the handshake; check `port` and `tls`"
        case TimeoutError():
            text = " did not answer in time"
        case _:
            text = f" can't be reached: {cause.strerror or cause if isinstance(cause, OSError) else cause}"
    return NotConnected(peer + text, needs_a_person=needs_a_person)
