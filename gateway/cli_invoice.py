"""`wanglian energy invoice`: the supplier's invoice beside our figures, with every difference."""

import sqlite3
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer

from config.energy_meters import meters
from config.problems import ConfigurationError, Language, Phrase
from gateway.console import AsJson, Lang, PlantFile, data_dir, fail, load, print_json, print_table, say
from gateway.energy.bookkeeping.files import FOLDER
from gateway.energy.holidays import calendar_of_plant
from gateway.energy.invoices.billed import bill_named, measured
from gateway.energy.invoices.file import Invoice, read_invoice, read_invoice_csv
from gateway.energy.invoices.reconcile import Difference, reconcile
from gateway.energy.pricing.plan import plan_of
from gateway.energy.query import NoBooks, NoSuchFigure, Query
from gateway.sqlite import NewerFormat

_COLUMNS = ("figure", "theirs", "ours", "difference", "agrees", "reasons")
_MEASURED = ("kwh", "demand_kw", "kvarh", "power_factor_value", "total", "basic")
File = Annotated[Path, typer.Argument(help="YAML, or CSV with item,band,value. 账单文件。")]


def invoice(plant_file: PlantFile, file: File, *, lang: Lang = None, as_json: AsJson = False) -> None:
    """Compare the supplier's invoice with the books; 1 where they differ. 核对电费账单。"""
    plant, language = load(plant_file, lang)
    data = data_dir(plant_file, plant)
    plan = plan_of(plant, data)
    if plan is None:
        fail(say(language, "energy.none", reason=Phrase("report.note.no_tariff")))
    theirs = _read(file, language)
    calendar = calendar_of_plant(plant)
    query = Query(data / FOLDER, meters(plant), calendar)
    try:
        ours = measured(query, plan, plant.gateway.site, theirs)
    except NoSuchFigure as exc:
        fail(say(language, "energy.none", reason=exc.said))
    except (NoBooks, NewerFormat, sqlite3.Error) as exc:
        fail(say(language, "energy.none", reason=exc))
    found = reconcile(theirs, ours)
    bill = bill_named(plan, theirs.month)
    span = [calendar.local(each).isoformat(timespec="minutes") for each in (bill.first, bill.last)]
    open_ = [each.text(language) for each in ours.cost.open]
    if as_json:
        rows = [_as_json(each, language) for each in found]
        print_json({"month": bill.name, "from": span[0], "to": span[1], "figures": rows, "open": open_})
    else:
        typer.echo(say(language, "invoice.of", month=bill.name, first=span[0], last=span[1]))
        titles = [say(language, f"invoice.{each}") for each in _COLUMNS]
        print_table(titles, [(_cells(each, language), each.agrees is True) for each in found])
        for note in open_:
            typer.echo(note)
    if not all(each.agrees for each in found):
        raise typer.Exit(1)


def _read(file: Path, language: Language) -> Invoice:
    try:
        data = file.read_bytes()
        return (read_invoice_csv if file.suffix.lower() == ".csv" else read_invoice)(data, str(file))
    except OSError as exc:
        fail(say(language, "energy.none", reason=exc.strerror or exc))
    except ConfigurationError as exc:
        for problem in exc.problems:
            typer.echo(problem.render(language), err=True)
        raise typer.Exit(2) from exc


def _cells(row: Difference, language: Language) -> list[str]:
    group = "invoice.figure" if row.figure in _MEASURED else "report.item"
    name = Phrase(f"{group}.{row.figure}").text(language)
    band = "" if row.band is None else " " + Phrase(f"band.{row.band}").text(language)
    agrees = {True: "yes", False: "no", None: "unknown"}[row.agrees]
    return [
        name + band,
        _number(row.theirs),
        _number(row.ours),
        _number(row.difference),
        say(language, f"invoice.{agrees}"),
        "; ".join(each.text(language) for each in row.reasons),
    ]


def _number(value: Decimal | None) -> str:
    return "–" if value is None else f"{value:f}"


def _as_json(row: Difference, language: Language) -> dict[str, Any]:
    return {
        "figure": row.figure,
        "band": row.band,
        "theirs": f"{row.theirs:f}",
        "ours": None if row.ours is None else f"{row.ours:f}",
        "difference": None if row.difference is None else f"{row.difference:f}",
        "agrees": row.agrees,
        "reasons": [each.text(language) for each in row.reasons],
    }
