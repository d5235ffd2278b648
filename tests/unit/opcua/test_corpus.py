"""Replays what the fuzzer kept: decoded or refused as before, and as asyncua decodes it where it can."""

from pathlib import Path

import pytest

from tests.fuzz.opcua import check

CORPUS = Path(__file__).parents[2] / "cases" / "fuzz" / "opcua"


@pytest.mark.parametrize("which", ["publish", "read"])
def test_the_fuzzers_messages_are_decoded_as_asyncua_does_or_refused(which):
    files = sorted((CORPUS / which).iterdir())
    taken = sum(check(which, file.read_bytes()) for file in files)
    assert 0 < taken < len(files)
