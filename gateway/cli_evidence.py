"""`wanglian evidence`: what is behind one figure of energy, carbon, standard coal, or a batch."""

import csv
import sqlite3
import sys
from typing import Annotated, Literal

import typer

from gateway.cli_energy import BooksOf, From, MediumName, Subject, To
from gateway.console import Lang, PlantFile, fail, print_json, say
from gateway.energy.carbon.refused import Refused
from gateway.energy.evidence import evidence, rows
from gateway.energy.pricing.booked import MEDIUM, priced
from gateway.energy.pricing.plan import plan_of
from gateway.energy.pricing.told import told
from gateway.energy.query import NoBooks, NoSuchFigure
from gateway.energy.results.choices import choices_of
from gateway.energy.results.evidence import carbon_evidence, footprints
from gateway.sqlite import NewerFormat

Kind = Annotated[
    Literal[
        "energy", "co2_direct", "co2_location", "co2_market", "coal_equivalent", "coal_primary", "footprint"
    ],
    typer.Option("--kind", help="Of figure; footprint: of the batches in the period. 哪一种数。"),
]


def evidence_(
    plant_file: PlantFile,
    figure: Subject = None,
    *,
    kind: Kind = "energy",
    first: From = None,
    last: To = None,
    medium: MediumName = "electricity",
    lang: Lang = None,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Only the readings of an energy figure, as a table. 仅读数，CSV。")
    ] = False,
) -> None:
    """Export samples, factors and arithmetic of one figure. 导出一个数的依据。"""
    books = BooksOf(plant_file, lang)
    subject, period = books.subject(figure), books.period(first, last)
    language = books.language
    try:
        if kind == "energy":
            found = evidence(books.query, subject, *period, medium)
            plan = plan_of(books.plant, books.data_dir)
            if plan is not None and found["figure"]["medium"] == MEDIUM:
                is_billed = subject == books.site
                found["cost"] = told(priced(books.query, plan, subject, *period, is_billed=is_billed))
        elif kind == "footprint":
            chosen = choices_of(books.plant, plant_file.parent)
            found = footprints(books.query, books.plant, chosen, (subject, *period), language)
        else:
            chosen = choices_of(books.plant, plant_file.parent)
            asked = (subject, kind, *period)
            found = carbon_evidence(books.query, chosen, books.directory, asked, language)
    except NoSuchFigure as exc:
        fail(say(language, "energy.none", reason=exc.said))
    except (NoBooks, NewerFormat, sqlite3.Error) as exc:
        fail(say(language, "energy.none", reason=exc))
    except Refused as exc:
        fail(exc.text(language))
    if as_csv and kind == "energy":
        csv.writer(sys.stdout).writerows(rows(found))
    else:
        print_json(found)
