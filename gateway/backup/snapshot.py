"""Consistent copies of a running gateway's databases: what is copied first, and why that loses nothing.

    1 history   all its files seen at one instant      its position is behind the log's end
    2 state     cursors, losses, quarantine            cursors are behind the log's end
    3 segments  oldest first, until there is no newer  all that 1 and 2 point into, and a little more
    4 state     catalogue and epochs, into 2           every tag the segments use

So a cursor never points behind what the archive holds, and a row that came in between is delivered again.
Retention may remove a segment before it is copied; then everything begins anew (`Overtaken`).

The history's writer moves rows from its head to the files of days and weeks, each in its own transaction with
a mark. Seen head first, files after, a file's mark may tell of rows the head has not yet: such a sight would
lose rows, and is taken again. The writer rests for seconds between two bookings; a sight takes milliseconds.
"""

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.backup.archive import ArchiveWriter, BackupFailed, Progress
from gateway.buffer.segment import SUFFIX, segment_path
from gateway.buffer.state import NAME as STATE
from gateway.history.files import (
    HEAD,
    HEAD_SCHEMA,
    LAYERS,
    PERIOD_SCHEMA,
    Booked,
    is_damage,
    mark_from_text,
    open_for_reading,
    periods,
)
from gateway.sqlite import checkpoint, connect, connect_for_reading, copy, files_of, transaction

_TRIES: Final = 40
_PAUSE_S: Final = 0.05


class Overtaken(Exception):
    """Retention removed what was about to be copied: begin anew."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where copies go."""

    archive: ArchiveWriter
    folder: Path
    """For one copy at a time."""
    progress: Progress

    def add(self, name: str, file: Path) -> None:
        """Put a finished file into the archive."""
        self.archive.add(name, file, self.progress)

    def add_copy(self, name: str, source: sqlite3.Connection) -> None:
        """Copy what a connection sees into the archive."""
        with self.copied(name, source) as file:
            self.add(name, file)

    @contextlib.contextmanager
    def copied(self, name: str, source: sqlite3.Connection) -> Iterator[Path]:
        """Hold a copy for a while."""
        file = self.folder / name.replace("/", "-")
        try:
            copy(source, file)
            yield file
        finally:
            for each in files_of(file):
                each.unlink(missing_ok=True)


def add_history(directory: Path, target: Target) -> Booked:
    """Copy the history; return up to where it is booked."""
    if not (directory / HEAD).exists():
        return {}
    with contextlib.ExitStack() as open_files:
        seen = _see(directory, open_files)
        booked: Booked = {}
        # What is written most is let go first: a reader keeps SQLite from shortening its log.
        for path, connection in seen:
            if connection is None:
                target.add(f"data/history/{path.name}", path)
                continue
            if path.name == HEAD:
                booked = (_reached(connection) or (0, booked))[1]
            target.add_copy(f"data/history/{path.name}", connection)
            connection.close()
    return booked


def add_log(directory: Path, target: Target, booked: Booked, before: set[int]) -> str:
    """Copy state and segments; return the newest epoch, empty when nothing was ever stored.

    `before` are the segments there were before the history was looked at.
    """
    if not (directory / STATE).exists():
        return ""
    before = before | first_seqs(directory)
    with (
        contextlib.closing(connect_for_reading(directory / STATE, sealed=False)) as source,
        target.copied("data/buffer/" + STATE, source) as state,
    ):
        gone = before - first_seqs(directory)
        _must_hold(directory, gone, _counted(state), booked)
        _add_segments(directory, target)
        newest = _complete(state, source)
        target.add("data/buffer/" + STATE, state)
    return newest


def first_seqs(directory: Path) -> set[int]:
    """Return the number of every segment there is."""
    return {int(path.stem) for path in directory.glob(f"*{SUFFIX}") if path.stem.isdigit()}


def _see(directory: Path, open_files: contextlib.ExitStack) -> list[tuple[Path, sqlite3.Connection | None]]:
    """Open a reading transaction in every file of the history such that together they are one state of it.

    None stands for a file that is damaged: it is copied as it is, for the start to set aside.
    """
    for _ in range(_TRIES):
        with contextlib.ExitStack() as these:
            seen = [(directory / HEAD, _begin(directory / HEAD, these))]
            paths = [path for layer in LAYERS for _, path in periods(directory, layer)]
            for path in sorted(paths, key=_changed, reverse=True):
                with contextlib.suppress(FileNotFoundError):
                    seen.append((path, _begin(path, these)))
            head = seen[0][1]
            reached = None if head is None else _reached(head)
            if reached is None or all(_last_block(each) <= reached[0] for _, each in seen[1:]):
                open_files.push(these.pop_all())
                return seen
        time.sleep(_PAUSE_S)
    raise BackupFailed("E-BK-0005", what="history")


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _begin(path: Path, stack: contextlib.ExitStack) -> sqlite3.Connection | None:
    if not path.exists():
        raise FileNotFoundError(path)
    try:
        connection = open_for_reading(path, HEAD_SCHEMA if path.name == HEAD else PERIOD_SCHEMA)
        stack.callback(connection.close)
        # The transaction begins with its first statement; marks are read when all have begun.
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.DatabaseError as exc:
        if not path.exists():
            raise FileNotFoundError(path) from exc
        if not is_damage(exc):
            raise
        return None
    return connection


def _reached(head: sqlite3.Connection) -> tuple[int, Booked] | None:
    """Return the last block and up to where everything is booked, None when a damaged head can't tell."""
    try:
        row = head.execute("SELECT value FROM meta WHERE key = 'reached'").fetchone()
        return (0, {}) if row is None else mark_from_text(row[0])
    except sqlite3.DatabaseError:
        return None


def _last_block(period: sqlite3.Connection | None) -> int:
    if period is None:
        return 0
    try:
        marks = period.execute("SELECT mark FROM moved").fetchall()
        return max((mark_from_text(text)[0] for (text,) in marks), default=0)
    except sqlite3.DatabaseError:
        return 0  # the start sets it aside


def _counted(state: Path) -> set[int]:
    with contextlib.closing(connect_for_reading(state, sealed=True)) as copied:
        return {first for (first,) in copied.execute("SELECT first_seq FROM segments")}


def _must_hold(directory: Path, gone: set[int], counted: set[int], booked: Booked) -> None:
    """Raise Overtaken when what the state counts, or the history has not booked yet, has gone meanwhile."""
    if not gone:
        return
    newest = max(booked.items(), default=None)
    there = first_seqs(directory)
    if gone & counted or (newest is not None and newest[1] + 1 < min(there, default=0)):
        raise Overtaken


def _add_segments(directory: Path, target: Target) -> None:
    done: set[int] = set()
    for _ in range(2):  # those begun while the first were copied
        there = sorted(first_seqs(directory))
        for first in there:
            if first not in done:
                _add_segment(segment_path(directory, first), target, is_newest=first == there[-1])
                done.add(first)


def _add_segment(path: Path, target: Target, *, is_newest: bool) -> None:
    name = f"data/buffer/{path.name}"
    try:
        # Sealed and checkpointed, it is never written again; damaged, recovery shall see it as it is.
        if not is_newest and not files_of(path)[1].exists():
            target.add(name, path)
            return
        with contextlib.closing(connect_for_reading(path, sealed=False)) as connection:
            target.add_copy(name, connection)
    except FileNotFoundError as exc:
        raise Overtaken from exc
    except sqlite3.DatabaseError as exc:
        if not path.exists():
            raise Overtaken from exc
        if not is_damage(exc):
            raise
        target.add(name, path)


def _complete(state: Path, source: sqlite3.Connection) -> str:
    """Give the copied state the catalogue and the epochs as they are now; return the newest epoch."""
    tags = source.execute("SELECT * FROM tags").fetchall()
    epochs = source.execute("SELECT * FROM epochs ORDER BY ordinal").fetchall()
    connection = connect(state)
    try:
        with transaction(connection):
            connection.executemany("INSERT OR REPLACE INTO tags VALUES (?, ?, ?)", tags)
            connection.executemany("INSERT OR REPLACE INTO epochs VALUES (?, ?, ?, ?, ?, ?)", epochs)
        checkpoint(connection, truncate=True)
    finally:
        connection.close()
    return f"{epochs[-1][0]}-{epochs[-1][1]}" if epochs else ""
