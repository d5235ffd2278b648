"""`wanglian review`: tags that are read otherwise than before, shown and released."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from config.glob import Glob, glob_pattern
from config.problems import Language
from connectors import SystemClock
from gateway.console import AsJson, Lang, PlantFile, data_dir, fail, load, print_json, print_table, say
from gateway.review import REVIEW, Held, Reviews
from gateway.sqlite import NewerFormat

Accept = Annotated[
    bool, typer.Option("--accept", help="Release what is shown: it was looked at. 核对无误，放行。")
]
Only = Annotated[str | None, typer.Option("--tag", help="Only tags whose path matches. 只看路径匹配的测点。")]


def review(
    plant_file: PlantFile,
    *,
    accept: Accept = False,
    tag: Only = None,
    lang: Lang = None,
    as_json: AsJson = False,
) -> None:
    """Show tags read otherwise than before, held until accepted. 查看改了读法、待核对的测点。"""
    plant, language = load(plant_file, lang)
    directory = data_dir(plant_file, plant)
    held: list[Held] = []
    try:
        if (directory / REVIEW).exists():  # else nothing has run yet, and nothing waits
            held = _look(directory, glob_pattern(tag or "**"), accept=accept)
    except (sqlite3.Error, NewerFormat) as exc:
        fail(say(language, "store", reason=exc))
    if as_json:
        print_json([_as_dict(each) for each in held])
    else:
        titles = [say(language, f"review.{each}") for each in ("tag", "noticed", "change", "value")]
        print_table(titles, [(_cells(each, language), accept) for each in held])
        told = "review.accepted" if accept else "review.waiting"
        typer.echo(say(language, told, count=len(held)))
    raise typer.Exit(0 if accept or not held else 1)


def _look(directory: Path, wanted: Glob, *, accept: bool) -> list[Held]:
    with Reviews(directory, SystemClock()) as reviews:
        held = [each for each in reviews.held() if wanted.fullmatch(each.path)]
        if accept:
            reviews.accept([each.path for each in held])
    return held


def _cells(held: Held, language: Language) -> tuple[str, ...]:
    changes = [
        say(language, "review.read_as")
        if name == "read_as"
        else f"{name} {held.was[name]} → {held.now[name]}"
        for name in held.now
        if held.was[name] != held.now[name]
    ]
    return held.path, _time(held.noticed), ", ".join(changes), held.value or ""


def _as_dict(held: Held) -> dict[str, Any]:
    return {
        "tag": held.path,
        "noticed": _time(held.noticed),
        "was": held.was,
        "now": held.now,
        "value": held.value,
        "time": None if held.time is None else _time(held.time),
    }


def _time(ns: int) -> str:
    return datetime.fromtimestamp(ns / 1e9, UTC).isoformat(timespec="seconds")
