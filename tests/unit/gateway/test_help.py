"""Every command tells what it is for."""

from collections.abc import Iterator

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from gateway.cli import app


def commands(group: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, (*path, name))


@pytest.mark.parametrize("path", list(commands(get_command(app))), ids=" ".join)
def test_every_command_has_help(path: tuple[str, ...]) -> None:
    """Words in brackets are markup to what prints it: unescaped they are left out, or end the command."""
    done = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "200", "TERMINAL_WIDTH": "200"})
    assert done.exit_code == 0, done.exception
    assert "--help" in done.output


def test_the_lab_tells_how_a_fault_is_written() -> None:
    done = CliRunner().invoke(
        app, ["lab", "modbus", "--help"], env={"COLUMNS": "200", "TERMINAL_WIDTH": "200"}
    )
    assert "kind[=value][@when][/unit]" in done.output
