"""What a fuzzer found of the ways on a line of DL/T 645 or CJ/T 188 meters, walked again."""

import pytest

from tests.fuzz.meter_line import check
from tests.processes import ROOT


@pytest.mark.fault("D5")
def test_d5_no_input_of_the_corpus_crashes_hangs_or_is_taken_for_a_reading() -> None:
    corpus = sorted((ROOT / "tests" / "cases" / "fuzz" / "meters").iterdir())
    assert len(corpus) >= 10
    for file in corpus:
        check(file.read_bytes())
