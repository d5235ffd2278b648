"""The files of a history: their names, schemas and rows; how one is opened, checked and set aside.

    history/head.sqlite             what was booked last, not yet put away; up to where everything is booked
    history/raw-20261123.sqlite     a day (UTC) of rows
    history/minute-20261119.sqlite  a week of minutes, named for its first day

One file per period: what is too old goes by deleting a file, and damage costs a period.
"""

import json
import logging
import sqlite3
import zlib
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from gateway.buffer.repair import set_aside
from gateway.sqlite import (
    check_version,
    connect_for_reading,
    files_of,
    open_sound,
    sync_directory,
)

log = logging.getLogger(__name__)
Layer = Literal["raw", "minute"]
LAYERS: Final[tuple[Layer, ...]] = ("raw", "minute")
DAY_NS: Final = 86_400_000_000_000
PERIOD_NS: Final[dict[Layer, int]] = {"raw": DAY_NS, "minute": 7 * DAY_NS}
HEAD: Final = "head.sqlite"
_FRAME: Final = (
    "shelf INTEGER, sort INTEGER, first INTEGER, last INTEGER, rows INTEGER, crc INTEGER, data BLOB NOT NULL"
)
_MARK: Final = "shelf INTEGER, sort INTEGER, mark TEXT NOT NULL, PRIMARY KEY (shelf, sort)"
HEAD_SCHEMA: Final = (
    (
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        "CREATE TABLE tags (number INTEGER PRIMARY KEY, record BLOB NOT NULL)",
        f"CREATE TABLE floors ({_MARK}) WITHOUT ROWID",
        f"CREATE TABLE fresh (block INTEGER, {_FRAME})",
        "CREATE INDEX fresh_of ON fresh (shelf, sort, block)",
    ),
)
PERIOD_SCHEMA: Final = (
    (
        f"CREATE TABLE pieces (id INTEGER PRIMARY KEY, {_FRAME})",
        "CREATE INDEX pieces_of ON pieces (shelf, sort)",
        f"CREATE TABLE moved ({_MARK}) WITHOUT ROWID",
        "CREATE TABLE holes (shelf INTEGER, first INTEGER, last INTEGER)",
    ),
)

Booked = dict[tuple[int, int], int]
"""Up to which seq everything is in the history, by epoch (ordinal, random)."""


def period_of(layer: Layer, time: int) -> int:
    """Return the first instant of the period a time lies in."""
    return time // PERIOD_NS[layer] * PERIOD_NS[layer]


def path_of(directory: Path, layer: Layer, start: int) -> Path:
    """Return the file of the period that begins at `start`."""
    return directory / f"{layer}-{datetime.fromtimestamp(start // 1_000_000_000, UTC):%Y%m%d}.sqlite"


def periods(directory: Path, layer: Layer) -> list[tuple[int, Path]]:
    """Return (first instant, file) of every period there is, oldest first."""
    found = []
    for path in directory.glob(f"{layer}-*.sqlite"):
        try:
            day = datetime.strptime(path.stem.removeprefix(f"{layer}-"), "%Y%m%d").replace(tzinfo=UTC)
        except ValueError:
            continue
        found.append((round(day.timestamp()) * 1_000_000_000, path))
    return sorted(found)


def size_of(path: Path) -> int:
    """Return the bytes a database takes, with what SQLite keeps beside it."""
    total = 0
    for each in files_of(path):
        try:
            total += each.stat().st_size
        except OSError:
            continue
    return total


def mark_to_text(block: int, booked: Booked) -> str:
    """Return a mark's text: CRC-32 of the rest in hex, then the block and [[ordinal, random, seq], …]."""
    epochs = [[ordinal, f"{random:016x}", seq] for (ordinal, random), seq in booked.items()]
    text = json.dumps({"block": block, "booked": epochs})
    return f"{zlib.crc32(text.encode()):08x} {text}"


def mark_from_text(text: str) -> tuple[int, Booked]:
    """Return the block and position; sqlite3.DatabaseError when they are damaged."""
    crc, _, rest = text.partition(" ")
    if crc != f"{zlib.crc32(rest.encode()):08x}":
        raise sqlite3.DatabaseError("a mark is damaged")
    said = json.loads(rest)
    return said["block"], {(ordinal, int(random, 16)): seq for ordinal, random, seq in said["booked"]}


def open_checked(path: Path, schema: tuple[tuple[str, ...], ...]) -> tuple[sqlite3.Connection, bool]:
    """Open a file for writing, after every page is read; return it and whether a damaged one was set aside.

    Raises sqlite3.Error when the disk, not the file, is at fault, and NewerFormat.
    """
    try:
        return open_sound(path, schema), False
    except sqlite3.DatabaseError as exc:
        if not is_damage(exc):
            raise
        put_aside(path, str(exc))
        return open_sound(path, schema), True


def open_for_reading(path: Path, schema: tuple[tuple[str, ...], ...]) -> sqlite3.Connection:
    """Open an existing file beside its writer; raises sqlite3.Error or NewerFormat."""
    connection = connect_for_reading(path, sealed=False)
    try:
        check_version(connection, schema)
        connection.execute("BEGIN")
    except BaseException:
        connection.close()
        raise
    return connection


def is_damage(error: sqlite3.Error) -> bool:
    """Tell a damaged file from a disk that is full, failing or busy."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return type(error) is sqlite3.DatabaseError
    return code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def put_aside(path: Path, reason: str) -> None:
    """Rename a damaged file to `*.bad` and say so."""
    bad = set_aside(path)
    sync_directory(path.parent)
    log.error(
        "a history file is damaged and was set aside; what it held is missing from the trends",
        extra={"code": "E-HI-0001", "file": path.name, "kept_as": bad.name, "reason": reason},
    )


def remove(path: Path) -> None:
    """Delete a file and what lies beside it; one that a reader holds on Windows goes the next time."""
    for each in files_of(path):
        try:
            each.unlink(missing_ok=True)
        except PermissionError:
            return


def listed(numbers: Iterable[int]) -> str:
    """Return an SQL list of numbers."""
    return ",".join(str(int(number)) for number in numbers)
