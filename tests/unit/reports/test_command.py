"""`wanglian report`: files on disk, words on the terminal, codes for what can't be."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli import app
from tests.unit.reports.factory import LONG, filled, plant_in


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    filled(tmp_path, plant_in(tmp_path), days=2)
    return tmp_path


def run(folder: Path, *words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["report", str(folder / "plant.yaml"), *words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


@pytest.mark.parametrize("kind", ["ledger", "carbon", "networking"])
@pytest.mark.parametrize("ending", ["xlsx", "pdf"])
def test_every_report_is_made_and_passes_its_own_check(folder: Path, kind: str, ending: str) -> None:
    file = folder / f"r.{ending}"
    code, said = run(folder, "--kind", kind, "--period", "2026-10-01", "-o", str(file), "--lang", "zh")
    assert (code, "SHA-256" in said) == (0, True), said
    code, said = run(folder, "--verify", str(file), "--lang", "zh")
    assert code == 0, said
    assert "台账今天仍得出同一校验值" in said


def test_late_data_show_in_the_check(folder: Path) -> None:
    file = folder / "r.pdf"
    assert run(folder, "--period", "2026-10", "-o", str(file), "--lang", "en")[0] == 0
    plant_in(folder, carbon={}, energy={"meters": {"press": {"enabled": False}}})
    code, said = run(folder, "--verify", str(file), "--lang", "en")
    assert code == 1
    assert "another hash today" in said


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--period", "soon"], "E-RP-0001"),
        ([], "E-RP-0001"),
        (["--period", "2026-10-01T00:01..2026-10-02"], "E-RP-0002"),
        (["--period", "2026-10", "-o", "r.docx"], "E-RP-0004"),
        (["--period", "2026-10", "-o", "/nowhere/r.pdf"], "E-RP-0006"),
    ],
)
def test_what_cannot_be_says_so_with_its_code(folder: Path, words: list[str], code: str) -> None:
    status, said = run(folder, *words, "--lang", "en")
    assert status == 1
    assert code in said


def test_without_books_there_is_no_report(tmp_path: Path) -> None:
    plant_in(tmp_path)
    status, said = run(tmp_path, "--period", "2026-10", "--lang", "zh", "-o", str(tmp_path / "r.xlsx"))
    assert status == 1
    assert "E-RP-0007" in said
    assert not (tmp_path / "r.xlsx").exists()


def test_a_report_of_another_plant_is_refused(folder: Path) -> None:
    file = folder / "r.xlsx"
    assert run(folder, "--period", "2026-10", "-o", str(file), "--lang", "en")[0] == 0
    text = (folder / "plant.yaml").read_text(encoding="utf-8").replace("id: g\n", "id: other\n")
    (folder / "plant.yaml").write_text(text, encoding="utf-8")
    status, said = run(folder, "--verify", str(file), "--lang", "en")
    assert (status, "E-RP-0011" in said) == (1, True)


def test_a_list_of_equipment_with_a_mistake_names_its_line(folder: Path) -> None:
    equipment = folder / "equipment.csv"
    for text, line in (
        ("name\nx\n", 1),
        ("equipment,device\nPress 1,hall/line_1/pres\n", 2),
        (f"equipment,device\nOven,hall/{LONG}/oven\nOven,\n", 3),
    ):
        equipment.write_text(text, encoding="utf-8")
        words = ["--kind", "networking", "--period", "2026-10", "--equipment", str(equipment), "--lang", "en"]
        status, said = run(folder, *words, "-o", str(folder / "r.xlsx"))
        assert status == 1
        assert "E-RP-0009" in said
        assert f"line {line}" in said
