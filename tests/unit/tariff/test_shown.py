"""What people are shown: the list of tariffs, and the invoice of the how-to."""

import json
import textwrap
from pathlib import Path

import pytest
from typer.testing import CliRunner

from config.tariff_library import tariff_names
from gateway.cli import app
from gateway.energy.invoices.file import read_invoice
from tests.processes import ROOT


def shown(*words: str) -> str:
    done = CliRunner().invoke(app, ["tariffs", *words])
    assert done.exit_code == 0, done.output
    return done.output


def test_the_list_names_every_tariff_with_its_instrument_and_confidence() -> None:
    rows = json.loads(shown("--json", "--lang", "zh"))
    assert [row["name"] for row in rows] == list(tariff_names())
    assert all("号" in row["instrument"] and row["confidence"] in "高中低" for row in rows)


@pytest.mark.parametrize("name", tariff_names())
@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_tariff_is_explained_row_by_row_with_its_sources(name: str, language: str) -> None:
    text = shown(name, "--lang", language)
    data = json.loads(shown(name, "--json"))
    for key, source in data["sources"].items():
        assert f"{key}: {source['text'][:40]}" in text
    for overlay in data["overlays"]:
        if overlay["reading"]:
            assert overlay["reading"][language][:30] in text


def test_a_tariff_that_is_not_there_gets_a_suggestion() -> None:
    done = CliRunner().invoke(app, ["tariffs", "jiangsu-2052", "--lang", "en"])
    assert done.exit_code == 1
    assert "jiangsu-2025" in done.output


def test_a_file_with_mistakes_is_not_explained(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("title: {zh: 试, en: trial}\n")
    done = CliRunner().invoke(app, ["tariffs", str(file), "--lang", "en"])
    assert done.exit_code == 2
    assert "E-CF-0101" in done.output


def test_the_invoice_shown_in_the_how_to_is_one() -> None:
    page = (ROOT / "docs" / "how-to" / "tariffs.md").read_text("utf-8")
    text = textwrap.dedent(page[page.index("    month: 2026-07") : page.index("or as CSV")])
    invoice = read_invoice(text.encode(), "invoice.yaml")
    assert len(invoice.lines) == 4
    assert invoice.total is not None
