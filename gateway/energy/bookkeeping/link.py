"""The ledger as a link of the gateway: a strict reader of the log that books what it reads.

It takes what has gathered every few seconds, books it in one transaction with the position it reaches, and
only then lets the buffer know: whatever dies when, each row is booked exactly once. Beside it demand is
watched: the alarm comes before the contract value does.
"""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Final

from config.energy import EnergyOptions
from config.energy_meters import Meter, fraction
from connectors import Clock, NotConnected, Order, TagTable
from gateway.booking import LOOK_S, PAUSE_S, gathered, read_after
from gateway.buffer import Backlog, DiskBuffer, LogCursor
from gateway.buffer.contract import StoreFailed
from gateway.buffer.identity import StoreLock
from gateway.energy.accounts.demand import Forecast
from gateway.energy.bookkeeping.ledger import Ledger
from gateway.energy.periods import Calendar
from gateway.energy.query import Query
from gateway.sqlite import NewerFormat, is_full
from gateway.supervise import Link, LinkState

log = logging.getLogger(__name__)
CURSOR: Final = "gateway/energy"
"""The cursor's name; no plant file can give it to a sink."""
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
    ) -> None:
        self._link = link
        self._directory = directory
        self._options = options
        self._watched = {name: each for name, each in meters.items() if each.options.contract is not None}
        self._buffer = buffer
        self._clock = clock
        self._ledger = Ledger(directory, meters, calendar, tags, clock, keep=options.keep_readings)
        self._query = Query(directory, meters, calendar)
        self._cursor: LogCursor | None = None
        self._alarmed: dict[str, int] = {}
        self.forecasts: dict[str, Forecast] = {}
        """The running quarter of an hour of each meter with a contract value."""
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
        """Return lag and the demand alarms that stand."""
        waiting = self.backlog()
        return {
            "backlog_rows": waiting.rows,
            "backlog_oldest_seconds": waiting.age_s(self._clock.now()),
            "demand_alarms": sum(each.is_alarm for each in self.forecasts.values()),
        }

    async def _run(self) -> None:
        ledger = self._ledger
        await asyncio.to_thread(ledger.open)
        after = read_after(ledger.booked, [(each.epoch, each.first_seq) for each in self._buffer.epochs()])
        cursor = self._cursor = self._buffer.cursor(CURSOR, Order.STRICT, start="oldest", after=after)
        self._link.become(LinkState.CONNECTED)
        while True:
            deliveries = await cursor.next(MOST_ROWS)
            began = time.monotonic()
            self._link.moved(await asyncio.to_thread(ledger.book, deliveries, deliveries[-1]))
            await cursor.ack()
            if self._watched:
                await asyncio.to_thread(self._watch)
            await gathered(cursor, MOST_ROWS, time.monotonic() - began, self.hurry)

    def _watch(self) -> None:
        """Look where each running quarter of an hour is heading; say so once in each."""
        warn_at = fraction(self._options.demand.warn_at) / 100
        for name in self._watched:
            found = self._query.running(name, warn_at)
            if found is None:
                self.forecasts.pop(name, None)
                continue
            self.forecasts[name] = found
            if found.is_alarm and self._alarmed.get(name) != found.first:
                self._alarmed[name] = found.first
                log.warning(
                    "demand is heading above the contract value",
                    extra={
                        "code": "E-EN-0004",
                        "meter": name,
                        "forecast_kw": round(float(found.demand), 1),
                        "contract_kw": float(found.contract or Fraction(0)),
                        "may_use_kw": round(float(found.may_use or Fraction(0)), 1),
                    },
                )

    def _stopped(self, exc: Exception) -> NotConnected:
        is_disk_full = isinstance(exc, sqlite3.Error) and is_full(exc)
        reason = f"energy is not booked, collection goes on: {'the disk is full' if is_disk_full else exc}"
        if self._link.told[1] != reason:
            log.error(
                "energy is not booked, collection goes on", extra={"code": "E-EN-0005", "reason": str(exc)}
            )
        return NotConnected(reason, retry_after_s=PAUSE_S)
