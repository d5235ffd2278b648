"""Who this store is: the machine and directory it lives in, and the lock that lets one process write it."""

import contextlib
import hashlib
import os
import secrets
import sys
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from connectors import Epoch
from gateway.buffer.contract import StoreFailed

LOCK_NAME: Final = "lock"


def new_epoch(previous: int) -> Epoch:
    """Return the epoch after the given ordinal."""
    return Epoch(previous + 1, secrets.randbits(64))


def fingerprint(directory: Path) -> str:
    """Return what changes when the store is copied, restored or cloned: machine id and directory identity."""
    place = directory.stat()
    return hashlib.sha256(f"{_machine_id()}\n{place.st_ino}".encode()).hexdigest()[:32]


def _machine_id() -> str:
    if sys.platform == "win32":
        import winreg  # noqa: PLC0415  exists on Windows only

        with winreg.OpenKey(
            winreg.HKEY_LOCAL_MACHINE,
            r"SOFTWARE\Microsoft\Cryptography",
            0,
            winreg.KEY_READ | winreg.KEY_WOW64_64KEY,
        ) as key:
            return str(winreg.QueryValueEx(key, "MachineGuid")[0])
    for path in ("/etc/machine-id", "/var/lib/dbus/machine-id"):
        try:
            return Path(path).read_text(encoding="ascii").strip()
        except OSError:
            continue
    return ""


class StoreLock:
    """Held while a process owns the store; the system releases it when the process dies."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / LOCK_NAME
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        """Take the lock; StoreFailed when another process has it."""
        self._file = self._path.open("a+b")
        try:
            _lock(self._file)
        except OSError as exc:
            owner = self._owner()
            self._file.close()
            self._file = None
            raise StoreFailed(
                f"{self._path.parent} is in use by another gateway{owner}: "
                "stop it, or give this one its own data_dir"
            ) from exc
        # Byte 0 is what Windows locks, so the owner is written behind it. It is for a message only: on a full
        # disk there is none.
        with contextlib.suppress(OSError):
            os.ftruncate(self._file.fileno(), 0)
            os.write(self._file.fileno(), b"\n%d\n" % os.getpid())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Let the next one in."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _owner(self) -> str:
        try:
            with self._path.open("rb") as file:
                file.seek(1)
                return f" (process {int(file.read(20))})"
        except (OSError, ValueError):
            return ""


if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[bytes]) -> None:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(file: IO[bytes]) -> None:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
