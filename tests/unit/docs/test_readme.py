"""The README's table of commands, in both languages, against the program's own."""

import re

import pytest
import typer

from gateway.cli import app
from tests.processes import ROOT

COMMANDS = set(typer.main.get_group(app).commands)
NAMED = re.compile(r"`(?:wanglian )?([a-z]+)\b[^`]*`")


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_every_command_has_its_row(readme: str) -> None:
    rows = [line for line in (ROOT / readme).read_text(encoding="utf-8").splitlines() if line[:3] == "| `"]
    named = {name for row in rows for name in NAMED.findall(row.split("|")[1])}
    assert COMMANDS - named == set()
