"""`wanglian config`: what applying a plant file would do, doing it while the gateway runs, and going back."""

import getpass
import sqlite3
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from config.load import read_plant, read_plant_bytes
from config.plant import Plant
from config.problems import Language, Phrase, default_language
from connectors import SystemClock
from gateway.cli_access import note as audit
from gateway.console import (
    AsJson,
    Lang,
    PlantFile,
    data_dir,
    fail,
    last_good,
    load,
    print_json,
    print_table,
    say,
    usable,
)
from gateway.control import NoGateway, ask
from gateway.reload import NeedsRestart, Versions, differences
from gateway.reload.commands import as_dict
from gateway.reload.unified import unified
from gateway.reload.versions import place
from gateway.sqlite import NewerFormat

config_app = typer.Typer(
    no_args_is_help=True,
    help="Take over a changed plant file while the gateway runs, and go back. 在线生效、回退配置。",
)
Note = Annotated[str, typer.Option("--note", help="Why, for whoever reads the versions. 说明。")]
Number = Annotated[int, typer.Argument(help="A version's number. 版本号。")]
Since = Annotated[int | None, typer.Argument(help="Compare with this version. 与此版本比较。")]


@config_app.command("apply")
def config_apply(
    plant_file: PlantFile, *, note: Note = "", lang: Lang = None, as_json: AsJson = False
) -> None:
    """Let the running gateway take over the file as it stands. 让运行中的网关按此文件运行。"""
    plant, language = load(plant_file, lang)
    _command(plant_file, plant, language, as_json=as_json, note=note)


@config_app.command("rollback")
def config_rollback(
    plant_file: PlantFile, version: Number, *, note: Note = "", lang: Lang = None, as_json: AsJson = False
) -> None:
    """Apply an earlier version again; the file gets its text. 回退到某一版，文件随之改回。"""
    plant, language = _last(plant_file, lang)
    _command(plant_file, plant, language, as_json=as_json, note=note, version=version)


@config_app.command("versions")
def config_versions(plant_file: PlantFile, *, lang: Lang = None, as_json: AsJson = False) -> None:
    """Show what was applied, by whom and when. 列出历次生效的配置。"""
    plant, language = _last(plant_file, lang)
    found = _versions(plant_file, plant, language).all()
    entries = [
        {
            "number": each.number,
            "time": _time(each.time, plant),
            "who": each.who,
            "note": each.note,
            "state": each.state,
        }
        for each in found
    ]
    if as_json:
        print_json(entries)
        return
    titles = ("number", "time", "who", "note", "state")
    rows = [
        (
            [str(entry[title]) for title in titles[:-1]] + [say(language, f"config.state.{entry['state']}")],
            entry["state"] == "applied",
        )
        for entry in entries
    ]
    print_table([say(language, f"config.{title}") for title in titles], rows)


@config_app.command("show")
def config_show(plant_file: PlantFile, version: Number, *, lang: Lang = None) -> None:
    """Print the text of a version. 打印某一版的全文。"""
    plant, language = _last(plant_file, lang)
    typer.echo(_text(plant_file, plant, language, version).decode("utf-8", "replace"), nl=False)


@config_app.command("diff")
def config_diff(
    plant_file: PlantFile, version: Since = None, *, lang: Lang = None, as_json: AsJson = False
) -> None:
    """Show what differs from what runs, and what would restart. 与正在运行的配置比较，并列出会重启什么。"""
    plant, language = load(plant_file, lang)
    versions = _versions(plant_file, plant, language)
    newest = versions.last_good(plant.gateway.id)
    number = version or (newest.number if newest else None)
    if number is None:
        fail(Phrase("E-AP-0006", {"number": 1}).text(language))
    before = _text(plant_file, plant, language, number)
    old = read_plant_bytes(before, plant_file.name, plant_file.resolve().parent).plant
    try:
        changes = [as_dict(each) for each in differences(old, plant)] if old else []
    except NeedsRestart as refused:
        fail(Phrase("E-AP-0003", {"paths": refused}).text(language))
    text = unified(before, plant_file.read_bytes(), f"{plant_file.name} {number}", plant_file.name)
    if as_json:
        print_json({"version": number, "diff": text, "changes": changes})
        return
    typer.echo(text, nl=False)
    for line in told(changes, language):
        typer.echo(line)


def told(changes: list[Mapping[str, Any]] | list[dict[str, Any]], language: Language) -> Iterator[str]:
    """Yield a line for each part that begins anew, begins or ends."""
    for change in changes:
        what = say(language, f"config.part.{change['part']}", name=change["name"])
        if change["devices"]:
            yield say(language, "config.devices", what=what, devices=", ".join(change["devices"]))
        else:
            yield say(language, f"config.how.{change['how']}", what=what)


def _command(
    plant_file: Path,
    plant: Plant,
    language: Language,
    *,
    as_json: bool,
    note: str,
    version: int | None = None,
) -> None:
    directory = data_dir(plant_file, plant)
    who = f"{getpass.getuser()} (console)"
    audit(
        directory,
        language,
        "config.apply" if version is None else "config.rollback",
        note=note,
        version=version,
    )
    try:
        file = place(plant_file, directory)
        answer = ask(directory, "apply", who=who, note=note, version=version, language=language, file=file)
    except NoGateway:
        fail(say(language, "config.nothing_runs", directory=directory))
    if as_json:
        print_json(answer)
        raise typer.Exit(1 if "refused" in answer else 0)
    if "refused" in answer:
        for problem in answer["problems"]:
            at = ":".join(str(problem[each]) for each in ("file", "line", "column"))
            typer.echo(f"{at}: {problem['message']} [{problem['code']}]", err=True)
        fail(f"{answer['why']} [{answer['refused']}]")
    if answer["version"] is None:
        typer.echo(say(language, "config.same"))
        return
    for line in told(answer["changes"], language):
        typer.echo(line)
    if not answer["changes"]:
        typer.echo(say(language, "config.only_words"))
    typer.echo(say(language, "config.applied", version=answer["version"]))


def _last(plant_file: Path, lang: Lang) -> tuple[Plant, Language]:
    """Return the file's plant, the last good one beside a broken file: going back must work there."""
    outcome = read_plant(plant_file)
    found = None if outcome.plant else last_good(plant_file, outcome, lang)
    plant = outcome.plant or (found.plant if found else usable(outcome, lang)[0])
    return plant, lang or plant.gateway.language or default_language()


def _versions(plant_file: Path, plant: Plant, language: Language) -> Versions:
    versions = Versions(data_dir(plant_file, plant), SystemClock(), plant_file)
    try:
        versions.all()
    except (sqlite3.Error, NewerFormat, OSError) as exc:
        fail(say(language, "store", reason=exc))
    return versions


def _text(plant_file: Path, plant: Plant, language: Language, number: int) -> bytes:
    text = _versions(plant_file, plant, language).text(number)
    if text is None:
        fail(Phrase("E-AP-0006", {"number": number}).text(language))
    return text


def _time(ns: int, plant: Plant) -> str:
    return datetime.fromtimestamp(ns / 1e9, plant.gateway.zone).isoformat(timespec="seconds")
