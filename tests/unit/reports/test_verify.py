"""Verification: a file that was changed is found out, one that was only saved again is not."""

import re
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from gateway.reports.content import Content
from gateway.reports.cover import Made
from gateway.reports.make import write
from gateway.reports.refused import Refused
from gateway.reports.verify import verify
from tests.unit.reports.factory import content_of, filled, ground_for, plant_in
from tests.unit.reports.test_ledger import NOW


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("reports")
    plant = plant_in(folder)
    filled(folder, plant, days=3)
    with closing(content_of("carbon", ground_for(folder, plant, "2026-10-01..2026-10-03"))) as content:
        for name in ("r.xlsx", "r.pdf"):
            write(content, folder / name, Made(NOW, "1", "", "zh"))
        yield folder, content.hash


def checked(file: Path) -> tuple[str, tuple[str, ...]]:
    with closing(Content()) as content:
        found = verify(file, content)
        return content.hash, found.changed


@pytest.mark.parametrize("name", ["r.xlsx", "r.pdf"])
def test_a_report_as_it_was_made_is_sound(reports: Any, name: str) -> None:
    folder, digest = reports
    assert checked(folder / name) == (digest, ())


def test_a_workbook_saved_again_by_another_program_is_sound(reports: Any, tmp_path: Path) -> None:
    # A spreadsheet keeps values; this writer drops them, so they are put back as a spreadsheet would.
    folder, digest = reports
    with zipfile.ZipFile(folder / "r.xlsx") as old, zipfile.ZipFile(tmp_path / "r.xlsx", "w") as new:
        for name in reversed(old.namelist()):
            text = old.read(name)
            new.writestr(name, text.replace(b"<f>ROUND(SUM(", b"<f>ROUND( SUM("))
    assert checked(tmp_path / "r.xlsx") == (digest, ())


def test_a_number_changed_in_a_cell_is_found_with_its_place(reports: Any, tmp_path: Path) -> None:
    folder, digest = reports
    with zipfile.ZipFile(folder / "r.xlsx") as old, zipfile.ZipFile(tmp_path / "r.xlsx", "w") as new:
        for name in old.namelist():
            text = old.read(name)
            if name == "xl/worksheets/sheet2.xml":
                text, count = re.subn(rb"(</f><v>)\d+", rb"\g<1>1", text, count=1)
                assert count == 1
            new.writestr(name, text)
    found, changed = checked(tmp_path / "r.xlsx")
    assert found == digest
    assert changed == ("排放汇总!C5",)


def test_a_word_changed_in_a_cell_is_found(reports: Any, tmp_path: Path) -> None:
    folder, _ = reports
    with zipfile.ZipFile(folder / "r.xlsx") as old, zipfile.ZipFile(tmp_path / "r.xlsx", "w") as new:
        for name in old.namelist():
            text = old.read(name)
            new.writestr(name, text.replace(b"kgCO2<", b"kgCO3<", 1) if name.endswith("sheet2.xml") else text)
    assert checked(tmp_path / "r.xlsx")[1] == ("排放汇总!D5",)


def test_a_formula_replaced_by_a_value_is_found(reports: Any, tmp_path: Path) -> None:
    folder, _ = reports
    book = openpyxl.load_workbook(folder / "r.xlsx")
    book["排放汇总"]["C5"] = 1
    book.save(tmp_path / "r.xlsx")
    assert "排放汇总!C5" in checked(tmp_path / "r.xlsx")[1]


def test_a_changed_byte_of_a_document_is_found(reports: Any, tmp_path: Path) -> None:
    folder, _ = reports
    data = bytearray((folder / "r.pdf").read_bytes())
    data[data.index(b"/MediaBox") + 12] ^= 1
    (tmp_path / "r.pdf").write_bytes(data)
    assert checked(tmp_path / "r.pdf")[1] == ("PDF",)


def test_content_changed_within_the_document_has_another_hash(reports: Any, tmp_path: Path) -> None:
    folder, digest = reports
    data = (folder / "r.pdf").read_bytes().replace(b'{"n":"5760"}', b'{"n":"5761"}')
    (tmp_path / "r.pdf").write_bytes(data)
    found, changed = checked(tmp_path / "r.pdf")
    assert found != digest
    assert changed == ("PDF",)


@pytest.mark.parametrize("text", [b"", b"%PDF-1.7\n", b"PK\x03\x04nothing"])
@pytest.mark.parametrize("name", ["x.xlsx", "x.pdf"])
def test_what_is_no_report_is_refused(text: bytes, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(text)
    with pytest.raises(Refused) as refused:
        checked(tmp_path / name)
    assert refused.value.code == "E-RP-0005"


def test_a_workbook_with_a_document_type_is_refused_before_it_is_read(reports: Any, tmp_path: Path) -> None:
    folder, _ = reports
    with zipfile.ZipFile(folder / "r.xlsx") as old, zipfile.ZipFile(tmp_path / "r.xlsx", "w") as new:
        for name in old.namelist():
            text = old.read(name)
            if name == "xl/workbook.xml":
                text = text.replace(b"?>", b'?><!DOCTYPE x [<!ENTITY a "b">]>', 1)
            new.writestr(name, text)
    with pytest.raises(Refused):
        checked(tmp_path / "r.xlsx")
