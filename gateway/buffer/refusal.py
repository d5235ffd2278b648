"""What a disk that refuses means, for people: the log keeps SQLite's and the system's own words."""

import errno
import sqlite3
from pathlib import Path
from typing import Final

from config.problems import Phrase
from gateway.sqlite import primary_code

_BY_ERRNO: Final = {
    errno.EROFS: "link.disk_read_only",
    errno.EACCES: "link.disk_forbidden",
    errno.EPERM: "link.disk_forbidden",
    errno.EIO: "link.disk_errors",
    errno.ENOENT: "link.disk_gone",
    errno.ENOSPC: "link.disk_full",
}
_BY_SQLITE: Final = {
    sqlite3.SQLITE_READONLY: "link.disk_read_only",
    sqlite3.SQLITE_PERM: "link.disk_forbidden",
    sqlite3.SQLITE_IOERR: "link.disk_errors",
    sqlite3.SQLITE_CANTOPEN: "link.disk_gone",
    sqlite3.SQLITE_FULL: "link.disk_full",
    sqlite3.SQLITE_CORRUPT: "link.disk_damaged",
    sqlite3.SQLITE_NOTADB: "link.disk_damaged",
}


def meaning(exc: Exception, directory: Path) -> str:
    """Return in English what to look at, a sentence `config.reasons` knows; else the error's own words."""
    key = None
    if isinstance(exc, sqlite3.Error):
        key = _BY_SQLITE.get(primary_code(exc))
    elif isinstance(exc, OSError):
        key = _BY_ERRNO.get(exc.errno or 0)
    if key is None:
        return f"{type(exc).__name__}: {exc}"
    return Phrase(key, {"directory": directory}).text("en")
