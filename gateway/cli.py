"""The `wanglian` command: parses arguments, prints, decides nothing."""

import asyncio
import sqlite3
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from config.base import parse_duration
from config.library import Library
from config.load import read_plant
from config.plant import Plant
from config.problems import Language, Phrase, default_language, quote
from config.reading.advice import near
from config.schema import plant_schema
from gateway.buffer.contract import StoreFailed
from gateway.cli_alarms import alarms
from gateway.cli_audit import audit_app
from gateway.cli_backup import backup, restore
from gateway.cli_browse import browse
from gateway.cli_certificates import certificates_app
from gateway.cli_config import config_app
from gateway.cli_contract import contract
from gateway.cli_energy import energy_app
from gateway.cli_evidence import evidence_
from gateway.cli_factors import factors
from gateway.cli_invoice import invoice
from gateway.cli_lab import lab_app
from gateway.cli_ledger import ledger
from gateway.cli_quarantine import quarantine_app
from gateway.cli_report import report
from gateway.cli_review import review
from gateway.cli_support import support
from gateway.cli_tariffs import tariffs
from gateway.cli_token import token_app
from gateway.cli_user import user_app
from gateway.console import (
    AsJson,
    Lang,
    PlantFile,
    data_dir,
    data_to_run_on,
    fail,
    last_good,
    load,
    print_json,
    print_table,
    say,
    stop_on_signal,
    usable,
)
from gateway.sqlite import NewerFormat

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Wanglian 网联: read the equipment, keep the data safe, forward it. 采集、落盘、上报。",
)
app.add_typer(quarantine_app, name="quarantine")
app.add_typer(certificates_app, name="certificates")
app.add_typer(user_app, name="user")
app.add_typer(token_app, name="token")
app.add_typer(audit_app, name="audit")
app.add_typer(config_app, name="config")
app.command()(browse)
app.command()(contract)
app.command()(tariffs)
app.command()(factors)
energy_app.command()(invoice)
app.add_typer(energy_app, name="energy")
app.command("evidence")(evidence_)
app.command()(backup)
app.command()(restore)
app.command()(support)
app.add_typer(lab_app, name="lab")
app.command()(report)
app.command()(review)
app.command()(ledger)
app.command()(alarms)


def main() -> None:
    """Run the command line."""
    app()


@app.command()
def check(plant_file: PlantFile, *, lang: Lang = None, as_json: AsJson = False) -> None:
    """Report every mistake of a plant file at once. 一次报出配置文件的全部错误。"""
    from gateway.forecast import foretold  # noqa: PLC0415

    outcome = foretold(read_plant(plant_file))
    if as_json:
        print_json([problem.as_dict(lang or default_language()) for problem in outcome.problems])
        raise typer.Exit(0 if outcome.plant else 2)
    plant, language = usable(outcome, lang)
    if plant.page.enabled and plant.page.is_beyond:
        _must_have_user(data_dir(plant_file, plant), plant.page.listen, language)
    devices = [device for source in plant.sources.values() for device in source.devices.values()]
    tags = sum(tag.count for device in devices for tag in device.tags.values())
    counts = {"sources": len(plant.sources), "devices": len(devices), "tags": tags, "sinks": len(plant.sinks)}
    typer.echo(say(language, "fine", file=plant_file, **counts))


def _must_have_user(directory: Path, listen: str, language: Language) -> None:
    from gateway.security import House  # noqa: PLC0415

    with House(directory) as house:
        if not house.has_users():
            typer.secho(say(language, "page_needs_user", listen=listen), fg="red", err=True)
            raise typer.Exit(2)


@app.command()
def plan(
    plant_file: PlantFile,
    *,
    delay: Annotated[
        str | None, typer.Option(help="As if every device took so long to answer. 假定的应答用时。")
    ] = None,
    lang: Lang = None,
) -> None:
    """Print every request that will be sent, and how long a cycle takes. 列出每个请求和一轮所需时间。"""
    from connectors.factory import describe_source  # noqa: PLC0415
    from gateway.forecast import cycles  # noqa: PLC0415

    plant, language = load(plant_file, lang)
    try:
        waits = None if delay is None else parse_duration(delay)
    except ValueError as exc:
        raise typer.BadParameter(str(exc), param_hint="--delay") from exc
    for name, source in plant.sources.items():
        for line in describe_source(name, source):
            typer.echo(line.text(language))
    for name, load_, needed, asked in cycles(plant, waits):
        told = "cycle_too_long" if load_ > 1 else "cycle"
        typer.echo(say(language, told, source=name, needed=needed, asked=asked))


@app.command()
def run(
    plant_file: PlantFile,
    *,
    lang: Lang = None,
    json_logs: Annotated[bool, typer.Option(help="Log JSON lines. 日志写成 JSON 行。")] = False,
    verbose: Annotated[bool, typer.Option(help="Log every batch. 记录每个批次。")] = False,
) -> None:
    """Collect, keep and forward until stopped. 采集、落盘、上报，直到停止。"""
    from gateway.logs import set_up_logging  # noqa: PLC0415  what `check` does not need, it does not import
    from gateway.memory import share_one_heap  # noqa: PLC0415
    from gateway.runtime import Gateway, default_loop  # noqa: PLC0415

    share_one_heap()
    plant, language, directory, instead = _plant_to_run(plant_file, lang)
    set_up_logging(as_json=json_logs, verbose=verbose)
    gateway = Gateway(plant, directory, plant_file=plant_file.absolute())
    if instead is not None:
        gateway.runs_last_good(*instead)

    async def until_stopped() -> None:
        stop = asyncio.Event()
        stop_on_signal(stop)
        await gateway.run(stop)

    try:
        with asyncio.Runner(loop_factory=default_loop()) as runner:
            runner.run(until_stopped())
    except (StoreFailed, NewerFormat) as exc:
        fail(say(language, "store", reason=exc))
    except OSError as exc:
        fail(say(language, "port", port=plant.gateway.http_port, reason=exc.strerror or exc))


@app.command()
def probe(
    plant_file: PlantFile,
    *,
    ways: Annotated[
        str | None,
        typer.Option(
            metavar="DEVICE/TAG",
            help="One Modbus value, in every type and byte order. 一个 Modbus 值的各种类型和字节序。",
        ),
    ] = None,
    lang: Lang = None,
    as_json: AsJson = False,
) -> None:
    """Read every device once: value, unit, quality, latency. 每台设备读一次。"""
    from gateway.logs import set_up_logging  # noqa: PLC0415
    from gateway.probe import probe_plant  # noqa: PLC0415
    from gateway.ways import NoWays, in_every_way, sensible  # noqa: PLC0415

    plant, language = load(plant_file, lang)
    if ways is not None:
        try:
            plant = in_every_way(plant, ways)
        except NoWays:
            fail(say(language, "probe.no_ways", name=ways))
    set_up_logging(as_json=False, verbose=False)
    try:
        readings = asyncio.run(probe_plant(plant, data_dir(plant_file, plant)))
    except (sqlite3.Error, NewerFormat) as exc:
        fail(say(language, "store", reason=exc))
    if ways is not None:
        readings = sensible(plant, readings, language)
    if as_json:
        print_json([reading.as_dict() for reading in readings])
    else:
        titles = [
            say(language, f"probe.{each}")
            for each in ("device", "tag", "value", "unit", "quality", "latency")
        ]
        print_table(titles, [(reading.cells(language), reading.is_good) for reading in readings])
        bad = sum(not reading.is_good for reading in readings)
        typer.echo(say(language, "probe.result", good=len(readings) - bad, bad=bad))
        if held := sum(reading.held for reading in readings):
            typer.echo(say(language, "probe.held", count=held))
    raise typer.Exit(0 if readings and all(reading.is_good for reading in readings) else 1)


@app.command()
def schema() -> None:
    """Print the JSON Schema of the plant file, for editors. 输出配置文件的 JSON Schema。"""
    print_json(plant_schema())


@app.command()
def devices(
    name: Annotated[
        str | None, typer.Argument(help="Explain this one, e.g. eastron/sdm630. 详细说明。")
    ] = None,
    *,
    library: Annotated[
        Path | None, typer.Option(help="Your own templates too: their folder. 自有模板目录。")
    ] = None,
    lang: Lang = None,
    as_json: AsJson = False,
) -> None:
    """List the device templates, or explain one. 列出设备模板，或说明其中一个。"""
    from gateway.devices import LIST_COLUMNS, cells, summaries  # noqa: PLC0415

    language, templates = lang or default_language(), Library(library)
    if name is not None:
        _explain(name, templates, language, as_json=as_json)
        return
    rows = summaries(templates, language)
    if as_json:
        print_json(rows)
        return
    titles = [say(language, f"devices.{column}") for column in LIST_COLUMNS]
    print_table(titles, [(cells(row, language), True) for row in rows])


def _explain(name: str, templates: Library, language: Language, *, as_json: bool) -> None:
    from gateway.devices import TAG_COLUMNS, explanation, facts, tag_rows  # noqa: PLC0415

    reading = templates.read(name)
    if reading is None:
        fail(say(language, "devices.none", name=quote(name), advice=near(name, tuple(templates.names()))))
    for problem in reading.problems:
        typer.echo(problem.render(language), err=True)
    if reading.template is None or reading.problems:
        raise typer.Exit(2)
    if as_json:
        print_json(explanation(name, reading.template))
        return
    for key, text in facts(reading.template, language):
        typer.echo(f"{say(language, f'devices.{key}')}: {text}")
    titles = [say(language, f"devices.{column}") for column in TAG_COLUMNS]
    print_table(titles, [(row, True) for row in tag_rows(reading.template, language)])


def _plant_to_run(plant_file: Path, lang: Lang) -> tuple[Plant, Language, Path, tuple[str, int] | None]:
    """Return plant, language, data directory; and why which version runs, where the file itself does not."""
    outcome = read_plant(plant_file)
    found = None if outcome.plant else last_good(plant_file, outcome, lang)
    if found is None:
        plant, language = usable(outcome, lang)
        return plant, language, data_to_run_on(plant_file, plant, language), None
    plant, language = found.plant, lang or found.plant.gateway.language or default_language()
    for problem in outcome.problems:
        typer.echo(problem.render(language), err=True)
    time = datetime.fromtimestamp(found.version.time / 1e9, plant.gateway.zone).isoformat(" ", "minutes")
    count = sum(problem.severity == "error" for problem in outcome.problems)
    told = {"file": plant_file.name, "count": count, "version": found.version.number, "time": time}
    typer.secho(say(language, "run.last_good", **told), fg="red", err=True)
    why = Phrase("cli.run.last_good", told).text("en")
    return plant, language, found.directory, (why, found.version.number)
