"""Page, interface, report, evidence and invoice say the same money of the same books, to the fen."""

import json
from contextlib import closing
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from gateway.cli import app
from gateway.energy.invoices.billed import bill_named, measured
from gateway.energy.invoices.file import Invoice
from gateway.energy.invoices.reconcile import reconcile
from gateway.reports.content import words
from gateway.reports.cover import Made
from gateway.reports.make import write
from tests.unit.reports.factory import content_of, ground_for
from tests.unit.reports.sheets import Book
from tests.unit.reports.test_ledger import NOW, rows_of, value
from tests.unit.tariff.office import SUPPLY, Office

MONTHS = {
    "2026-03": {"purchase": 0.39}, "2026-04": {"purchase": 0.4277, "demand": 47.5},
    "2026-05": {"purchase": 0.41},
}  # fmt: skip
MIDDLE = SUPPLY | {"prices": MONTHS, "contract": SUPPLY["contract"] | {"billed_as": "ends"}}
PERIODS = {
    "calendar": ("2026-04-01", "2026-05-01", "2026-04"),
    "middle": ("2026-03-26T08:00", "2026-04-26T08:00", "2026-03-26T08:00..2026-04-26T08:00"),
}


@pytest.fixture(scope="module", params=PERIODS)
def office(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Office, str]:
    folder = tmp_path_factory.mktemp("office")
    if request.param == "calendar":
        return Office(folder), request.param
    return Office(folder, supply=MIDDLE, billing={"day": 26, "hour": 8}), request.param


def money(rows: list[Any]) -> Decimal:
    return sum((Decimal(row["value"]) for row in rows), Decimal(0))


def test_page_report_evidence_and_invoice_say_the_same_of_a_bill(
    office: tuple[Office, str], tmp_path: Path
) -> None:
    its, name = office
    start, end, period = PERIODS[name]
    found = {
        interval: its.figures(start, end, metric="cost", interval=interval)
        for interval in ("15min", "60min", "billing")
    }
    totals = {each["total"]["value"] for each in found.values()}
    assert len(totals) == 1
    energy = Decimal(totals.pop())
    for each in found.values():
        assert money(each["rows"]) == energy
        assert sum(Decimal(band["yuan"]) for band in each["band_costs"]) == energy
    charges = {line["item"]: Decimal(line["yuan"]) for line in found["billing"]["charges"]}
    assert set(charges) == {"demand", "power_factor"}

    evidence = its.get("evidence", start, end, subject="s").json()["cost"]
    assert Decimal(evidence["yuan"]) == energy + sum(charges.values())

    said = CliRunner().invoke(app, ["evidence", str(its.file), "--from", start, "--to", end])
    assert said.exit_code == 0, said.output
    assert json.loads(said.stdout)["cost"] == evidence

    with closing(content_of("ledger", ground_for(its.folder, its.plant, period))) as content:
        of_energy, _, whole = (value(row.cells[-1]) for row in rows_of(content, "cost", "total"))
        lines = {
            (words(row.cells[2], "en"), words(row.cells[1], "en")): value(row.cells[-1])
            for row in rows_of(content, "cost")
        }
        write(content, tmp_path / "r.xlsx", Made(NOW, "1", "", "en"))
    assert (of_energy, whole) == (energy, energy + sum(charges.values()))
    computed = [each for each in Book(tmp_path / "r.xlsx").computed() if each[0] == "Electricity cost"]
    assert len(computed) == len(lines) + 3
    assert all(one == other for _, _, one, other in computed)

    month = "2026-04"
    assert bill_named(its.plan, month).first == its.at(start)
    blank = measured(its.query, its.plan, "s", Invoice.model_validate({"month": month}))
    invoice = {
        "month": month,
        "kwh": {each.band: float(each.kwh) for each in blank.cost.bands},
        "demand_kw": float(blank.demand_kw or 0),
        "lines": [
            {"item": line.item, "yuan": float(line.yuan or 0)} | ({"band": line.band} if line.band else {})
            for line in blank.cost.lines
        ],
        "total": float(whole),
    }
    told = reconcile(Invoice.model_validate(invoice, by_alias=True, by_name=False), blank)
    assert all(row.difference == 0 for row in told)
    file = tmp_path / "invoice.yaml"
    file.write_text(yaml.safe_dump(invoice))
    shown = CliRunner().invoke(app, ["energy", "invoice", str(its.file), str(file), "--json", "--lang", "en"])
    assert shown.exit_code == 0, shown.output
    rows = json.loads(shown.stdout)["figures"]
    assert [row["difference"].rstrip("0.") for row in rows] == [""] * len(told)


def test_a_part_of_a_bill_costs_what_its_lines_grow_by_and_parts_add_up(
    office: tuple[Office, str], tmp_path: Path
) -> None:
    its, _ = office
    days = ["2026-04-03", "2026-04-11", "2026-04-16", "2026-04-17"]
    parts = [
        Decimal(its.figures(a, b, metric="cost", interval="day")["total"]["value"]) for a, b in pairwise(days)
    ]
    whole = its.figures(days[0], days[-1], metric="cost", interval="60min")
    assert sum(parts) == Decimal(whole["total"]["value"])
    assert not whole["charges"]
    with closing(
        content_of("ledger", ground_for(its.folder, its.plant, "2026-04-11..2026-04-15"))
    ) as content:
        (total,) = rows_of(content, "cost", "total")
        assert value(total.cells[-1]) == parts[1]
        write(content, tmp_path / "r.xlsx", Made(NOW, "1", "", "en"))
    computed = [each for each in Book(tmp_path / "r.xlsx").computed() if each[0] == "Electricity cost"]
    assert all(one == other.normalize() for _, _, one, other in computed)


def test_a_difference_is_shown_with_its_amount(office: tuple[Office, str], tmp_path: Path) -> None:
    its, _ = office
    file = tmp_path / "invoice.csv"
    file.write_text("month,,2026-04\ntransmission,,1.00\n")
    shown = CliRunner().invoke(app, ["energy", "invoice", str(its.file), str(file), "--lang", "zh"])
    assert shown.exit_code == 1
    assert "输配电费" in shown.output
    assert "2026-04" in shown.output
