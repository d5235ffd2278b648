"""Names of tags in the templates that come with the gateway: `e_import` is the same thing in all of them.

Running this module prints the reference page, `docs/reference/tag-names.md`.
"""

import csv
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final


@dataclass(frozen=True, slots=True)
class TagName:
    """One name and what it means."""

    name: str
    zh: str
    en: str
    quantity: str
    """Of its unit; see `config.units`."""
    is_counter: bool
    """A running total; such a tag has class energy."""


@cache
def tag_names() -> dict[str, TagName]:
    """Return the table by name, in its order."""
    text = (resources.files("config") / "data" / "vocabulary" / "tags.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    return {
        row["name"]: TagName(row["name"], row["zh"], row["en"], row["quantity"], row["counter"] == "yes")
        for row in rows
    }


_OPENING: Final = """\
# Names of tags in device templates

Written by `make docs` from `config/data/vocabulary/tags.csv`. The templates that come with the gateway use
these names and no others; each name means one thing in all of them. Its unit may differ (`W` or `kW`) and is
part of every tag; `deliver_as` makes it the same. A template of your own may use other names as well.

| name | 中文 | English | quantity | running total |
|---|---|---|---|---|"""


def page() -> str:
    """Return the reference page."""
    rows = (
        f"| `{each.name}` | {each.zh} | {each.en} | {each.quantity} | {'yes' if each.is_counter else ''} |"
        for each in tag_names().values()
    )
    return "\n".join([_OPENING, *rows]) + "\n"


if __name__ == "__main__":
    import sys

    sys.stdout.write(page())
