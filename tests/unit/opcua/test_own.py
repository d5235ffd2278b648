"""The gateway's own certificate is made once, however many sources begin at the same moment."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from cryptography.hazmat.primitives import serialization

from connectors.opcua.pki import Pki

SOURCES = 6


@pytest.mark.parametrize("attempt", range(2))
def test_sources_that_begin_together_make_one_certificate(tmp_path: Path, attempt: int) -> None:
    """A certificate beside another's key would keep every source away until a person deletes it."""
    together = Barrier(SOURCES)

    def begin(_: int) -> bytes:
        together.wait(20)
        return Pki(tmp_path).own(f"gateway {attempt}").certificate.public_bytes(serialization.Encoding.DER)

    with ThreadPoolExecutor(SOURCES) as threads:
        assert len(set(threads.map(begin, range(SOURCES)))) == 1
