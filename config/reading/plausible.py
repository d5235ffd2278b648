"""A look at a plant file while it is read: what is none ends there, before it costs what a plant costs.

Reading two megabytes of YAML takes a second and more, whatever stands in them. So after the first thousands
of its events what there is is validated; where one entry in twenty or more is wrong, their mistakes are told
and the rest is not read. Only what nothing that follows can make right counts: no key that may still come,
no value kept outside the file, no range of devices.
"""

from pathlib import Path as Folder
from typing import Final

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from config.problems import Problem
from config.reading.document import Document, Listing, Mapping, Path
from config.reading.expand import MOST_DEVICES, looks_like_range, no_range, range_of
from config.reading.structure import attempt, path_of, problem_of
from config.reading.yaml_tree import MOST_PROBLEMS

_ONE_IN: Final = 20
_NEVER_RIGHT: Final = frozenset({"extra_forbidden", "union_tag_invalid", "literal_error"})
"""Of a list or mapping that is not at its end yet, beside those that say it should be none."""
_NO_TEXT: Final = frozenset({"model_type", "model_attributes_type", "extra_forbidden"})
"""Of a value that is kept elsewhere: it may be text or a table, but not this."""


def look(
    document: Document, opened: Path, events: int, model: type[BaseModel], folder: Folder | None
) -> list[Problem]:
    """Return the mistakes when this is no plant; nothing when it may be one.

    `opened` leads to the innermost list or mapping whose end was not read yet.
    """
    _, errors = attempt(model, document.root, folder)
    placed = [(each, path_of(document, each)) for each in errors]
    certain = [(each, path) for each, path in placed if _is_certain(document, each, path, tuple(opened))]
    wrong = sum(_size(document.value(path)) for path in {path for _, path in certain})
    if wrong * _ONE_IN < events:
        return []
    told = (
        no_range(document, path, MOST_DEVICES)
        if _names_devices(each, path)
        else problem_of(document, model, each)
        for each, path in certain[:MOST_PROBLEMS]
    )
    return [each for each in told if each]


def _is_certain(document: Document, error: ErrorDetails, path: Path, opened: Path) -> bool:
    """Tell whether this stays a mistake whatever follows, and whatever references and ranges stand for."""
    kind, value = error["type"], document.value(path)
    if _names_devices(error, path) and range_of(str(path[-1])):
        return False
    if kind == "missing":
        path, value = path[:-1], document.value(path[:-1])
    if path == opened[: len(path)]:
        return isinstance(value, Mapping | Listing) and (kind in _NEVER_RIGHT or kind.endswith("_type"))
    return kind in _NO_TEXT or not _refers(value)


def _names_devices(error: ErrorDetails, path: Path) -> bool:
    """Tell whether a device's name is the mistake because it is, or should be, a range."""
    is_device = len(path) == 4 and (path[0], path[2]) == ("sources", "devices")
    return is_device and error["loc"][-1] == "[key]" and looks_like_range(str(path[-1]))


def _refers(value: object) -> bool:
    """Tell whether this is a reference, or has one among its own entries."""
    if isinstance(value, Mapping):
        return any(isinstance(each, str) and "${" in each for each in value.values())
    return isinstance(value, str) and "${" in value


def _size(value: object) -> int:
    """Return how many entries this is."""
    match value:
        case Mapping():
            return 1 + sum(map(_size, value.values()))
        case Listing():
            return 1 + sum(map(_size, value))
    return 1
