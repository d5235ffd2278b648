"""Every broken plant file of the corpus: exactly these mistakes, at these places, in both languages."""

import re
from pathlib import Path
from typing import Any

import pytest

from config.load import read_plant

CORPUS = Path(__file__).parents[2] / "cases" / "config"
FILES = sorted(CORPUS.glob("*.yaml"))
EXPECT = re.compile(r"^# expect: (?P<code>\S+) (?P<line>\d+):(?P<column>\d+)$", re.MULTILINE)
LEFT_OVER = re.compile(r"\{\w+\}|Phrase|found\.|advice\.|hint\.")


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WL_TEST_SECRET", "s3cret-value")
    monkeypatch.setenv("WL_TEST_TOKEN_IN_LINES", "s3cret\nvalue")
    monkeypatch.setenv("WL_TEST_WEBHOOK", "http://robot.example/send?key=s3cret")
    monkeypatch.delenv("WL_TEST_UNSET", raising=False)


def test_the_corpus_is_large() -> None:
    assert len(FILES) >= 150


@pytest.mark.fault("H1")
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_mistake_is_found_at_its_place(file: Any, record_measure) -> None:
    marks = EXPECT.finditer(file.read_text("utf-8"))
    expected = sorted((m["code"], int(m["line"]), int(m["column"])) for m in marks)
    assert expected
    outcome = read_plant(file)
    assert sorted((p.code, p.line, p.column) for p in outcome.problems) == expected
    assert (outcome.plant is None) == any(p.severity == "error" for p in outcome.problems)
    record_measure(f"{len(FILES)} bad files: every mistake, at its line and column", row="H1")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_mistake_is_told_in_both_languages(file: Any) -> None:
    for problem in read_plant(file).problems:
        for language in ("zh", "en"):
            line = problem.render(language)
            message = problem.message(language)
            assert not LEFT_OVER.search(message), message
            assert "  " not in message
            assert "s3cret" not in line
            assert line.startswith(f"{problem.file}:{problem.line}:{problem.column}")
            assert Path(problem.file).is_relative_to(CORPUS)  # its own, or a tariff or calendar beside it
            assert line.endswith(f"[{problem.code}]")
            has_chinese = any("一" <= c <= "鿿" for c in message)
            assert has_chinese == (language == "zh"), message


def test_the_corpus_has_every_code_a_plant_file_alone_can_cause() -> None:
    elsewhere = {"E-CF-0001", "E-CF-0005", "E-CF-0006", "E-CF-0199", "E-CF-0204", "E-CF-0205"}
    elsewhere |= {"E-CF-0796"}  # of two thousand devices: tests/unit/config/test_platform_table.py
    elsewhere |= {"E-CF-0019"}  # of thousands of entries: tests/unit/config/test_plausible.py
    elsewhere |= {"E-CF-1506", "E-CF-1507"}  # of a table in the plant's library
    elsewhere |= {
        "W-CF-0543",
        "W-CF-0544",
    }  # a key and a date of today: tests/unit/config/test_certificates.py
    from config.problems import catalogue

    codes = {key for key in catalogue() if re.fullmatch(r"[EW]-CF-\d{4}", key)}
    seen = {m["code"] for file in FILES for m in EXPECT.finditer(file.read_text("utf-8"))}
    assert codes - seen == elsewhere
