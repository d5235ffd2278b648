"""`wanglian backup` and `wanglian restore`: one archive of all a gateway is, and back."""

import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer

from config.problems import ConfigurationError, Language, Phrase, default_language
from gateway.backup import BackupFailed, make_backup, restore_backup
from gateway.backup.archive import LeftOut
from gateway.console import Lang, PlantFile, fail, say

_EVERY_S: Final = 1.0
_FIRST_AFTER_S: Final = 2.0
_WHAT: Final = ("private_key", "secret_file", "environment", "missing")


def backup(
    plant_file: PlantFile,
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="The archive to write, a zip. 备份文件。")],
    with_secrets: Annotated[
        bool, typer.Option("--with-secrets", help="Private keys and secret files too. 连同私钥和口令文件。")
    ] = False,
    lang: Lang = None,
) -> None:
    """Copy everything into one archive, while the gateway runs or not. 备份到一个文件，可在运行中进行。"""
    language = lang or default_language()
    if with_secrets:
        typer.secho(say(language, "backup.secrets"), fg="yellow", err=True)
    if hasattr(os, "nice"):
        os.nice(10)  # collection comes first
    with _Progress(language, "backup.progress") as progress:
        try:
            made = make_backup(plant_file, out, with_secrets=with_secrets, progress=progress)
        except BackupFailed as exc:
            _refuse(exc, language)
        except ConfigurationError as exc:
            for problem in exc.problems:
                typer.echo(problem.render(language), err=True)
            raise typer.Exit(2) from exc
    files, size = len(made.manifest.files), _mib(made.size)
    typer.echo(say(language, "backup.done", file=out, files=files, size=size))
    _tell_left_out(made.manifest.left_out, language)


def restore(
    archive: Annotated[Path, typer.Argument(help="The archive. 备份文件。", metavar="FILE")],
    *,
    into: Annotated[Path, typer.Option("--into", help="Folder for the plant file and its data. 目标目录。")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Move aside what is there. 把原有内容移到一旁。")
    ] = False,
    lang: Lang = None,
) -> None:
    """Prove an archive, then put everything back in one step. 校验备份，再一次性恢复。"""
    language = lang or default_language()
    logging.getLogger("gateway.buffer").setLevel(logging.ERROR)  # what is said below is enough
    with _Progress(language, "restore.progress") as progress:
        try:
            done = restore_backup(archive, into, replace=replace, progress=progress)
        except BackupFailed as exc:
            _refuse(exc, language)
    typer.echo(say(language, "restore.done", file=done.plant_file, directory=done.data_dir))
    if done.epoch:
        typer.echo(say(language, "restore.epoch", epoch=done.epoch))
    for path in done.aside:
        typer.echo(say(language, "restore.aside", path=path))
    for origin, path in done.elsewhere:
        typer.echo(say(language, "restore.elsewhere", origin=origin, path=path))
    _tell_left_out(done.manifest.left_out, language)


def _tell_left_out(left_out: list[LeftOut], language: Language) -> None:
    for what in _WHAT:
        names = [each.name for each in left_out if each.what == what]
        if names:
            typer.echo(say(language, f"left_out.{what}", names=names))


def _refuse(exc: BackupFailed, language: Language) -> NoReturn:
    fail(f"{Phrase(exc.code, exc.args_of_message).text(language)} [{exc.code}]")


def _mib(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"


class _Progress:
    """Tells how far it is, once it takes long: a terminal in one line, a log every ten seconds."""

    def __init__(self, language: Language, key: str) -> None:
        self._language, self._key = language, key
        self._is_terminal = sys.stderr.isatty()
        self._next = time.monotonic() + _FIRST_AFTER_S
        self._told = False

    def __enter__(self) -> Callable[[int, int], None]:
        return self._tell

    def __exit__(self, *_: object) -> None:
        if self._told and self._is_terminal:
            sys.stderr.write("\n")

    def _tell(self, done: int, whole: int) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _EVERY_S * (1 if self._is_terminal else 10)
        self._told = True
        share = 100 * done // max(1, whole)
        line = say(self._language, self._key, percent=share, done=_mib(done), whole=_mib(whole))
        sys.stderr.write(f"\r{line}  " if self._is_terminal else f"{line}\n")
        sys.stderr.flush()
