"""The ledger as a link of the gateway: a strict reader of the log that books what it reads.

It takes what has gathered every few seconds, books it in one transaction with the position it reaches, and
only then lets the buffer know: whatever dies when, each row is booked exactly once. Beside it demand and
balance are watched (`gateway.energy.watch`), and results of what is over are made and kept, one behind each
booking (`gateway.energy.results`).
"""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from config.energy import EnergyOptions
from config.energy_meters import Meter
from connectors import Clock, Delivery, NotConnected, Order, TagTable
from gateway.booking import LOOK_S, PAUSE_S, gathered, must_be_there, read_after
from gateway.buffer import Backlog, DiskBuffer, LogCursor
from gateway.buffer.contract import StoreFailed
from gateway.buffer.identity import StoreLock
from gateway.energy.bookkeeping.files import NAME
from gateway.energy.bookkeeping.ledger import Ledger
from gateway.energy.carbon.choice import Choices
from gateway.energy.periods import Calendar
from gateway.energy.query import NoBooks, Query
from gateway.energy.results.keeper import ResultsKeeper
from gateway.energy.watch import SOURCE, Watch, say
from gateway.live import LiveValues
from gateway.sqlite import NewerFormat, is_full
from gateway.supervise import Link, LinkState

log = logging.getLogger(__name__)
CURSOR: Final = "gateway/energy"
"""The cursor's name; no plant file can give it to a sink."""
_BEHIND_ROWS: Final = 100_000
MOST_ROWS: Final = 1_000_000
"""One booking of a backlog: about 30 MB while it is sorted."""


class Bookkeeper:
    """The ledger over all its sessions."""

    def __init__(
        self,
        link: Link,
        directory: Path,
        options: EnergyOptions,
        meters: Mapping[str, Meter],
        calendar: Calendar,
        *,
        tags: TagTable,
        buffer: DiskBuffer,
        clock: Clock,
        site: str,
        choices: Callable[[], Choices],
        live: LiveValues | None = None,
    ) -> None:
        self._link = link
        self._directory = directory
        self._tags = tags
        self._buffer = buffer
        self._live = live
        self._clock = clock
        self._ledger = Ledger(directory, meters, calendar, tags, clock, keep=options.keep_readings)
        query = Query(directory, meters, calendar)
        self.watch = Watch(query, meters, options.demand.warn_at, site)
        self._results = ResultsKeeper(directory, query, site, choices)
        self._cursor: LogCursor | None = None
        self.silent_s = 5.0
        """After so long without a row the books do what they else do behind a booking."""
        self.hurry = asyncio.Event()
        """Set when the gateway stops: book what is there without waiting for more."""

    def reserve(self) -> None:
        """Take a cursor before retention begins, so that nothing it still needs goes while it opens."""
        self._cursor = self._buffer.cursor(CURSOR, Order.STRICT, start="oldest")

    async def session(self) -> None:
        """Open the books and book until something fails."""
        self._directory.mkdir(parents=True, exist_ok=True)
        try:
            with StoreLock(self._directory):
                await self._run()
        except NewerFormat as exc:
            raise NotConnected(str(exc), needs_a_person=True) from exc
        except StoreFailed as exc:
            # The command line books what was entered; it takes a moment. Another gateway there can't be.
            raise NotConnected(str(exc), retry_after_s=LOOK_S) from exc
        except (sqlite3.Error, OSError) as exc:
            raise self._stopped(exc) from exc
        finally:
            await asyncio.to_thread(self._ledger.close)

    @property
    def is_running(self) -> bool:
        """Whether it books."""
        return self._link.state is LinkState.CONNECTED

    def backlog(self) -> Backlog:
        """Tell what waits to be booked."""
        return Backlog(0, None) if self._cursor is None else self._cursor.backlog()

    def counters(self) -> dict[str, float]:
        """Return what only grows, since the start."""
        return {
            "revised": self._ledger.revised,
            "too_late_rows": self._ledger.too_late,
        }

    def gauges(self) -> dict[str, float]:
        """Return lag and the alarms that stand."""
        waiting = self.backlog()
        return {
            "backlog_rows": waiting.rows,
            "backlog_oldest_seconds": waiting.age_s(self._clock.now()),
            "demand_alarms": self.watch.active("demand"),
            "balance_alarms": self.watch.active("balance"),
        }

    async def _run(self) -> None:
        ledger = self._ledger
        await asyncio.to_thread(ledger.open)
        after = read_after(ledger.booked, [(each.epoch, each.first_seq) for each in self._buffer.epochs()])
        cursor = self._cursor = self._buffer.cursor(
            CURSOR, Order.STRICT, start="oldest", after=after, knows_again=True
        )
        self.watch.begin(self._tags, self._buffer.resume_token(SOURCE))
        self._link.become(LinkState.CONNECTED)
        while True:
            deliveries = await self._next(cursor)
            began = time.monotonic()
            await asyncio.to_thread(self._must_be_there)
            self._link.moved(await asyncio.to_thread(ledger.book, deliveries, deliveries[-1]))
            await cursor.ack()
            if self.backlog().rows < _BEHIND_ROWS:  # else what is judged would lack what waits
                await self._beside()
            await gathered(cursor, MOST_ROWS, time.monotonic() - began, self.hurry)

    async def _next(self, cursor: LogCursor) -> Sequence[Delivery]:
        """Wait for rows; where none come, book what people enter and do what is done beside the books."""
        waiting = asyncio.ensure_future(cursor.next(MOST_ROWS))
        try:
            while not (await asyncio.wait({waiting}, timeout=self.silent_s))[0]:
                if await asyncio.to_thread(self._ledger.has_entries):
                    await asyncio.to_thread(self._ledger.book, ())
                await self._beside()
            return waiting.result()
        finally:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)

    async def _beside(self) -> None:
        """Do what is done beside the books, one thing of each."""
        try:
            if self.watch:
                await self._look()
            if not self.hurry.is_set():
                await asyncio.to_thread(self._results.make_one, self._clock.now(), self._ledger.revised)
        except NoBooks:
            await asyncio.to_thread(self._must_be_there)

    def _must_be_there(self) -> None:
        must_be_there(self._directory / NAME, "the book of energy", "E-EN-0007")

    async def _look(self) -> None:
        """Look at what is watched; store what came of it before it is said."""
        found = await asyncio.to_thread(self.watch.look, self._clock.now())
        if found.rows:
            batch = found.batch(self._clock.now())
            receipt = await self._buffer.append(SOURCE, batch, self.watch.token())
            if self._live is not None:
                self._live.put(batch, batch)
            await receipt
        for each in found.turned:
            say(each)

    def _stopped(self, exc: Exception) -> NotConnected:
        if self.is_running:  # deleted in the middle of a booking, the disk says nothing better than "error"
            self._must_be_there()
        is_disk_full = isinstance(exc, sqlite3.Error) and is_full(exc)
        reason = f"energy is not booked, collection goes on: {'the disk is full' if is_disk_full else exc}"
        if self._link.told[1] != reason:
            log.error(
                "energy is not booked, collection goes on", extra={"code": "E-EN-0005", "reason": str(exc)}
            )
        return NotConnected(reason, retry_after_s=PAUSE_S)
