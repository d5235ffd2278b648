"""What a fuzzer found of the ways through a message, walked again."""

import pytest

from tests.fuzz.mqtt_message import check
from tests.processes import ROOT


@pytest.mark.fault("G1")
def test_g1_no_message_of_the_corpus_crashes_or_says_what_it_does_not_hold() -> None:
    corpus = sorted((ROOT / "tests" / "cases" / "fuzz" / "mqtt").iterdir())
    assert len(corpus) >= 10
    for file in corpus:
        check(file.read_bytes())
