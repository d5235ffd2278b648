"""What the event loop owns of the store: the list of segments, the newest batches, every sink's cursor."""

import asyncio
import logging
import sqlite3
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Final, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from config.plant import BufferOptions
from connectors import Clock, Delivery, Order, Refusal
from gateway.buffer.contract import StoreFailed
from gateway.buffer.cursor import LogCursor
from gateway.buffer.position import Position, Range
from gateway.buffer.quarantine import hold, take_retries
from gateway.buffer.reader import Damaged, Readers
from gateway.buffer.recovery import Recovered
from gateway.buffer.repair import salvage, set_aside
from gateway.buffer.ring import Lateness, Ring
from gateway.buffer.segment import Job, Segment
from gateway.buffer.state import Changes, Gap, SavedCursor, Totals
from gateway.buffer.writer import Writer

log = logging.getLogger(__name__)
T = TypeVar("T")
_PARKED_NS: Final = 7 * 86_400_000_000_000


class Shelf:
    """Implements `cursor.Log` and `retention.Shelf`; on the event loop unless a method says otherwise."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        found: Recovered,
        *,
        options: BufferOptions,
        clock: Clock,
        readers: Readers,
        writer: Writer,
    ) -> None:
        self.clock = clock
        self.state = found.state
        self.segments = found.segments
        self.ring = Ring(options.memory)
        self.recent = self.ring.get
        self.batches = 0
        self.rows = 0
        self._loop = loop
        self._readers = readers
        self._writer = writer
        self._end = found.next_seq
        self._stored = sum(segment.rows for segment in self.segments)
        self._lateness = Lateness(found.next_seq)
        self._rebuilt = found.rebuilt
        self._cursors: dict[str, LogCursor] = {}
        self._saved = dict(found.state.cursors)
        self._moved: set[str] = set()
        self._forgotten: list[str] = []
        self._ended: list[Segment] = []
        self._counted: dict[Path, tuple[int, NDArray[np.int64], NDArray[np.int64]]] = {}

    # The log.

    def end(self) -> int:
        """Return the seq the next stored batch will get."""
        return self._end

    def stored(self) -> int:
        """Return the running total of stored rows."""
        return self._stored

    def behind(self) -> int:
        """Return the seq below which everything was stored more than 5 s ago."""
        return self._lateness.behind(self.clock.monotonic())

    def take_in(self, jobs: Sequence[Job], first_seq: int, begun: Segment | None) -> None:
        """Take what is on disk now into the log, resolve its receipts, wake the cursors."""
        if begun is not None:
            self.segments.append(begun)
        segment = self.segments[-1]
        seq = first_seq
        rows = 0
        put, epoch = self.ring.put, segment.epoch
        for job in jobs:
            put(Delivery(job.batch, epoch, seq), job.memory)
            rows += job.rows
            segment.bytes += job.size
            if not job.receipt.done():
                job.receipt.set_result(seq)
            seq += 1
        segment.last_seq = seq - 1
        segment.last_arrived = jobs[-1].batch.arrived
        segment.batches += len(jobs)
        segment.rows += rows
        self._end = seq
        self._stored += rows
        self.batches += len(jobs)
        self.rows += rows
        self._lateness.note(self.clock.monotonic(), seq)
        for cursor in self._cursors.values():
            cursor.wake()

    def arrived(self, seq: int) -> int:
        """Return when the first batch at or after `seq` arrived, ns UTC, at worst its segment's first."""
        held = self.recent(seq)
        if held is not None:
            return held.batch.arrived
        for segment in self.segments[self._at(seq) :]:
            return segment.first_arrived
        return self.clock.now()

    async def read(self, start: int, stop: int, max_rows: int) -> Sequence[Delivery]:
        """Return whole deliveries of [start, stop), at least one unless there is none at all."""
        while True:
            place = self._at(start)
            if place >= len(self.segments) or self.segments[place].first_seq >= stop:
                return ()
            segment = self.segments[place]
            upto = min(stop, segment.last_seq + 1)
            try:
                found = await asyncio.to_thread(self._readers.read, segment, start, upto, max_rows)
            except (Damaged, OSError) as exc:
                log.error("segment is damaged", extra={"file": segment.path.name, "reason": str(exc)})  # noqa: TRY400
                await asyncio.wrap_future(self._writer.post(partial(self._repair, segment)))
                continue
            if found:
                return found
            start = segment.last_seq + 1

    def count(self, start: int, stop: int) -> int:
        """Return the rows stored in [start, stop)."""
        rows = 0
        for segment in self.segments[self._at(start) :]:
            if segment.first_seq >= stop:
                break
            if start <= segment.first_seq and segment.last_seq < stop:
                rows += segment.rows
            else:
                rows += self._count_within(segment, start, stop)
        return rows

    def segment_ended(self, path: Path, size: int, *, sealed: bool) -> None:
        """Learn that a segment is no longer written."""
        for segment in self.segments:
            if segment.path == path:
                segment.closed, segment.sealed = True, sealed
                segment.bytes = max(size, segment.bytes) if not sealed else size
                self._ended.append(segment)

    # Cursors.

    def open_cursor(
        self,
        sink: str,
        order: Order,
        *,
        start: Literal["now", "oldest"],
        required: bool,
        replay_rate: int | None,
        after: int | None,
    ) -> LogCursor:
        """Return a cursor where the sink was left, or new at `start`."""
        old, saved = self._cursors.get(sink), self._saved.pop(sink, None)
        oldest = self.segments[0].first_seq if self.segments else self._end
        ranges: Sequence[tuple[int, int]] = ()
        if after is not None:
            head = after + 1
        elif old is not None:
            head, ranges = old.saved_place()
        elif saved is not None and (saved.parked is None or self.clock.now() - saved.parked < _PARKED_NS):
            head, ranges = saved.head, saved.ranges
        else:
            head = oldest if start == "oldest" or self._rebuilt else self._end
        head = max(oldest, min(head, self._end))
        kept = [
            Range(max(a, oldest), b, self.count(max(a, oldest), b))
            for a, b in ranges
            if max(a, oldest) < b <= head
        ]
        waiting = self.count(head, self._end)
        position = Position(head if waiting else self._end, self._stored - waiting, kept)
        cursor = LogCursor(self, sink, order, position, required=required, replay_rate=replay_rate)
        if kept or waiting:
            cursor.oldest = self._first_arrival(position.lowest())
        self._cursors[sink] = cursor
        self._moved.add(sink)
        return cursor

    def park_absent(self) -> None:
        """Park every saved cursor no configured sink has asked for."""
        now = self.clock.now()
        for sink, saved in list(self._saved.items()):
            if saved.parked is None:
                self._saved[sink] = SavedCursor(sink, saved.head, saved.ranges, now)
                self._moved.add(sink)
        self._rebuilt = False

    def park(self, sink: str) -> None:
        """Park one cursor."""
        cursor = self._cursors.pop(sink, None)
        if cursor is not None:
            head, ranges = cursor.saved_place()
            self._saved[sink] = SavedCursor(sink, head, ranges, self.clock.now())
            self._moved.add(sink)

    def moved(self, sink: str) -> None:
        """Learn that a cursor wants saving."""
        self._moved.add(sink)

    def mark_moved(self, sinks: Iterable[str]) -> None:
        """Take back cursors that could not be saved."""
        self._moved.update(sinks)

    def changes(self, *, everything: bool = False) -> Changes:
        """Return what is to be saved now, and take it as saved."""
        if everything:
            self._moved.update(self._cursors)
        now = self.clock.now()
        for sink, saved in list(self._saved.items()):
            if saved.parked is not None and now - saved.parked >= _PARKED_NS:
                self._forgotten.append(sink)
                del self._saved[sink]
        cursors = [self._place(sink) for sink in self._moved if sink in self._cursors or sink in self._saved]
        totals = {segment.first_seq: segment for segment in (*self._ended, *self.segments[-1:])}
        changes = Changes(
            cursors=cursors,
            forgotten=self._forgotten,
            totals=[
                Totals(s.first_seq, s.last_seq, s.batches, s.rows, s.sealed)
                for s in totals.values()
                if s in self.segments
            ],
            meta={"rebuilt": "1" if self._rebuilt else "0"},
        )
        self._moved, self._forgotten, self._ended = set(), [], []
        return changes

    def lowest_required(self) -> int:
        """Return the first seq a required sink still needs."""
        return min((c.position.lowest() for c in self._cursors.values() if c.required), default=self._end)

    def cut(self, segment: Segment) -> tuple[dict[str, int], list[SavedCursor]]:
        """Take the oldest segment out of the log; return each sink's loss and the cursors' new places."""
        stop = segment.last_seq + 1
        losses = {sink: cursor.cut(stop, self.count) for sink, cursor in self._cursors.items()}
        self.segments.remove(segment)
        self._counted.pop(segment.path, None)
        return losses, [self._place(sink) for sink in self._cursors]

    # Quarantine.

    async def refuse(
        self, sink: str, pending: Sequence[Delivery], refused: Sequence[Refusal], settled: Sequence[int]
    ) -> None:
        """Quarantine refused rows in one transaction with the cursor's place and what a retry settles."""
        place = SavedCursor(sink, *self._cursors[sink].saved_place(pending))
        now = self.clock.now()
        await self._in_writer(lambda: hold(self.state, place, pending, refused, noted=now, settled=settled))

    async def take_retries(self, sink: str, max_rows: int) -> Sequence[tuple[int, Delivery]]:
        """Return (entry, delivery) of what somebody wants sent again."""
        return await self._in_writer(lambda: take_retries(self.state, sink, max_rows))

    async def settle(self, entries: Sequence[int]) -> None:
        """Forget entries that a retry has delivered."""
        await self._in_writer(lambda: self.state.save(Changes(settled=entries)))

    def wake_retries(self, sinks: Iterable[str]) -> None:
        """Let these sinks' cursors look into the quarantine."""
        for sink in sinks:
            cursor = self._cursors.get(sink)
            if cursor is not None:
                cursor.has_retries = True
                cursor.wake()

    # Between threads.

    def on_loop(self, task: Callable[[], T]) -> T:
        """Run something on the event loop and return its result; for other threads."""
        done: Future[T] = Future()

        def run() -> None:
            try:
                done.set_result(task())
            except BaseException as exc:  # noqa: BLE001  the asking thread gets the error
                done.set_exception(exc)

        self._loop.call_soon_threadsafe(run)
        return done.result()

    def save(self, changes: Changes) -> None:
        """Write to the state; raises sqlite3.Error."""
        self.state.save(changes)

    async def _in_writer(self, task: Callable[[], T]) -> T:
        try:
            return await asyncio.wrap_future(self._writer.post(task))
        except sqlite3.Error as exc:
            raise StoreFailed(f"the state cannot be read or written: {exc}") from exc

    def _repair(self, segment: Segment) -> None:
        """Replace a damaged segment by what can be proved of it; in the writer thread."""
        if segment not in self.segments:
            return
        if not segment.closed:
            self._writer.end_segment()
        self._readers.forget(segment.path)
        epochs = [record.epoch for record in reversed(self.state.epochs)]
        try:
            left = salvage(segment.path, epochs, segment.last_seq)
        except (OSError, sqlite3.Error) as exc:
            log.error("a damaged segment cannot be repaired", extra={"reason": str(exc)})  # noqa: TRY400
            set_aside(segment.path)
            left = None
        self.replace(segment, left, "damaged")

    def replace(self, segment: Segment, left: Segment | None, reason: str) -> None:
        """Take what is left of a segment for the segment and count the loss; in the writer thread."""
        changes: Changes = self.on_loop(partial(self._replace, segment, left, reason))
        try:
            self.state.save(changes)
        except sqlite3.Error as exc:
            log.error("a loss could not be recorded", extra={"reason": str(exc)})  # noqa: TRY400

    def _replace(self, segment: Segment, left: Segment | None, reason: str) -> Changes:
        batches = segment.batches - (left.batches if left else 0)
        rows = segment.rows - (left.rows if left else 0)
        place = self.segments.index(segment)
        self.segments[place : place + 1] = [left] if left else []
        self._counted.pop(segment.path, None)
        self.ring.forget(segment.first_seq, segment.last_seq + 1)
        drops = []
        for sink, cursor in self._cursors.items():
            lost = cursor.recount(segment.first_seq, segment.last_seq, self.count)
            if lost > 0:
                drops.append((sink, reason, lost))
        log.error("stored data lost", extra={"file": segment.path.name, "reason": reason, "rows": rows})
        gap = Gap(
            *(reason, segment.first_seq, segment.last_seq, batches, rows, self.clock.now()),
            *(segment.first_arrived, segment.last_arrived),
        )
        totals = [Totals(left.first_seq, left.last_seq, left.batches, left.rows, sealed=True)] if left else []
        gone = [] if left else [segment.first_seq]
        return Changes(totals=totals, gone=gone, drops=drops, gaps=[gap] if batches else [])

    def _place(self, sink: str) -> SavedCursor:
        cursor = self._cursors.get(sink)
        return SavedCursor(sink, *cursor.saved_place()) if cursor is not None else self._saved[sink]

    def _at(self, seq: int) -> int:
        """Return the place of the first segment that can hold `seq` or something after it."""
        place = bisect_right(self.segments, seq, key=lambda segment: segment.first_seq)
        return place - 1 if place and self.segments[place - 1].last_seq >= seq else place

    def _first_arrival(self, seq: int) -> int:
        for segment in self.segments[self._at(seq) :]:
            try:
                found = self._readers.read(segment, seq, segment.last_seq + 1, 1)
            except (Damaged, OSError):
                return segment.first_arrived
            if found:
                return found[0].batch.arrived
        return self.clock.now()

    def _count_within(self, segment: Segment, start: int, stop: int) -> int:
        known = self._counted.get(segment.path)
        if known is None or known[0] != segment.last_seq:
            try:
                seqs, rows = self._readers.counts(segment)
            except Damaged:
                # The repair that follows a read counts anew; until then each batch counts as the average.
                span = segment.last_seq - segment.first_seq + 1
                part = min(stop, segment.last_seq + 1) - max(start, segment.first_seq)
                return segment.rows * part // span
            sums = np.concatenate(([0], np.cumsum(rows)))
            self._counted = {segment.path: (segment.last_seq, seqs, sums)}
            known = self._counted[segment.path]
        low, high = np.searchsorted(known[1], (start, stop))
        return int(known[2][high] - known[2][low])
