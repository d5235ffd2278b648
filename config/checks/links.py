"""What checks of several kinds of link ask: are the TLS files complete?"""

from collections.abc import Iterator

from config.connections import Tls
from config.problems import Problem
from config.reading.document import Document, Path


def check_tls(tls: Tls, document: Document, path: Path) -> Iterator[Problem]:
    """Yield which of certificate, key and password is missing."""
    if tls.key is not None and tls.certificate is None:
        yield document.problem("E-CF-0708", (*path, "key"), at_key=True)
    if tls.certificate is not None and tls.key is None:
        yield document.problem("E-CF-0709", (*path, "certificate"), at_key=True)
    if tls.key_password is not None and tls.key is None:
        yield document.problem("E-CF-0710", (*path, "key_password"), at_key=True)
