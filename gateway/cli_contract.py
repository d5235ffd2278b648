"""`wanglian contract`: what subscribers may rely on, as AsyncAPI 3 and JSON Schema."""

import json
import sqlite3
from pathlib import Path
from typing import Annotated

import typer
import yaml

from gateway.console import Lang, PlantFile, data_dir, fail, load, say

Out = Annotated[
    Path | None,
    typer.Option(
        "--out", help="Folder for asyncapi.yaml and a schema a message. 写入此目录。", metavar="DIR"
    ),
]


class _Plain(yaml.SafeDumper):
    """Write what is said twice twice: readers of contracts, ours too, refuse anchors."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002  none are wanted, whatever it is
        return True


def contract(plant_file: PlantFile, *, out: Out = None, lang: Lang = None) -> None:
    """Describe every topic and message to subscribers: AsyncAPI 3. 生成对下游的数据契约。"""
    from gateway.contracts import document, schemas, stored_tags  # noqa: PLC0415  numpy, for this alone

    plant, language = load(plant_file, lang)
    try:
        tags = stored_tags(data_dir(plant_file, plant), plant)
    except (sqlite3.Error, OSError):
        fail(say(language, "contract.never_run", file=plant_file))
    told = yaml.dump(
        document(plant, tags, language), Dumper=_Plain, allow_unicode=True, sort_keys=False, width=100
    )
    if out is None:
        typer.echo(told, nl=False)
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / "asyncapi.yaml").write_text(told, encoding="utf-8")
        for name, schema in schemas(plant, tags).items():
            text = json.dumps(schema, ensure_ascii=False, indent=2) + "\n"
            (out / f"{name}.schema.json").write_text(text, encoding="utf-8")
    except OSError as exc:
        fail(say(language, "contract.not_written", folder=out, reason=exc.strerror or exc))
    typer.echo(say(language, "contract.written", folder=out, tags=len(tags.active())))
