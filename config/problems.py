"""What is wrong in a file a person wrote: stable code, place, and one sentence of what to write instead.

The sentences are data (`config/data/messages.yaml`), Chinese first; here is only what fills them. A code
beginning with ``E`` keeps the plant file from being used, ``W`` is a warning.
"""

import locale
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Final, Literal

import yaml

from config.base import Text

Language = Literal["zh", "en"]

_LOADER: Final = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
"""In C the catalogue is read in 30 ms and not in 300."""
_BLANK: Final = re.compile(r"\{(\w+)\}")
_LOOSE_SPACE: Final = re.compile(" (?=[，。；：？、])")
_LONGEST_QUOTE: Final = 60


@dataclass(frozen=True, slots=True)
class Phrase:
    """A piece of a sentence that depends on the language: a key of the catalogue and what fills it."""

    key: str
    args: Mapping[str, object] = field(default_factory=dict)

    def text(self, language: Language) -> str:
        """Return the phrase in this language."""
        filling = {name: _filled(value, language) for name, value in self.args.items()}
        return _BLANK.sub(lambda blank: filling.get(blank[1], blank[0]), catalogue()[self.key][language])


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake at one place."""

    code: str
    """Stable, e.g. ``E-CF-0301``; the key of the message catalogue."""
    file: str
    line: int
    """From 1."""
    column: int
    """From 1, in characters."""
    path: str
    """Dotted keys, e.g. ``sources.meters.devices.m1.tags.u.address``; empty for the file itself."""
    args: Mapping[str, object] = field(default_factory=dict)
    """Fills the message's blanks: text, numbers, phrases, or lists of them."""

    @property
    def severity(self) -> Literal["error", "warning"]:
        """Tell whether the plant file can be used in spite of it."""
        return "warning" if self.code.startswith("W") else "error"

    def message(self, language: Language) -> str:
        """Return what is wrong and what to write instead."""
        return _LOOSE_SPACE.sub("", Phrase(self.code, self.args).text(language)).strip()

    def as_dict(self, language: Language) -> dict[str, object]:
        """Return the problem for programs."""
        place = {"file": self.file, "line": self.line, "column": self.column, "path": self.path}
        return {
            "code": self.code,
            "severity": self.severity,
            **place,
            "message": self.message(language),
        }

    def render(self, language: Language) -> str:
        """Return the whole line a person reads: place, path, message, code."""
        place = f"{self.file}:{self.line}:{self.column}"
        where = f"{place} {self.path}" if self.path else place
        return f"{where}: {self.message(language)} [{self.code}]"


class ConfigurationError(Exception):
    """The plant file can't be used; `problems` holds every mistake found, in the order of the file."""

    def __init__(self, problems: Iterable[Problem], language: Language | None = None) -> None:
        self.problems = in_order(problems)
        self.language: Language = language or default_language()
        super().__init__(self.problems)

    def __str__(self) -> str:
        """Return one line per problem."""
        return "\n".join(problem.render(self.language) for problem in self.problems)


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return the problems by file, line and column, each once."""
    unique = {(p.file, p.line, p.column, p.code, p.path): p for p in problems}
    return tuple(unique[key] for key in sorted(unique))


def default_language() -> Language:
    """Return Chinese where the machine's locale is Chinese, English everywhere else."""
    for variable in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if os.environ.get(variable):
            return _of_locale(os.environ[variable])
    # Windows sets none of these; its own setting names the language in words.
    return _of_locale(locale.getlocale()[0] or "")


def _of_locale(name: str) -> Language:
    return "zh" if name.lower().startswith(("zh", "chinese")) else "en"


@cache
def catalogue() -> dict[str, dict[Language, str]]:
    """Return every message and phrase by key and language."""
    text = (resources.files("config") / "data" / "messages.yaml").read_text(encoding="utf-8")
    found: dict[str, dict[Language, str]] = yaml.load(text, Loader=_LOADER)  # noqa: S506  a safe one
    return found


def found(value: object) -> Phrase:
    """Describe a value of the file as a person would: text 'abc', number 5, a list."""
    match value:
        case None:
            kind, shown = "empty", ""
        case bool():
            kind, shown = "bool", f"{value}".lower()
        case int() | float():
            kind, shown = "number", f"{value}"
        case str() if type(value) is str:
            kind, shown = "text", value
        case str():  # filled in from a reference: it may be a secret and is never shown
            kind, shown = "reference", ""
        case list() | tuple():
            kind, shown = "list", ""
        case _:
            kind, shown = "mapping", ""
    return Phrase(f"found.{kind}", {"value": quote(shown)})


def quote(text: str) -> str:
    """Return text that is safe on a terminal: control characters spelled out, not too long."""
    begin = text[: _LONGEST_QUOTE + 1]
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in begin)
    return shown if len(shown) <= _LONGEST_QUOTE else shown[: _LONGEST_QUOTE - 1] + "…"


def _filled(value: object, language: Language) -> str:
    match value:
        case Phrase():
            return value.text(language)
        case Text():
            return value.zh if language == "zh" else value.en
        case list() | tuple():
            return "、".join(_filled(v, language) for v in value) if language == "zh" else _listed(value)
        case _:
            return str(value)


def _listed(values: Iterable[object]) -> str:
    return ", ".join(_filled(value, "en") for value in values)
