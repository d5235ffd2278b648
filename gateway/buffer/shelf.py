"""What the event loop owns of the store: what is stored, every sink's cursor, and their books."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final, Literal, TypeVar

from config.plant import BufferOptions
from connectors import Clock, Delivery, Order, Refusal
from gateway.buffer.contract import StoreFailed
from gateway.buffer.cursor import LogCursor
from gateway.buffer.position import Position, Range
from gateway.buffer.quarantine import hold, take_retries
from gateway.buffer.reader import Readers
from gateway.buffer.records import Changes, Discard, SavedCursor, Totals
from gateway.buffer.recovery import Recovered
from gateway.buffer.repair import salvage, set_aside
from gateway.buffer.segment import Job, Segment
from gateway.buffer.stored import Stored
from gateway.buffer.writer import Writer
from gateway.ledger import Account, Books, Gap, Passing, Rows
from gateway.ledger.books import UNKNOWN, add, total

log = logging.getLogger(__name__)
T = TypeVar("T")
_PARKED_NS: Final = 7 * 86_400_000_000_000


class Shelf(Stored):
    """Implements `log.Log` and `retention.Shelf`; on the event loop unless a method says otherwise."""

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
        super().__init__(found, options.memory, clock, readers)
        self._loop = loop
        self._writer = writer
        self._rebuilt = found.rebuilt
        self._cursors: dict[str, LogCursor] = {}
        self._saved = dict(found.state.cursors)
        self._moved: set[str] = set()
        self._repaired: set[Path] = set()
        self._forgotten: list[str] = []
        self._held = found.held
        self._noted: list[Gap] = []
        self._gone: list[int] = []
        self._discarded: dict[int, str] = {}
        """Discards the books have counted, until no transaction finds them any more: sink by id."""

    def take_in(self, jobs: Sequence[Job], first_seq: int, begun: Segment | None) -> None:
        """Take what is on disk now into the log, resolve its receipts, wake the cursors."""
        super().take_in(jobs, first_seq, begun)
        for cursor in self._cursors.values():
            cursor.wake()

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
        knows_again: bool,
    ) -> LogCursor:
        """Return a cursor where the sink was left, or new at `start`."""
        old, saved = self._cursors.get(sink), self._saved.pop(sink, None)
        if old is not None:
            saved = SavedCursor(sink, *old.saved_place(), books=old.saved_books())
        elif saved is not None and saved.parked is not None and self.clock.now() - saved.parked >= _PARKED_NS:
            saved = None
        oldest = self.segments[0].first_seq if self.segments else self._end
        head, ranges = self._begin_at(saved, after, knows_again=knows_again) or (
            oldest if start == "oldest" or self._rebuilt else self._end,
            (),
        )
        head = max(oldest, min(head, self._end))
        kept = [
            Range(max(a, oldest), b, sum(self.count(max(a, oldest), b).values()))
            for a, b in ranges
            if max(a, oldest) < b <= head
        ]
        waiting = sum(self.count(head, self._end).values())
        position = Position(head if waiting else self._end, self._stored - waiting, kept)
        books = saved.books if saved is not None else None
        cursor = LogCursor(
            *(self, sink, order, position),
            books=books or Books(self.clock.now()),
            required=required,
            replay_rate=replay_rate,
        )
        if books is None:
            cursor.books = self._begin_books(sink, cursor.counted())
        else:
            self._reconcile(cursor, saved, after)
        if kept or waiting:
            cursor.oldest = self.first_arrival(position.lowest())
        self._cursors[sink] = cursor
        self._moved.add(sink)
        return cursor

    def _begin_at(
        self, saved: SavedCursor | None, after: int | None, *, knows_again: bool
    ) -> tuple[int, tuple[tuple[int, int], ...]] | None:
        """Return the head and the ranges a sink was left with; None when there was none."""
        if after is None:
            return None if saved is None else (saved.head, saved.ranges)
        if knows_again and saved is not None and saved.head <= after:
            return saved.head, ()
        return after + 1, ()

    def _begin_books(self, sink: str, waiting: Rows) -> Books:
        books = Books.begun(self.clock.now(), self._acquired, waiting, self._held.get(sink, {}))
        for (name, reason), rows in self.state.drops.items():
            if name == sink:
                # Counted by an earlier release, which knew no sources.
                add(books.base, {"": rows}, -1)
                books.drop({"": rows}, reason)
        return books

    def _reconcile(self, cursor: LogCursor, saved: SavedCursor | None, after: int | None) -> None:
        """Book what has become of rows between the save and now."""
        assert saved is not None  # noqa: S101  whoever has books was saved
        if after is not None and saved.head < cursor.position.head:
            # Its own books are ahead of ours: it had them.
            add(cursor.books.delivered, self.count(saved.head, cursor.position.head))
        spans = [(saved.head, self._end), *saved.ranges]
        reasons = [
            reason
            for first, last, reason in self.lost
            if any(start <= last and first < stop for start, stop in spans)
        ]
        cursor.reconcile(reasons[0] if reasons else UNKNOWN)

    def park_absent(self) -> None:
        """Park every saved cursor no configured sink has asked for."""
        now = self.clock.now()
        self._moved.update(self._recount_parked(self.lost[0][2] if self.lost else UNKNOWN))
        for sink, saved in list(self._saved.items()):
            if saved.parked is None:
                self._saved[sink] = replace(saved, parked=now)
                self._moved.add(sink)
        self._rebuilt = False

    def park(self, sink: str) -> None:
        """Park one cursor."""
        cursor = self._cursors.pop(sink, None)
        if cursor is not None:
            place = SavedCursor(sink, *cursor.saved_place(), books=cursor.saved_books())
            self._saved[sink] = replace(place, parked=self.clock.now())
            self._moved.add(sink)

    def moved(self, sink: str) -> None:
        """Learn that a cursor wants saving."""
        self._moved.add(sink)

    def everything_moved(self) -> None:
        """Let every cursor be saved anew: the state was lost."""
        self._moved.update(self._cursors, self._saved)

    def changes(self, *, everything: bool = False) -> Changes:
        """Return what is to be saved now, and take it as saved."""
        if everything:
            self._moved.update(self._cursors)
        now = self.clock.now()
        for sink, saved in list(self._saved.items()):
            if saved.parked is not None and now - saved.parked >= _PARKED_NS:
                self._forgotten.append(sink)
                del self._saved[sink]
        changes = self._changes(self._moved)
        changes.forgotten, changes.gaps, changes.gone = self._forgotten, self._noted, self._gone
        changes.meta = {"rebuilt": "1" if self._rebuilt else "0"}
        self._moved, self._forgotten, self.ended = set(), [], []
        self._noted, self._gone = [], []
        return changes

    def take_back(self, changes: Changes) -> None:
        """Take back what could not be saved."""
        self._moved.update(cursor.sink for cursor in changes.cursors)
        self._forgotten += changes.forgotten
        self._noted = [*changes.gaps, *self._noted]
        self._gone += changes.gone
        there = {segment.first_seq: segment for segment in self.segments[:-1]}
        self.ended += [there[each.first_seq] for each in changes.totals if each.first_seq in there]

    def _changes(self, sinks: Iterable[str]) -> Changes:
        """Return these cursors' places and books, and what the log holds, as they are together."""
        sinks = set(sinks)
        totals = {segment.first_seq: segment for segment in (*self.ended, *self.segments[-1:])}
        return Changes(
            cursors=[self._place(sink) for sink in sinks if sink in self._cursors or sink in self._saved],
            totals=[Totals.of(s, sealed=s.sealed) for s in totals.values() if s in self.segments],
            retired=self.retired(),
            counted=[discard for discard, sink in self._discarded.items() if sink in sinks],
        )

    def lowest_required(self) -> int:
        """Return the first seq a required sink still needs."""
        return min((c.position.lowest() for c in self._cursors.values() if c.required), default=self._end)

    def cut(self, segment: Segment, reason: str) -> tuple[dict[str, int], Changes]:
        """Take the oldest segment out of the log; return each sink's loss, and what is to be saved first."""
        stop = segment.last_seq + 1
        damaged = len(self.lost)
        losses = {sink: cursor.cut(stop, reason) for sink, cursor in self._cursors.items()}
        self.remove(segment)
        if len(self.lost) > damaged:
            # What could not be counted batch by batch is known by what is left.
            for sink, cursor in self._cursors.items():
                losses[sink] += cursor.recount(segment.first_seq, segment.last_seq, "damaged")
        changes = self._changes((*self._cursors, *self._recount_parked(reason)))
        changes.gone = [segment.first_seq]
        return losses, changes

    # The books.

    def _recount_parked(self, reason: str) -> list[str]:
        """Book what sinks without a cursor have lost; return their names."""
        for each in self._saved.values():
            if each.books is not None:
                lost = each.books.waiting(self._acquired)
                for start, stop in (*each.ranges, (each.head, self._end)):
                    add(lost, self.count(start, stop), -1)
                each.books.drop({source: rows for source, rows in lost.items() if rows > 0}, reason)
        return [sink for sink, each in self._saved.items() if each.books is not None]

    def accounts(self) -> list[Account]:
        """Return every sink's books, also of those that are parked."""
        found = [cursor.account() for cursor in self._cursors.values()]
        for each in self._saved.values():
            if each.books is not None:
                waiting = each.books.waiting(self._acquired)
                entries = tuple(each.books.entries(self._acquired, waiting))
                counted = sum(waiting.values())
                found.append(Account(each.sink, each.books.since, entries, counted, each.parked))
        return found

    def dropped(self) -> dict[tuple[str, str], int]:
        """Return the undelivered rows that are gone, by sink and reason."""
        books = {sink: cursor.books for sink, cursor in self._cursors.items()}
        books |= {sink: each.books for sink, each in self._saved.items() if each.books is not None}
        found = {
            (sink, reason): rows
            for sink, each in books.items()
            for reason, rows in each.dropped_by_reason().items()
        }
        return {key: rows for key, rows in self.state.drops.items() if key[0] not in books} | found

    @property
    def has_discarded(self) -> bool:
        """Whether discards are counted that a look may find gone."""
        return bool(self._discarded)

    def discard(self, discards: Sequence[Discard]) -> None:
        """Count what has left quarantine for ever; `discards` is all there is that nobody has counted."""
        there = {each.id for each in discards}
        self._discarded = {each: sink for each, sink in self._discarded.items() if each in there}
        for each in discards:
            cursor, saved = self._cursors.get(each.sink), self._saved.get(each.sink)
            if each.id in self._discarded or (cursor is not None and each.entry in cursor.lent):
                continue  # counted already; or it is being sent again, and its sink's answer counts
            books = cursor.books if cursor is not None else saved.books if saved is not None else None
            if books is not None:
                books.discard(each.source, each.rows, each.reason)
            self._discarded[each.id] = each.sink
            self._moved.add(each.sink)

    def note(self, gap: Gap) -> None:
        """Let a gap be saved with the next of the changes."""
        self._noted.append(replace(gap, place=self._end))

    async def gaps_after(self, revision: int) -> list[Gap]:
        """Return the gaps noted or changed after a revision, in that order."""
        return await self._in_writer(lambda: self.state.gaps(revision))

    async def gaps_told(self, sink: str) -> int:
        """Return the revision up to which a sink has told its subscribers."""
        query = "SELECT revision FROM gaps_told WHERE sink = ?"
        found = await self._in_writer(lambda: self.state.query(query, (sink,)))
        return int(found[0][0]) if found else 0

    async def tell_gaps(self, sink: str, revision: int) -> None:
        """Put on disk that a sink has told its subscribers everything up to a revision."""
        await self._in_writer(lambda: self.state.save(Changes(gaps_told={sink: revision})))

    # Quarantine.

    async def settle(
        self, cursor: LogCursor, refused: Sequence[Refusal], passing: Passing, entries: Sequence[int]
    ) -> None:
        """Save what an acknowledgement changes in one transaction, then let the cursor finish it."""
        now = self.clock.now()

        def moved() -> tuple[Changes, Sequence[Delivery]]:
            changes = self._changes({cursor.sink})
            pending = cursor.in_flight
            place = cursor.saved_place(pending)
            changes.cursors = [SavedCursor(cursor.sink, *place, books=cursor.saved_books(passing))]
            changes.settled = entries
            return changes, pending

        def save() -> None:
            # What is saved is taken when it is saved: meanwhile retention may have cut the cursor.
            changes, pending = self.on_loop(moved)
            hold(self.state, changes, pending, refused, now)
            self.on_loop(partial(cursor.finish, passing))

        # Cancelled in its middle it is saved all the same: whoever takes the sink up next must find it so.
        saving = asyncio.ensure_future(self._in_writer(save))
        try:
            await asyncio.shield(saving)
        except asyncio.CancelledError:
            await asyncio.wait([saving])
            raise

    async def take_retries(self, cursor: LogCursor, max_rows: int) -> Sequence[tuple[int, Delivery]]:
        """Return (entry, delivery) of what somebody wants sent again, and note them as lent."""

        def take() -> Sequence[tuple[int, Delivery]]:
            taken = take_retries(self.state, cursor.sink, max_rows)
            self.on_loop(lambda: cursor.lend([entry for entry, _ in taken]))
            return taken

        return await self._in_writer(take)

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

    async def repair(self, segment: Segment) -> None:
        """Replace a damaged segment by what can be proved of it."""
        await asyncio.wrap_future(self._writer.post(partial(self._repair, segment)))

    def _repair(self, segment: Segment) -> None:
        """Replace a damaged segment by what can be proved of it; in the writer thread."""
        if segment not in self.segments:
            return
        if not segment.closed:
            self._writer.end_segment()
        self._readers.forget(segment.path)
        is_again = segment.path in self._repaired
        self._repaired.add(segment.path)
        try:
            if is_again:  # should a repair keep what a reader can't take, it would go round for ever
                raise sqlite3.DatabaseError(f"{segment.path.name} is damaged again")
            left = salvage(segment.path, self.epochs(), segment.last_seq)
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
            self.on_loop(partial(self.take_back, changes))

    def _replace(self, segment: Segment, left: Segment | None, reason: str) -> Changes:
        batches = segment.batches - (left.batches if left else 0)
        rows = segment.rows - (left.rows if left else 0)
        self.exchange(segment, left)
        lost_at = {
            sink: cursor.recount(segment.first_seq, segment.last_seq, reason)
            for sink, cursor in self._cursors.items()
        }
        lost = total([segment.sources])
        add(lost, left.sources if left else {}, -1)
        log.error("stored data lost", extra={"file": segment.path.name, "reason": reason, "rows": rows})
        gap = Gap(
            *(reason, segment.first_seq, segment.last_seq, batches, rows, self.clock.now()),
            *(segment.first_arrived, segment.last_arrived),
            sources=lost,
            sinks={sink: count for sink, count in lost_at.items() if count},
        )
        changes = self._changes((*self._cursors, *self._recount_parked(reason)))
        changes.totals = [*changes.totals, *([Totals.of(left, sealed=True)] if left else [])]
        changes.gone = [] if left else [segment.first_seq]
        changes.gaps = [gap] if batches else []
        return changes

    def _place(self, sink: str) -> SavedCursor:
        cursor = self._cursors.get(sink)
        if cursor is None:
            parked = self._saved[sink]
            books = None if parked.books is None else parked.books.copy()
            return SavedCursor(sink, parked.head, parked.ranges, parked.parked, books)
        return SavedCursor(sink, *cursor.saved_place(), books=cursor.saved_books())
