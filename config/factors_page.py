"""The factor tables as a reference page: `docs/reference/factors.md`, written from the rows themselves."""

from collections.abc import Iterator
from typing import Final

from config.factor_rows import TABLES, Row
from config.factors import shipped

_OPENING: Final = """\
# Factors and coefficients

Written by `make docs` from `config/data/factors`. Every row can be chosen in the plant file and none is
chosen by itself ([how](../how-to/carbon.md)). *Low* means that too little speaks for the number; figures that
take it say so. "id N" in a source is a public file whose origin is not known: one transcription, no more. No
standard named here was read first-hand."""
_TITLES: Final = {
    "electricity": "Electricity from the grid",
    "fuels": "Fuels",
    "heat": "Bought heat and steam",
    "coal": "Standard coal",
    "constants": "Constants of the formulas",
    "quality": "Bounds on data quality",
}
_PROVENANCE: Final = ("instrument", "valid_from", "source", "confidence", "note")


def page() -> str:
    """Return the page: a section per table, a row per row."""
    lines = [_OPENING]
    for table in TABLES:
        rows = shipped(table)
        own = [name for name in table.model_fields if name not in _PROVENANCE]
        columns = [*own, *_PROVENANCE]
        lines += ["", f"## {_TITLES[table.table]}", ""]
        lines += [f"| {' | '.join(columns)} | version |", f"|{'---|' * (len(columns) + 1)}"]
        lines += _rows(rows, columns)
    return "\n".join(lines) + "\n"


def _rows(rows: tuple[Row, ...], columns: list[str]) -> Iterator[str]:
    for row in rows:
        said = ["" if (value := getattr(row, name)) is None else str(value) for name in columns]
        yield f"| {' | '.join(each.replace('|', '/') for each in said)} | `{row.hash}` |"


if __name__ == "__main__":
    import sys

    sys.stdout.write(page())
