"""What a support archive tells of the data: sizes, places, losses, whether pages are sound; never a value."""

import contextlib
import sqlite3
import time
from pathlib import Path
from typing import Any, Final

from gateway.buffer.contract import STORE
from gateway.buffer.state import NAME as STATE
from gateway.sqlite import connect_for_reading, is_healthy

_ASKED: Final = {
    "meta": "SELECT key, value FROM meta",
    "epochs": "SELECT ordinal, random, started, first_seq, reason FROM epochs ORDER BY ordinal",
    "cursors": "SELECT sink, head, ranges, parked FROM cursors",
    "segments": "SELECT first_seq, last_seq, batches, rows, sealed FROM segments ORDER BY first_seq",
    "gaps": "SELECT noted, reason, first_seq, last_seq, batches, rows, start, end, sources, sinks FROM gaps"
    " ORDER BY id DESC LIMIT 200",
    "books": "SELECT sink, rows FROM books",
    "retired": "SELECT below, rows FROM retired",
    "discards": "SELECT sink, source, rows, reason FROM discards",
    "drops": "SELECT sink, reason, rows FROM drops",
    "quarantine": "SELECT sink, reason, count(*) AS entries, sum(rows) AS rows, min(noted) AS first,"
    " max(noted) AS last FROM quarantine GROUP BY sink, reason",
    "tags": "SELECT count(*) AS tags FROM tags",
}
_CHECK_S: Final = 30.0


def statistics(data_dir: Path) -> dict[str, Any]:
    """Return the store's books as it keeps them; times are ns UTC."""
    state = data_dir / STORE / STATE
    if not state.exists():
        return {"nothing": "the gateway has not run here yet"}
    try:
        with contextlib.closing(connect_for_reading(state, sealed=False)) as connection:
            connection.row_factory = sqlite3.Row
            return {name: [dict(row) for row in connection.execute(query)] for name, query in _ASKED.items()}
    except sqlite3.Error as exc:
        return {"unreadable": str(exc)}


def files(data_dir: Path) -> list[dict[str, Any]]:
    """Return every file of the data directory with size and age."""
    found = []
    for file in sorted(data_dir.rglob("*")):
        with contextlib.suppress(OSError):
            if file.is_file():
                state = file.stat()
                name = file.relative_to(data_dir).as_posix()
                found.append(
                    {
                        "file": name,
                        "bytes": state.st_size,
                        "changed_s_ago": round(time.time() - state.st_mtime),
                    }
                )
    return found


def integrity(data_dir: Path) -> dict[str, Any]:
    """Check the pages of every database, the newest first, for half a minute at most."""
    databases = [each for each in data_dir.rglob("*") if each.suffix in (".sqlite", ".segment")]
    until = time.monotonic() + _CHECK_S
    said: dict[str, Any] = {"sound": 0, "damaged": [], "not_checked": 0, "set_aside": []}
    said["set_aside"] = [each.relative_to(data_dir).as_posix() for each in data_dir.rglob("*.bad")]
    for file in sorted(databases, key=_changed, reverse=True):
        if time.monotonic() > until:
            said["not_checked"] += 1
            continue
        try:
            with contextlib.closing(connect_for_reading(file, sealed=False)) as connection:
                is_sound = is_healthy(connection)
        except sqlite3.Error:
            is_sound = not file.exists()  # retention took it meanwhile
        if is_sound:
            said["sound"] += 1
        else:
            said["damaged"].append(file.relative_to(data_dir).as_posix())
    return said


def _changed(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0
