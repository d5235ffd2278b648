"""Certificate files of a plant file: a pair that does not fit, one that soon expires, one that is sound."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from config.load import read_plant
from tests.servers.certificates import Authority, Pair

LONG = timedelta(days=400)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


def codes(folder: Path, pair: Pair, **tls: Any) -> list[tuple[str, str]]:
    plant = {
        "gateway": {"id": "g", "site": "s"},
        "sources": {"sim": {"kind": "simulated", "devices": {"d": {"tags": {"x": {}}}}}},
        "sinks": {
            "cloud": {
                "kind": "mqtt",
                "host": "h",
                "tls": {"certificate": str(pair.certificate), "key": str(pair.key), **tls},
            }
        },
    }
    file = folder / "plant.yaml"
    file.write_text(json.dumps(plant))
    outcome = read_plant(file)
    assert outcome.plant is not None, "a certificate must not keep the gateway from its start"
    for problem in outcome.problems:
        assert "{" not in problem.message("en") + problem.message("zh")
    return [(problem.code, problem.path) for problem in outcome.problems]


def test_a_sound_pair_of_an_authority_is_not_spoken_of(authority: Authority, tmp_path: Path) -> None:
    assert codes(tmp_path, authority.issue("long", ends=LONG)) == []


def test_a_key_with_a_password_wants_it(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = authority.issue("locked", ends=LONG, password="hush")  # noqa: S106
    assert codes(tmp_path, pair) == [("W-CF-0541", "sinks.cloud.tls.key")]
    monkeypatch.setenv("WL_KEY", "hush")
    named = {"key_password": "${env:WL_KEY}"}
    assert codes(tmp_path, pair, **named) == []
    monkeypatch.setenv("WL_KEY", "other")
    assert codes(tmp_path, pair, **named) == [("W-CF-0541", "sinks.cloud.tls.key")]


def test_a_key_of_another_certificate_is_told(authority: Authority, tmp_path: Path) -> None:
    one, other = authority.issue("one", ends=LONG), authority.issue("other", ends=LONG)
    assert codes(tmp_path, Pair(one.certificate, other.key)) == [("W-CF-0543", "sinks.cloud.tls.key")]


@pytest.mark.parametrize(
    ("begins", "ends", "code"), [(-9, 12, "W-CF-0544"), (-9, -1, "W-CF-0542"), (2, 400, "W-CF-0542")]
)
def test_a_certificate_near_its_end_or_out_of_its_time_is_told(
    authority: Authority, tmp_path: Path, begins: int, ends: int, code: str
) -> None:
    pair = authority.issue(f"c{begins}{ends}", begins=timedelta(days=begins), ends=timedelta(days=ends))
    assert codes(tmp_path, pair) == [(code, "sinks.cloud.tls.certificate")]
