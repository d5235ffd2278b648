"""The durable log on disk: what is accepted is on the platter, and every sink has its own place in it.

      event loop                           writer thread                        files
    ┌──────────────────────────┐  inbox   ┌───────────────────────┐   ┌──────────────────────────────┐
    │ append: encode, queue ───┼─────────►│ gather, commit, fsync │──►│ 00…001.segment   sealed      │
    │ receipts ◄───────────────┼──────────│ rotate, seal, delete  │   │ 00…732.segment   sealed      │
    │ ring: newest batches     │  one call│ save cursors          │──►│ 01…204.segment   active, WAL │
    │ cursors ◄── commit wakes │ a commit └───────────────────────┘   │ state.sqlite                 │
    └──────────▲───────────────┘                                      │ lock, reserve                │
               └── backlog: reader threads, bulk SELECT, checksums ◄──┴──────────────────────────────┘

Promises, and where they are kept:
  1. A receipt resolves after the transaction that holds its batch is synced (`segment.append`). Natural
     batching: whatever gathered during one commit is the next one.
  2. `seq` counts stored batches and is given in the writer, at commit. A segment's batches end where the next
     segment begins: what a failed commit left behind in an abandoned file is never read.
  3. One file per segment, begun at a size or age and at every start. A damaged page costs what it held
     (`repair`), never the store. Nothing is read without its checksum.
  4. Cursors live in `state.sqlite`: saved once a second, at stop, with refused rows, before any deletion.
  5. An epoch ends when continuity can't be proved (`recovery`): state lost, newest segment lost or damaged,
     another machine or directory, directory deleted. seq never restarts.
  6. A failed sync means the file is no longer trusted: abandoned, the batches go once into a new one; if that
     fails too their receipts fail, nothing is accepted and `degraded` says why.
  7. At a bound the oldest goes, counted (`retention`), or `append` waits.

The loop (`shelf`) owns the list of segments, the ring and the cursors; the writer thread owns the active file
and asks the loop to change what is the loop's. State and readers have a lock each.
"""

import asyncio
import logging
import sqlite3
from collections import deque
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from config.plant import BufferOptions
from connectors import Batch, Clock, Epoch, Order, SystemClock, Tag, nbytes
from gateway.beat import until_beat
from gateway.buffer.codec import encode, tag_bytes
from gateway.buffer.contract import Receipt, StoreFailed
from gateway.buffer.cursor import LogCursor
from gateway.buffer.full import DiskFull, Freed, free_oldest
from gateway.buffer.identity import StoreLock, fingerprint, new_epoch
from gateway.buffer.newest import newest
from gateway.buffer.reader import Readers
from gateway.buffer.records import Changes, Discard, EpochRecord
from gateway.buffer.recovery import Recovered, recover
from gateway.buffer.retention import RESERVE, Retention
from gateway.buffer.room import holds_ns
from gateway.buffer.segment import Job, Segment
from gateway.buffer.shelf import Shelf
from gateway.buffer.state import NAME, State
from gateway.buffer.stats import BufferStats
from gateway.buffer.writer import Writer
from gateway.ledger import Account, Gap

log = logging.getLogger(__name__)
_QUEUE_BYTES = 8 * 2**20
_FIRST_S = 1.0
"""After the start, before the house is kept for the first time; from then on with the beat."""
_SOMETHING = "SELECT EXISTS(SELECT 1 FROM discards), EXISTS(SELECT 1 FROM quarantine WHERE retry = 1)"
"""Whether the quarantine wants anything, in one look."""


class DiskBuffer:
    """Implements `contract.Buffer` in a directory; enter to open, leave to flush and close."""

    def __init__(self, directory: Path, options: BufferOptions, clock: Clock | None = None) -> None:
        self._directory = directory
        self._options = options
        self._clock = clock or SystemClock()
        self._queued = 0
        self._wanting: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._housekeeping = False
        self._closing = True
        self._loop: asyncio.AbstractEventLoop
        self._lock: StoreLock
        self._state: State
        self._readers: Readers
        self._writer: Writer
        self._shelf: Shelf
        self._retention: Retention

    async def __aenter__(self) -> Self:
        """Open, check, repair; raises StoreFailed (in use by another, unusable) or NewerFormat."""
        self._loop = asyncio.get_running_loop()
        await asyncio.to_thread(self._open)
        self._writer.start()
        self._closing = False
        self._timer = self._loop.call_later(_FIRST_S, self._tick)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Commit what is queued, save the cursors, seal the segment."""
        self._closing = True
        if self._timer is not None:
            self._timer.cancel()
        self._give_room()
        self._writer.stop()
        await asyncio.to_thread(self._writer.join)
        changes = self._shelf.changes(everything=True)
        changes.meta = {"clean": "1"}
        await asyncio.to_thread(self._close, changes)

    async def append(self, source: str, batch: Batch, resume: bytes | None = None) -> Receipt:
        """Queue a batch for commit, waiting only for room; the Receipt resolves when it is on disk."""
        memory = nbytes(batch)
        while self._queued and self._queued + memory > _QUEUE_BYTES and not self._closing:
            wanting: asyncio.Future[None] = self._loop.create_future()
            self._wanting.append(wanting)
            await wanting
        receipt: Receipt = self._loop.create_future()
        if self._closing:
            receipt.set_exception(StoreFailed("the store is closed"))
            return receipt
        self._queued += memory
        data, tags = encode(batch), tag_bytes(batch)
        self._writer.put(Job(source, batch, len(tags) // 4, memory, data, tags, resume, receipt))
        return receipt

    def cursor(
        self,
        sink: str,
        order: Order,
        *,
        start: Literal["now", "oldest"] = "now",
        required: bool = True,
        replay_rate: int | None = None,
        after: int | None = None,
        knows_again: bool = False,
    ) -> LogCursor:
        """Return the sink's cursor, where it was left, or new at `start`.

        `after` is the last seq a sink with its own database has booked; it overrules what is saved here. One
        that `knows_again` what it has booked gets what was booked since the save once more, for its account.
        Asking again for a name gives a new cursor at the same place and ends the old one.
        """
        cursor = self._shelf.open_cursor(
            *(sink, order),
            start=start,
            required=required,
            replay_rate=replay_rate,
            after=after,
            knows_again=knows_again,
        )
        # Before what is appended next: killed before the first tick, a new sink would begin at `now` again.
        self._writer.post(self._save_moved)
        return cursor

    def ready(self) -> None:
        """Learn that every configured sink has its cursor: park the others, let retention begin."""
        self._shelf.park_absent()
        self._retention.ready = True

    def release(self, sink: str) -> None:
        """Park the cursor of a sink that was removed: kept seven days, pinning nothing."""
        self._shelf.park(sink)

    def catalogue(self) -> list[tuple[int, Tag]]:
        """Return every tag there ever was, by number: what a TagTable starts with."""
        return sorted(self._state.tags.items())

    def persist(self, changed: Iterable[tuple[int, Tag]]) -> None:
        """Store new or changed tags, durable when it returns; a TagTable calls it. Raises StoreFailed."""
        changed = list(changed)
        again = [number for number, _ in changed if number in self._state.tags]
        try:
            self._state.persist(changed)
        except sqlite3.Error as exc:
            raise StoreFailed(f"the tag catalogue cannot be written: {exc}") from exc
        if again:
            self._writer.post(partial(self._writer.rewrite_tags, again))

    def last_arrived(self, source: str) -> int | None:
        """Return the arrival of the newest stored batch of a source, ns UTC."""
        state = self._writer.sources.get(source)
        return None if state is None else state.last_arrived

    async def newest(self, tags: NDArray[np.int32]) -> NDArray[np.int64]:
        """Return when the newest stored value of each of these tags was true, by number; 0 is not known."""
        return await newest(self._shelf, self.oldest(), tags)

    def resume_token(self, source: str) -> bytes | None:
        """Return the token stored with the newest batch of a source that carried one."""
        state = self._writer.sources.get(source)
        return None if state is None else state.resume

    @property
    def epoch(self) -> Epoch:
        """The epoch new batches are stored under."""
        return self._writer.epoch

    def epochs(self) -> list[EpochRecord]:
        """Return every epoch of this gateway, oldest first."""
        return list(self._state.epochs)

    def oldest(self) -> int:
        """Return the seq below which nothing is stored any more."""
        segments = self._shelf.segments
        return segments[0].first_seq if segments else self._shelf.end()

    def accounts(self) -> list[Account]:
        """Return what became of every row of every sink, by source."""
        return self._shelf.accounts()

    def gaps(self) -> list[Gap]:
        """Return every recorded gap, in the order they were noted or changed last."""
        return self._state.gaps()

    def note(self, gap: Gap) -> None:
        """Put a gap on disk, before what is appended next; with what it goes on with it is one."""
        self._shelf.note(gap)
        self._writer.post(self._save_moved)

    @property
    def gap_revision(self) -> int:
        """The newest revision of a gap that is on disk."""
        return self._state.gap_revision

    async def gaps_after(self, revision: int) -> list[Gap]:
        """Return the gaps noted or changed after a revision, in that order."""
        return await self._shelf.gaps_after(revision)

    async def gaps_told(self, sink: str) -> int:
        """Return the revision up to which a sink has told its subscribers."""
        return await self._shelf.gaps_told(sink)

    async def tell_gaps(self, sink: str, revision: int) -> None:
        """Put on disk that a sink has told its subscribers everything up to a revision."""
        await self._shelf.tell_gaps(sink, revision)

    async def begin_new_epoch(self, reason: str) -> Epoch:
        """End the current epoch, e.g. after a restore; the next batch is stored under the new one."""
        return await asyncio.wrap_future(self._writer.post(partial(self._renew, reason)))

    async def come_round(self) -> None:
        """Return when the thread that writes has ended what it does; the watchdog asks whether it lives."""
        await asyncio.wrap_future(self._writer.post(lambda: None))

    def stats(self) -> BufferStats:
        """Return what /metrics and the status message show."""
        writer, shelf = self._writer, self._shelf
        return BufferStats(
            epoch=writer.epoch,
            next_seq=shelf.end(),
            batches=shelf.batches,
            rows=shelf.rows,
            commits=writer.commits,
            segments=len(shelf.segments),
            bytes=sum(segment.bytes for segment in shelf.segments),
            memory_bytes=shelf.ring.bytes,
            queued_bytes=self._queued,
            dropped=self._shelf.dropped(),
            degraded=writer.degraded,
            full=writer.full,
        )

    def holds_ns(self) -> int | None:
        """Return how long an outage may last before the oldest rows go, ns; None while nobody knows."""
        return holds_ns(self._directory, self._shelf.segments, self._options)

    # What the writer thread calls; each hands over to the loop.

    def stored(self, jobs: list[Job], first_seq: int, begun: Segment | None) -> None:
        """Resolve the receipts and wake the cursors, in one call."""
        self._loop.call_soon_threadsafe(self._on_stored, jobs, first_seq, begun)

    def failed(self, jobs: list[Job], error: StoreFailed) -> None:
        """Fail the receipts."""
        log.error("batches were not accepted", extra={"batches": len(jobs), "reason": str(error)})
        self._loop.call_soon_threadsafe(self._on_failed, jobs, error)

    def ended(self, path: Path, *, sealed: bool) -> None:
        """Let the loop know that a segment is no longer written."""
        self._readers.forget(path)
        size = path.stat().st_size if path.exists() else 0
        self._shelf.on_loop(partial(self._shelf.segment_ended, path, size, sealed=sealed))

    def make_room(self, *, disk_full: bool) -> bool:
        """Remove the oldest data until a new segment fits."""
        return self._retention.make_room(self._writer, disk_full=disk_full)

    def directory_lost(self, next_seq: int) -> Epoch:
        """Begin anew: the tags and cursors known here, none of the data, a new epoch."""
        log.error("the data directory was deleted, beginning anew", extra={"directory": str(self._directory)})
        self._directory.mkdir(parents=True, exist_ok=True)
        self._readers.close()
        old = self._state
        if not (self._directory / NAME).exists():
            lock = StoreLock(self._directory)
            lock.__enter__()
            self._lock.__exit__(None, None, None)
            self._lock = lock
            fresh = State(self._directory / NAME)
            fresh.take_over(old)
            fresh.save(Changes(meta={"host": fingerprint(self._directory), "clean": "0"}))
            self._state = self._shelf.state = fresh
            old.close()
        # First the epoch: a gap of the old one would get a number that is taken there.
        epoch = self._renew("directory lost", next_seq)
        for segment in [each for each in self._shelf.segments if not each.path.exists()]:
            self._shelf.replace(segment, None, "directory_lost")
        self._shelf.on_loop(self._shelf.everything_moved)
        return epoch

    def _open(self) -> None:
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            self._lock = StoreLock(self._directory)
            self._lock.__enter__()
        except OSError as exc:
            raise StoreFailed(f"{self._directory} cannot be used: {exc}") from exc
        (self._directory / RESERVE).unlink(missing_ok=True)  # putting files in order takes room
        try:
            found = self._recover()
        except BaseException:
            self._lock.__exit__(None, None, None)
            raise
        self._state = found.state
        self._readers = Readers()
        self._writer = Writer(
            self._directory,
            self._options,
            self,
            self._tag,
            epoch=found.epoch,
            next_seq=found.next_seq,
            sources=found.sources,
        )
        self._shelf = Shelf(
            self._loop,
            found,
            options=self._options,
            clock=self._clock,
            readers=self._readers,
            writer=self._writer,
        )
        self._retention = Retention(self._directory, self._options, self._shelf, self._readers, self._clock)
        self._retention.hold_reserve()

    def _recover(self) -> Recovered:
        """Open what is there, on a full disk without the oldest where that is the policy."""
        freed: list[Freed] = []
        while True:
            try:
                return recover(self._directory, self._clock, freed)
            except DiskFull:
                gone = free_oldest(self._directory) if self._options.when_full == "drop_oldest" else None
                if gone is None:
                    raise
                freed.append(gone)

    def _close(self, changes: Changes) -> None:
        self._retention.release_reserve()
        try:
            self._state.save(changes)
        except sqlite3.Error:
            log.exception("the cursors could not be saved; sinks will get some rows again")
        finally:
            self._readers.close()
            self._state.close()
            self._lock.__exit__(None, None, None)

    def _tag(self, number: int) -> Tag:
        return self._state.tags[number]

    def _on_stored(self, jobs: list[Job], first_seq: int, begun: Segment | None) -> None:
        self._queued -= sum(job.memory for job in jobs)
        self._shelf.take_in(jobs, first_seq, begun)
        if self._wanting:
            self._give_room()

    def _on_failed(self, jobs: list[Job], error: StoreFailed) -> None:
        self._queued -= sum(job.memory for job in jobs)
        for job in jobs:
            if not job.receipt.done():
                job.receipt.set_exception(error)
        self._give_room()

    def _give_room(self) -> None:
        while self._wanting:
            wanting = self._wanting.popleft()
            if not wanting.done():
                wanting.set_result(None)

    def _tick(self) -> None:
        self._timer = self._loop.call_later(until_beat(self._clock), self._tick)
        if not self._housekeeping:
            self._housekeeping = True
            self._writer.post(self._keep_house)

    def _keep_house(self) -> None:
        """Save what moved, let go what may go, look at the quarantine; in the writer thread."""
        try:
            self._save_moved()
            self._retention.enforce(self._writer)
            ((has_discards, has_retries),) = self._state.query(_SOMETHING)  # nearly always: neither
            if has_discards or self._shelf.has_discarded:
                discards = [Discard(*row) for row in self._state.query("SELECT * FROM discards ORDER BY id")]
                self._loop.call_soon_threadsafe(self._shelf.discard, discards)
            if has_retries:
                found = self._state.query("SELECT DISTINCT sink FROM quarantine WHERE retry = 1")
                self._loop.call_soon_threadsafe(self._shelf.wake_retries, [str(sink) for (sink,) in found])
        except (sqlite3.Error, OSError) as exc:
            log.error("the state could not be read", extra={"reason": str(exc)})  # noqa: TRY400  the reason is enough
        finally:
            self._housekeeping = False

    def _save_moved(self) -> None:
        """Put on disk what moved; in the writer thread."""
        # Taken when it is saved: what waits in the inbox would be older than what retention saves meanwhile.
        changes = self._shelf.on_loop(self._shelf.changes)
        if not (changes.cursors or changes.totals or changes.forgotten or changes.gaps or changes.gone):
            return
        try:
            self._state.save(changes)
        except sqlite3.Error as exc:
            log.error("the state could not be saved", extra={"reason": str(exc)})  # noqa: TRY400  the reason is enough
            self._loop.call_soon_threadsafe(self._shelf.take_back, changes)

    def _renew(self, reason: str, next_seq: int | None = None) -> Epoch:
        self._writer.end_segment()
        epoch = new_epoch(self._state.epochs[-1].epoch.ordinal)
        first = next_seq or self._writer.next_seq
        self._state.add_epoch(EpochRecord(epoch, self._clock.now(), first, reason))
        self._writer.epoch = epoch
        log.warning("new epoch", extra={"epoch": str(epoch), "reason": reason})
        return epoch
