"""The page of the fault matrix says of each row what the tests' marks say."""

import ast
import re
from dataclasses import astuple
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from config.reading.yaml_tree import read_document
from tests.lab.report import MATRIX, FaultPage, Row, days, matrix, measure, measured, page, promised
from tests.processes import ROOT

PAGE = ROOT / "docs" / "reference" / "faults.md"
LINE = re.compile(r"^\| ([A-Z]\d+) \| (.+?) \| (.+?) \| (.*?) ?\| (open|pass|\*\*fail\*\*) \|$", re.MULTILINE)


def marks() -> list[tuple[Path, ast.Call | ast.Attribute]]:
    """Return every `pytest.mark.fault` there is in the tests."""
    found = []
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        called = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and ast.unparse(node) == "pytest.mark.fault":
                found.append((file, called.get(id(node), node)))
    return found


def test_every_fault_test_says_which_rows_it_shows_and_they_are_in_the_matrix() -> None:
    known = {row for section in matrix() for row in section.rows}
    for file, mark in marks():
        assert isinstance(mark, ast.Call), f"{file}: @pytest.mark.fault names its rows"
        rows = [ast.literal_eval(each) for each in mark.args]
        assert rows, file
        assert set(rows) <= known, f"{file}: {rows}"


def test_no_row_of_the_matrix_is_written_twice() -> None:
    """YAML's own reader takes the last of them; that of plant files wants a key at the top."""
    _, problems = read_document(b"matrix:\n" + MATRIX.read_bytes(), MATRIX.name)
    assert [each.render("en") for each in problems] == []


def test_the_page_has_the_rows_of_the_matrix_and_calls_open_those_without_a_test() -> None:
    told = {
        row: (fault, promised(section, row))
        for section in matrix()
        for row, (fault, _) in section.rows.items()
    }
    page = {
        name: (fault, expected, result) for name, fault, expected, _, result in LINE.findall(PAGE.read_text())
    }
    assert {name: texts[:2] for name, texts in page.items()} == told, "run `make faults`"
    shown = {
        ast.literal_eval(each) for _, mark in marks() if isinstance(mark, ast.Call) for each in mark.args
    }
    # A row that got its test since the page was made is run by the next `make faults`.
    assert {name for name, (*_, result) in page.items() if result != "open"} <= shown
    assert "**fail**" not in PAGE.read_text()


def test_a_row_that_differs_from_what_was_set_says_what_holds_and_why() -> None:
    shown = PAGE.read_text(encoding="utf-8")
    for section in matrix():
        assert set(section.differs) <= set(section.rows), section.name
        for row, differences in section.differs.items():
            assert differences, row
            for each in differences:
                assert all(len(text) > 4 and text == text.strip(" .") for text in astuple(each)), row
                line = f"- {row}: set {each.set}; holds {each.holds}; because {each.because}."
                assert line in shown, "run `make faults`"
    assert shown.count("*(differs)*") == sum(len(section.differs) for section in matrix())


def test_what_was_measured_of_rows_that_were_not_asked_for_stays(tmp_path: Path) -> None:
    file = tmp_path / "faults.md"
    file.write_text(page({"D1": Row(passed=2, measures=["7 s"]), "D2": Row(failed=1)}), encoding="utf-8")
    kept = measured(file)
    assert kept == {"D1": "7 s; 2 tests | pass", "D2": "1 test | **fail**"}
    again = page({"D1": Row(passed=9), "D2": Row(passed=1)}, {"D1": kept["D1"]})
    assert kept["D1"] in again
    assert "fail" not in again


def test_what_a_test_says_of_a_row_twice_is_shown_twice() -> None:
    marks = [SimpleNamespace(args=("D1", "D2"))]
    node = SimpleNamespace(user_properties=[], iter_markers=lambda _: marks)
    request: Any = SimpleNamespace(node=node)
    record = measure(request)
    for what, row in (("7 s", None), ("8 s", "D2"), ("9 MB", None)):
        record(what, row)
    report: Any = SimpleNamespace(
        user_properties=[("fault_rows", ("D1", "D2")), *node.user_properties],
        when="call",
        failed=False,
        passed=True,
    )
    made = FaultPage(Path("unwritten"))
    made.pytest_runtest_logreport(report)
    text = page(made.rows)
    assert "| 7 s; 9 MB; 1 test | pass |" in text
    assert "| 8 s; 1 test | pass |" in text


def test_days_on_which_rows_that_stay_were_measured_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "faults.md"
    file.write_text(page({"D1": Row(passed=2)}, {}, ("2020-01-02",)), encoding="utf-8")
    assert days(file)[0] == "2020-01-02"
    assert len(days(file)) == 2
    assert " on 2020-01-02 and " in file.read_text(encoding="utf-8")
