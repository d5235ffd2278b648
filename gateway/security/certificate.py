"""The page's certificate: a person's files, or one the gateway makes, renews, and tells the end of in time.

Certificate and key of its own lie in one file, so that they are replaced together whatever happens. Nobody
vouches for it: whoever opens the page for the first time compares the fingerprint with the one in the log.
"""

import ipaddress
import logging
import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from config.plant import PageOptions
from gateway.security.files import make_private
from gateway.security.names import names_of
from gateway.sqlite import sync_directory

log = logging.getLogger(__name__)

OWN: Final = "key.page.pem"
WARN_DAYS: Final = (3, 14, 30)
"""Days before its end at which a certificate is told of, each once a run."""
_VALID: Final = timedelta(days=365)
_RENEW: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Files:
    """What the page's process loads; the same file twice where both lie in one."""

    certificate: Path
    key: Path


class PageCertificate:
    """Looked at when the page starts and every hour; it waits for the disk."""

    def __init__(self, options: PageOptions, directory: Path) -> None:
        self._tls = options.tls
        self._names = names_of(options)
        self._directory = directory
        self._told = max(WARN_DAYS) + 1
        self.ends: datetime | None = None
        """As it was when looked at last."""

    def files(self, now: datetime) -> Files:
        """Return what to load; make or renew our own. Raises OSError, ValueError."""
        tls = self._tls
        if tls is not None and tls.certificate is not None and tls.key is not None:
            files = Files(Path(tls.certificate), Path(tls.key))
        else:
            files = Files(self._directory / OWN, self._directory / OWN)
            if not self._is_good(files.certificate, now):
                _make(files.certificate, self._names, now)
        self.ends = ends_of(files.certificate)
        self._tell(self.ends, now)
        return files

    def _is_good(self, file: Path, now: datetime) -> bool:
        try:
            found = _read(file)
        except (OSError, ValueError):
            return False
        if found.not_valid_before_utc > now or found.not_valid_after_utc - now < _RENEW:
            return False
        return set(self._names) <= _names_in(found)

    def _tell(self, ends: datetime, now: datetime) -> None:
        left = (ends - now).days
        reached = next((days for days in WARN_DAYS if left < days), None)
        if reached is None:
            self._told = max(WARN_DAYS) + 1
        elif reached < self._told:
            self._told = reached
            about = {"days": left, "ends": f"{ends:%Y-%m-%d}", "next": "replace page.tls.certificate and key"}
            log.warning(
                "page certificate ends soon" if left >= 0 else "page certificate has ended", extra=about
            )


def renew(file: Path, now: datetime) -> None:
    """Make our own certificate anew for the names it has; the one before is kept beside it.

    Raises OSError, ValueError.
    """
    before = _read(file)
    mark = before.fingerprint(hashes.SHA256()).hex()[:8]
    _write(file.with_name(f"key.page.{mark}.pem"), file.read_bytes())
    _make(file, sorted(_names_in(before)), now)


def ends_of(file: Path) -> datetime:
    """Return when the first certificate of a file ends. Raises OSError, ValueError."""
    return _read(file).not_valid_after_utc


def fingerprint(file: Path) -> str:
    """Return the SHA-256 fingerprint as browsers show it. Raises OSError, ValueError."""
    return _read(file).fingerprint(hashes.SHA256()).hex(":").upper()


def _names_in(certificate: x509.Certificate) -> set[str]:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))}


def _make(file: Path, names: Iterable[str], now: datetime) -> None:
    make_private(file.parent)
    _write(file, _self_signed(names, now))
    told = {"fingerprint": fingerprint(file), "ends": f"{now + _VALID:%Y-%m-%d}"}
    log.info("page certificate made", extra=told)


def _write(file: Path, data: bytes) -> None:
    """Write what holds a key: readable by this account alone, whole or not at all."""
    half = file.with_name(file.name + ".new")
    half.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(half, flags, 0o600), "wb") as output:
        output.write(data)
        output.flush()
        os.fsync(output.fileno())
    half.replace(file)
    sync_directory(file.parent)


def _read(file: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(file.read_bytes())


def _self_signed(names: Iterable[str], now: datetime) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Wanglian@{socket.gethostname()}"[:64])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _VALID)
        .add_extension(x509.SubjectAlternativeName([_general(each) for each in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM) + private


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
