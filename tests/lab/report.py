"""The page of the fault matrix: collected while the tests run, written when they are through.

A test says which rows it shows (`@pytest.mark.fault("D2")`) and may say what it measured (`record_measure`).
A row passes when every test of it has passed; one that no test shows is open, and the page says so. Where
only some rows were asked for (`make faults ROWS=D1,D2`), what was measured of the others stays as it is.
Where a row promises less than was set for it, the page says so below its table.
"""

import os
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import yaml

MATRIX = Path(__file__).with_name("matrix.yaml")
HEAD = """# Faults

What goes wrong in a plant, what must hold then, and what was measured when the tests did it. Made by
`make faults`; edited in `tests/lab/matrix.yaml` and in the tests. `make test` runs the same tests at a tenth.
An open row has no test yet: nothing is claimed for it. How to let these faults happen to your own plant file:
[the fault lab](../how-to/lab.md).

Where a row holds less than the fault matrix we set ourselves asks for, or shows it in another way, it is
marked *differs*; what was set, what holds and why stand below its table.

"""


@dataclass(slots=True)
class Row:
    """What the tests of one row said."""

    passed: int = 0
    failed: int = 0
    measures: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Difference:
    """Where a row holds less than was set, or shows it in another way."""

    set: str
    holds: str
    because: str


@dataclass(frozen=True, slots=True)
class Section:
    """A table of the page."""

    name: str
    rows: dict[str, tuple[str, str]]
    """Fault and what is expected, by row."""
    differs: dict[str, list[Difference]]


def matrix() -> list[Section]:
    """Return the tables in the order of the page."""
    told = yaml.safe_load(MATRIX.read_text(encoding="utf-8"))
    return [
        Section(
            each["section"],
            {row: (texts[0], ", ".join(texts[1:])) for row, texts in each["rows"].items()},
            {row: [Difference(**one) for one in all_] for row, all_ in each.get("differs", {}).items()},
        )
        for each in told
    ]


def rows_of(item: pytest.Item) -> tuple[str, ...]:
    """Return the rows a test shows."""
    return tuple(row for mark in item.iter_markers("fault") for row in mark.args)


class FaultPage:
    """A pytest plugin while the page is made."""

    def __init__(self, page: Path, asked: frozenset[str] = frozenset()) -> None:
        self._page = page
        self._asked = asked
        """Empty is all."""
        self.rows: dict[str, Row] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count the test for its rows, once."""
        properties = dict(report.user_properties)
        for row in properties.get("fault_rows", ()):
            known = self.rows.setdefault(row, Row())
            if report.failed:
                known.failed += 1
            elif report.when == "call":
                known.passed += 1
        if report.when == "call" and report.passed:
            for name, told in report.user_properties:
                if name == "measure":
                    known = self.rows.setdefault(told[0], Row())
                    if told[1] not in known.measures:
                        known.measures.append(told[1])

    def pytest_sessionfinish(self) -> None:
        """Write the page."""
        before = measured(self._page) if self._asked else {}
        kept = {name: cells for name, cells in before.items() if name not in self._asked}
        self._page.write_text(page(self.rows, kept, days(self._page) if kept else ()), encoding="utf-8")


def measured(page: Path) -> dict[str, str]:
    """Return the last cells of the page's line of each row that has tests: what was measured, the result."""
    tested = r"^\| ([A-Z]\d+) \| [^|]+ \| [^|]+ \| ([^|]+ \| (?:pass|\*\*fail\*\*)) \|$"
    return {each[1]: each[2] for each in re.finditer(tested, page.read_text("utf-8"), re.MULTILINE)}


def days(page: Path) -> tuple[str, ...]:
    """Return the days the page says it was measured on."""
    found = re.search(r"^\d+ of \d+ rows have tests\. .+$", page.read_text("utf-8"), re.MULTILINE)
    return tuple(re.findall(r"\d{4}-\d\d-\d\d", found[0])) if found else ()


def page(
    rows: dict[str, Row], kept: Mapping[str, str] = MappingProxyType({}), earlier: Sequence[str] = ()
) -> str:
    """Return the page; `kept` are the last cells that stay, by row, measured on days of `earlier`."""
    parts = [HEAD]
    sections = matrix()
    shown = sum(row in kept or row in rows for each in sections for row in each.rows)
    total = sum(len(each.rows) for each in sections)
    parts.append(f"{shown} of {total} rows have tests. Measured {_how(earlier)}.\n")
    for each in sections:
        parts.append(
            f"\n## {each.name}\n\n| row | fault | expected | measured | result |\n|---|---|---|---|---|\n"
        )
        for name, (fault, _) in each.rows.items():
            cells = kept.get(name) or _cells(rows.get(name))
            parts.append(f"| {name} | {fault} | {promised(each, name)} | {cells} |\n")
        parts += _differences(each)
    return "".join(parts)


def promised(section: Section, row: str) -> str:
    """Return the row's third cell."""
    return section.rows[row][1] + " *(differs)*" * (row in section.differs)


def _differences(section: Section) -> list[str]:
    """Return the notes below a table."""
    notes = [(row, each) for row, all_ in section.differs.items() for each in all_]
    lines = [f"- {row}: set {n.set}; holds {n.holds}; because {n.because}.\n" for row, n in notes]
    return ["\nDiffers from the fault matrix we set ourselves:\n\n", *lines] if lines else []


def _cells(row: Row | None) -> str:
    if row is None:
        return "| open"
    tests = f"{row.passed + row.failed} test{'s' * (row.passed + row.failed != 1)}"
    return f"{'; '.join([*sorted(row.measures), tests])} | {'**fail**' if row.failed else 'pass'}"


def _how(earlier: Sequence[str]) -> str:
    scale = float(os.environ["WL_SCALE"])
    counts = "in full" if scale == 1 else f"with counts at {scale:g} of the full ones"
    machine = f"Python {platform.python_version()} on {os.cpu_count()} cores"
    *before, last = sorted({*earlier, f"{datetime.now(UTC):%Y-%m-%d}"})
    return f"{counts} on {', '.join(before)}{' and ' * bool(before)}{last} by {machine}"


def measure(request: pytest.FixtureRequest) -> Any:
    """Return `record_measure(measured, row=…)`: what a test measured for a row of its.

    Said more than once for a row, each is shown; with `so_far` only the last: a test of many examples counts.
    """
    rows = rows_of(request.node)

    def record(measured: str, row: str | None = None, *, so_far: bool = False) -> None:
        name = row or rows[0]
        assert name in rows, f"{name} is not a row of this test"
        assert "|" not in measured
        told = request.node.user_properties
        if so_far:
            told[:] = [each for each in told if each[0] != "measure" or each[1][0] != name]
        told.append(("measure", (name, measured)))

    return record
