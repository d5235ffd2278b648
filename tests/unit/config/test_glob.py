"""Globs mean what they meant as regular expressions, and cost what the path is long."""

import re
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.glob import Glob

PIECE = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
PIECES = st.sampled_from([*PIECE, "a", "b", "/"])
LETTERS = st.text("ab/", max_size=9)


def meant(glob: str) -> re.Pattern[str]:
    """The same glob as a regular expression that goes back: for short texts only."""
    pieces = re.split(r"(\*\*/|\*\*|\*|\?)", glob)
    return re.compile("".join(PIECE.get(piece, re.escape(piece)) for piece in pieces))


@given(st.lists(PIECES, max_size=8).map("".join), st.lists(LETTERS, max_size=5))
def test_a_glob_means_what_its_regular_expression_means(glob: str, texts: list[str]) -> None:
    compiled, pattern = Glob(glob), meant(glob)
    for text in texts:
        assert compiled.fullmatch(text) == (pattern.fullmatch(text) is not None), text


@pytest.mark.fault("S8")
@pytest.mark.parametrize(
    "glob", ["**a" * 130 + "x", "*a" * 190 + "x", "**/" * 130 + "x", "?*" * 190 + "x", "*" * 399]
)
def test_a_glob_that_would_go_back_forever_is_answered_at_once(glob: str, record_measure) -> None:
    paths = ["a" * 400, "a/" * 200, "ab" * 200, "/".join(["aaaa"] * 80)]
    tracemalloc.start()
    begin = time.process_time()
    found = [Glob(glob).fullmatch(path) for path in paths]
    spent, (_, most) = time.process_time() - begin, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == [not glob.endswith("x")] * 4
    assert spent < 2  # some ms; as a regular expression it does not come back
    assert most < 20e6
    record_measure(
        f"5 globs of 400 characters on paths of 400: answered, {most / 1e6:.0f} MB at most", row="S8"
    )


def test_sets_of_places_without_end_are_forgotten() -> None:
    glob = Glob("**a" + "?" * 14)  # as a table of all sets: 16,384
    texts = [f"{number:016b}".replace("0", "b").replace("1", "a") for number in range(3_000)]
    pattern = meant("**a" + "?" * 14)
    assert [glob.fullmatch(each) for each in texts] == [pattern.fullmatch(each) is not None for each in texts]
    assert len(glob._kept) <= 1_000
