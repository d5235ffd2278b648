"""The message catalogue: both languages, the same blanks, nothing unused, nothing missing."""

import re
from pathlib import Path

import pytest

import config
from config.problems import Phrase, Problem, catalogue, default_language, found, quote
from config.reading.yaml_tree import read_document

BLANK = re.compile(r"\{(\w+)\}")
SOURCES = sorted(Path(config.__file__).parent.rglob("*.py"))


@pytest.mark.parametrize("file", sorted((Path(config.__file__).parent / "data").rglob("*.yaml")), ids=str)
def test_nothing_in_our_own_data_is_written_twice(file: Path) -> None:
    """Of two rows of one key YAML's own reader takes the last; that of plant files tells."""
    data = b"\n".join(b" " + line if line.strip() else b"" for line in file.read_bytes().split(b"\n"))
    _, problems = read_document(b"all:\n" + data, file.name)
    assert [each.render("en") for each in problems] == []


def test_every_message_has_both_languages_and_the_same_blanks() -> None:
    for key, texts in catalogue().items():
        assert set(texts) == {"zh", "en"}, key
        # Chinese and English may each leave a blank out only if it is advice of its own language.
        assert set(BLANK.findall(texts["zh"])) == set(BLANK.findall(texts["en"])), key


def test_every_code_in_the_program_is_in_the_catalogue_and_the_reverse() -> None:
    text = "\n".join(file.read_text("utf-8") for file in SOURCES)
    used = set(re.findall(r"[EW]-CF-\d{4}", text))
    assert used == {key for key in catalogue() if "-CF-" in key}


def test_every_phrase_in_the_catalogue_is_used() -> None:
    text = "\n".join(file.read_text("utf-8") for file in SOURCES)
    for key in catalogue():
        group, _, name = key.partition(".")
        if group in ("advice", "reason", "encoding", "syntax"):
            assert f'"{key}"' in text, key
        elif group == "found":
            assert f'"{name}"' in text, key


def test_codes_are_never_the_same_number_as_error_and_warning() -> None:
    numbers = [key[2:] for key in catalogue() if "-CF-" in key]
    assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize(
    ("variables", "language"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LC_ALL": "en_US.UTF-8", "LANG": "zh_CN.UTF-8"}, "en"),
        ({"LC_ALL": "", "LANG": "zh_TW.UTF-8"}, "zh"),
        ({"LANG": "C"}, "en"),
        ({"LANG": "de_DE"}, "en"),
    ],
)
def test_the_language_follows_the_locale(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], language: str
) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert default_language() == language


def test_a_problem_has_a_form_for_programs():
    problem = Problem("W-CF-0705", "plant.yaml", 3, 9, "sinks.c.select.1")
    assert problem.as_dict("en") == {
        "code": "W-CF-0705",
        "severity": "warning",
        "file": "plant.yaml",
        "line": 3,
        "column": 9,
        "path": "sinks.c.select.1",
        "message": "a rule above takes every tag, this one never acts. Move it up.",
    }


def test_a_problem_tells_place_path_message_and_code() -> None:
    args = {"found": found(300), "limit": 255, "hint": Phrase("hint.unit_id")}
    problem = Problem("E-CF-0113", "plant.yaml", 14, 7, "sources.meters.devices.m1.unit_id", args)
    assert problem.render("en") == (
        "plant.yaml:14:7 sources.meters.devices.m1.unit_id: 300 is above 255. "
        "Serial lines use 1 to 247; see the meter's label. [E-CF-0113]"
    )
    assert problem.message("zh") == "数字 300 大于最大值 255。串口设备用 1 至 247，见仪表铭牌。"


def test_what_a_terminal_would_obey_is_spelled_out() -> None:
    assert quote("a\x1b[31m\n") == "a\\x1b[31m\\n"
    assert len(quote("x" * 1000)) == 60
