"""The `wanglian` command: parses arguments, prints, decides nothing."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer

from config.library import Library
from config.load import read_plant
from config.plant import Plant
from config.problems import Language, Phrase, default_language, quote
from config.reading.advice import near
from config.schema import plant_schema
from gateway.buffer.contract import STORE, StoreFailed
from gateway.buffer.quarantine import Quarantine
from gateway.sqlite import NewerFormat

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Wanglian 网联: read the equipment, keep the data safe, forward it. 采集、落盘、上报。",
)
quarantine_app = typer.Typer(no_args_is_help=True, help="Rows a platform refused for good. 隔离区。")
app.add_typer(quarantine_app, name="quarantine")
certificates_app = typer.Typer(no_args_is_help=True, help="Which OPC UA servers are trusted. 服务器证书。")
app.add_typer(certificates_app, name="certificates")

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


def _load(path: Path, lang: Language | None) -> tuple[Plant, Language]:
    """Return the plant and the language to speak: asked for, else the plant's own, else the machine's."""
    outcome = read_plant(path)
    own = outcome.plant.gateway.language if outcome.plant else None
    language = lang or own or default_language()
    for problem in outcome.problems:
        typer.echo(problem.render(language), err=True)
    if outcome.plant is None:
        errors = sum(problem.severity == "error" for problem in outcome.problems)
        typer.secho(_say(language, "mistakes", count=errors), fg="red", err=True)
        raise typer.Exit(2)
    return outcome.plant, language


def _data_dir(path: Path, plant: Plant) -> Path:
    return (path.resolve().parent / plant.gateway.data_dir).resolve()


@app.command()
def check(plant_file: PlantFile, *, lang: Lang = None, as_json: AsJson = False) -> None:
    """Report every mistake of a plant file at once. 一次报出配置文件的全部错误。"""
    if as_json:
        outcome = read_plant(plant_file)
        _print_json([problem.as_dict(lang or default_language()) for problem in outcome.problems])
        raise typer.Exit(0 if outcome.plant else 2)
    plant, language = _load(plant_file, lang)
    devices = [device for source in plant.sources.values() for device in source.devices.values()]
    tags = sum(tag.count for device in devices for tag in device.tags.values())
    counts = {"sources": len(plant.sources), "devices": len(devices), "tags": tags, "sinks": len(plant.sinks)}
    typer.echo(_say(language, "fine", file=plant_file, **counts))


@app.command()
def plan(plant_file: PlantFile, *, lang: Lang = None) -> None:
    """Print every request that will be sent, with sizes and gaps. 列出将要发出的每个请求。"""
    from connectors.factory import describe_source  # noqa: PLC0415

    for name, source in _load(plant_file, lang)[0].sources.items():
        for line in describe_source(name, source):
            typer.echo(line)


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

    plant, language = _load(plant_file, lang)
    set_up_logging(as_json=json_logs, verbose=verbose)
    gateway = Gateway(plant, _data_dir(plant_file, plant))

    async def until_stopped() -> None:
        stop = asyncio.Event()
        _stop_on_signal(stop)
        await gateway.run(stop)

    try:
        with asyncio.Runner(loop_factory=default_loop()) as runner:
            runner.run(until_stopped())
    except (StoreFailed, NewerFormat) as exc:
        _fail(_say(language, "store", reason=exc))
    except OSError as exc:
        _fail(_say(language, "port", port=plant.gateway.http_port, reason=exc.strerror or exc))


def _fail(message: str) -> NoReturn:
    typer.secho(message, fg="red", err=True)
    raise typer.Exit(1)


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
    from gateway.logs import set_up_logging  # noqa: PLC0415
    from gateway.probe import probe_plant  # noqa: PLC0415

    plant, language = _load(plant_file, lang)
    set_up_logging(as_json=False, verbose=False)
    readings = asyncio.run(probe_plant(plant, _data_dir(plant_file, plant)))
    if as_json:
        _print_json([reading.as_dict() for reading in readings])
    else:
        titles = [
            _say(language, f"probe.{each}")
            for each in ("device", "tag", "value", "unit", "quality", "latency")
        ]
        _print_table(titles, [(reading.cells(), reading.is_good) for reading in readings])
        bad = sum(not reading.is_good for reading in readings)
        typer.echo(_say(language, "probe.result", good=len(readings) - bad, bad=bad))
    raise typer.Exit(0 if readings and all(reading.is_good for reading in readings) else 1)


@app.command()
def schema() -> None:
    """Print the JSON Schema of the plant file, for editors. 输出配置文件的 JSON Schema。"""
    _print_json(plant_schema())


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
        _print_json(rows)
        return
    titles = [_say(language, f"devices.{column}") for column in LIST_COLUMNS]
    _print_table(titles, [(cells(row, language), True) for row in rows])


def _explain(name: str, templates: Library, language: Language, *, as_json: bool) -> None:
    from gateway.devices import TAG_COLUMNS, explanation, facts, tag_rows  # noqa: PLC0415

    reading = templates.read(name)
    if reading is None:
        _fail(_say(language, "devices.none", name=quote(name), advice=near(name, tuple(templates.names()))))
    for problem in reading.problems:
        typer.echo(problem.render(language), err=True)
    if reading.template is None or reading.problems:
        raise typer.Exit(2)
    if as_json:
        _print_json(explanation(name, reading.template))
        return
    for key, text in facts(reading.template, language):
        typer.echo(f"{_say(language, f'devices.{key}')}: {text}")
    titles = [_say(language, f"devices.{column}") for column in TAG_COLUMNS]
    _print_table(titles, [(row, True) for row in tag_rows(reading.template, language)])


Sink = Annotated[str | None, typer.Option(help="Only this sink's. 只看这个上报端。")]
Entries = Annotated[
    list[int] | None, typer.Option("--entry", help="Only these entries, by number. 只处理这些条目。")
]


@contextmanager
def _quarantine(plant_file: Path, lang: Language | None) -> Iterator[tuple[Quarantine, Language]]:
    plant, language = _load(plant_file, lang)
    directory = _data_dir(plant_file, plant) / STORE
    try:
        with Quarantine(directory) as quarantine:
            yield quarantine, language
    except FileNotFoundError:
        _fail(_say(language, "no_store", directory=directory))


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
        _print_json(entries)
        return
    titles = ("entry", "sink", "refused", "rows", "reason")
    rows = [([str(entry[title]) for title in titles], True) for entry in entries]
    _print_table([_say(language, f"quarantine.{title}") for title in titles], rows)


@quarantine_app.command("retry")
def quarantine_retry(
    plant_file: PlantFile, *, sink: Sink = None, entry: Entries = None, lang: Lang = None
) -> None:
    """Send again, now or when the gateway runs next. 重新发送。"""
    with _quarantine(plant_file, lang) as (quarantine, language):
        rows = quarantine.retry(sink, entry)
        typer.echo(_say(language, "quarantine.marked", rows=rows))


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
            typer.confirm(_say(language, "quarantine.sure"), abort=True)
        rows = quarantine.delete(sink, entry)
        typer.echo(_say(language, "quarantine.deleted", rows=rows))


Thumbprint = Annotated[str, typer.Argument(help="Beginning of the thumbprint. 指纹的开头几位。")]


@certificates_app.command("list")
def certificates_list(plant_file: PlantFile, *, lang: Lang = None, as_json: AsJson = False) -> None:
    """Show the certificates servers have shown. 查看服务器出示过的证书。"""
    from connectors.factory import trusted_servers  # noqa: PLC0415  imports an OPC UA stack

    plant, language = _load(plant_file, lang)
    entries = [
        {
            "folder": entry.folder,
            "thumbprint": entry.thumbprint,
            "name": entry.name,
            "valid_until": f"{entry.valid_until:%Y-%m-%d}",
        }
        for entry in trusted_servers(_data_dir(plant_file, plant)).entries()
    ]
    if as_json:
        _print_json(entries)
        return
    titles = ("folder", "thumbprint", "name", "valid_until")
    rows = [([entry[title] for title in titles], entry["folder"] == "trusted") for entry in entries]
    _print_table([_say(language, f"certificates.{title}") for title in titles], rows)


@certificates_app.command("trust")
def certificates_trust(plant_file: PlantFile, thumbprint: Thumbprint, *, lang: Lang = None) -> None:
    """Trust a server; compare the whole thumbprint first. 信任一台服务器，先核对完整指纹。"""
    _move_certificate(plant_file, thumbprint, "trusted", lang)


@certificates_app.command("reject")
def certificates_reject(plant_file: PlantFile, thumbprint: Thumbprint, *, lang: Lang = None) -> None:
    """Trust a server no longer, from its next connection on. 不再信任，从下次连接起。"""
    _move_certificate(plant_file, thumbprint, "rejected", lang)


def _move_certificate(
    plant_file: Path, prefix: str, to: Literal["trusted", "rejected"], lang: Language | None
) -> None:
    from connectors.factory import trusted_servers  # noqa: PLC0415  imports an OPC UA stack

    plant, language = _load(plant_file, lang)
    found = trusted_servers(_data_dir(plant_file, plant)).move(prefix, to)
    if len(found) != 1:
        _fail(_say(language, "certificates.not_one", prefix=prefix, count=len(found)))
    typer.echo(_say(language, f"certificates.{to}", name=found[0].name, thumbprint=found[0].thumbprint))


def _print_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n")


def _print_table(titles: Sequence[str], rows: Iterable[tuple[Sequence[str], bool]]) -> None:
    from rich.console import Console  # noqa: PLC0415  4 MB a running gateway has no use for
    from rich.table import Table  # noqa: PLC0415

    table = Table(*titles)
    for cells, is_good in rows:
        table.add_row(*cells, style=None if is_good else "red")
    # A program behind a pipe, or a file, is as wide as the table.
    Console(width=None if sys.stdout.isatty() else 240).print(table)
