"""What a fuzzer found of the serial dialogue's ways, walked again."""

from pathlib import Path

import pytest

from tests.fuzz.modbus_line import check
from tests.processes import ROOT

CORPUS = sorted((ROOT / "tests" / "cases" / "fuzz" / "modbus").iterdir())


@pytest.mark.fault
def test_d5_no_input_of_the_corpus_crashes_hangs_or_is_taken_for_an_answer() -> None:
    """FAULTS D5."""
    assert len(CORPUS) >= 10
    for file in CORPUS:
        check(Path(file).read_bytes())
