"""The page of the fault matrix: collected while the tests run, written when they are through.

A test says which rows it shows (`@pytest.mark.fault("D2")`) and may say what it measured (`record_measure`).
A row passes when every test of it has passed; one that no test shows is open, and the page says so. Where
only some rows were asked for (`make faults ROWS=D1,D2`), the others stay as the page has them.
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

"""


@dataclass(slots=True)
class Row:
    """What the tests of one row said."""

    passed: int = 0
    failed: int = 0
    measures: list[str] = field(default_factory=list)


def matrix() -> list[tuple[str, dict[str, tuple[str, str]]]]:
    """Return (section, {row: (fault, expected)}) in the order of the page."""
    told = yaml.safe_load(MATRIX.read_text(encoding="utf-8"))
    return [
        (each["section"], {row: (texts[0], ", ".join(texts[1:])) for row, texts in each["rows"].items()})
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
        self._rows: dict[str, Row] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count the test for its rows, once."""
        properties = dict(report.user_properties)
        for row in properties.get("fault_rows", ()):
            known = self._rows.setdefault(row, Row())
            if report.failed:
                known.failed += 1
            elif report.when == "call":
                known.passed += 1
        if report.when == "call" and report.passed:
            for name, told in report.user_properties:
                if name == "measure":
                    known = self._rows.setdefault(told[0], Row())
                    if told[1] not in known.measures:
                        known.measures.append(told[1])

    def pytest_sessionfinish(self) -> None:
        """Write the page."""
        before = lines(self._page) if self._asked else {}
        kept = {name: line for name, line in before.items() if name not in self._asked}
        self._page.write_text(page(self._rows, kept, days(self._page) if kept else ()), encoding="utf-8")


def lines(page: Path) -> dict[str, str]:
    """Return the page's line of each row that has tests."""
    tested = r"^\| ([A-Z]\d+) \| .+ (?:pass|\*\*fail\*\*) \|$"
    return {each[1]: each[0] for each in re.finditer(tested, page.read_text("utf-8"), re.MULTILINE)}


def days(page: Path) -> tuple[str, ...]:
    """Return the days the page says it was measured on."""
    found = re.search(r"^\d+ of \d+ rows have tests\. .+$", page.read_text("utf-8"), re.MULTILINE)
    return tuple(re.findall(r"\d{4}-\d\d-\d\d", found[0])) if found else ()


def page(
    rows: dict[str, Row], kept: Mapping[str, str] = MappingProxyType({}), earlier: Sequence[str] = ()
) -> str:
    """Return the page; `kept` are lines that stay as they are, by row, measured on days of `earlier`."""
    parts = [HEAD]
    shown = sum(row in kept or row in rows for _, each in matrix() for row in each)
    total = sum(len(each) for _, each in matrix())
    parts.append(f"{shown} of {total} rows have tests. Measured {_how(earlier)}.\n")
    for section, each in matrix():
        parts.append(
            f"\n## {section}\n\n| row | fault | expected | measured | result |\n|---|---|---|---|---|\n"
        )
        for name, (fault, expected) in each.items():
            made = f"| {name} | {fault} | {expected} | {_cells(rows.get(name))} |"
            parts.append(f"{kept.get(name, made)}\n")
    return "".join(parts)


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
    """Return `record_measure(measured, row=…)`: what a test measured for a row of its, said last."""
    rows = rows_of(request.node)

    def record(measured: str, row: str | None = None) -> None:
        name = row or rows[0]
        assert name in rows, f"{name} is not a row of this test"
        assert "|" not in measured
        told = request.node.user_properties
        told[:] = [each for each in told if each[0] != "measure" or each[1][0] != name]
        told.append(("measure", (name, measured)))

    return record
