"""The file live values lie in: columns two processes map, where it lies, and how it is made.

It lies in the machine's memory where it has such a folder, else in the data directory: a failing disk under a
mapped file would kill the process that writes it, and values once a second would wear a flash disk. It is
filled before it is used, so that writing can't run out of space.
"""

import contextlib
import hashlib
import logging
import mmap
import os
import stat
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

log = logging.getLogger(__name__)

TEXT_BYTES: Final = 96
"""Longer text is cut for the page, at a character's border; sinks get all of it."""
_MAGIC: Final = 0x3130_4556_494C_4C57  # WLLIVE01, little-endian
_HEADER: Final = 4096
_COLUMNS: Final = (
    ("time", np.int64, ()),
    ("arrived", np.int64, ()),
    ("good", np.int64, ()),
    ("fault", np.int64, ()),
    ("value", np.int64, ()),
    ("check", np.int64, ()),
    ("rows", np.int64, ()),
    ("quality", np.uint32, ()),
    ("fault_quality", np.uint32, ()),
    ("active", np.uint8, ()),
    ("text", np.uint8, (TEXT_BYTES,)),
)


class MappedFile:
    """One mapped file: header and columns as arrays."""

    def __init__(self, path: Path | None, mapped: mmap.mmap) -> None:
        self.path = path
        self._map = mapped
        self.header: NDArray[np.int64] = np.frombuffer(mapped, np.int64, 8)
        """magic, capacity, sequence, version, tags in use, 1 when a larger file has taken over"""
        self.capacity = int(self.header[1])
        if self.header[0] != _MAGIC or len(mapped) < _size(self.capacity):
            raise OSError(f"{path} is not a file of live values")
        self.column: dict[str, NDArray[Any]] = {}
        at = _HEADER
        for name, dtype, shape in _COLUMNS:
            count = self.capacity * int(np.prod(shape, dtype=int))
            column = np.frombuffer(self._map, dtype, count, at)
            self.column[name] = column.reshape((self.capacity, *shape))
            at += column.nbytes

    @classmethod
    def make(cls, path: Path, capacity: int) -> "MappedFile":
        """Make a file for so many tags; memory of our own, which no page can see, when that is impossible."""
        head = np.array([_MAGIC, capacity], np.int64).tobytes()
        try:
            with path.open("xb") as made:
                # Every page is written once: a hole could meet a full disk later, as SIGBUS.
                made.write(head + bytes(_size(capacity) - len(head)))
            with path.open("r+b") as file:
                return cls(path, mmap.mmap(file.fileno(), 0))
        except OSError as exc:
            log.warning("the page can't see live values", extra={"file": str(path), "reason": str(exc)})
            with contextlib.suppress(OSError):
                path.unlink()
            mapped = mmap.mmap(-1, _size(capacity))
            mapped[: len(head)] = head
            return cls(None, mapped)

    @classmethod
    def open(cls, path: Path) -> "MappedFile":
        """Map a file for reading; OSError or ValueError when there is none, or not yet a whole one."""
        with path.open("rb") as file:
            return cls(path, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))

    def remove(self) -> None:
        """Unmap and delete; readers keep what they have mapped."""
        self.close()
        if self.path is not None:
            with contextlib.suppress(OSError):  # Windows: while the page still has it
                self.path.unlink()

    def close(self) -> None:
        """Unmap; arrays of this file must not be used any more."""
        self.column.clear()
        self.header = np.zeros(8, np.int64)
        with contextlib.suppress(BufferError):
            self._map.close()


def _size(capacity: int) -> int:
    row = sum(np.dtype(dtype).itemsize * int(np.prod(shape, dtype=int)) for _, dtype, shape in _COLUMNS)
    return _HEADER + capacity * row


def check(time: NDArray[np.int64], bits: NDArray[np.int64], quality: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Return a row's check, (n,) int64: that of one row does not hold for parts of two."""
    mixed: NDArray[np.int64] = time * np.int64(-7046029254386353131) ^ bits ^ quality
    return mixed


def live_folder(directory: Path, *, make: bool = False) -> Path:
    """Return where the live values of a data directory lie: in memory where there is a place for it."""
    memory = Path("/dev/shm")  # noqa: S108  a folder of our own in it, checked below
    if os.name == "posix" and memory.is_dir():
        folder = memory / f"wanglian-{os.getuid()}-{_mark(directory)}"
        with contextlib.suppress(OSError):
            if make:
                folder.mkdir(mode=0o700, exist_ok=True)
            state = folder.lstat()
            # Anybody may make a folder there: only one that is ours, and nobody else's to write in, will do.
            if stat.S_ISDIR(state.st_mode) and state.st_uid == os.getuid() and not state.st_mode & 0o077:
                return folder
    return directory / "live"


def _mark(directory: Path) -> str:
    """Return what tells a data directory from every other, also of containers that share their memory."""
    state = directory.stat()
    whole = f"{directory.resolve()} {state.st_dev} {state.st_ino}"
    return hashlib.sha256(whole.encode()).hexdigest()[:16]
