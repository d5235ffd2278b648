"""``${env:NAME}`` and ``${file:path}``: what is named in the plant file and kept elsewhere.

They may stand in any value, whole or as a part; ``$${`` is a dollar sign and a brace. A value that is one
reference and nothing else becomes a `SecretText`, the only thing a password is taken from. A file's last
line end is not part of what it holds.
"""

import os
import re
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

from config.base import SecretText
from config.problems import Phrase, Problem, quote
from config.reading.document import MOST_MISTAKES, Document, Listing, Mapping
from config.sheets import sheet_text

LARGEST_FILE: Final = 1_048_576
"""Bytes; certificates are named by path: what is read here is a password, a token or a table of devices."""

_TABLE: Final = ".csv"

_REFERENCE: Final = re.compile(r"\$(?P<escaped>\$)?\{(?P<inside>[^{}]*)\}?")
_NAMED: Final = re.compile(r"env:(?P<env>[A-Za-z_][A-Za-z0-9_]*)|file:(?P<file>[^\x00]+)")


class FilledText(str):
    """Text with a reference in it: not a secret, yet not to be shown either."""

    __slots__ = ()


class _Unusable(Exception):
    def __init__(self, code: str, **filling: object) -> None:
        super().__init__(code)
        self.code, self.filling = code, filling


def resolve_references(document: Document, folder: Path) -> list[Problem]:
    """Replace every reference in the document in place; return what can't be."""
    problems: list[Problem] = []
    todo: list[tuple[tuple[str | int, ...], Any]] = [((), document.root)]
    while todo:
        path, node = todo.pop()
        entries: list[tuple[Any, Any]]
        entries = list(node.items()) if isinstance(node, Mapping) else list(enumerate(node))
        for key, value in entries:
            if isinstance(value, Mapping | Listing):
                todo.append(((*path, key), value))
            elif isinstance(value, str) and "${" in value:
                try:
                    node[key] = _resolve(value, folder)
                except _Unusable as error:
                    if len(problems) < MOST_MISTAKES:
                        problems.append(document.problem_with(error.code, (*path, key), error.filling))
                    # Whatever is expected here, this passes for it: one mistake is told once.
                    node[key] = UNRESOLVED
    return problems


UNRESOLVED: Final = SecretText("${}")
"""Stands where a reference could not be resolved."""


def named_in(text: str) -> list[tuple[Literal["env", "file"], str]]:
    """Return what the references in a text name, none of it looked up."""
    found: list[tuple[Literal["env", "file"], str]] = []
    for match in _REFERENCE.finditer(text):
        named = None if match["escaped"] or not match[0].endswith("}") else _NAMED.fullmatch(match["inside"])
        if named is not None:
            found.append(("env", named["env"]) if named["env"] else ("file", named["file"]))
    return found


def looked_up(text: str, folder: Path) -> str | None:
    """Return a text with its references filled in, None when one can't be."""
    try:
        return _resolve(text, folder)
    except _Unusable:
        return None


def _resolve(text: str, folder: Path) -> str:
    only = _REFERENCE.fullmatch(text)
    if only and not only["escaped"]:
        found = SecretText(_look_up(only, folder))
        if only["inside"].startswith("file:"):
            found.again = partial(looked_up, text, folder)
        return found
    filled = _REFERENCE.sub(lambda match: _look_up(match, folder), text)
    return filled if all(m["escaped"] for m in _REFERENCE.finditer(text)) else FilledText(filled)


def _look_up(match: re.Match[str], folder: Path) -> str:
    if match["escaped"]:
        return match[0][1:]
    named = _NAMED.fullmatch(match["inside"]) if match[0].endswith("}") else None
    if named is None:
        raise _Unusable("E-CF-0201", reference=quote(match[0]))
    if named["env"]:
        value = os.environ.get(named["env"])
        if value is None:
            raise _Unusable("E-CF-0202", name=named["env"])
        return value
    return _read(named["file"], folder)


def why_unreadable(error: OSError) -> Phrase:
    """Return why a file can't be read."""
    match error:
        case FileNotFoundError() | NotADirectoryError():
            return Phrase("reason.missing")
        case PermissionError():
            return Phrase("reason.denied")
        case IsADirectoryError():
            return Phrase("reason.no_file")
        case _:
            return Phrase("reason.other", {"detail": quote(error.strerror or str(error))})


def _read(name: str, folder: Path) -> str:
    path = folder / name
    try:
        # A pipe or a device would keep the reader waiting.
        if path.exists() and not path.is_file():
            raise _Unusable("E-CF-0203", name=quote(name), reason=Phrase("reason.no_file"))
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise _Unusable("E-CF-0203", name=quote(name), reason=why_unreadable(error)) from None
    if len(data) > LARGEST_FILE:
        raise _Unusable("E-CF-0204", name=quote(name), limit=LARGEST_FILE)
    try:
        # What a spreadsheet saved is of its own encoding; whoever reads the table refuses what is of none.
        text = sheet_text(data) if path.suffix.lower() == _TABLE else data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _Unusable("E-CF-0205", name=quote(name)) from None
    return text.removesuffix("\n").removesuffix("\r")
