"""The `wanglian` command: parses arguments, prints, decides nothing."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from config.load import load_plant
from config.plant import Plant
from config.problems import ConfigurationError, Language, Phrase, default_language
from config.schema import plant_schema

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Wanglian 网联: read the equipment, keep the data safe, forward it. 采集、落盘、上报。",
)
quarantine_app = typer.Typer(no_args_is_help=True, help="Rows a platform refused for good. 隔离区。")
app.add_typer(quarantine_app, name="quarantine")
out = Console()
err = Console(stderr=True)

PlantFile = Annotated[Path, typer.Argument(help="Plant file, YAML. 工厂配置文件。", metavar="PLANT")]
Lang = Annotated[
    Literal["zh", "en"] | None, typer.Option("--lang", help="Language of messages; the locale's by default.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def main() -> None:
    """Run the command line."""
    app()


def _say(language: Language, key: str, **args: object) -> str:
    return Phrase(f"cli.{key}", args).text(language)


def _load(path: Path, language: Language) -> Plant:
    try:
        return load_plant(path, language=language)
    except ConfigurationError as exc:
        for problem in exc.problems:
            err.print(problem.render(language), soft_wrap=True, markup=False, highlight=False)
        err.print(_say(language, "mistakes", count=len(exc.problems)), style="red")
        raise typer.Exit(2) from exc


def _data_dir(path: Path, plant: Plant) -> Path:
    return (path.resolve().parent / plant.gateway.data_dir).resolve()


@app.command()
def check(plant_file: PlantFile, *, lang: Lang = None, as_json: AsJson = False) -> None:
    """Report every mistake of a plant file at once. 一次报出配置文件的全部错误。"""
    language = lang or default_language()
    if as_json:
        try:
            load_plant(plant_file, language=language)
            problems = []
        except ConfigurationError as exc:
            problems = list(exc.problems)
        out.print_json(json.dumps([p.as_dict(language) for p in problems], ensure_ascii=False))
        raise typer.Exit(2 if problems else 0)
    plant = _load(plant_file, language)
    tags = sum(
        len(list(device.tags)) for source in plant.sources.values() for device in source.devices.values()
    )
    devices = sum(len(source.devices) for source in plant.sources.values())
    out.print(_say(language, "fine", file=plant_file, sources=len(plant.sources), devices=devices, tags=tags))


@app.command()
def run(
    plant_file: PlantFile,
    *,
    lang: Lang = None,
    json_logs: Annotated[bool, typer.Option(help="Log JSON lines.")] = False,
    verbose: Annotated[bool, typer.Option(help="Log every batch.")] = False,
) -> None:
    """Collect, keep and forward until stopped. 采集、落盘、上报，直到停止。"""
    from gateway.logs import set_up_logging  # noqa: PLC0415  what `check` does not need, it does not import
    from gateway.runtime import Gateway, default_loop  # noqa: PLC0415

    language = lang or default_language()
    plant = _load(plant_file, language)
    set_up_logging(as_json=json_logs, verbose=verbose)
    gateway = Gateway(plant, _data_dir(plant_file, plant))

    async def until_stopped() -> None:
        stop = asyncio.Event()
        _stop_on_signal(stop)
        await gateway.run(stop)

    with asyncio.Runner(loop_factory=default_loop()) as runner:
        runner.run(until_stopped())


def _stop_on_signal(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    if os.name == "posix":
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
    else:
        for number in (signal.SIGINT, signal.SIGBREAK):  # type: ignore[attr-defined,unused-ignore]
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))


@app.command()
def probe(plant_file: PlantFile, *, lang: Lang = None, as_json: AsJson = False) -> None:
    """Read every device once: value, unit, quality, latency. 每台设备读一次。"""
    from gateway.probe import probe_plant  # noqa: PLC0415

    language = lang or default_language()
    plant = _load(plant_file, language)
    readings = asyncio.run(probe_plant(plant))
    if as_json:
        out.print_json(json.dumps([reading.as_dict() for reading in readings], ensure_ascii=False))
    else:
        titles = ("device", "tag", "value", "unit", "quality", "latency")
        table = Table(*(_say(language, f"probe.{title}") for title in titles))
        for reading in readings:
            table.add_row(*reading.cells(), style=None if reading.is_good else "red")
        out.print(table)
        bad = sum(not reading.is_good for reading in readings)
        out.print(_say(language, "probe.result", good=len(readings) - bad, bad=bad))
    raise typer.Exit(0 if readings and all(reading.is_good for reading in readings) else 1)


@app.command()
def schema() -> None:
    """Print the JSON Schema of the plant file, for editors. 输出配置文件的 JSON Schema。"""
    sys.stdout.write(json.dumps(plant_schema(), ensure_ascii=False, indent=2) + "\n")
