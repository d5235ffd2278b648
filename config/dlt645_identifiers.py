"""What DL/T 645-2007 calls its numbers: data identifiers with unit and format, as data with their source."""

import csv
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final, Literal

TemplateName = Literal["single_phase", "three_phase"]
_COLUMN: Final[dict[str, str]] = {"single_phase": "single", "three_phase": "three"}


@dataclass(frozen=True, slots=True)
class Identifier:
    """One row of the table."""

    di: str
    """Eight hexadecimal digits, DI3 first, as manuals write them."""
    zh: str
    en: str
    unit: str
    format: str
    """Digits as the meter shows them, e.g. XXXXXX.XX."""
    bytes: int
    """Of its data; the first of them hold the number."""
    signed: bool
    counter: bool
    confidence: str

    def defaults(self) -> dict[str, Any]:
        """Return what a tag of this identifier has unless it says otherwise."""
        found: dict[str, Any] = {"unit": self.unit, "format": self.format, "signed": self.signed}
        return found | ({"counter": True, "class": "energy"} if self.counter else {})


@cache
def identifiers() -> dict[str, Identifier]:
    """Return the table by identifier."""
    return {
        row["di"]: Identifier(
            row["di"],
            row["zh"],
            row["en"],
            row["unit"],
            row["format"],
            int(row["bytes"]),
            row["signed"] == "yes",
            row["counter"] == "yes",
            row["confidence"],
        )
        for row in _rows()
    }


@cache
def template(name: str) -> dict[str, str]:
    """Return the tags of a template and the identifier of each; none for a name that is not one."""
    column = _COLUMN.get(name)
    return {row[column]: row["di"] for row in _rows() if row[column]} if column else {}


def _rows() -> list[dict[str, str]]:
    text = (resources.files("config") / "data" / "dlt645" / "identifiers.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))
