"""The gateway's own certificate and the folders in which a person says whom it trusts (OPC 10000-4, 6.1).

own/        certificate.der to be trusted on servers, key.pem readable by us alone; the pairs before
trusted/    servers, or authorities whose servers, are trusted; revocation lists (*.crl) beside them
issuers/    authorities needed to complete a chain, not trusted by themselves; revocation lists
rejected/   what was shown to us and nobody trusts yet
"""

import re
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from connectors.errors import NotConnected
from connectors.opcua.examine import Evidence, common_name, examine, thumbprint
from connectors.opcua.own import Own, follow, keep_aside, make_next, make_own, read_certificate, uri_of

T = TypeVar("T")

Folder = Literal["trusted", "rejected"]
FOLDERS: Final[tuple[Folder, ...]] = ("trusted", "rejected")
_MAKING: Final = threading.Lock()
"""Sources begin together and share one certificate: the first makes it, the others wait."""
_UNREADABLE: Final = (
    ValueError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""What the library raises at certificates it makes nothing of: of SM2, with odd extensions, of no version."""
_NOT_IN_A_FILE_NAME: Final = re.compile(r"[^\w.-]+")
_MOST_REJECTED: Final = 100
"""Files kept in rejected/: a server that shows a new certificate each time must not fill the disk."""


def below(directory: Path) -> Path:
    """Return where the folders lie in the gateway's data directory."""
    return directory / "pki" / "opcua"


class Refused(Exception):
    """A server's certificate is not to be believed; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A certificate that lies in one of the folders."""

    folder: Folder
    file: Path
    certificate: x509.Certificate

    @property
    def thumbprint(self) -> str:
        """Return the SHA-1 thumbprint OPC UA names certificates by, 40 hex digits."""
        return thumbprint(self.certificate)

    def begins_with(self, prefix: str) -> bool:
        """Tell whether the thumbprint begins so; colons and spaces don't count, nothing does not begin."""
        wanted = prefix.replace(":", "").replace(" ", "").upper()
        return bool(wanted) and self.thumbprint.startswith(wanted)

    @property
    def name(self) -> str:
        """Return who the certificate says it is."""
        return common_name(self.certificate)

    @property
    def valid_until(self) -> datetime:
        """Return when it expires, UTC."""
        return self.certificate.not_valid_after_utc


class Shown(NamedTuple):
    """The gateway's own certificate, as a person on a server's side compares it."""

    name: str
    uri: str
    thumbprint: str
    ends: datetime


class Pki:
    """The folders below one directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @property
    def own_certificate(self) -> Path:
        """Return where the gateway's own certificate lies."""
        return self._directory / "own" / "certificate.der"

    @property
    def _own_key(self) -> Path:
        return self._directory / "own" / "key.pem"

    def own(self, gateway: str) -> Own:
        """Return the gateway's own certificate; made at the first call, with a key nobody else may read."""
        with _MAKING:
            for name in ("own", "trusted", "issuers", "rejected"):
                (self._directory / name).mkdir(parents=True, exist_ok=True)
            follow(self.own_certificate, self._own_key)
            if not (self._own_key.exists() and self.own_certificate.exists()):
                uri = f"urn:{socket.gethostname()}:wanglian:{gateway}"
                make_own(self.own_certificate, self._own_key, uri)
            try:
                return Own.load(self.own_certificate, self._own_key)
            except NotConnected:  # perhaps renewed by the page's process between the two
                follow(self.own_certificate, self._own_key)
                return Own.load(self.own_certificate, self._own_key)

    def shown(self) -> Shown | None:
        """Return what servers are shown of the gateway; None before the first protected connection."""
        try:
            own = read_certificate(self.own_certificate)
        except (OSError, ValueError):
            return None
        return Shown(common_name(own), uri_of(own), thumbprint(own), own.not_valid_after_utc)

    def renew(self) -> Shown | None:
        """Make another certificate and key in the name of the one there is; None while there is none.

        Connections that stand keep what they were made with; the next one shows the new. The pair before is
        kept beside it, named by its thumbprint. Raises OSError.
        """
        with _MAKING:
            follow(self.own_certificate, self._own_key)
            before = self.shown()
            return None if before is None else self._put_in_place(before)

    def _put_in_place(self, before: Shown) -> Shown | None:
        keep_aside(self.own_certificate, self._own_key, before.thumbprint[:8])
        make_next(self.own_certificate, self._own_key, before.uri)
        follow(self.own_certificate, self._own_key)
        return self.shown()

    def examine(self, shown: bytes, application_uri: str, host: str) -> None:
        """Accept a server's certificate (DER, its issuers may follow) or tell all that is wrong with it.

        One nobody trusts is saved to rejected/.

        Raises:
            Refused: with the thumbprint and what to do.
        """
        try:
            certificates = _split(shown)
            verdict = examine(certificates, application_uri, host, self._evidence(), datetime.now(UTC))
        except _UNREADABLE as exc:
            raise Refused(f"the server shows a certificate that can't be read: {exc}") from exc
        leaf = certificates[0]
        if verdict.is_trusted and not verdict.defects:
            return
        what = f"the server's certificate, thumbprint {thumbprint(leaf)}, is refused: "
        if verdict.is_trusted:
            raise Refused(what + "; ".join(verdict.defects))
        what += "; ".join(("nobody has trusted it yet", *verdict.defects))
        what += f". It was saved as {self._save(leaf)}."
        if not verdict.defects:
            what += (
                " Compare the thumbprint with the one the server shows, then run:"
                f" wanglian certificates trust <plant file> {thumbprint(leaf)[:8]}"
            )
        raise Refused(what)

    def entries(self) -> Iterator[Entry]:
        """Yield every certificate in trusted/ and rejected/."""
        for folder in FOLDERS:
            for file, certificate in _readable(self._directory / folder, "*", read_certificate):
                yield Entry(folder, file, certificate)

    def move(self, prefix: str, to: Folder) -> list[Entry]:
        """Move the certificate whose thumbprint begins so; return all that do; only one is moved."""
        found = [e for e in self.entries() if e.folder != to and e.begins_with(prefix)]
        if len(found) == 1:
            (self._directory / to).mkdir(parents=True, exist_ok=True)
            found[0].file.replace(self._directory / to / found[0].file.name)
        return found

    def _evidence(self) -> Evidence:
        trusted, issuers = self._directory / "trusted", self._directory / "issuers"
        return Evidence(
            [certificate for _, certificate in _readable(trusted, "*", read_certificate)],
            [certificate for _, certificate in _readable(issuers, "*", read_certificate)],
            [each for folder in (trusted, issuers) for _, each in _readable(folder, "*.crl", _read_list)],
        )

    def _save(self, certificate: x509.Certificate) -> Path:
        folder = self._directory / "rejected"
        folder.mkdir(parents=True, exist_ok=True)
        name = _NOT_IN_A_FILE_NAME.sub("_", common_name(certificate))[:64]
        file = folder / f"{name}_{thumbprint(certificate)}.der"
        if not file.exists():
            newest_first = sorted(folder.iterdir(), key=lambda each: -each.stat().st_mtime)
            for each in newest_first[_MOST_REJECTED - 1 :]:
                each.unlink(missing_ok=True)
            file.write_bytes(certificate.public_bytes(Encoding.DER))
        return file


def _split(chain: bytes) -> list[x509.Certificate]:
    """Return certificates written one behind the other, each with its length in front (DER)."""
    found = []
    while chain:
        if len(chain) < 4 or chain[:2] != b"\x30\x82":
            raise ValueError("it is no DER certificate")
        size = 4 + int.from_bytes(chain[2:4], "big")
        found.append(x509.load_der_x509_certificate(chain[:size]))
        chain = chain[size:]
    if not found:
        raise ValueError("it is empty")
    return found


def _readable(folder: Path, pattern: str, read: Callable[[Path], T]) -> Iterator[tuple[Path, T]]:
    """Yield what can be read; a file that is something else is not what a person trusts."""
    for file in sorted(folder.glob(pattern)):
        if file.is_file():
            try:
                yield file, read(file)
            except (OSError, *_UNREADABLE):
                continue


def _read_list(file: Path) -> x509.CertificateRevocationList:
    data = file.read_bytes()
    is_pem = data.lstrip().startswith(b"-----")
    return x509.load_pem_x509_crl(data) if is_pem else x509.load_der_x509_crl(data)
