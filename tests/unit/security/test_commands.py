import json
import re
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

import gateway
from config.problems import catalogue
from gateway.cli import app
from tests.unit.security.conftest import PASSWORD

PLANT = {
    "gateway": {"id": "g", "site": "s"},
    "sources": {"t": {"kind": "simulated", "devices": {"d": {"tags": {"x": {}}}}}},
}


@pytest.fixture
def plant(tmp_path: Path) -> Path:
    file = tmp_path / "plant.yaml"
    file.write_text(json.dumps(PLANT))
    return file


def run(*words: object, said: str = "") -> Result:
    return CliRunner().invoke(app, [str(word) for word in words] + ["--lang", "en"], input=said)


def test_users_tokens_and_the_log_are_kept_from_the_console(plant: Path) -> None:
    assert "Set-up code" in run("user", "setup-code", plant).output
    weak = run("user", "add", plant, "anna", "--role", "administrator", said="short\n")
    assert (weak.exit_code, "10 to 200" in weak.output) == (1, True)
    assert run("user", "add", plant, "anna", "--role", "administrator", said=f"{PASSWORD}\n").exit_code == 0
    assert run("user", "setup-code", plant).exit_code == 1
    assert run("user", "disable", plant, "anna").exit_code == 1
    (anna,) = json.loads(run("user", "list", plant, "--json").stdout)
    assert (anna["name"], anna["role"], anna["enabled"]) == ("anna", "administrator", True)
    made = run("token", "add", plant, "historian", "--scope", "stream", "--scope", "read")
    secret = made.stdout.strip().splitlines()[-1]
    assert secret.startswith("wl_")
    (token,) = json.loads(run("token", "list", plant, "--json").stdout)
    assert (token["name"], token["scopes"], token["is_over"]) == ("historian", ["stream", "read"], False)
    assert run("token", "remove", plant, "historian").exit_code == 0
    lines = [json.loads(line) for line in run("audit", "export", plant).stdout.splitlines()]
    assert [line["what"] for line in lines] == [
        "user.added",
        "token.added",
        "token.removed",
        "audit.exported",
    ]
    assert {line["who"].partition(":")[0] for line in lines} == {"console"}
    assert PASSWORD not in json.dumps(lines)
    assert secret not in json.dumps(lines)


@pytest.mark.fault("S13")
def test_a_log_that_was_changed_makes_the_command_fail_and_name_the_entry(plant: Path) -> None:
    import sqlite3

    assert "empty" in run("audit", "verify", plant).output
    assert run("user", "add", plant, "anna", "--role", "administrator", said=f"{PASSWORD}\n").exit_code == 0
    whole = json.loads(run("audit", "verify", plant, "--json").stdout)
    head = f"{whole['last']}:{whole['head']}"
    assert head in run("audit", "verify", plant, "--head", head).output
    connection = sqlite3.connect(plant.parent / "data" / "security" / "audit.sqlite")
    connection.execute("DROP TRIGGER never_changed")
    connection.execute("UPDATE entries SET who = 'nobody'")
    connection.commit()
    connection.close()
    broken = run("audit", "verify", plant)
    assert (broken.exit_code, "entry 1" in broken.output) == (1, True)


def test_every_code_of_access_is_in_the_catalogue_and_the_reverse() -> None:
    root = Path(gateway.__file__).parent
    used = {
        code for file in root.rglob("*.py") for code in re.findall(r"E-AC-\d{4}", file.read_text("utf-8"))
    }
    assert used == {key for key in catalogue() if "-AC-" in key}
