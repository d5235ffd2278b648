"""When the head is lost: what the files of the periods tell about how far each shelf is booked."""

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from gateway.history.files import (
    LAYERS,
    PERIOD_SCHEMA,
    Booked,
    mark_from_text,
    mark_to_text,
    open_for_reading,
    periods,
)
from gateway.sqlite import NewerFormat, transaction


def begin_beside(head: sqlite3.Connection, directory: Path, tags: Iterable[tuple[int, bytes]]) -> None:
    """Give a new head all tags, a later block, and the floors below which each shelf is put away already.

    The log is then read from its oldest batch: what the lost head held comes again, the rest is left out.
    """
    floors: dict[tuple[int, int], Booked] = {}
    block = 0
    for layer in LAYERS:
        for _, path in periods(directory, layer):
            for shelf, sort, text in _marks(path):
                moved, booked = mark_from_text(text)
                block = max(block, moved)
                floor = floors.setdefault((shelf, sort), {})
                for epoch, seq in booked.items():
                    floor[epoch] = max(seq, floor.get(epoch, -1))
    with transaction(head):
        head.executemany("INSERT OR REPLACE INTO tags VALUES (?, ?)", tags)
        head.execute("INSERT OR REPLACE INTO meta VALUES ('reached', ?)", (mark_to_text(block, {}),))
        head.executemany(
            "INSERT OR REPLACE INTO floors VALUES (?, ?, ?)",
            [(shelf, sort, mark_to_text(block, floor)) for (shelf, sort), floor in floors.items()],
        )


def _marks(path: Path) -> list[tuple[int, int, str]]:
    try:
        connection = open_for_reading(path, PERIOD_SCHEMA)
    except (sqlite3.Error, NewerFormat):
        return []  # it is set aside when it is next written, and has no rows to double then
    try:
        marks: list[tuple[int, int, str]] = connection.execute(
            "SELECT shelf, sort, mark FROM moved"
        ).fetchall()
        for *_, text in marks:
            mark_from_text(text)
    except sqlite3.DatabaseError:
        return []
    else:
        return marks
    finally:
        connection.close()
