"""Archives that come out the same, byte for byte, from the same files: fixed order, time, owner and mode."""

import gzip
import tarfile
import zipfile
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Final

_EARLIEST_IN_ZIP: Final = 315_532_800
"""1980, where the format's calendar begins."""


def write_tar(folder: Path, out: Path, epoch: int) -> None:
    """Write a folder, under its own name, as .tar.gz."""
    with (
        out.open("wb") as raw,
        gzip.GzipFile("", "wb", compresslevel=6, fileobj=raw, mtime=epoch) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path in _files(folder):
            entry = tarfile.TarInfo(_inside(folder, path))
            data = path.read_bytes()
            entry.size, entry.mtime, entry.mode = len(data), epoch, _mode(path)
            archive.addfile(entry, BytesIO(data))


def write_zip(folder: Path, out: Path, epoch: int) -> None:
    """Write a folder, under its own name, as .zip."""
    moment = datetime.fromtimestamp(max(epoch, _EARLIEST_IN_ZIP), UTC)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in _files(folder):
            entry = zipfile.ZipInfo(_inside(folder, path), moment.timetuple()[:6])
            entry.external_attr = _mode(path) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _inside(folder: Path, path: Path) -> str:
    return f"{folder.name}/{path.relative_to(folder).as_posix()}"


def _mode(path: Path) -> int:
    return 0o755 if path.suffix == ".sh" else 0o644
