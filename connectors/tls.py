"""How a peer is trusted: the certificate and the host name are always checked."""

import ssl
from pathlib import Path

from config.connections import Tls
from connectors.contract import Certificate
from connectors.errors import NotConnected


def tls_context(options: Tls) -> ssl.SSLContext:
    """Return a context of TLS 1.2 or newer; reads files, so call it off the event loop.

    Raises:
        NotConnected: a file can't be read, or is not what it should be.
    """
    try:
        context = ssl.create_default_context(cafile=options.ca)
    except OSError as exc:
        raise _unusable("tls.ca", options.ca, exc) from exc
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if options.certificate is not None:
        password = options.key_password.current() if options.key_password is not None else ""
        try:
            # Without a password OpenSSL would ask for one on the terminal and wait.
            context.load_cert_chain(options.certificate, options.key, password=password)
        except OSError as exc:
            raise _unusable("tls.certificate", options.certificate, exc) from exc
    return context


def certificates(sock: ssl.SSLSocket, options: Tls) -> tuple[Certificate, ...]:
    """Return what the peer has shown, and what it was shown of ours; reads files."""
    found = []
    shown = sock.getpeercert() or {}
    ends = shown.get("notAfter")
    if isinstance(ends, str):
        found.append(Certificate("peer", ssl.cert_time_to_seconds(ends) * 1_000_000_000))
    if options.certificate is not None:
        from cryptography import x509  # noqa: PLC0415  a tenth of a second, for who has one

        own = x509.load_pem_x509_certificates(Path(options.certificate).read_bytes())[0]
        found.append(Certificate("own", int(own.not_valid_after_utc.timestamp()) * 1_000_000_000))
    return tuple(found)


def _unusable(field: str, file: str | None, cause: OSError) -> NotConnected:
    return NotConnected(f"{field}: {file} can't be used: {cause.strerror or cause}", needs_a_person=True)
