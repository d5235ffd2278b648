"""`wanglian quarantine`: what a platform refused for good is listed, retried, exported, deleted."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from config.problems import Language
from gateway.buffer.contract import STORE
from gateway.buffer.quarantine import Quarantine
from gateway.cli_access import note
from gateway.console import AsJson, Lang, PlantFile, data_dir, fail, load, print_json, print_table, say

quarantine_app = typer.Typer(no_args_is_help=True, help="Rows a platform refused for good. 隔离区。")

Sink = Annotated[str | None, typer.Option(help="Only this sink's. 只看这个上报端。")]
Entries = Annotated[
    list[int] | None, typer.Option("--entry", help="Only these entries, by number. 只处理这些条目。")
]


@contextmanager
def _quarantine(plant_file: Path, lang: Language | None) -> Iterator[tuple[Quarantine, Language]]:
    plant, language = load(plant_file, lang)
    directory = data_dir(plant_file, plant) / STORE
    try:
        with Quarantine(directory) as quarantine:
            yield quarantine, language
    except FileNotFoundError:
        fail(say(language, "no_store", directory=directory))


@quarantine_app.command("list")
def quarantine_list(
    plant_file: PlantFile, *, sink: Sink = None, lang: Lang = None, as_json: AsJson = False
) -> None:
    """Show what was refused, why and when. 查看被拒收的数据和原因。"""
    with _quarantine(plant_file, lang) as (quarantine, language):
        entries = [
            {
                "entry": entry.id,
                "sink": entry.sink,
                "refused": datetime.fromtimestamp(entry.noted / 1e9, UTC).isoformat(timespec="seconds"),
                "rows": len(entry.delivery.batch),
                "reason": entry.reason,
            }
            for entry in quarantine.list(sink)
        ]
    if as_json:
        print_json(entries)
        return
    titles = ("entry", "sink", "refused", "rows", "reason")
    rows = [([str(entry[title]) for title in titles], True) for entry in entries]
    print_table([say(language, f"quarantine.{title}") for title in titles], rows)


@quarantine_app.command("retry")
def quarantine_retry(
    plant_file: PlantFile, *, sink: Sink = None, entry: Entries = None, lang: Lang = None
) -> None:
    """Send again, now or when the gateway runs next. 重新发送。"""
    with _quarantine(plant_file, lang) as (quarantine, language):
        rows = quarantine.retry(sink, entry)
        typer.echo(say(language, "quarantine.marked", rows=rows))


@quarantine_app.command("export")
def quarantine_export(plant_file: PlantFile, *, sink: Sink = None, lang: Lang = None) -> None:
    """Print the refused rows as JSON lines. 以 JSON 行导出。"""
    with _quarantine(plant_file, lang) as (quarantine, _):
        for line in quarantine.export(sink):
            sys.stdout.write(line.decode() + "\n")


@quarantine_app.command("delete")
def quarantine_delete(
    plant_file: PlantFile,
    *,
    sink: Sink = None,
    entry: Entries = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask. 不再询问。")] = False,
    lang: Lang = None,
) -> None:
    """Forget refused rows for ever. 永久删除。"""
    with _quarantine(plant_file, lang) as (quarantine, language):
        if not yes:
            typer.confirm(say(language, "quarantine.sure"), abort=True)
        plant, _ = load(plant_file, lang)
        note(data_dir(plant_file, plant), language, "quarantine.deleted", sink=sink, entries=entry)
        rows = quarantine.delete(sink, entry)
        typer.echo(say(language, "quarantine.deleted", rows=rows))
