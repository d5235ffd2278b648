"""The books on disk: one SQLite file, its tables, how it is opened and set aside.

meta          up to where everything is booked; the zone and the step of the boundaries
meters        name, what the books know of it, where its account stands
readings      pieces of readings, kept so that late data correct the books
checkpoints   where an account stood when a day (UTC) began
pages, days   boundaries: by meter and day, and local midnights by meter and month
events        what happened to a counter
entered       readings, batches and closings people have entered, booked or waiting
closings, closed_pages, closed_ends, adjustments     periods that are closed, and what came later
results       figures of carbon and standard coal of what is over, every version of them
"""

import json
import logging
import sqlite3
from pathlib import Path
from typing import Any, Final

from config.energy_meters import Meter
from gateway.buffer.repair import set_aside
from gateway.history.files import is_damage
from gateway.sqlite import open_sound, sync_directory

log = logging.getLogger(__name__)
FOLDER: Final = "energy"
NAME: Final = "energy.sqlite"
_PAGE: Final = "meter INTEGER, day INTEGER, data BLOB NOT NULL"
SCHEMA: Final = (
    (
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        (
            "CREATE TABLE meters (id INTEGER PRIMARY KEY, name TEXT NOT NULL, quantum TEXT NOT NULL,"
            " about TEXT NOT NULL, stand TEXT NOT NULL, ends BLOB NOT NULL, UNIQUE (name, quantum))"
        ),
        (
            "CREATE TABLE readings (id INTEGER PRIMARY KEY, meter INTEGER, first INTEGER, last INTEGER,"
            " rows INTEGER, data BLOB NOT NULL)"
        ),
        "CREATE INDEX readings_of ON readings (meter, last)",
        (
            "CREATE TABLE checkpoints (meter INTEGER, day INTEGER, stand TEXT NOT NULL,"
            " PRIMARY KEY (meter, day)) WITHOUT ROWID"
        ),
        f"CREATE TABLE pages ({_PAGE}, PRIMARY KEY (meter, day))",
        "CREATE TABLE days (meter INTEGER, month INTEGER, data BLOB NOT NULL, PRIMARY KEY (month, meter))",
        (
            "CREATE TABLE events (meter INTEGER, time INTEGER, flag INTEGER, before INTEGER, after INTEGER,"
            " PRIMARY KEY (meter, time, flag, after)) WITHOUT ROWID"
        ),
        (
            "CREATE TABLE entered (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, at INTEGER NOT NULL,"
            " who TEXT NOT NULL, what TEXT NOT NULL, outcome TEXT)"
        ),
        (
            "CREATE TABLE batches (node TEXT, name TEXT, first INTEGER, last INTEGER, product TEXT,"
            " PRIMARY KEY (node, first)) WITHOUT ROWID"
        ),
        (
            "CREATE TABLE closings (id INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL,"
            " who TEXT NOT NULL, at INTEGER NOT NULL)"
        ),
        (
            "CREATE TABLE closed_ends (closing INTEGER, meter INTEGER, ends BLOB NOT NULL,"
            " PRIMARY KEY (closing, meter)) WITHOUT ROWID"
        ),
        f"CREATE TABLE closed_pages (closing INTEGER, {_PAGE}, PRIMARY KEY (closing, meter, day))",
        (
            "CREATE TABLE adjustments (id INTEGER PRIMARY KEY, closing INTEGER NOT NULL,"
            " meter INTEGER NOT NULL, at INTEGER NOT NULL, quanta INTEGER NOT NULL)"
        ),
    ),
    (
        (
            "CREATE TABLE results (node TEXT, kind TEXT, first INTEGER, last INTEGER, revision INTEGER,"
            " made INTEGER NOT NULL, days INTEGER NOT NULL, known TEXT NOT NULL, figure BLOB NOT NULL,"
            " PRIMARY KEY (node, first, last, kind, revision)) WITHOUT ROWID"
        ),
    ),
)


def open_books(directory: Path) -> sqlite3.Connection:
    """Open or create the books, after every page is read; damaged ones are set aside, alarmed, begun anew.

    Raises sqlite3.Error when the disk, not the file, is at fault, and NewerFormat.
    """
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / NAME
    try:
        return open_sound(path, SCHEMA)
    except sqlite3.DatabaseError as exc:
        if not is_damage(exc):
            raise
        bad = set_aside(path)
        sync_directory(directory)
        log.error(  # noqa: TRY400  what is wrong is said in a line
            "the energy books are damaged and were set aside; they are written again from the buffer",
            extra={"code": "E-EN-0001", "file": path.name, "kept_as": bad.name, "reason": str(exc)},
        )
        return open_sound(path, SCHEMA)


def quantum_text(meter: Meter) -> str:
    """Return what one quantum of a meter's books is, e.g. ``1/100000 KWH``; with another, books begin."""
    return f"{meter.quantum} {meter.medium.unit.code}"


def about(meter: Meter) -> str:
    """Return what the books keep of a meter, as JSON."""
    said: dict[str, Any] = {
        "medium": meter.medium.name,
        "kind": meter.kind,
        "tag": meter.tag,
        "node": meter.node,
        "parent": meter.parent,
        "resolution": f"{meter.resolution:f}",
        "maximum": f"{meter.maximum:f}",
        "rollover": meter.rollover,
        "scan": meter.scan,
        "serial": meter.options.serial,
    }
    return json.dumps(said, ensure_ascii=False, sort_keys=True)
