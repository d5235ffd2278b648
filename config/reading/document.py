"""A file that was read: its tree, and how a path in the tree becomes a place in the file."""

from collections.abc import Mapping as AnyMapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from config.problems import Problem

Path = Sequence[str | int]
"""Keys and list indexes from the root, e.g. ("sources", "meters", "port")."""
MOST_MISTAKES: Final = 1_000
"""Told of a file, beyond those of its form: nobody reads more, and each takes a look at its place."""


class Place(NamedTuple):
    """Where an entry is written; lines and columns from 1."""

    key_line: int
    key_column: int
    line: int
    column: int


class Mapping(dict[str, Any]):
    """A YAML mapping; `places` says where each of its entries is written."""

    __slots__ = ("places",)

    def __init__(self) -> None:
        super().__init__()
        self.places: dict[str, Place] = {}


class Listing(list[Any]):
    """A YAML sequence; `places` says where each of its items is written."""

    __slots__ = ("places",)

    def __init__(self) -> None:
        super().__init__()
        self.places: list[Place] = []


@dataclass(frozen=True, slots=True)
class Document:
    """One file."""

    name: str
    """As a person named it."""
    root: Mapping

    def place(self, path: Path) -> tuple[Place, bool]:
        """Return the place of the entry or of the nearest around it, and whether it is the entry itself."""
        node: Any = self.root
        place = Place(1, 1, 1, 1)
        for step in path:
            if isinstance(node, Mapping) and step in node:
                place, node = node.places[str(step)], node[str(step)]
            elif isinstance(node, Listing) and isinstance(step, int) and step < len(node):
                place, node = node.places[step], node[step]
            else:
                return place, False
        return place, True

    def value(self, path: Path) -> Any:
        """Return what is written there, None where nothing is."""
        node: Any = self.root
        for step in path:
            try:
                node = node[step]
            except (KeyError, IndexError, TypeError):
                return None
        return node

    def problem(self, code: str, path: Path, /, *, at_key: bool = False, **args: object) -> Problem:
        """Return a problem at this entry's value; at its key if wanted or where there is no value."""
        return self.problem_with(code, path, args, at_key=at_key)

    def problem_with(
        self, code: str, path: Path, args: AnyMapping[str, object], *, at_key: bool = False
    ) -> Problem:
        """Return the same for a message's blanks in one mapping."""
        place, is_there = self.place(path)
        line, column = place[:2] if at_key or not is_there else place[2:]
        return Problem(code, self.name, line, column, dotted(path), args)


def dotted(path: Path) -> str:
    """Return the path as people read it."""
    return ".".join(str(step) for step in path)
