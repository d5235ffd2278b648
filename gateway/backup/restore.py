"""Restoring: all is proved, then written beside its place, given a new epoch, and only then renamed.

What stands in the way is an error, or moved aside when the operator says so. Until the last rename nothing
has changed; if that fails, the ones before are taken back.
"""

import asyncio
import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Final

from config.base import LARGEST_SIZE, LONGEST_DURATION_NS
from config.plant import BufferOptions
from gateway.backup.archive import ArchiveReader, BackupFailed, Manifest, Member
from gateway.buffer import DiskBuffer
from gateway.buffer.contract import STORE, StoreFailed
from gateway.buffer.identity import LOCK_NAME, StoreLock, fingerprint
from gateway.buffer.records import Changes
from gateway.buffer.state import NAME as STATE
from gateway.buffer.state import State
from gateway.sqlite import NewerFormat, sync_directory

_SPARE: Final = 16 * 2**20
"""Left free on the disk: what a start writes first."""
_KEEP_ALL: Final = BufferOptions().model_copy(
    update={"max_bytes": LARGEST_SIZE, "max_age": LONGEST_DURATION_NS, "min_free": 0}
)
"""What the log may hold is the plant file's to say, at the gateway's start and not here."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored, and where."""

    manifest: Manifest
    plant_file: Path
    data_dir: Path
    epoch: str
    """The new one; empty when the archive holds no log."""
    aside: tuple[Path, ...]
    """Where what was there lies now."""
    elsewhere: tuple[tuple[str, Path], ...]
    """Files from outside the plant file's folder: where they lay, and where they are now."""


@dataclass(frozen=True, slots=True)
class _Move:
    """A directory that is written beside its place."""

    stage: Path
    place: Path


def restore_backup(
    archive: Path,
    into: Path,
    *,
    replace: bool = False,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Restored:
    """Restore an archive into a directory; `progress` is told bytes done and to do, the proof included.

    Raises:
        BackupFailed: nothing has changed; why, by code.
    """
    into = into.absolute()
    with ArchiveReader(archive) as reader, contextlib.ExitStack() as at_end:
        manifest = reader.manifest
        whole, done = 2 * manifest.size, 0

        def count(more: int) -> None:
            nonlocal done
            done += more
            progress(done, whole)

        reader.verify(count)
        data_dir = _data_dir(manifest, into)
        places = [into] if data_dir.is_relative_to(into) else [into, data_dir]
        for place in places:
            _must_be_free(place, replace=replace)
        _must_not_be_used(data_dir)
        try:
            moves = [_Move(_stage_beside(place, at_end), place) for place in places]
            _must_fit(manifest, moves[-1].stage)
            for member in manifest.files:
                reader.extract(member, _staged(_place_of(member, into, data_dir), moves), count)
            epoch = _begin_epoch(_staged(data_dir, moves))
            for move in moves:
                _sync_all(move.stage)
            aside = _swap(moves)
        except OSError as exc:
            raise BackupFailed("E-BK-0023", place=into, reason=exc.strerror or exc) from exc
        elsewhere = tuple(
            (each.origin, _place_of(each, into, data_dir)) for each in manifest.files if each.origin
        )
        return Restored(manifest, into / manifest.plant_file, data_dir, epoch, aside, elsewhere)


def _data_dir(manifest: Manifest, into: Path) -> Path:
    named = Path(manifest.data_dir)
    if ".." in PurePosixPath(manifest.data_dir).parts:
        raise BackupFailed("E-BK-0011", file=manifest.data_dir, reason="the data would lie outside")
    return named if named.is_absolute() else into / named


def _place_of(member: Member, into: Path, data_dir: Path) -> Path:
    first, _, rest = member.name.partition("/")
    match first:
        case "plant":
            return into / rest
        case "data":
            return data_dir / rest
        case _:
            return into / member.name


def _staged(path: Path, moves: list[_Move]) -> Path:
    for move in reversed(moves):
        if path.is_relative_to(move.place):
            return move.stage / path.relative_to(move.place)
    raise BackupFailed("E-BK-0011", file=path, reason="a file would lie outside")


def _must_be_free(place: Path, *, replace: bool) -> None:
    if place.exists() and not place.is_dir():
        raise BackupFailed("E-BK-0021", place=place)
    if not place.is_dir() or not any(place.iterdir()):
        return
    if not replace:
        raise BackupFailed("E-BK-0021", place=place)
    for lock in [*place.glob(f"{STORE}/{LOCK_NAME}"), *place.glob(f"*/{STORE}/{LOCK_NAME}")]:
        _must_not_be_used(lock.parent.parent)


def _must_not_be_used(data_dir: Path) -> None:
    store = data_dir / STORE
    if not (store / LOCK_NAME).exists():
        return
    lock = StoreLock(store)
    try:
        lock.__enter__()
    except StoreFailed as exc:
        raise BackupFailed("E-BK-0020", place=data_dir) from exc
    except OSError as exc:
        raise BackupFailed("E-BK-0023", place=data_dir, reason=exc.strerror or exc) from exc
    # Only asked: Windows renames no directory in which a file is open.
    lock.__exit__(None, None, None)


def _stage_beside(place: Path, at_end: contextlib.ExitStack) -> Path:
    made = [each for each in (place.parent, *place.parent.parents) if not each.exists()]
    place.parent.mkdir(parents=True, exist_ok=True)
    stage = Path(tempfile.mkdtemp(prefix=f".{place.name}-restoring-", dir=place.parent))
    if place.is_dir():
        shutil.copymode(place, stage)

    def clear() -> None:
        if stage.exists():
            shutil.rmtree(stage, ignore_errors=True)
            for each in made:
                with contextlib.suppress(OSError):
                    each.rmdir()

    at_end.callback(clear)
    return stage


def _must_fit(manifest: Manifest, stage: Path) -> None:
    free = shutil.disk_usage(stage).free
    if free < manifest.size + _SPARE:
        raise BackupFailed(
            "E-BK-0022", place=stage.parent, needed=-(-(manifest.size + _SPARE) // 2**20), free=free // 2**20
        )


def _begin_epoch(data_dir: Path) -> str:
    """Open the restored log as the gateway will and begin an epoch; what was told keeps the old one.

    Raises:
        BackupFailed: the log can't be opened.
    """
    store = data_dir / STORE
    if not (store / STATE).exists():
        return ""
    try:
        with contextlib.closing(State(store / STATE)) as state:
            # Known as it lies here: the epoch below is for a reason of its own, and the only new one.
            state.save(Changes(meta={"host": fingerprint(store)}))
        return str(asyncio.run(_renew(store)))
    except (StoreFailed, NewerFormat, sqlite3.Error) as exc:
        raise BackupFailed("E-BK-0024", reason=exc) from exc


async def _renew(store: Path) -> object:
    async with DiskBuffer(store, _KEEP_ALL) as buffer:
        return await buffer.begin_new_epoch("restored from a backup")


def _sync_all(stage: Path) -> None:
    for folder in (*(each for each in stage.rglob("*") if each.is_dir()), stage):
        sync_directory(folder)


def _swap(moves: list[_Move]) -> tuple[Path, ...]:
    """Put the staged directories into their places, all or none; return where what was there lies now."""
    stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    aside: list[Path] = []
    with contextlib.ExitStack() as undo:
        for move in moves:
            if move.place.is_dir() and any(move.place.iterdir()):
                old = _unused(move.place.with_name(f"{move.place.name}.before-{stamp}"))
                move.place.rename(old)
                undo.callback(old.rename, move.place)
                aside.append(old)
            elif move.place.is_dir():
                move.place.rmdir()
                undo.callback(move.place.mkdir)
            move.stage.rename(move.place)
            undo.callback(move.place.rename, move.stage)
        undo.pop_all()
    for parent in {move.place.parent for move in moves}:
        sync_directory(parent)
    return tuple(aside)


def _unused(path: Path) -> Path:
    return next(each for each in _numbered(path) if not each.exists())


def _numbered(path: Path) -> Iterator[Path]:
    yield path
    number = 2
    while True:
        yield path.with_name(f"{path.name}-{number}")
        number += 1
