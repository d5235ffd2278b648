"""What every command needs: the plant file and its language, messages, tables, JSON."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

from config.load import Outcome, read_plant
from config.plant import Plant
from config.problems import Language, Phrase, default_language

if TYPE_CHECKING:
    from gateway.reload.last_good import LastGood

PlantFile = Annotated[Path, typer.Argument(help="Plant file, YAML. 工厂配置文件。", metavar="PLANT")]
Lang = Annotated[
    Literal["zh", "en"] | None,
    typer.Option("--lang", help="Language of messages; the locale's by default. 消息的语言。"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs. 供程序读取。")]


def say(language: Language, key: str, **args: object) -> str:
    """Return a message of the command line."""
    return Phrase(f"cli.{key}", args).text(language)


def load(path: Path, lang: Language | None) -> tuple[Plant, Language]:
    """Return the plant and the language to speak: asked for, else the plant's own, else the machine's."""
    return usable(read_plant(path), lang)


def usable(outcome: Outcome, lang: Language | None) -> tuple[Plant, Language]:
    """Do the same for a file that was read: say what is wrong with it, end where it can't be used."""
    own = outcome.plant.gateway.language if outcome.plant else None
    language = lang or own or default_language()
    for problem in outcome.problems:
        typer.echo(problem.render(language), err=True)
    if outcome.plant is None:
        errors = sum(problem.severity == "error" for problem in outcome.problems)
        typer.secho(say(language, "mistakes", count=errors), fg="red", err=True)
        raise typer.Exit(2)
    return outcome.plant, language


def last_good(path: Path, outcome: Outcome, lang: Language | None) -> "LastGood | None":
    """Return what ran last of a file that can't be used; end where what is kept is another's."""
    from gateway.reload.applying import Refused  # noqa: PLC0415  sqlite, for a broken file alone
    from gateway.reload.last_good import last_good as find  # noqa: PLC0415

    try:
        return find(path)
    except Refused as refused:
        language = lang or default_language()
        for problem in outcome.problems:
            typer.echo(problem.render(language), err=True)
        fail(f"{refused.phrase.text(language)} [{refused.code}]")


def data_dir(path: Path, plant: Plant) -> Path:
    """Return where the gateway of this plant file keeps everything."""
    return (path.resolve().parent / plant.gateway.data_dir).resolve()


def data_to_run_on(path: Path, plant: Plant, language: Language) -> Path:
    """Return the same, or end where it holds another plant's data: streams and books would be mixed."""
    from gateway.reload import Refused  # noqa: PLC0415  sqlite, for who runs alone
    from gateway.reload.last_good import refuse_anothers  # noqa: PLC0415

    directory = data_dir(path, plant)
    try:
        refuse_anothers(path, plant.gateway.id, directory)
    except Refused as refused:
        fail(f"{refused.phrase.text(language)} [{refused.code}]")
    return directory


def stop_on_signal(stop: asyncio.Event) -> None:
    """Set the event when the program is asked to end; in the running event loop."""
    loop = asyncio.get_running_loop()
    if os.name == "posix":
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
    else:
        for number in (signal.SIGINT, signal.SIGBREAK):  # type: ignore[attr-defined,unused-ignore]
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))


def fail(message: str) -> NoReturn:
    """Say why not, and end with 1."""
    typer.secho(message, fg="red", err=True)
    raise typer.Exit(1)


def print_json(value: object) -> None:
    """Print for programs."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n")


def print_table(titles: Sequence[str], rows: Iterable[tuple[Sequence[str], bool]]) -> None:
    """Print rows of cells; one that is not good is red."""
    from rich.console import Console  # noqa: PLC0415  4 MB a running gateway has no use for
    from rich.table import Table  # noqa: PLC0415

    table = Table(*titles)
    for cells, is_good in rows:
        table.add_row(*cells, style=None if is_good else "red")
    # A program behind a pipe, or a file, is as wide as the table.
    Console(width=None if sys.stdout.isatty() else 240).print(table)
