"""Following a path into a message."""

from typing import Any, Final

MISSING: Final = object()
"""What is found where there is nothing."""

Steps = tuple[str | int, ...]
"""Keys of objects and places in lists, from the outside in."""


def follow(said: Any, steps: Steps) -> Any:
    """Return what lies at a path, MISSING where there is nothing; null is nothing too."""
    for step in steps:
        if isinstance(said, str):  # it may be indexed, but has no parts
            return MISSING
        try:
            said = said[step]
        except (KeyError, IndexError, TypeError):
            return MISSING
    return MISSING if said is None else said
