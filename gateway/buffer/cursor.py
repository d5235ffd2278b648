"""A sink's cursor: live first with a backlog beside it, or strictly in order; it repeats until `ack`.

LIVE_FIRST. While the head is less than 5 s behind the log's end, `next` serves from it. Once it is further
behind, it jumps to the end and what it skipped becomes an open range, served oldest first and marked
historical. Live comes first, but the two take turns while both have something: under a steady flow there
always is something live, and the backlog would starve. A historical turn is at most 20,000 rows, and no more
than this sink accepted in a second lately, so live waits less than two seconds. What was under way live when
the link broke comes again from there: after an hour it is backlog like the rest and marked so.

STRICT. Everything from the head on, in order, never marked.

What a quarantine entry's retry brings back is served like a range, with its original key.

Where the cursor moves, its books count what left it (`gateway.ledger`); both are saved in one transaction.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from connectors import Delivery, Order, Refusal
from gateway.buffer.contract import Backlog
from gateway.buffer.log import Log
from gateway.buffer.passing import distinct, passing_of
from gateway.buffer.position import Position
from gateway.ledger import Account, Books, Passing, Rows
from gateway.ledger.books import UNKNOWN, add

log = logging.getLogger(__name__)
HISTORICAL_ROWS: Final = 20_000
_FIRST_TURN: Final = 1_000.0
"""Rows a second, until the first historical turn has told how fast this sink is."""
_PACE_NS: Final = 1_000_000_000
_AT_ONCE: Final = 1_000
"""Batches taken between two looks of the event loop at everything else; who books takes 20,000 small ones."""
_NS: Final = 1_000_000_000


def _at_once() -> float:
    return 0.0


class LogCursor:
    """Implements `contract.Cursor` over any Log."""

    def __init__(
        self,
        log: Log,
        sink: str,
        order: Order,
        position: Position,
        *,
        books: Books,
        required: bool,
        replay_rate: int | None,
    ) -> None:
        self.sink = sink
        self.position = position
        self.required = required
        self.books = books
        self.lent: Sequence[int] = ()
        """Quarantine entries that are out for a retry."""
        self.oldest: int | None = None
        """Arrival of the first row that waits, as far as a read has shown it, ns UTC."""
        self.has_retries = False
        self.holds_back: Callable[[], float] = _at_once
        """Asked before each turn of the backlog: the seconds it still has to wait for live values' sake."""
        self._log = log
        self._order = order
        self._rate = replay_rate
        self._tokens = float(replay_rate or 0)
        self._filled = log.clock.monotonic()
        self._pending: Sequence[Delivery] = ()
        self._sizes: Sequence[int] = ()
        """Rows of each of them: there may be ten thousand, and they are added up more than once."""
        self._retried: Sequence[int] = ()
        self._waiter: asyncio.Future[None] | None = None
        self._live_turn = True
        self._is_stale = False
        """Part of what is in flight is no longer in the log's count."""
        self._cut: dict[str, Rows] = {}
        """What of it the log has lost meanwhile, by reason: lost to the sink if we die before its answer."""
        self._cut_seqs: set[int] = set()
        self._served = 0
        self._pace = _FIRST_TURN

    async def next(self, max_rows: int) -> Sequence[Delivery]:
        """Wait until something is stored for this sink and return whole deliveries, the same until `ack`."""
        if self._is_late():
            self._pending = ()
        while not self._pending:
            live, wait_s = self._live(), self._wait_for_backlog()
            if live and (self._live_turn or wait_s != 0):
                await self._take_live(max_rows)
            elif wait_s == 0:
                await self._take_backlog(max_rows)
            else:
                await self._wait(wait_s)
        return self._pending

    async def ack(self, refused: Sequence[Refusal] = (), wanted: Sequence[int] | None = None) -> None:
        """Move past what `next` returned; refused rows enter quarantine in the same transaction.

        `wanted` are the rows of each delivery that were this sink's to get, None is all of them.
        """
        if not self._pending:
            return
        held = distinct(self._pending, refused)
        passing = passing_of(self._pending, self._sizes, held, wanted, is_retry=bool(self._retried))
        if held or self._retried:
            await self._log.settle(self, held, passing, self._retried)
        else:
            self.finish(passing)

    def finish(self, passing: Passing) -> None:
        """Move past what is in flight and book it."""
        pending, sizes, retried = self._pending, self._sizes, self._retried
        self.books.take(passing)
        self._cut, self._cut_seqs = {}, set()
        if not retried:
            self._move_past(pending, sizes)
        if self._is_stale:
            self._is_stale = False
            self.position.recount(self._log.end(), self._log.stored(), self._rows)
        self._live_turn = bool(pending[0].historical)
        if pending[0].historical:
            rows = sum(sizes)
            self._tokens -= rows
            took = max(1, self._log.clock.monotonic() - self._served)
            self._pace = 0.5 * self._pace + 0.5 * rows * _PACE_NS / took
        self._pending, self._sizes, self._retried, self.lent = (), (), (), ()
        self._log.moved(self.sink)

    @property
    def in_flight(self) -> Sequence[Delivery]:
        """What `next` has returned and nobody has acknowledged."""
        return self._pending

    def lend(self, entries: Sequence[int]) -> None:
        """Learn which quarantine entries are on their way out for a retry."""
        self.lent = entries

    def account(self) -> Account:
        """Return the books as of now."""
        acquired = self._log.acquired()
        cut = sum(sum(rows.values()) for rows in self._cut.values())
        counted = self.position.rows(self._log.stored()) + cut
        entries = self.books.entries(acquired, self.books.waiting(acquired))
        return Account(self.sink, self.books.since, tuple(entries), counted)

    def counted(self) -> Rows:
        """Return what waits by source, counted from the log itself, with what it lost in flight."""
        position = self.position
        found = dict(self._log.count(position.head, self._log.end()))
        for each in position.ranges:
            add(found, self._log.count(each.start, each.stop))
        for rows in self._cut.values():
            add(found, rows)
        return found

    def saved_books(self, passing: Passing | None = None) -> Books:
        """Return the books as they are to be saved, or as they will be once `passing` is taken."""
        books = self.books.copy()
        if passing is not None:
            books.take(passing)
        else:
            for reason, rows in self._cut.items():
                books.drop(rows, reason)
        return books

    def backlog(self) -> Backlog:
        """Tell what waits."""
        rows = self.position.rows(self._log.stored())
        if not rows:
            return Backlog(0, None)
        lowest = self.position.lowest()
        return Backlog(rows, self.oldest if self.oldest is not None else self._log.arrived(lowest))

    def saved_place(self, past: Sequence[Delivery] = ()) -> tuple[int, tuple[tuple[int, int], ...]]:
        """Return head and ranges as they are to be saved, or as they will be once `past` is acknowledged."""
        ranges = [(each.start, each.stop) for each in self.position.ranges]
        head = self.position.head
        if past and not self._retried:
            after = past[-1].seq + 1
            if past[0].historical and ranges:
                start, stop = ranges[0]
                ranges[0] = (max(start, after), stop)
            else:
                head = max(head, after)
        return head, tuple(each for each in ranges if each[0] < each[1])

    def cut(self, stop: int, reason: str) -> int:
        """Give up what lies below `stop`; return the rows lost to this sink, without those in flight."""
        lost: Rows = {}
        for each in self.position.open_below(stop):
            add(lost, self._log.count(*each))
        self.position.cut(stop, self._rows)
        self._lose(lost, [each for each in self._unacknowledged() if each.seq < stop], reason)
        return sum(lost.values())

    def reconcile(self, reason: str) -> int:
        """Book as lost what should wait and does not; return how many rows that is."""
        lost = self.books.waiting(self._log.acquired())
        add(lost, self.counted(), -1)
        gone = {source: rows for source, rows in lost.items() if rows > 0}
        if gone and reason == UNKNOWN:
            log.error("stored rows are not there, nobody knows why", extra={"sink": self.sink, "rows": gone})
        self.books.drop(gone, reason)
        self.books.ask_again({source: -rows for source, rows in lost.items() if rows < 0})
        return sum(gone.values())

    def recount(self, first: int, last: int, reason: str) -> int:
        """Take the rows anew after [first, last] has lost some; return the rows lost to this sink."""
        source = self._log
        self.position.recount(source.end(), source.stored(), self._rows)
        flying = [each for each in self._unacknowledged() if first <= each.seq <= last]
        gone = [each for each in flying if not self._rows(each.seq, each.seq + 1)]
        self._is_stale = self._is_stale or bool(gone)
        # What should wait, before what is lost is booked, against what the log still has.
        lost = self.books.waiting(source.acquired())
        add(lost, self.counted(), -1)
        self._lose(lost, gone, reason)
        return sum(lost.values())

    def _lose(self, lost: Rows, in_flight: Sequence[Delivery], reason: str) -> None:
        """Book what is lost; what is in flight the sink may still get, so that waits for its answer."""
        for each in in_flight:
            if each.seq not in self._cut_seqs:
                self._cut_seqs.add(each.seq)
                add(lost, {each.source: len(each.batch)}, -1)
                add(self._cut.setdefault(reason, {}), {each.source: len(each.batch)})
        self.books.drop(lost, reason)
        self.oldest = None

    def _rows(self, start: int, stop: int) -> int:
        return sum(self._log.count(start, stop).values())

    def wake(self) -> None:
        """Look again: something was stored, or a retry was asked for."""
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _unacknowledged(self) -> Sequence[Delivery]:
        return () if self._retried else self._pending

    def _is_late(self) -> bool:
        """Tell whether what is in flight is live no longer; what the log no longer has whole is kept."""
        pending, late = self._pending, self._log.behind()
        return bool(
            pending
            and self._order is Order.LIVE_FIRST
            and not (self._retried or self._is_stale or pending[0].historical)
            and self.position.head <= pending[0].seq
            and pending[-1].seq < late
        )

    def _live(self) -> bool:
        """Tell whether the head has something, after letting it jump when it is late."""
        position, end = self.position, self._log.end()
        if position.head >= end:
            return False
        if self._order is Order.LIVE_FIRST and position.head < self._log.behind():
            if self.oldest is None and not position.ranges:
                self.oldest = self._log.arrived(position.head)
            if position.jump(end, self._log.stored()):
                self._log.moved(self.sink)
                return False
        return True

    def _wait_for_backlog(self) -> float | None:
        """Return the seconds until the replay rate allows more; None when there is no backlog."""
        if not self.position.ranges and not self.has_retries:
            return None
        held = self.holds_back()
        if held > 0 or self._rate is None:
            return held
        now = self._log.clock.monotonic()
        self._tokens = min(self._rate, self._tokens + (now - self._filled) * self._rate / _NS)
        self._filled = now
        # A batch larger than what a second allows is owed afterwards, so that it can pass at all.
        return 0 if self._tokens > 0 else (1 - self._tokens) / self._rate

    async def _take_live(self, max_rows: int) -> None:
        head, end = self.position.head, self._log.end()
        if self._log.recent(head) is None:
            found = await self._log.read(head, end, max_rows)
            sizes = [len(each.batch) for each in found]
        else:
            found, sizes = await self._recent(head, end, max_rows)
        if self.position.head != head:
            return
        if found:
            self._pending, self._sizes = found, sizes
            self.oldest = found[0].batch.arrived if not self.position.ranges else self.oldest
        else:
            self.position.head = end
            self.position.recount(self._log.end(), self._log.stored(), self._rows)
            self.reconcile(UNKNOWN)
            self._log.moved(self.sink)

    async def _recent(self, start: int, stop: int, max_rows: int) -> tuple[list[Delivery], list[int]]:
        """Return what memory has of [start, stop), and the rows of each: at least one, at most `max_rows`."""
        found: list[Delivery] = []
        sizes: list[int] = []
        rows = 0
        for seq in range(start, stop):
            delivery = self._log.recent(seq)
            if delivery is None:
                break
            size = len(delivery.batch)
            rows += size
            if found and rows > max_rows:
                break
            found.append(delivery)
            sizes.append(size)
            if len(found) % _AT_ONCE == 0:
                await asyncio.sleep(0)
        return found, sizes

    async def _take_backlog(self, max_rows: int) -> None:
        limit = max(1, min(max_rows, HISTORICAL_ROWS, int(self._pace)))
        if self._rate is not None:
            limit = max(1, min(limit, int(self._tokens)))
        self._served = self._log.clock.monotonic()
        if self.has_retries:
            taken = await self._log.take_retries(self, limit)
            self.has_retries = bool(taken)
            self._retried = tuple(entry for entry, _ in taken)
            self._pending = tuple(delivery for _, delivery in taken)
            self._sizes = [len(each.batch) for each in self._pending]
            return
        first = self.position.ranges[0]
        start, stop = first.start, first.stop
        found = await self._log.read(start, stop, limit)
        if not self.position.ranges or self.position.ranges[0].start != start:
            return
        if found:
            self._pending = [
                Delivery(each.batch, each.epoch, each.seq, historical=True, source=each.source)
                for each in found
            ]
            self._sizes = [len(each.batch) for each in found]
            self.oldest = found[0].batch.arrived
        else:
            self.position.advance_range(stop - 1, first.rows)
            self.reconcile(UNKNOWN)
            self._log.moved(self.sink)

    async def _wait(self, timeout_s: float | None) -> None:
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        timer = loop.call_later(timeout_s, self.wake) if timeout_s is not None else None
        try:
            await self._waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()

    def _move_past(self, pending: Sequence[Delivery], sizes: Sequence[int]) -> None:
        position, last = self.position, pending[-1]
        if pending[0].historical:
            # A range that was cut meanwhile begins later: what lay before is no longer in its count.
            start = position.ranges[0].start if position.ranges else last.seq + 1
            position.advance_range(last.seq, _rows_from(start, pending, sizes))
        else:
            position.advance_head(last.seq, _rows_from(position.head, pending, sizes))
        after = self._log.recent(position.lowest())
        self.oldest = last.batch.arrived if after is None else after.batch.arrived


def _rows_from(start: int, deliveries: Sequence[Delivery], sizes: Sequence[int]) -> int:
    """Return the rows of the deliveries at and behind `start`."""
    return sum([rows for each, rows in zip(deliveries, sizes, strict=True) if each.seq >= start])
