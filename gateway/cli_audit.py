"""`wanglian audit`: is the log of what everybody did whole, and what does it say."""

import sys
from typing import Annotated

import orjson
import typer

from gateway.cli_access import by_console, moment, opened
from gateway.console import AsJson, Lang, PlantFile, fail, print_json, say
from gateway.security.audit import entries, verify

audit_app = typer.Typer(no_args_is_help=True, help="The log of what everybody did. 审计日志。")


@audit_app.command("verify")
def audit_verify(
    plant_file: PlantFile,
    *,
    head: Annotated[
        str | None,
        typer.Option(help="NUMBER:HASH noted before: also shows a cut end. 此前记下的“编号:哈希”。"),
    ] = None,
    lang: Lang = None,
    as_json: AsJson = False,
) -> None:
    """Look whether an entry was changed, taken out or put in; print the last one's hash. 校验哈希链。"""
    number, _, hash_ = (head or "").partition(":")
    if head is not None and not (number.isdecimal() and len(hash_) == 64):
        raise typer.BadParameter("NUMBER:HASH", param_hint="--head")
    with opened(plant_file, lang) as (house, language):
        found = verify(house.directory, (int(number), hash_.lower()) if head else None)
    if as_json:
        print_json({"first": found.first, "last": found.last, "head": found.head, "wrong": found.wrong})
        raise typer.Exit(0 if found.is_whole else 1)
    if not found.is_whole:
        fail(say(language, "audit.broken", numbers=", ".join(map(str, found.wrong[:20]))))
    if found.last:
        told = {"first": found.first, "last": found.last, "head": f"{found.last}:{found.head}"}
        typer.echo(say(language, "audit.whole", **told))
    else:
        typer.echo(say(language, "audit.empty"))


@audit_app.command("export")
def audit_export(plant_file: PlantFile, *, lang: Lang = None) -> None:
    """Print every entry as a line of JSON, hashes included. 以 JSON 行导出，含哈希。"""
    with opened(plant_file, lang) as (house, _):
        by = by_console()
        house.audit.append(by.name, by.address, "audit.exported")
        for entry in entries(house.directory):
            told = entry.as_dict() | {"time": moment(entry.at)}
            sys.stdout.write(orjson.dumps(told).decode() + "\n")
