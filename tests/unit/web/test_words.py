"""The page's words and types agree with what the gateway says."""

import re
from typing import get_args

import orjson
import pytest

from connectors import quality
from gateway.security import ROLES
from gateway.security.audit import Act
from gateway.web import models, why
from gateway.web.typescript import typescript
from tests.processes import ROOT

SOURCE = ROOT / "gateway" / "web" / "ui" / "src"
WORDS = {
    language: orjson.loads((SOURCE / "words" / f"{language}.json").read_bytes()) for language in ("zh", "en")
}


def test_both_languages_have_the_same_keys_and_blanks() -> None:
    zh, en = WORDS["zh"], WORDS["en"]
    assert list(zh) == list(en)
    for key in zh:
        assert set(re.findall(r"\{(\w+)", zh[key])) == set(re.findall(r"\{(\w+)", en[key])), key


def test_a_word_for_one_and_for_many_holds_no_blank_of_its_own() -> None:
    for words in WORDS.values():
        for key, text in words.items():
            assert "|" not in re.sub(r"\{\w+:[^{|}]*\|[^{|}]*\}", "", text), key


def test_chinese_is_chinese_and_shouts_nowhere() -> None:
    plain = {key for key, text in WORDS["zh"].items() if not re.search(r"[一-鿿]", text)}
    assert {key.split(".")[0] for key in plain} <= {"kind", "figure"}
    assert not [text for words in WORDS.values() for text in words.values() if re.search(r"[!！]", text)]


def test_the_browsers_types_are_the_interfaces() -> None:
    assert (SOURCE / "api.ts").read_text(encoding="utf-8") == typescript(), "make docs"


@pytest.mark.parametrize(
    ("prefix", "names"),
    [
        ("needs", get_args(models.Attention.model_fields["code"].annotation)),
        ("state", get_args(models.LinkState)),
        ("device", get_args(models.DeviceState)),
        ("step", get_args(models.Step.model_fields["step"].annotation)),
        ("stepstate", get_args(models.StepState)),
        ("audit", get_args(Act)),
        ("role", ROLES),
        ("quality", [quality.name(code) for code in vars(quality).values() if isinstance(code, int)]),
    ],
)
def test_everything_the_gateway_may_say_has_a_word(prefix: str, names: list[str]) -> None:
    assert {f"{prefix}.{name}" for name in names} <= set(WORDS["zh"])


def test_every_next_action_has_a_sentence() -> None:
    source = (ROOT / "gateway" / "web" / "why.py").read_text(encoding="utf-8")
    assert why.__doc__
    # An action is the second of a pair that is returned, or a value of the tables of qualities.
    said = set(re.findall(r'\), "(\w+)"', source)) | set(re.findall(r'quality\.\w+: "(\w+)"', source))
    said |= set(re.findall(r'action = (?:[\w, ]+= )?(?:"\w+", )?"(\w+)"', source))
    said |= {
        f"{role}_{how}" for role in ("link", "sink") for how in ("down", "person", "connecting", "stopped")
    }
    said |= set(re.findall(r'"(history_\w+|serial_\w+)"', source))
    said -= {"bad", "warning"}  # states in front of an action that a table holds
    assert len(said) > 20
    assert {f"action.{name}" for name in said} <= set(WORDS["zh"])


def test_every_fact_of_a_step_has_a_word() -> None:
    source = (ROOT / "gateway" / "web" / "why.py").read_text(encoding="utf-8")
    names = set(re.findall(r'name="(\w+)"', source)) | set(why._SHOWN_COUNTS) | {"low", "high", "deadband"}
    assert {f"fact.{name}" for name in names | {"dropped", "quarantined", "sessions", "crashes"}} <= set(
        WORDS["zh"]
    )
