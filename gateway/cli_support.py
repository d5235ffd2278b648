"""`wanglian support`: one redacted archive to mail."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from config.problems import Phrase, default_language
from gateway.backup.archive import BackupFailed
from gateway.console import Lang, PlantFile, fail, say


def support(
    plant_file: PlantFile,
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="The archive to write, a zip. 诊断包文件。")],
    log: Annotated[
        str | None, typer.Option(help="The gateway's log file; - is standard input. 日志文件，- 为标准输入。")
    ] = None,
    values: Annotated[
        bool, typer.Option("--values", help="Every tag's newest value too. 连同各测点的最新值。")
    ] = False,
    lang: Lang = None,
) -> None:
    """Gather what a helper needs, without secrets. 打包诊断信息，不含口令。"""
    from gateway.support import make_support  # noqa: PLC0415  what `check` does not need, it does not import

    language = lang or default_language()
    try:
        text = None if log is None else sys.stdin.read() if log == "-" else _end_of(Path(log))
        names = make_support(plant_file, out, language=language, log=text, with_values=values)
    except OSError as exc:
        fail(say(language, "support.log", file=log, reason=exc.strerror or exc))
    except BackupFailed as exc:
        fail(f"{Phrase(exc.code, exc.args_of_message).text(language)} [{exc.code}]")
    typer.echo(say(language, "support.done", file=out, files=len(names)))
    if log is None:
        typer.echo(say(language, "support.no_log"))


def _end_of(file: Path) -> str:
    with file.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(max(0, size - 2**20))
        return stream.read().decode("utf-8", "replace")
