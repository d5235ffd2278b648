"""The archive: a zip whose last member, the manifest, names every other with its size and SHA-256.

Written beside its place and renamed when it is whole. The zip's comment is the manifest's own SHA-256, so a
flipped bit anywhere that is read shows. The hashes prove that nothing was damaged, not who wrote it.
"""

import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import IO, Any, Final, Self

from gateway.sqlite import sync_directory

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
_CHUNK: Final = 2**20
_DAMAGED: Final = (
    *(zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError),
    OSError,  # a flipped offset leads before the file's beginning
)
_LARGEST_MANIFEST: Final = 64 * 2**20
_LEVEL: Final = 1
"""Most of what is copied is packed already; a slow processor has collection to do."""

Progress = Callable[[int], None]
"""Told the bytes that were handled since it was last called."""


class BackupFailed(Exception):
    """No archive was made, or nothing was restored; the message is the catalogue's, by its code."""

    def __init__(self, code: str, **args: object) -> None:
        super().__init__(code, args)
        self.code, self.args_of_message = code, args


@dataclass(frozen=True, slots=True)
class Member:
    """One file of the archive."""

    name: str
    """Its path, with slashes: below `plant/`, `elsewhere/` or `data/`."""
    size: int
    sha256: str
    origin: str = ""
    """Where it lay, when that is outside the plant file's folder."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What the archive does not hold although the plant needs it."""

    what: str
    """secret_file, private_key, environment, missing"""
    name: str


@dataclass(slots=True)
class Manifest:
    """What the archive says of itself."""

    made: str
    """UTC, ISO 8601"""
    wanglian: str
    python: str
    system: str
    gateway: str
    plant_file: str
    data_dir: str
    """Relative to the plant file's folder with slashes, or absolute."""
    epoch: str
    """The newest of the log."""
    has_secrets: bool
    left_out: list[LeftOut] = field(default_factory=list)
    files: list[Member] = field(default_factory=list)
    format: int = FORMAT

    @property
    def size(self) -> int:
        """Return the bytes of all files, unpacked."""
        return sum(each.size for each in self.files)


class ArchiveWriter:
    """Writes `path`, which appears when `finish` returns; leaving without it leaves nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.with_name(f"{path.name}.part")
        self._members: list[Member] = []
        self._file: IO[bytes]
        self._zip: zipfile.ZipFile

    def __enter__(self) -> Self:
        """Begin; readable by us alone. OSError when it can't be."""
        self._part.unlink(missing_ok=True)
        handle = os.open(self._part, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        self._file = os.fdopen(handle, "w+b")
        self._zip = zipfile.ZipFile(self._file, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Remove what was not finished."""
        # Closing it would write a directory, for which a full disk has no room.
        self._zip.fp = None
        self._file.close()
        self._part.unlink(missing_ok=True)

    def add(self, name: str, source: Path, progress: Progress, origin: str = "") -> None:
        """Copy a file in; OSError when it can't be read or the archive not written."""
        with source.open("rb") as stream:
            digest, size = hashlib.sha256(), 0
            with self._zip.open(_info(name), "w", force_zip64=True) as target:
                while chunk := stream.read(_CHUNK):
                    digest.update(chunk)
                    size += len(chunk)
                    target.write(chunk)
                    progress(len(chunk))
        self._members.append(Member(name, size, digest.hexdigest(), origin))

    def finish(self, manifest: Manifest) -> int:
        """Write the manifest, sync, give the archive its name; return its size."""
        manifest.files = self._members
        text = json.dumps(asdict(manifest), ensure_ascii=False, indent=1).encode()
        self._zip.writestr(_info(MANIFEST), text)
        self._zip.comment = hashlib.sha256(text).hexdigest().encode()
        self._zip.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        size = self._file.tell()
        self._file.close()
        self._part.replace(self._path)
        sync_directory(self._path.parent)
        return size


class ArchiveReader:
    """An archive whose manifest is believed; BackupFailed when it can't be."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._zip: zipfile.ZipFile
        self.manifest: Manifest

    def __enter__(self) -> Self:
        """Open and read the manifest."""
        try:
            self._zip = zipfile.ZipFile(self._path)
        except OSError as exc:
            raise BackupFailed("E-BK-0010", file=self._path, reason=exc.strerror or exc) from exc
        except (zipfile.BadZipFile, ValueError) as exc:
            raise BackupFailed("E-BK-0011", file=self._path, reason=exc) from exc
        try:
            self.manifest = self._read_manifest()
        except BaseException:
            self._zip.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Close."""
        self._zip.close()

    def verify(self, progress: Progress) -> None:
        """Read every file and compare it with the manifest."""
        for member in self.manifest.files:
            digest, size = hashlib.sha256(), 0
            for chunk in self._chunks(member):
                digest.update(chunk)
                size += len(chunk)
                if size > member.size:
                    break
                progress(len(chunk))
            if (size, digest.hexdigest()) != (member.size, member.sha256):
                raise BackupFailed("E-BK-0012", file=self._path, member=member.name)

    def extract(self, member: Member, target: Path, progress: Progress) -> None:
        """Write one file, synced; OSError when the disk does not take it."""
        target.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        with os.fdopen(handle, "wb") as file:
            for chunk in self._chunks(member):
                file.write(chunk)
                progress(len(chunk))
            file.flush()
            os.fsync(file.fileno())

    def _chunks(self, member: Member) -> Iterator[bytes]:
        try:
            with self._zip.open(member.name) as stream:
                while chunk := stream.read(_CHUNK):
                    yield chunk
        except (*_DAMAGED, KeyError) as exc:
            raise BackupFailed("E-BK-0012", file=self._path, member=member.name) from exc

    def _read_manifest(self) -> Manifest:
        try:
            with self._zip.open(MANIFEST) as stream:
                text = stream.read(_LARGEST_MANIFEST)
            said: dict[str, Any] = json.loads(text)
            if said["format"] > FORMAT:
                raise BackupFailed("E-BK-0013", file=self._path, wanglian=said["wanglian"])
            if hashlib.sha256(text).hexdigest().encode() != self._zip.comment:
                raise BackupFailed("E-BK-0012", file=self._path, member=MANIFEST)
            files = [Member(**each) for each in said.pop("files")]
            left_out = [LeftOut(**each) for each in said.pop("left_out")]
            manifest = Manifest(**said, files=files, left_out=left_out)
        except (*_DAMAGED, KeyError, TypeError, ValueError, AttributeError) as exc:
            raise BackupFailed("E-BK-0011", file=self._path, reason=exc) from exc
        names = [each.name for each in manifest.files]
        stored = [name for name in self._zip.namelist() if name != MANIFEST]
        if sorted(names) != sorted(stored) or len({name.casefold() for name in names}) != len(names):
            raise BackupFailed("E-BK-0011", file=self._path, reason="files and manifest disagree")
        if bad := next((name for name in names if not _is_inside(name)), None):
            raise BackupFailed("E-BK-0011", file=self._path, reason=f"a file would lie outside: {bad!r}")
        return manifest


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.compress_type = zipfile.ZIP_DEFLATED
    info._compresslevel = _LEVEL  # type: ignore[attr-defined]  # noqa: SLF001  public only from 3.13 on
    info.external_attr = 0o600 << 16
    return info


def _is_inside(name: str) -> bool:
    """Tell whether a name stays below one of our three folders on any system."""
    parts = PurePosixPath(name).parts
    return (
        len(parts) > 1
        and parts[0] in ("plant", "elsewhere", "data")
        and "/".join(parts) == name
        and not any(part in ("..", ".") or set(part) & set('\\:*?"<>|\0') for part in parts)
    )
