"""`wanglian browse`: what an OPC UA server has, for the eye or as lines of a plant file."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Annotated

import typer

from config.plant import Plant
from config.problems import Language, quote
from connectors import Browsable, Node, NotConnected, Source
from gateway.console import AsJson, Lang, PlantFile, data_dir, fail, load, say

COLUMNS = ("path", "type", "unit", "access", "node")
WIDTHS = (48, 10, 8, 18, 0)
DEVICE = "found"


def browse(
    plant_file: PlantFile,
    connection: Annotated[str, typer.Argument(help="Name of the OPC UA source. 采集源的名称。")],
    glob: Annotated[str, typer.Argument(help="Which, e.g. 'Plant/Line*/**/Temperature'. 浏览路径。")] = "**",
    *,
    most: Annotated[int, typer.Option(min=1, help="Stop after so many. 最多列出多少个。")] = 100_000,
    as_yaml: Annotated[
        bool, typer.Option("--yaml", help="Print tags for the plant file. 输出配置文件的变量行。")
    ] = False,
    lang: Lang = None,
    as_json: AsJson = False,
) -> None:
    """List what an OPC UA server has: path, type, unit, access. 列出 OPC UA 服务器有哪些变量。"""
    from gateway.logs import set_up_logging  # noqa: PLC0415

    plant, language = load(plant_file, lang)
    if connection not in plant.sources:
        names = ", ".join(plant.sources)
        fail(say(language, "browse.no_source", name=quote(connection), names=names))
    set_up_logging(as_json=False, verbose=False)
    source = _source(plant, data_dir(plant_file, plant), connection)
    if not isinstance(source, Browsable):
        fail(say(language, "browse.not_opcua", name=quote(connection)))
    write: Callable[[list[Node] | None, Language], None] = _yaml if as_yaml else _json if as_json else _table
    try:
        count = asyncio.run(_print(source.browse(glob, most), write, language))
    except ValueError:
        fail(say(language, "browse.no_glob", glob=quote(glob)))
    except NotConnected as exc:
        fail(str(exc))
    typer.echo(say(language, "browse.result", count=count), err=True)
    if count >= most:
        typer.echo(say(language, "browse.more", most=most), err=True)
    raise typer.Exit(0 if count else 1)


def _source(plant: Plant, directory: Path, connection: str) -> Source:
    from connectors import SystemClock, TagTable  # noqa: PLC0415
    from connectors.factory import build_source  # noqa: PLC0415  imports an OPC UA stack

    return build_source(
        connection,
        plant.sources[connection],
        gateway=plant.gateway.id,
        site=plant.gateway.site,
        tags=TagTable(),
        clock=SystemClock(),
        directory=directory,
    )


async def _print(
    pages: AsyncGenerator[list[Node], None],
    write: Callable[[list[Node] | None, Language], None],
    language: Language,
) -> int:
    """Print pages as they come, keeping none; return how many nodes there were."""
    count = 0
    async with aclosing(pages) as found:
        async for page in found:
            if not count:
                write(None, language)
            write(page, language)
            count += len(page)
    return count


def _table(nodes: list[Node] | None, language: Language) -> None:
    if nodes is None:
        titles = [say(language, f"browse.{column}") for column in COLUMNS]
        typer.echo(_line(titles))
        return
    for node in nodes:
        typer.echo(_line([node.path, node.type, node.unit, node.access, node.node]))


def _line(cells: list[str]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, WIDTHS, strict=True)).rstrip()


def _json(nodes: list[Node] | None, _: Language) -> None:
    for node in nodes or ():
        typer.echo(json.dumps(node._asdict(), ensure_ascii=False))


def _yaml(nodes: list[Node] | None, language: Language) -> None:
    if nodes is None:
        typer.echo(f"# {say(language, 'browse.paste')}\ndevices:\n  {DEVICE}:\n    tags:")
        return
    for node in nodes:
        unit = f", unit: {_quoted(node.unit)}" if node.unit and not node.unit.startswith("(") else ""
        # A node nobody may read stays a remark.
        remark = "" if "read" in node.access else "# "
        line = f"{_quoted(node.name)}: {{node: {_quoted(node.node)}{unit}}}  # {node.type} {node.unit}"
        typer.echo(f"      {remark}{line}".rstrip())


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
