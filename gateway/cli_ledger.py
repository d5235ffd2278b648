"""`wanglian ledger`: what became of every row on a day, by source and sink, and whether the sum holds."""

import sqlite3
from datetime import UTC, date, datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from config.problems import Language
from gateway.console import AsJson, Lang, PlantFile, data_dir, fail, load, print_json, print_table, say
from gateway.ledger.books import Entry
from gateway.ledger.days import DAYS, Day, read_days

OnDay = Annotated[
    str | None, typer.Option("--day", help="A day of the plant's, 2026-11-29; today by default. 哪一天。")
]
OfSink = Annotated[str | None, typer.Option("--sink", help="Only this sink's. 只看这个上报端。")]
Total = Annotated[bool, typer.Option("--total", help="Since the books began. 自开账以来。")]
_COLUMNS = ("acquired", "delivered", "buffered", "dropped", "not_selected", "quarantined")


def ledger(
    plant_file: PlantFile,
    *,
    day: OnDay = None,
    sink: OfSink = None,
    total: Total = False,
    lang: Lang = None,
    as_json: AsJson = False,
) -> None:
    """Show what became of every row, by source and sink. 查看每行数据的去向：采集、送达、积压、丢弃。"""
    plant, language = load(plant_file, lang)
    zone = plant.gateway.zone
    try:
        asked = date.fromisoformat(day) if day else datetime.now(zone).date()
    except ValueError:
        fail(say(language, "ledger.no_day", day=day))
    path = data_dir(plant_file, plant) / DAYS
    try:
        found = [each for each in read_days(path, asked, asked) if sink in (None, each.sink)]
    except sqlite3.Error as exc:
        fail(say(language, "store", reason=exc))
    if not found:
        fail(say(language, "ledger.nothing", day=asked))
    if as_json:
        print_json([_as_dict(each) for each in found])
    else:
        _print(found, language, zone, total=total)
    raise typer.Exit(0 if all(each.holds and each.moved.holds for each in found) else 1)


def _print(found: list[Day], language: Language, zone: ZoneInfo, *, total: bool) -> None:
    titles = [say(language, f"ledger.{each}") for each in ("sink", "source", *_COLUMNS, "sum")]
    print_table(titles, [_line(each, total=total) for each in found])
    lost = {(each.sink, why): 0 for each in found for why in _entry(each, total=total).dropped}
    for each in found:
        for why, rows in _entry(each, total=total).dropped.items():
            lost[each.sink, why] += rows
    for (sink, why), rows in lost.items():
        typer.echo(say(language, "ledger.lost", sink=sink, rows=rows, reason=say(language, f"loss.{why}")))
    noted = datetime.fromtimestamp(max(each.noted for each in found) / 1e9, zone)
    typer.echo(say(language, "ledger.noted", at=noted.isoformat(sep=" ", timespec="seconds")))
    is_right = all(each.holds and each.moved.holds for each in found)
    typer.echo(say(language, "ledger.holds" if is_right else "ledger.fails"))


def _entry(day: Day, *, total: bool) -> Entry:
    return day.stood if total else day.moved


def _line(day: Day, *, total: bool) -> tuple[list[str], bool]:
    entry = _entry(day, total=total)
    is_right = day.holds and entry.holds
    counts = {name: getattr(entry, name) for name in _COLUMNS if name != "dropped"}
    counts["dropped"] = sum(entry.dropped.values())
    cells = [day.sink, entry.source, *(str(counts[name]) for name in _COLUMNS), "✓" if is_right else "✗"]
    return cells, is_right


def _as_dict(day: Day) -> dict[str, Any]:
    def counts(entry: Entry) -> dict[str, Any]:
        return {name: getattr(entry, name) for name in (*_COLUMNS, "again")}

    return {
        "day": day.day.isoformat(),
        "sink": day.sink,
        "source": day.stood.source,
        "since": datetime.fromtimestamp(day.since / 1e9, UTC).isoformat(timespec="seconds"),
        "noted": datetime.fromtimestamp(day.noted / 1e9, UTC).isoformat(timespec="seconds"),
        "holds": day.holds and day.moved.holds,
        "moved": counts(day.moved),
        "stood": counts(day.stood),
    }
