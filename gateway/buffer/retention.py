"""What leaves the store, when, and how it is counted: always whole segments, always the oldest first.

A segment goes when every required sink has passed it and `keep` is over; or at a bound (bytes, age, free
disk, a disk that is full), counted for each sink that had not got it and recorded as a gap. Cursors and
counts are on disk before the file is deleted: a crash between leaves a file nobody points to, never the
reverse.

Everything here runs in the writer thread and asks the event loop to change what the loop owns.
"""

import logging
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol, TypeVar

from config.plant import BufferOptions
from connectors import Clock
from gateway.buffer.reader import Damaged, Readers
from gateway.buffer.records import Changes
from gateway.buffer.room import segment_bytes
from gateway.buffer.segment import Segment
from gateway.buffer.writer import Writer
from gateway.ledger import Gap
from gateway.sqlite import files_of, is_full, sync_directory

log = logging.getLogger(__name__)
RESERVE: Final = "reserve"
"""A file given up when the disk is so full that not even the counts of a loss can be written."""
_RESERVE_BYTES: Final = 64 * 2**10

T = TypeVar("T")
Losses = dict[str, int]


class Shelf(Protocol):
    """What the event loop owns and retention asks it for."""

    segments: list[Segment]

    def on_loop(self, task: Callable[[], T]) -> T:
        """Run something on the event loop and return its result; for other threads."""
        ...

    def lowest_required(self) -> int:
        """Return the first seq a required sink still needs."""
        ...

    def cut(self, segment: Segment, reason: str) -> tuple[Losses, Changes]:
        """Take the oldest segment out of the log; return each sink's loss, and what is to be saved first."""
        ...

    def save(self, changes: Changes) -> None:
        """Write to the state; raises sqlite3.Error."""
        ...

    def take_back(self, changes: Changes) -> None:
        """Take back what could not be saved: it is tried again within a second."""
        ...


class Retention:
    """Bounds in bytes, age and free disk. Belongs to the writer thread."""

    def __init__(
        self, directory: Path, options: BufferOptions, shelf: Shelf, readers: Readers, clock: Clock
    ) -> None:
        self._directory = directory
        self._options = options
        self._shelf = shelf
        self._readers = readers
        self._clock = clock
        self._segment_bytes = segment_bytes(options)
        self._wall, self._monotonic = clock.now(), clock.monotonic()
        self._undeleted: list[Path] = []
        self.ready = False
        """All sinks have their cursors: what nobody needs may go."""

    def make_room(self, writer: Writer, *, disk_full: bool) -> bool:
        """Remove the oldest until a new segment fits; tell whether it does, or whether something went."""
        if disk_full:
            if self._drop_oldest("disk_full"):
                return True
            # The file that is written holds space too; closed as it is, it can go once it may.
            writer.close_unsealed()
            return self._drop_oldest("disk_full")
        while reason := self._over(self._segment_bytes):
            if not self._drop_oldest(reason):
                return reason == "min_free" and self._options.when_full == "drop_oldest"
        return True

    def enforce(self, writer: Writer) -> None:
        """Let go what is old, or delivered and kept long enough; once a second."""
        self._delete_rest()
        while len(self._shelf.segments) > 1 and self._shelf.segments[0].closed:
            oldest = self._shelf.segments[0]
            age = self._now() - oldest.last_arrived
            if age > self._options.max_age:
                self.drop(oldest, "max_age")
            elif self.ready and age > self._options.keep and self._passed(oldest):
                self.drop(oldest, "not_required")
            elif self._over(writer.active_bytes()) and not self._drop_oldest("max_bytes"):
                return
            else:
                return

    def drop(self, segment: Segment, reason: str) -> None:
        """Remove one segment, the oldest; count what each sink loses by it."""
        try:
            self._readers.counts(segment)
        except Damaged:
            log.warning(
                "a segment that goes cannot be counted batch by batch", extra={"file": segment.path.name}
            )
        losses, changes = self._shelf.on_loop(lambda: self._shelf.cut(segment, reason))
        lost = {sink: rows for sink, rows in losses.items() if rows}
        if lost:
            log.error("undelivered data dropped", extra={"reason": reason, "rows": lost})
            changes.gaps = [
                Gap(
                    *(reason, segment.first_seq, segment.last_seq, segment.batches, segment.rows),
                    *(self._clock.now(), segment.first_arrived, segment.last_arrived),
                    sources=dict(segment.sources),
                    sinks=lost,
                )
            ]
        self._save(changes)
        self._readers.forget(segment.path)
        self._undeleted += [each for each in files_of(segment.path) if each.exists()]
        self._delete_rest()

    def hold_reserve(self) -> None:
        """Set space aside for the counts of a loss; without it a full disk loses exactness, not data."""
        path = self._directory / RESERVE
        try:
            if not path.exists():
                path.write_bytes(bytes(_RESERVE_BYTES))
        except OSError:
            path.unlink(missing_ok=True)

    def release_reserve(self) -> None:
        """Give the space back, for what must be written now."""
        (self._directory / RESERVE).unlink(missing_ok=True)

    def _drop_oldest(self, reason: str) -> bool:
        segments = self._shelf.segments
        if not segments or not segments[0].closed:
            return False
        if self._options.when_full == "wait" and not self._passed(segments[0]):
            return False
        self.drop(segments[0], reason)
        return True

    def _passed(self, segment: Segment) -> bool:
        return self._shelf.on_loop(self._shelf.lowest_required) > segment.last_seq

    def _over(self, more: int) -> str:
        """Return the bound that `more` bytes would break, empty when none."""
        if sum(segment.bytes for segment in list(self._shelf.segments)) + more > self._options.max_bytes:
            return "max_bytes"
        if self._directory.exists() and shutil.disk_usage(self._directory).free < self._options.min_free:
            return "min_free"
        return ""

    def _now(self) -> int:
        """Return the wall time, but never ahead of the monotonic clock: a step must not age data."""
        passed = self._clock.monotonic() - self._monotonic
        return min(self._clock.now(), self._wall + passed)

    def _save(self, changes: Changes) -> None:
        try:
            self._shelf.save(changes)
        except sqlite3.Error as exc:
            if not is_full(exc):
                log.exception("a loss could not be recorded")
                self._shelf.on_loop(lambda: self._shelf.take_back(changes))
                return
            self.release_reserve()
            try:
                self._shelf.save(changes)
            except sqlite3.Error:
                log.exception("a loss could not be recorded")
                self._shelf.on_loop(lambda: self._shelf.take_back(changes))

    def _delete_rest(self) -> None:
        """Delete what is due; Windows refuses while somebody reads, so the rest is tried again later."""
        left = []
        for path in self._undeleted:
            try:
                path.unlink(missing_ok=True)
            except OSError:
                left.append(path)
        if self._undeleted != left:
            self._undeleted = left
            try:
                sync_directory(self._directory)
            except OSError as exc:
                log.warning("deleted names may come back after a power cut", extra={"reason": str(exc)})
            self.hold_reserve()
