"""Certificate and key files a plant file names: are they there, are they that, still valid, and of one pair?

Warnings all of them: a gateway must start and collect though one sink's certificate has expired overnight.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path as File
from typing import TYPE_CHECKING, Final

from config.base import Secret
from config.problems import Phrase, Problem, quote
from config.reading.document import Document, Path
from config.reading.references import why_unreadable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.x509 import Certificate

_SOON: Final = timedelta(days=30)
_LARGEST: Final = 2**20


def check_pair(
    certificate: str | None, key: str | None, password: Secret | None, document: Document, path: Path
) -> Iterator[Problem]:
    """Yield what is wrong with a certificate and its key; nothing while one of them is not named."""
    if certificate is None or key is None:
        return
    found, problems = _certificates(certificate, document, (*path, "certificate"))
    yield from problems
    private, problems = _key(key, password, document, (*path, "key"))
    yield from problems
    if found and private is not None and found[0].public_key() != private.public_key():
        names = {each: _shown(document, (*path, each)) for each in ("key", "certificate")}
        yield document.problem_with("W-CF-0543", (*path, "key"), names)


def check_authority(file: str | None, document: Document, path: Path) -> Iterator[Problem]:
    """Yield what is wrong with a file of certificate authorities."""
    if file is not None:
        yield from _certificates(file, document, path)[1]


def _certificates(name: str, document: Document, path: Path) -> tuple[list["Certificate"], list[Problem]]:
    from cryptography import x509  # noqa: PLC0415  a tenth of a second, for plants that name a file

    data, problems = _content(name, document, path)
    if data is None:
        return [], problems
    try:
        is_pem = b"-----BEGIN" in data
        found = x509.load_pem_x509_certificates(data) if is_pem else [x509.load_der_x509_certificate(data)]
    except ValueError:
        return [], [
            document.problem("W-CF-0541", path, name=_shown(document, path), what=Phrase("what.certificate"))
        ]
    now = datetime.now(UTC)
    begins = max(each.not_valid_before_utc for each in found)
    ends = min(each.not_valid_after_utc for each in found)
    if not begins <= now <= ends:
        args = {"name": _shown(document, path), "begins": f"{begins:%Y-%m-%d}", "ends": f"{ends:%Y-%m-%d}"}
        problems.append(document.problem_with("W-CF-0542", path, args))
    elif ends - now < _SOON:
        days = (ends - now).days
        problems.append(
            document.problem(
                "W-CF-0544", path, name=_shown(document, path), ends=f"{ends:%Y-%m-%d}", days=days
            )
        )
    return found, problems


def _key(
    name: str, password: Secret | None, document: Document, path: Path
) -> tuple["PrivateKeyTypes | None", list[Problem]]:
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415

    data, problems = _content(name, document, path)
    if data is None:
        return None, problems
    secret = None if password is None else password.get_secret_value().encode()
    is_pem = b"-----BEGIN" in data
    load = serialization.load_pem_private_key if is_pem else serialization.load_der_private_key
    for each in dict.fromkeys((secret, None)):
        try:
            return load(data, each), []
        except (ValueError, TypeError, UnsupportedAlgorithm):
            continue
    return None, [document.problem("W-CF-0541", path, name=_shown(document, path), what=Phrase("what.key"))]


def _content(name: str, document: Document, path: Path) -> tuple[bytes | None, list[Problem]]:
    file = File(name)
    try:
        # A pipe would keep the reader waiting.
        if file.exists() and not file.is_file():
            reason = Phrase("reason.no_file")
        else:
            with file.open("rb") as stream:
                return stream.read(_LARGEST), []
    except OSError as error:
        reason = why_unreadable(error)
    return None, [document.problem("W-CF-0540", path, name=_shown(document, path), reason=reason)]


def _shown(document: Document, path: Path) -> str:
    """Return a file's name as it is written; of one that a reference filled in nothing but its last part."""
    written = document.value(path)
    return quote(written if type(written) is str else File(str(written)).name)
