"""`wanglian alarms`: what stands and what was, and one's word that one has seen it."""

import sqlite3
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from pydantic_core import PydanticCustomError

from config.base import parse_duration
from config.problems import Language
from gateway.alarms.table import ALARMS, Alarm, read
from gateway.alarms.words import sentence
from gateway.cli_access import by_console, note
from gateway.console import AsJson, Lang, PlantFile, data_dir, fail, load, print_json, print_table, say
from gateway.control import NoGateway, ask
from gateway.security.audit import Act
from gateway.sqlite import NewerFormat

_MOST = 1000

All = Annotated[bool, typer.Option("--all", help="Those that are over too. 连同已恢复的。")]
Acknowledge = Annotated[
    int | None, typer.Option("--ack", help="Acknowledge this one, by number. 确认这一条。")
]
Shelve = Annotated[int | None, typer.Option("--shelve", help="Tell nobody of its subject. 搁置这一条。")]
For = Annotated[str, typer.Option("--for", help="How long it is shelved; 0s: no longer. 搁置多久。")]
Note = Annotated[str, typer.Option("--note", help="Why. 说明。")]


def alarms(
    plant_file: PlantFile,
    *,
    all_: All = False,
    ack: Acknowledge = None,
    shelve: Shelve = None,
    for_: For = "8h",
    why: Note = "",
    lang: Lang = None,
    as_json: AsJson = False,
) -> None:
    """Show the alarms; acknowledge or shelve one. 查看报警，确认或搁置。"""
    plant, language = load(plant_file, lang)
    directory = data_dir(plant_file, plant)
    if ack is not None or shelve is not None:
        number = ack if ack is not None else shelve
        length = 0 if ack is not None else _length(for_, language)
        what = "acknowledged" if ack is not None else "shelved" if length else "unshelved"
        act: Act = f"alarm.{what}"  # type: ignore[assignment]
        note(directory, language, act, alarm=number, note=why)
        try:
            how = {"act": "shelve" if ack is None else "acknowledge", "for_ns": length}
            answer = ask(directory, "alarm", number=number, who=by_console().name, note=why, **how)
        except NoGateway as exc:
            fail(say(language, "alarms.no_gateway", reason=exc))
        if "failed" in answer:
            fail(say(language, "alarms.unreadable", reason=answer["failed"]))
        if answer["number"] is None:
            fail(say(language, "alarms.unknown", number=number))
        typer.echo(say(language, "alarms.done", number=number, what=say(language, f"alarms.{what}")))
        return
    try:
        _, found = read(directory / ALARMS, "all" if all_ else "active", 0, _MOST)
    except (sqlite3.Error, NewerFormat) as exc:
        fail(say(language, "alarms.unreadable", reason=exc))
    if as_json:
        print_json([_as_dict(each, language) for each in found])
    elif not found:
        typer.echo(say(language, "alarms.none"))
    else:
        _print(found, language, plant.gateway.zone)


def _length(text: str, language: Language) -> int:
    try:
        return parse_duration(text)
    except PydanticCustomError:
        fail(say(language, "alarms.no_duration", text=text))


def _print(found: list[Alarm], language: Language, zone: ZoneInfo) -> None:
    titles = [
        say(language, f"alarms.{name}")
        for name in ("number", "severity", "state", "began", "cleared", "text")
    ]
    rows = [
        (
            [
                str(each.id),
                say(language, f"alarms.{each.severity}"),
                say(language, f"alarms.{_state(each)}"),
                _at(each.began, zone),
                _at(each.cleared, zone),
                sentence(each, language),
            ],
            bool(each.cleared or each.acknowledged),
        )
        for each in found
    ]
    print_table(titles, rows)


def _state(alarm: Alarm) -> str:
    if alarm.cleared:
        return "over"
    if alarm.shelved_until:
        return "shelved"
    return "acknowledged" if alarm.acknowledged else "active"


def _at(time: int, zone: ZoneInfo) -> str:
    return f"{datetime.fromtimestamp(time / 1e9, zone):%Y-%m-%d %H:%M:%S}" if time else ""


def _as_dict(alarm: Alarm, language: Language) -> dict[str, object]:
    return {
        "number": alarm.id,
        "kind": alarm.kind,
        "subject": alarm.subject,
        "severity": alarm.severity,
        "state": _state(alarm),
        "began": alarm.began,
        "cleared": alarm.cleared,
        "acknowledged": alarm.acknowledged,
        "who": alarm.who,
        "note": alarm.note,
        "shelved_until": alarm.shelved_until,
        "text": sentence(alarm, language),
    }
