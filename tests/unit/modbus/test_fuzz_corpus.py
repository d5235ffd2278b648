"""What a fuzzer found of the dialogues' ways, on a serial line and over TCP, walked again."""

from collections.abc import Callable

import pytest

from tests.fuzz import modbus_line, modbus_tcp
from tests.processes import ROOT


@pytest.mark.fault("D5")
@pytest.mark.parametrize(
    ("folder", "check"), [("modbus", modbus_line.check), ("modbus_tcp", modbus_tcp.check)]
)
def test_d5_no_input_of_the_corpus_crashes_hangs_or_is_taken_for_an_answer(
    folder: str, check: Callable[[bytes], None]
) -> None:
    corpus = sorted((ROOT / "tests" / "cases" / "fuzz" / folder).iterdir())
    assert len(corpus) >= 10
    for file in corpus:
        check(file.read_bytes())
