"""`wanglian certificates`: what servers have shown is listed, trusted and rejected by its thumbprint."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from connectors.opcua.pki import Pki, Refused, below
from gateway.cli import app
from tests.servers.opcua_certificates import URI, Wanted, make

PLANT = """
gateway: {id: g, site: s}
sources: {trial: {kind: simulated, devices: {d: {tags: {x: {}}}}}}
"""


@pytest.fixture
def plant(tmp_path: Path) -> Path:
    """A plant to whose gateway one unknown server has been shown."""
    file = tmp_path / "plant.yaml"
    file.write_text(PLANT, encoding="utf-8")
    with pytest.raises(Refused):
        Pki(below(tmp_path / "data")).examine(make(Wanted(name="press")).der, URI, "127.0.0.1")
    return file


def run(*words: str | Path) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["certificates", *map(str, words)])
    return done.exit_code, done.output


def listed(plant: Path) -> dict[str, str]:
    code, said = run("list", plant, "--json")
    assert code == 0
    (entry,) = json.loads(said)
    return dict(entry)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_certificate_is_trusted_and_rejected_by_the_beginning_of_its_thumbprint(
    plant: Path, language: str
) -> None:
    before = listed(plant)
    assert (before["folder"], before["name"]) == ("rejected", "press")
    code, said = run("trust", plant, before["thumbprint"][:8].lower(), "--lang", language)
    assert code == 0
    assert before["thumbprint"] in said
    assert listed(plant)["folder"] == "trusted"
    code, again = run("trust", plant, before["thumbprint"], "--lang", language)
    assert code == 0
    assert {"zh": "本来就已信任", "en": "is trusted already"}[language] in again
    assert run("reject", plant, before["thumbprint"])[0] == 0
    assert listed(plant)["folder"] == "rejected"
    assert "press" in run("list", plant, "--lang", language)[1]


def test_a_beginning_that_is_not_exactly_ones_changes_nothing(plant: Path) -> None:
    code, said = run("trust", plant, "zz", "--lang", "en")
    assert (code, said.startswith("no certificate has")) == (1, True)
    assert run("trust", plant, "")[0] == 1
    assert listed(plant)["folder"] == "rejected"


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_gateways_own_certificate_is_renewed_and_what_follows_is_said(plant: Path, language: str) -> None:
    code, said = run("renew", plant, "--lang", language)
    assert (code, {"zh": "还没有", "en": "there is no certificate"}[language] in said) == (1, True)
    pki = Pki(below(plant.parent / "data"))
    before = pki.own("g").certificate
    code, said = run("renew", plant, "--lang", language)
    shown = pki.shown()
    assert shown is not None
    assert (code, shown.thumbprint in said) == (0, True)
    assert {"zh": "每台服务器上信任", "en": "trust it on every server"}[language] in said
    assert pki.own("g").certificate != before
