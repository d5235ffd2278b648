"""Reports of a plant whose names are formulas and markup: text in every cell, and on paper."""

from contextlib import closing
from pathlib import Path

import openpyxl
import pytest

from gateway.reports.content import Column, Content, Head, Row, Table
from gateway.reports.cover import Made
from gateway.reports.make import write
from tests.unit.reports.test_ledger import NOW

HOSTILE = (
    '=cmd|"/C calc"!A0', "@SUM(1)", "-2+3", "+1+1", "\t=1+1", "\r=1+1", "＝1+1", "{=1+1}", "http://x.example/",
    "<img src=x onerror=alert(1)>", "\u202egnp.exe", "&#61;1", "=HYPERLINK(1)" * 20, "internal:a!b",
    "\x00\x07a",
)  # fmt: skip


@pytest.mark.fault("S3")
def test_names_in_reports_are_never_formulas_links_or_markup(tmp_path: Path, record_measure) -> None:
    head = Head("ledger", HOSTILE[0], "@g", "Asia/Shanghai", 0, 86_400_000_000_000, "1970-01-01", "60min")
    made = Made(NOW, "1", "=who()", "both")
    with closing(Content()) as content:
        columns = (Column("node"), Column("meter"))
        content.write(head, [Table("meters", columns, (Row((each, each)) for each in HOSTILE))])
        for ending in ("xlsx", "pdf"):
            write(content, tmp_path / f"r.{ending}", made)
    book = openpyxl.load_workbook(tmp_path / "r.xlsx")
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} <= {"s", "n", "d"}
    assert not [cell for cell in cells if cell.hyperlink]
    assert {HOSTILE[0], "@SUM(1)", "+1+1"} <= {cell.value for cell in cells}
    paper = (tmp_path / "r.pdf").read_bytes()
    assert paper.startswith(b"%PDF-")
    assert not [each for each in (b"/JavaScript", b"/URI", b"/Launch") if each in paper]
    told = f"{len(HOSTILE)} hostile names in XLSX and PDF: {len(cells)} cells, 0 formulas, 0 links, 0 scripts"
    record_measure(told, row="S3")
