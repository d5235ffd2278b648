"""What the interface refuses and what commands print comes from the catalogue, by codes that are in it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

import gateway
from config.problems import catalogue
from gateway.web.app import create_app
from gateway.web.view import View
from tests.asgi import ask

ROOM: Final = Path(gateway.__file__).parent
SOURCES: Final = {
    str(file.relative_to(ROOM)): ast.parse(file.read_text(encoding="utf-8"))
    for file in sorted(ROOM.rglob("*.py"))
}
COMMANDS: Final = {
    name: tree for name, tree in SOURCES.items() if re.match(r"cli\w*\.py$|console\.py$", name)
}
CODE: Final = re.compile(r"[EW]-[A-Z]{2}-\d{4}$")
OF_A_LIBRARY: Final = {"Value error, "}
"""Taken off before it is printed."""
LOOKS_UP: Final = re.compile(r"Refused$|^(Phrase|Problem|NoSuchFigure|NoEnergy|problem)$")
"""What is given a code of the catalogue; the code of a log line stands there only where people look it up."""
CHINESE: Final = re.compile(r"[一-鿿]")
SENTENCE: Final = re.compile(r"[A-Za-z]{2,},? [A-Za-z]{2,}|[一-鿿]")


def literals(tree: ast.AST) -> Iterator[str]:
    """Yield the literals of a module, but for docstrings and what describes an option."""
    told = {"help", "name", "metavar"}
    skipped = {
        each.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        for each in node.body
        if isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant)
    } | {
        each.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        for each in node.keywords
        if each.arg in told
    }
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if node in skipped:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        waiting += ast.iter_child_nodes(node)


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func).rpartition(".")[2], node


def codes_given(tree: ast.AST) -> Iterator[str]:
    """Yield the codes that are handed to something that looks them up, not those a log line carries."""
    for name, call in calls(tree):
        if not LOOKS_UP.search(name):
            continue
        for each in call.args:
            if isinstance(each, ast.Constant) and CODE.match(str(each.value)):
                yield str(each.value)


def refusals_in_words(tree: ast.AST) -> list[str]:
    """Return answers that are made of words instead of a code."""
    found = [ast.unparse(call) for name, call in calls(tree) if name == "HTTPException"]
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            keys = {each.value for each in node.keys if isinstance(each, ast.Constant)}
            if "detail" in keys and "code" not in keys:
                found.append(ast.unparse(node))
    return found


@pytest.mark.parametrize("name", [each for each in SOURCES if each.startswith("web/")])
def test_the_interface_refuses_by_a_code_and_never_in_words_of_its_own(name: str) -> None:
    assert refusals_in_words(SOURCES[name]) == []


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_print_what_the_catalogue_says(name: str) -> None:
    said = [each for each in literals(COMMANDS[name]) if SENTENCE.search(each)]
    assert [each for each in said if each not in OF_A_LIBRARY] == []


@pytest.mark.parametrize(
    "line",
    [
        'raise HTTPException(404, "no such tag")',
        "raise HTTPException(503, str(exc)) from exc",
        'await refuse(send, {"detail": "sign in first"})',
    ],
)
def test_a_refusal_in_words_is_found(line: str) -> None:
    assert len(refusals_in_words(ast.parse(f"async def f():\n    {line}"))) == 1


@pytest.mark.parametrize(
    "line",
    ['typer.echo("nothing was found")', 'fail(f"没有 {name}")', 'print_table(["how many", "x"], rows)'],
)
def test_a_sentence_of_a_command_is_found(line: str) -> None:
    source = f'"""A module."""\ndef f(x=typer.Option(help="Of two words")):\n    """Do this."""\n    {line}'
    assert [bool(SENTENCE.search(each)) for each in literals(ast.parse(source))].count(True) == 1


def test_every_code_that_is_looked_up_is_in_the_catalogue() -> None:
    given = {code for tree in SOURCES.values() for code in codes_given(tree)}
    assert len(given) > 60
    assert given - set(catalogue()) == set()


def test_every_code_of_the_catalogue_is_said_somewhere() -> None:
    rooms = [ROOM, ROOM.parent / "config", ROOM.parent / "connectors"]
    text = "\n".join(file.read_text(encoding="utf-8") for room in rooms for file in room.rglob("*.py"))
    assert [key for key in catalogue() if CODE.match(key) and key not in text] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_described_in_both_languages(name: str) -> None:
    tree = COMMANDS[name]
    told = [
        ast.literal_eval(each.value)
        for kind, call in calls(tree)
        if kind in ("Option", "Argument", "Typer")
        for each in call.keywords
        if each.arg == "help"
    ]
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and any(
            ".command" in ast.unparse(each) for each in node.decorator_list
        ):
            told.append(ast.get_docstring(node) or "")
    assert [each for each in told if not (CHINESE.search(each) and re.search(r"[A-Za-z]{2}", each))] == []


@pytest.mark.parametrize(
    ("path", "how", "status"),
    [
        ("/api/nowhere", {}, 404),
        ("/api/tags", {"method": "POST"}, 405),
        ("/api/tags?limit=many", {}, 422),
        ("/api/why?tag=a/b/c/d/e", {}, 404),
        ("/api/overview", {}, 503),
        ("/api/users", {}, 401),
        ("/api/session", {"method": "POST", "body": b"{}"}, 403),
        ("/api/tags", {"host": "elsewhere.example"}, 421),
        ("/api/tags", {"content_length": "99999999"}, 413),
        ("/api/energy", {}, 503),
    ],
)
async def test_whatever_refuses_says_why_in_both_languages(
    tmp_path: Path, path: str, how: dict[str, Any], status: int
) -> None:
    answer = await ask(create_app(View(tmp_path, 0)), path, **how)
    said = answer.json()
    assert answer.status == status
    assert CODE.match(said["code"])
    assert said["detail"] == said["en"] != said["zh"]
    assert CHINESE.search(said["zh"])
