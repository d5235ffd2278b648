"""Who a plant file says it is and where its data are, also where the rest of it can't be read."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.reading.references import looked_up
from config.reading.yaml_tree import read_document, read_one_entry


@dataclass(frozen=True, slots=True)
class Identity:
    """What `gateway` says; None where that can't be read."""

    gateway: str | None
    """`id`"""
    data_dir: str | None


def identify(data: bytes, folder: Path) -> Identity:
    """Read what can be read of a file's bytes; what they refer to is looked for from `folder`."""
    document, _ = read_document(data, "")
    said = read_one_entry(data, "gateway") if document is None else document.value(("gateway",))
    entries = said if isinstance(said, dict) else {}
    return Identity(_text(entries.get("id"), folder), _text(entries.get("data_dir"), folder))


def _text(value: Any, folder: Path) -> str | None:
    # What was no UTF-8 has become U+FFFD: no name to look for.
    return looked_up(value, folder) if isinstance(value, str) and "\ufffd" not in value else None
