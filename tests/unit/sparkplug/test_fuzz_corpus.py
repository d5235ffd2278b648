"""What a fuzzer found of the ways through an edge node's messages, walked again."""

import pytest

from tests.fuzz.sparkplug_payload import check
from tests.processes import ROOT


@pytest.mark.fault("G1")
def test_g1_no_payload_of_the_corpus_crashes_or_brings_a_value_it_does_not_hold() -> None:
    corpus = sorted((ROOT / "tests" / "cases" / "fuzz" / "sparkplug").iterdir())
    assert len(corpus) >= 10
    for file in corpus:
        check(file.read_bytes())
