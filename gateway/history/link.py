"""The history as a link of the gateway: a strict reader of the log that books what it reads.

It takes what has gathered every ten seconds, or sooner when that is much, books it in one transaction with
the position it reaches, and only then lets the buffer know. So nothing waits in memory, a kill costs nothing,
and reading begins again exactly behind what is booked.

The history is the first to give way: when the disk runs low it stops and the buffer no longer waits for it.
"""

import asyncio
import logging
import shutil
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from config.plant import HistoryOptions
from connectors import Clock, Delivery, NotConnected, Order, TagTable
from gateway.booking import PAUSE_S, gathered, must_be_there, read_after
from gateway.buffer import Backlog, DiskBuffer, LogCursor
from gateway.history.away import PutAwayFailed
from gateway.history.files import HEAD
from gateway.history.store import Store
from gateway.select import Rules, Selection
from gateway.sqlite import NewerFormat, is_full
from gateway.supervise import Link, LinkState

log = logging.getLogger(__name__)
CURSOR: Final = "gateway/history"
"""The cursor's name; no plant file can give it to a sink."""
HISTORY: Final = "history"
"""Where the trends live, beside the buffer."""
MOST_ROWS: Final = 200_000
"""One booking: about 20 MB while it is sorted."""
_PUT_AWAY_S: Final = 0.5
_LET_GO_EVERY: Final = 6
"""Bookings between two looks at what is too old or too much."""
_HEADROOM: Final = 256 * 2**20
"""The history stops so much before the buffer would have to."""


class Historian:
    """The history over all its sessions."""

    def __init__(
        self,
        link: Link,
        directory: Path,
        options: HistoryOptions,
        *,
        min_free: int,
        tags: TagTable,
        buffer: DiskBuffer,
        clock: Clock,
    ) -> None:
        self._link = link
        self._directory = directory
        self._buffer = buffer
        self._clock = clock
        self._min_free = min_free + _HEADROOM
        self._selection = Selection(Rules(CURSOR, options.select, tags))
        self._store = Store(directory, options, tags, clock)
        self._cursor: LogCursor | None = None
        self.hurry = asyncio.Event()
        """Set when the gateway stops: book what is there without waiting for more."""
        self._bookings = 0

    def reserve(self) -> None:
        """Take a cursor before retention begins, so that nothing it still needs goes while it opens."""
        self._cursor = self._buffer.cursor(CURSOR, Order.STRICT, start="oldest")

    async def session(self) -> None:
        """Open the files and book until something fails."""
        try:
            await self._run()
        except asyncio.CancelledError:
            raise
        except BaseException as exc:
            if self._cursor is not None:
                # A history that does not run must not fill the disk with what waits for it.
                self._cursor.required = False
            if isinstance(exc, NewerFormat):
                raise NotConnected(str(exc), needs_a_person=True) from exc
            if isinstance(exc, sqlite3.Error | PutAwayFailed | OSError):
                raise self._stopped(exc) from exc
            raise
        finally:
            await asyncio.to_thread(self._store.close)

    @property
    def is_running(self) -> bool:
        """Whether it books."""
        return self._link.state is LinkState.CONNECTED

    def backlog(self) -> Backlog:
        """Tell what waits to be booked."""
        return Backlog(0, None) if self._cursor is None else self._cursor.backlog()

    def counters(self) -> dict[str, float]:
        """Return what only grows, since the start."""
        return {"out_of_time_rows": self._store.out_of_time}

    def gauges(self) -> dict[str, float]:
        """Return sizes and lag."""
        waiting = self.backlog()
        return {
            "bytes": self._store.bytes,
            "fresh_rows": self._store.fresh_rows,
            "backlog_rows": waiting.rows,
            "backlog_oldest_seconds": waiting.age_s(self._clock.now()),
        }

    async def _run(self) -> None:
        store = self._store
        await asyncio.to_thread(self._look_at_disk)
        await asyncio.to_thread(store.open)
        after = read_after(store.booked, [(each.epoch, each.first_seq) for each in self._buffer.epochs()])
        if store.until and self._buffer.oldest() > after + 1:
            # What was stored meanwhile may have gone unread: no line is drawn across that.
            await asyncio.to_thread(store.note_gap, store.until, self._clock.now())
        cursor = self._cursor = self._buffer.cursor(
            CURSOR, Order.STRICT, start="oldest", after=after, knows_again=True
        )
        self._link.become(LinkState.CONNECTED)
        while True:
            await self._book_next(store, cursor)

    async def _book_next(self, store: Store, cursor: LogCursor) -> None:
        deliveries = await cursor.next(MOST_ROWS)
        began = time.monotonic()
        rows, wanted = await asyncio.to_thread(self._book, store, deliveries)
        await cursor.ack(wanted=wanted)
        self._link.moved(rows)
        await gathered(cursor, MOST_ROWS, time.monotonic() - began, self.hurry)

    def _book(self, store: Store, deliveries: Sequence[Delivery]) -> tuple[int, list[int]]:
        """Return the rows booked, and how many of each delivery were to be."""
        self._must_be_there()
        self._look_at_disk()
        chosen = [self._selection(each) for each in deliveries]
        rows = store.book([each for each in chosen if each is not None], deliveries[-1])
        store.put_away(_PUT_AWAY_S)
        self._bookings += 1
        if self._bookings % _LET_GO_EVERY == 1:
            store.let_go()
        return rows, [0 if each is None else len(each.batch) for each in chosen]

    def _must_be_there(self) -> None:
        must_be_there(self._directory / HEAD, "the history", "E-HI-0004")

    def _look_at_disk(self) -> None:
        place = next(each for each in (self._directory, *self._directory.absolute().parents) if each.exists())
        free = shutil.disk_usage(place).free
        if free < self._min_free:
            raise OSError(
                f"the disk has {free // 2**20} MiB left; the history stops at {self._min_free // 2**20}"
            )

    def _stopped(self, exc: Exception) -> NotConnected:
        if self.is_running:  # deleted in the middle of a booking, the disk says nothing better than "error"
            self._must_be_there()
        cause = exc.__cause__ if isinstance(exc, PutAwayFailed) else exc
        is_disk_full = isinstance(cause, sqlite3.Error) and is_full(cause)
        reason = f"the history has stopped, collection goes on: {'the disk is full' if is_disk_full else exc}"
        if self._link.told[1] != reason:
            log.error(
                "the history has stopped, collection goes on", extra={"code": "E-HI-0003", "reason": str(exc)}
            )
        return NotConnected(reason, retry_after_s=PAUSE_S)
