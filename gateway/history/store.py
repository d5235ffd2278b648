"""The history's writer: books rows with the position they reach, puts them away, lets go what is old.

    deliveries ─book─▶ head.sqlite ──────put away──────▶ raw-<day>.sqlite
                       fresh rows + position             minute-<week>.sqlite
                       one transaction                   (`away`)

Rows are booked in the order they come, a frame per shelf (eight tags), with the position they reach: exactly
once, whatever dies when. Later, shelf by shelf, they are put away: sorted by tag and time, merged with what
lies there, added to the minutes. No transaction spans two files, so each file of a period remembers, per
shelf, the last block that was put into it; who reads, and who puts away again after a crash, leaves out what
that file already has.

When the head is lost, those marks also tell up to where each shelf is booked. What the head alone held is
then read once more from the buffer.

Everything here blocks and belongs to one thread at a time.
"""

import contextlib
import logging
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from config.plant import HistoryOptions
from connectors import Clock, Delivery, Tag, TagTable
from gateway.buffer.codec import tag_to_json
from gateway.history.away import Away
from gateway.history.files import (
    DAY_NS,
    HEAD,
    HEAD_SCHEMA,
    LAYERS,
    PERIOD_NS,
    Booked,
    Layer,
    is_damage,
    mark_from_text,
    mark_to_text,
    open_checked,
    period_of,
    periods,
    put_aside,
    remove,
    size_of,
)
from gateway.history.frames import COLUMNS, Frame, framed
from gateway.history.gather import gather
from gateway.history.recovery import begin_beside
from gateway.history.waiting import MOST_BLOCKS, PUT_AWAY_AT, Waiting
from gateway.sqlite import checkpoint, files_of, transaction

log = logging.getLogger(__name__)
_FRESH_LEVEL: Final = 1
"""zlib's: these bytes live for minutes."""
_WAL_BYTES: Final = 8 * 2**20
_MOST_EPOCHS: Final = 16
_LEAST_FILES: Final[dict[Layer, int]] = {"raw": 2, "minute": 1}
"""What a bound in bytes leaves: yesterday's and today's values, this week's minutes."""


class Store:
    """A history's directory, opened by `open` and closed by `close`."""

    def __init__(self, directory: Path, options: HistoryOptions, tags: TagTable, clock: Clock) -> None:
        self.booked: Booked = {}
        self.until = 0
        """Arrival of the newest booked batch, ns UTC; 0 when nothing is booked."""
        self.rows_total = 0
        self.bytes = 0
        self.fresh_rows = 0
        self.out_of_time = 0
        """Rows older than is kept or more than a day ahead: no file is begun for them."""
        self._directory = directory
        self._options = options
        self._tags = tags
        self._clock = clock
        self._lock = threading.Lock()
        self._head: sqlite3.Connection | None = None
        self._block = 0
        self._waiting = Waiting()
        self._floors: dict[tuple[int, int], Booked] = {}
        """After the head was lost: up to where each (shelf, sort) is in the files of the periods."""
        self._known: dict[int, Tag] = {}
        self._version = -1
        self._wall, self._monotonic = clock.now(), clock.monotonic()

    def open(self) -> None:
        """Open or create; set aside what is damaged. Raises sqlite3.Error, OSError, NewerFormat."""
        with self._lock:
            self._directory.mkdir(parents=True, exist_ok=True)
            is_new = not (self._directory / HEAD).exists()
            self._head, was_damaged = open_checked(self._directory / HEAD, HEAD_SCHEMA)
            try:
                self._take_up(self._head, is_new=is_new or was_damaged)
            except sqlite3.DatabaseError as exc:
                self._give_up_head(exc)
                raise
            self._measure()

    def book(self, deliveries: Sequence[Delivery], reached: Delivery) -> int:
        """Store rows, and that everything up to and with `reached` is booked; return how many rows were new.

        All in one transaction. A delivery that was booked before is left out. Raises sqlite3.Error: then
        nothing is booked.
        """
        with self._lock:
            head = self._opened()
            now = self._clock.now()
            new = gather(
                deliveries,
                self.booked,
                self._floors,
                earliest=now - self._options.minute,
                latest=now + DAY_NS,
            )
            until = max(self.until, reached.batch.arrived)
            booked = dict(self.booked)
            for each in (*deliveries, reached):
                booked[each.epoch] = max(each.seq, booked.get(each.epoch, -1))
            if len(booked) > _MOST_EPOCHS:
                booked = dict(sorted(booked.items())[-_MOST_EPOCHS:])
            block = self._block + 1
            frames = [frame for sort, part in enumerate(new.parts) if part for frame in _frames(sort, part)]
            changed = self._changed_tags(new.parts)
            try:
                with transaction(head):
                    head.executemany(
                        f"INSERT INTO fresh (block, {COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
                        [(block, *frame) for frame in frames],
                    )
                    head.executemany("INSERT OR REPLACE INTO tags VALUES (?, ?)", changed)
                    head.executemany(
                        "INSERT OR REPLACE INTO meta VALUES (?, ?)",
                        [("reached", mark_to_text(block, booked)), ("until", str(until))],
                    )
            except sqlite3.DatabaseError as exc:
                self._give_up_head(exc)
                raise
            self.booked, self._block, self.until = booked, block, until
            self._waiting.add(frames)
            self._known.update({number: self._tags[number] for number, _ in changed})
            self.rows_total += new.rows
            self.fresh_rows += new.rows
            self.out_of_time += new.out_of_time
            self._shorten(head)
            return new.rows

    def put_away(self, budget_s: float, *, everything: bool = False) -> None:
        """Put away shelves that have gathered enough, the fullest first, until the time is over."""
        with self._lock:
            head = self._opened()
            until = time.monotonic() + budget_s
            for step in self._waiting.steps(1 if everything else PUT_AWAY_AT):
                if time.monotonic() > until and step.blocks < MOST_BLOCKS and not everything:
                    continue
                try:
                    self.fresh_rows -= self._away.move(head, step.sort, step.shelves, self.booked)
                except sqlite3.DatabaseError as exc:
                    self._give_up_head(exc)
                    raise
                self._waiting.remove(step)
            self._shorten(head)

    def note_gap(self, first: int, last: int) -> None:
        """Record that what was told between two instants is not known, ns UTC. Raises PutAwayFailed."""
        with self._lock:
            self._opened()
            for layer in LAYERS:
                width = PERIOD_NS[layer]
                for start in range(period_of(layer, max(first, self.cutoff(layer))), last, width):
                    self._away.tell_hole(layer, start, first, last)

    def let_go(self) -> None:
        """Delete the files of periods that are too old, then the oldest until the rest fits."""
        with self._lock:
            for layer in LAYERS:
                for start, path in periods(self._directory, layer):
                    if start + PERIOD_NS[layer] <= self.cutoff(layer):
                        self._remove(layer, start, path)
            self._measure()
            while self.bytes > self._options.max_bytes and self._let_oldest_go():
                self._measure()

    def close(self) -> None:
        """Close the files; what is booked stays booked."""
        with self._lock:
            if self._head is not None:
                self._away.close()
                try:
                    checkpoint(self._head, truncate=True)
                except sqlite3.Error as exc:
                    log.debug("the history's head was closed unchecked", extra={"reason": str(exc)})
                self._head.close()
                self._head = None

    def cutoff(self, layer: Layer) -> int:
        """Return the time before which a layer keeps nothing, ns UTC."""
        # Never ahead of the monotonic clock: a wall clock that steps must not age data.
        passed = self._clock.monotonic() - self._monotonic
        return min(self._clock.now(), self._wall + passed) - (
            self._options.raw if layer == "raw" else self._options.minute
        )

    def _opened(self) -> sqlite3.Connection:
        if self._head is None:
            raise sqlite3.OperationalError("the history is closed")
        return self._head

    def _take_up(self, head: sqlite3.Connection, *, is_new: bool) -> None:
        self._known, self._version = {}, -1
        self._away = Away(self._directory, self._tags, self._clock, self.cutoff)
        if is_new:
            # All of them: rows that are there already shall keep their kind and unit.
            begin_beside(head, self._directory, [(n, tag_to_json(tag)) for n, tag in self._all_tags()])
        reached = head.execute("SELECT value FROM meta WHERE key = 'reached'").fetchone()
        self._block, self.booked = (0, {}) if reached is None else mark_from_text(reached[0])
        until = head.execute("SELECT value FROM meta WHERE key = 'until'").fetchone()
        self.until = 0 if until is None else int(until[0])
        self._floors = {
            (shelf, sort): mark_from_text(text)[1]
            for shelf, sort, text in head.execute("SELECT shelf, sort, mark FROM floors")
        }
        self._waiting.count(head)
        self.fresh_rows = head.execute("SELECT COALESCE(SUM(rows), 0) FROM fresh").fetchone()[0]

    def _all_tags(self) -> Iterator[tuple[int, Tag]]:
        for number in range(len(self._tags)):
            with contextlib.suppress(KeyError):
                yield number, self._tags[number]

    def _changed_tags(self, parts: list[list[NDArray[Any]]]) -> list[tuple[int, bytes]]:
        """Return the records of tags that are new to the history, or are told differently now."""
        numbers = {number for part in parts if part for number in np.unique(part[0]).tolist()}
        if self._version != self._tags.version:
            self._version = self._tags.version
            numbers |= set(self._known)
        changed = [n for n in numbers if self._known.get(n) is not self._tags[n]]
        return [(number, tag_to_json(self._tags[number])) for number in sorted(changed)]

    def _let_oldest_go(self) -> bool:
        """Delete the oldest raw day, the last two excepted, or else the oldest week of minutes but one."""
        for layer in LAYERS:
            found = periods(self._directory, layer)
            if len(found) > _LEAST_FILES[layer]:
                self._remove(layer, *found[0])
                return True
        return False

    def _remove(self, layer: Layer, start: int, path: Path) -> None:
        self._away.forget(layer, start)
        remove(path)
        log.info("a period of history is over its bound and was deleted", extra={"file": path.name})

    def _measure(self) -> None:
        paths = [self._directory / HEAD, *(p for layer in LAYERS for _, p in periods(self._directory, layer))]
        self.bytes = sum(size_of(path) for path in paths)

    def _shorten(self, head: sqlite3.Connection) -> None:
        wal = files_of(self._directory / HEAD)[1]
        if wal.exists() and wal.stat().st_size > _WAL_BYTES:
            checkpoint(head, truncate=True)

    def _give_up_head(self, exc: sqlite3.DatabaseError) -> None:
        """Close the head after an error; set it aside when it is damaged: the next `open` begins anew."""
        head, self._head = self._head, None
        if head is None:
            return
        self._away.close()
        head.close()
        if is_damage(exc):
            put_aside(self._directory / HEAD, str(exc))


def _frames(sort: int, part: list[NDArray[Any]]) -> list[Frame]:
    tag, time_, value, quality = part
    return framed(sort, tag, [time_, value, quality], time_, time_, level=_FRESH_LEVEL)
