"""Names of tags that nobody wrote: of nodes that were found, of the parts of a value."""

import hashlib
from collections.abc import Sequence
from typing import Final

from config.base import LONGEST_NAME, is_name

_DIGEST: Final = 8


def clean(name: str) -> str:
    """Return a name with what no tag's name may have replaced."""
    return name if is_name(name) else "".join(each if is_name(each) else "_" for each in name)


def of_path(names: Sequence[str], fixed: int) -> str:
    """Return the name of a node's tag: its browse path behind the fixed steps, with dots."""
    name = clean(".".join(names[fixed:])).lstrip("_") or "node"
    return fitting(name, "/".join(names))


def fitting(name: str, whole: str) -> str:
    """Return a name of a length a tag's may have; too long a one ends in a digest of the whole."""
    if len(name) <= LONGEST_NAME:
        return name
    digest = hashlib.sha256(whole.encode()).hexdigest()[:_DIGEST]
    return f"{name[: LONGEST_NAME - _DIGEST - 1]}_{digest}"
