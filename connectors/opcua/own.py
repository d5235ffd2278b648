"""A certificate and its key: made for the gateway itself, or read from files a person gives."""

import contextlib
import os
import socket
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from connectors.errors import NotConnected

_VALID: Final = timedelta(days=3650)
_KEY_BITS: Final = 2048
"""Every server with one of our policies takes it; 4096 makes small controllers wait for seconds."""


@dataclass(frozen=True, slots=True)
class Own:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey

    @property
    def uri(self) -> str:
        """Return the ApplicationUri the certificate is for."""
        return uri_of(self.certificate)

    @classmethod
    def load(cls, certificate: Path, key: Path, password: bytes | None = None) -> Self:
        """Read a certificate, DER or PEM, and its RSA key.

        Raises:
            NotConnected: a file can't be read or is not what it should be.
        """
        try:
            data = key.read_bytes()
            if data.lstrip().startswith(b"-----"):
                private = serialization.load_pem_private_key(data, password)
            else:
                private = serialization.load_der_private_key(data, password)
        except (OSError, ValueError, TypeError) as exc:
            raise _unusable(key, exc) from exc
        try:
            public = read_certificate(certificate)
        except (OSError, ValueError) as exc:
            raise _unusable(certificate, exc) from exc
        if not isinstance(private, rsa.RSAPrivateKey):
            raise _unusable(key, ValueError("it is not an RSA key"))
        if private.public_key() != public.public_key():
            raise _unusable(key, ValueError(f"it does not belong to {certificate}"))
        return cls(public, private)


def uri_of(certificate: x509.Certificate) -> str:
    """Return the ApplicationUri a certificate is for."""
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return next(iter(names.get_values_for_type(x509.UniformResourceIdentifier)), "")


def read_certificate(file: Path) -> x509.Certificate:
    """Read a certificate, DER or PEM; OSError or ValueError when it is none."""
    data = file.read_bytes()
    is_pem = data.lstrip().startswith(b"-----")
    return x509.load_pem_x509_certificate(data) if is_pem else x509.load_der_x509_certificate(data)


def make_own(certificate: Path, key: Path, uri: str) -> None:
    """Make an application instance certificate (OPC 10000-6, 6.2.2), self-signed, and write it with its key.

    The key is in place before the certificate, so that a crash in between leaves no pair that does not match.
    """
    certificate.unlink(missing_ok=True)
    made, pem = _made(uri)
    _write(key, pem, 0o600)
    _write(certificate, made, 0o644)


def make_next(certificate: Path, key: Path, uri: str) -> None:
    """Make a pair that is to follow the one there is; the certificate's coming is what decides that it does.

    `follow` puts it in place, now or, after a crash, whoever looks next.
    """
    next_certificate, next_key = _next(certificate), _next(key)
    next_certificate.unlink(missing_ok=True)
    made, pem = _made(uri)
    _write(next_key, pem, 0o600)
    _write(next_certificate, made, 0o644)


def keep_aside(certificate: Path, key: Path, mark: str) -> None:
    """Keep a pair beside itself under names with a mark in them."""
    for each, mode in ((key, 0o600), (certificate, 0o644)):
        _write(each.with_name(f"{each.stem}.{mark}{each.suffix}"), each.read_bytes(), mode)


def follow(certificate: Path, key: Path) -> None:
    """Put the pair in place that was made to follow, if there is one; two processes may do it at once."""
    if _next(certificate).exists():
        for each in (key, certificate):
            with contextlib.suppress(FileNotFoundError):  # the other process was there first, or a crash
                _next(each).replace(each)


def _next(file: Path) -> Path:
    return file.with_name(f"{file.stem}.next{file.suffix}")


def _made(uri: str) -> tuple[bytes, bytes]:
    """Return a certificate, DER, and its key, PEM."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
    host = socket.gethostname()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Wanglian@{host}"[:64])])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _VALID)
        .add_extension(
            x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri), x509.DNSName(host)]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                content_commitment=True,  # nonRepudiation
                key_encipherment=True,
                data_encipherment=True,
                key_agreement=False,
                key_cert_sign=False,
                crl_sign=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]),
            critical=False,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(private.public_key()), critical=False)
        .sign(private, hashes.SHA256())
    )
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return made.public_bytes(serialization.Encoding.DER), pem


def _write(file: Path, data: bytes, mode: int) -> None:
    half = file.with_suffix(".new")
    half.unlink(missing_ok=True)
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as output:
        output.write(data)
        output.flush()
        os.fsync(output.fileno())
    half.replace(file)


def _unusable(file: Path, cause: Exception) -> NotConnected:
    reason = cause.strerror if isinstance(cause, OSError) and cause.strerror else cause
    return NotConnected(f"{file} can't be used: {reason}", needs_a_person=True)
