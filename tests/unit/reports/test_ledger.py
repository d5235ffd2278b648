"""The energy ledger: its figures are those of the books, its sums are computed again by someone else."""

from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from config.problems import Phrase
from gateway.reports.content import Computed, Content, Moment, Row, Wording, words
from gateway.reports.cover import Made
from gateway.reports.make import write
from tests.unit.reports.factory import LONG, content_of, filled, ground_for, plant_in
from tests.unit.reports.sheets import Book

NOW = 1_793_500_000_000_000_000


def value(cell: Any) -> Decimal:
    assert isinstance(cell, Decimal | Computed)
    return cell.value if isinstance(cell, Computed) else cell


def rows_of(content: Content, name: str, kind: str = "row") -> list[Row]:
    return [row for table in content.tables() if table.name == name for row in table.rows if row.kind == kind]


@pytest.fixture
def ledger(tmp_path: Path) -> Any:
    plant = plant_in(tmp_path)
    filled(tmp_path, plant)
    with closing(content_of("ledger", ground_for(tmp_path, plant))) as content:
        yield content


def test_a_months_total_is_the_sum_of_its_days_and_as_by_hand(ledger: Content) -> None:
    days = [row for row in rows_of(ledger, "ledger") if row.cells[0] == "s" and row.cells[4] == "kWh"]
    assert len(days) == 31
    # 32 quarters of 10 kWh and 64 of 25 kWh a day: 1920; 31 days: 59520.
    assert {value(row.cells[5]) for row in days} == {Decimal(1920)}
    total = rows_of(ledger, "ledger", "total")[0]
    assert value(total.cells[5]) == Decimal(59520)


def test_a_gap_is_told_as_estimated_and_never_as_zero(ledger: Content) -> None:
    gas = [row for row in rows_of(ledger, "ledger") if row.cells[0] == "s" and row.cells[4] == "m³"]
    # 2 h 45 min of the 22nd's first quarter apart, two days: 96 × 0.5 m³ each, all of it estimated.
    assert [value(row.cells[7]) for row in gas][19:21] == [Decimal(48), Decimal(48)]
    assert [value(row.cells[5]) for row in gas][19:21] == [Decimal(48), Decimal(48)]
    assert "估算" in words(gas[19].cells[-1], "zh")


def test_an_empty_month_has_no_figure_and_no_zero(tmp_path: Path) -> None:
    plant = plant_in(tmp_path)
    filled(tmp_path, plant, days=5)
    with closing(content_of("ledger", ground_for(tmp_path, plant, "2026-08"))) as content:
        electric = [row for row in rows_of(content, "ledger") if row.cells[4] == "kWh"]
        assert {row.cells[5] for row in electric} == {None}
        assert {row.cells[5] for row in rows_of(content, "ledger", "total") if row.cells[4] == "kWh"} == {
            None
        }


def test_every_kept_formula_computes_to_what_stands_beside_it(ledger: Content, tmp_path: Path) -> None:
    file = tmp_path / "r.xlsx"
    write(ledger, file, Made(NOW, "1", "", "zh"))
    found = Book(file).computed()
    assert len(found) > 200
    wrong = [each for each in found if abs(each[2] - each[3]) > Decimal("1e-9") * max(1, abs(each[3]))]
    assert wrong == []


@pytest.mark.parametrize("wording", ["zh", "en", "both"])
def test_a_workbook_is_the_same_in_every_language_but_for_its_words(
    ledger: Content, tmp_path: Path, wording: Wording
) -> None:
    file = tmp_path / "r.xlsx"
    write(ledger, file, Made(NOW, "1", "", wording))
    book = Book(file)
    sheet = book.values[words(Phrase("report.table.summary"), "en" if wording == "en" else "zh")]
    assert sheet["D5"].value == 59520
    assert sheet.freeze_panes == "B5"
    assert (sheet.page_setup.paperSize, sheet.page_setup.orientation) == ("9", "landscape") or (
        int(sheet.page_setup.paperSize), sheet.page_setup.orientation
    ) == (9, "landscape")  # fmt: skip
    assert sheet["D5"].number_format == "#,##0.000"
    cover = "".join(str(cell.value) for row in book.values.worksheets[0].iter_rows() for cell in row)
    assert ledger.hash in cover


def test_long_names_are_whole(ledger: Content, tmp_path: Path) -> None:
    file = tmp_path / "r.xlsx"
    write(ledger, file, Made(NOW, "1", "", "en"))
    assert any(row[0] == f"s/hall/{LONG}/oven" for row in Book(file).rows("Summary"))


def test_the_same_books_give_the_same_hash_and_a_late_reading_another(tmp_path: Path) -> None:
    plant = plant_in(tmp_path)
    filled(tmp_path, plant)
    hashes = set()
    for _ in range(2):
        with closing(content_of("ledger", ground_for(tmp_path, plant))) as content:
            hashes.add(content.hash)
    assert len(hashes) == 1
    with closing(content_of("ledger", ground_for(tmp_path, plant, "2026-10-01..2026-10-30"))) as content:
        assert content.hash not in hashes


def test_a_swap_a_closing_and_an_overdue_meter_stand_on_the_quality_page(ledger: Content) -> None:
    (closed,) = rows_of(ledger, "closings")
    assert closed.cells[2] == "Li"
    assert isinstance(closed.cells[0], Moment)
    assert any("换表" in words(row.cells[2], "zh") for row in rows_of(ledger, "events"))
    main = next(row for row in rows_of(ledger, "meters") if row.cells[0] == "main")
    assert "检定过期" in words(main.cells[-1], "zh")
    diesel = next(row for row in rows_of(ledger, "meters") if row.cells[0] == "diesel")
    assert value(diesel.cells[11]) == 1


def test_without_prices_there_is_no_cost_and_it_says_so(ledger: Content) -> None:
    (note,) = rows_of(ledger, "cost", "note")
    assert "tariff" in words(note.cells[0], "zh")
    assert rows_of(ledger, "cost") == []
