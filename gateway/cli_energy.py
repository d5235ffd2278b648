"""`wanglian energy`: figures out of the books, readings into them, periods closed."""

import getpass
import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer

from config.energy_meters import Meter, meters
from config.problems import Language, Phrase
from config.sheets import SheetRefused, sheet_text
from connectors import SystemClock
from gateway.console import AsJson, Lang, PlantFile, data_dir, fail, load, print_json, print_table, say
from gateway.energy.bookkeeping.files import FOLDER
from gateway.energy.bookkeeping.manual import (
    Entering,
    Refused,
    book_now,
    closing_of,
    from_csv,
    moment,
    outcomes,
    reading,
    write_down,
)
from gateway.energy.evidence import said
from gateway.energy.holidays import calendar_of_plant
from gateway.energy.periods import Calendar
from gateway.energy.query import NoBooks, NoSuchFigure, Query
from gateway.sqlite import NewerFormat

energy_app = typer.Typer(no_args_is_help=True, help="Energy books. 能源账。")

Subject = Annotated[
    str | None, typer.Argument(help="A meter's name, or a place as area/line; the site. 表名或位置。")
]
From = Annotated[str | None, typer.Option("--from", help="Plant time; today. 起，按工厂当地时间。")]
To = Annotated[str | None, typer.Option("--to", help="Plant time; now. 止。")]
MediumName = Annotated[str, typer.Option("--medium", help="Of a place's figures. 能源品种。")]
By = Annotated[str | None, typer.Option("--by", help="Who enters it; the system's user name. 经手人。")]
Every = Annotated[
    Literal["15min", "60min", "day", "week", "month", "year", "shift", "break", "billing", "batch"],
    typer.Option("--interval", help="How it is cut. 统计间隔。"),
]


class BooksOf:
    """A plant's books, for one command."""

    def __init__(self, plant_file: Path, lang: Language | None) -> None:
        plant, self.language = load(plant_file, lang)
        self.plant = plant
        self.meters: dict[str, Meter] = meters(plant)
        self.calendar: Calendar = calendar_of_plant(plant)
        self.site = plant.gateway.site
        self.keep = plant.energy.keep_readings
        self.data_dir = data_dir(plant_file, plant)
        self.directory = self.data_dir / FOLDER
        self.clock = SystemClock()
        self.query = Query(self.directory, self.meters, self.calendar)

    def subject(self, name: str | None) -> str:
        """Return a meter's name or a node's whole path."""
        if name is None or name in ("-", self.site):
            return self.site
        is_path = name in self.meters or name.startswith(f"{self.site}/")
        return name if is_path else f"{self.site}/{name}"

    def period(self, first: str | None, last: str | None) -> tuple[int, int]:
        """Return the period asked for, ns UTC: today where nothing is said."""
        now = self.clock.now()
        today = self.calendar.local(now).date()
        tomorrow = self.calendar.midnight(today + timedelta(days=1))
        try:
            return (
                self.calendar.midnight(today) if first is None else moment(self.calendar, first),
                tomorrow if last is None else moment(self.calendar, last),
            )
        except Refused as exc:
            self.refuse(exc)

    def refuse(self, exc: Refused) -> NoReturn:
        """Say why something can't be entered, and end."""
        reason = Phrase(f"cli.energy.refused.{exc.reason}", {"what": exc.what})
        place = Phrase("cli.energy.line", {"line": exc.line}) if exc.line else Phrase("advice.none")
        fail(say(self.language, "energy.refused", reason=reason, place=place))

    def enter(self, entering: list[Entering], who: str | None) -> None:
        """Write down, book if no gateway runs, and say what became of it."""
        numbers = write_down(self.directory, entering, who or getpass.getuser(), self.clock.now())
        is_booked = book_now(self.directory, self.meters, self.calendar, self.clock, keep=self.keep)
        results = outcomes(self.directory, numbers)
        refused = results.count("refused")
        key = "energy.waits" if not is_booked else "energy.refused_entry" if refused else "energy.booked"
        typer.echo(say(self.language, key, count=len(numbers), refused=refused))
        if refused:
            raise typer.Exit(1)


@energy_app.command("show")
def show(
    plant_file: PlantFile,
    subject: Subject = None,
    *,
    interval: Every = "60min",
    first: From = None,
    last: To = None,
    medium: MediumName = "electricity",
    lang: Lang = None,
    as_json: AsJson = False,
) -> None:
    """Show amounts by interval, each with what it is worth. 按间隔显示用能量及其数据质量。"""
    plant = BooksOf(plant_file, lang)
    language = plant.language
    try:
        answer = plant.query.energy(plant.subject(subject), interval, *plant.period(first, last), medium)
    except NoSuchFigure as exc:
        fail(say(language, "energy.none", reason=exc.said))
    except (NoBooks, NewerFormat, sqlite3.Error) as exc:
        fail(say(language, "energy.none", reason=exc))
    found = [said(plant.query, answer, each) for each in (*answer.figures, answer.total)]
    if as_json:
        print_json({"unit": answer.unit, "figures": found[:-1], "total": found[-1]})
        return
    found[-1]["label"] = say(language, "energy.total")
    columns = ("label", "amount", "at_least", "at_most", "estimated_share", "manual_share", "completeness")
    titles = [say(language, f"energy.{each}", unit=answer.unit) for each in (*columns, "flags")]
    cells = [
        (
            [str(each[column]) if each[column] is not None else "–" for column in columns]
            + [" ".join(each["flags"])],
            each["amount"] is not None,
        )
        for each in found
    ]
    print_table(titles, cells)


@energy_app.command("read")
def read(
    plant_file: PlantFile,
    meter: Annotated[str, typer.Argument(help="The meter's name. 表名。")],
    value: Annotated[str, typer.Argument(help="What it shows, in its unit. 表底读数。")],
    *,
    at: Annotated[
        str | None, typer.Option("--at", help="When it was read, plant time; now. 抄表时间。")
    ] = None,
    by: By = None,
    lang: Lang = None,
) -> None:
    """Enter a reading a person took. 录入人工抄表。"""
    plant = BooksOf(plant_file, lang)
    now = plant.clock.now()
    try:
        time = now if at is None else moment(plant.calendar, at)
        plant.enter([reading(plant.meters, meter, value, time, now)], by)
    except Refused as exc:
        plant.refuse(exc)


@energy_app.command("import")
def import_(
    plant_file: PlantFile,
    file: Annotated[Path, typer.Argument(help="meter,time,value or batch,at,from,to: CSV. 表格文件。")],
    *,
    by: By = None,
    lang: Lang = None,
) -> None:
    """Enter many readings, or batches, from a table; all of it or nothing. 从表格导入抄表或批次。"""
    plant = BooksOf(plant_file, lang)
    try:
        data = file.read_bytes()
    except OSError as exc:
        fail(say(plant.language, "energy.none", reason=exc.strerror or exc))
    try:
        found = from_csv(sheet_text(data), plant.meters, plant.calendar, plant.site, plant.clock.now())
    except Refused as exc:
        plant.refuse(exc)
    except SheetRefused as exc:
        fail(exc.problem(str(file)).render(plant.language))
    plant.enter(found, by)


@energy_app.command("close")
def close(
    plant_file: PlantFile,
    *,
    first: Annotated[str, typer.Option("--from", help="Plant time. 起，按工厂当地时间。")],
    last: Annotated[str, typer.Option("--to", help="Plant time, no longer in it. 止，不含。")],
    by: Annotated[str, typer.Option("--by", help="Who closes it. 经手人。")],
    lang: Lang = None,
) -> None:
    """Close a period: later data become adjustment entries. 结账：此后的数据记为调整。"""
    plant = BooksOf(plant_file, lang)
    try:
        entering = closing_of(*plant.period(first, last), plant.clock.now())
    except Refused as exc:
        plant.refuse(exc)
    plant.enter([entering], by)
