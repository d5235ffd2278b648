"""Making a backup: the data in the order of `snapshot`, then the plant file and what it refers to."""

import contextlib
import platform
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from config.version import wanglian_version
from gateway.backup.archive import ArchiveWriter, BackupFailed, LeftOut, Manifest, Progress
from gateway.backup.referred import Referred, holds_private_key, refer
from gateway.backup.snapshot import Overtaken, Target, add_history, add_log, first_seqs
from gateway.buffer.contract import STORE
from gateway.control import FILE as CONTROL
from gateway.security.files import USERS
from gateway.sqlite import connect_for_reading

HISTORY: Final = "history"
_TRIES: Final = 3
_OF_THE_PROCESS: Final = ("live",)
"""Folders that mean nothing once the gateway has ended."""
_DERIVED: Final = ("-wal", "-shm", ".bad", ".part")


@dataclass(frozen=True, slots=True)
class Made:
    """A finished archive."""

    manifest: Manifest
    size: int
    """Bytes of the archive."""


def make_backup(
    plant_file: Path,
    out: Path,
    *,
    with_secrets: bool = False,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Made:
    """Write one archive of a gateway, running or not; `progress` is told bytes done and about to do.

    Raises:
        BackupFailed: nothing was written; why, by code.
        ConfigurationError: the plant file is no YAML.
    """
    found = refer(plant_file)
    if out.exists():
        raise BackupFailed("E-BK-0003", file=out)
    for _ in range(_TRIES):
        try:
            return _attempt(found, out, _counting(_size(found), progress), with_secrets=with_secrets)
        except Overtaken:
            continue
        except sqlite3.Error as exc:
            raise BackupFailed("E-BK-0004", file=out, reason=exc) from exc
        except OSError as exc:
            raise BackupFailed("E-BK-0004", file=out, reason=exc.strerror or exc) from exc
    raise BackupFailed("E-BK-0005", what="buffer")


def _attempt(found: Referred, out: Path, progress: Progress, *, with_secrets: bool) -> Made:
    with (
        ArchiveWriter(out) as archive,
        tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as scratch,
    ):
        target = Target(archive, Path(scratch), progress)
        store = found.data_dir / STORE
        before = first_seqs(store)
        booked = add_history(found.data_dir / HISTORY, target)
        epoch = add_log(store, target, booked, before)
        left_out = [
            *_add_rest(found.data_dir, target, with_secrets=with_secrets),
            *_add_plant(found, target, with_secrets=with_secrets),
        ]
        manifest = Manifest(
            made=datetime.now(UTC).isoformat(timespec="seconds"),
            wanglian=wanglian_version(),
            python=platform.python_version(),
            system=f"{sys.platform} {platform.machine()}",
            gateway=found.gateway,
            plant_file=found.file.name,
            data_dir=_written(found.data_dir, found.file.parent),
            epoch=epoch,
            has_secrets=with_secrets,
            left_out=left_out,
        )
        return Made(manifest, archive.finish(manifest))


def _add_rest(data_dir: Path, target: Target, *, with_secrets: bool) -> Iterator[LeftOut]:
    """Copy what else lies in the data directory: certificates, whom a person trusts."""
    for file in _rest(data_dir):
        name = file.relative_to(data_dir).as_posix()
        if not with_secrets and (holds_private_key(file) or file.name.startswith("key.")):
            yield LeftOut("private_key", f"{data_dir.name}/{name}")
        elif not with_secrets and file.name == USERS:
            yield LeftOut("secret_file", f"{data_dir.name}/{name}")
        elif file.suffix == ".sqlite":
            with contextlib.closing(connect_for_reading(file, sealed=False)) as source:
                target.add_copy(f"data/{name}", source)
        else:
            target.add(f"data/{name}", file)


def _rest(data_dir: Path) -> Iterator[Path]:
    for file in sorted(data_dir.rglob("*")):
        inside = file.relative_to(data_dir)
        if (
            file.is_file()
            and not file.is_symlink()
            and inside.parts[0] not in (STORE, HISTORY, *_OF_THE_PROCESS)
            and not file.name.endswith(_DERIVED)
            and inside.as_posix() != CONTROL
        ):
            yield file


def _add_plant(found: Referred, target: Target, *, with_secrets: bool) -> Iterator[LeftOut]:
    folder, archive = found.file.parent, target.archive
    archive.add(f"plant/{found.file.name}", found.file, target.progress)
    private = [file for file in found.private if file not in found.certificates]
    wanted = [file for file in found.certificates if file != found.file]
    if with_secrets:
        wanted += [*private, *found.secrets]
    else:
        yield from (LeftOut("private_key", _written(file, folder)) for file in private)
        yield from (LeftOut("secret_file", _written(file, folder)) for file in found.secrets)
    for i, file in enumerate(dict.fromkeys(wanted)):
        if file.is_relative_to(folder):
            archive.add(f"plant/{file.relative_to(folder).as_posix()}", file, target.progress)
        else:
            archive.add(f"elsewhere/{i}/{file.name}", file, target.progress, origin=str(file))
    # What a variable holds is the service's, not a file of the plant: never copied.
    yield from (LeftOut("environment", name) for name in found.variables)
    yield from (LeftOut("missing", name) for name in found.missing)


def _written(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)


def _size(found: Referred) -> int:
    """Return about how many bytes there are to copy."""
    files = [found.file, *found.certificates, *found.private, *found.secrets]
    if found.data_dir.is_dir():
        files += [file for file in found.data_dir.rglob("*") if not file.name.endswith(_DERIVED)]
    total = 0
    for file in files:
        with contextlib.suppress(OSError):
            total += file.stat().st_size
    return total


def _counting(whole: int, progress: Callable[[int, int], None]) -> Progress:
    done = 0

    def count(more: int) -> None:
        nonlocal done
        done += more
        progress(done, max(whole, done))

    return count
