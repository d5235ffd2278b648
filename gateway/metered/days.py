"""Bytes of each sink and day, on disk: a machine that restarts at noon must not begin its day anew.

Saved every ten seconds and at the end; a kill loses what moved since. Small enough to be written whole.
"""

import asyncio
import contextlib
import logging
import sqlite3
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final, Self
from zoneinfo import ZoneInfo

from connectors import Clock
from gateway.sqlite import files_of, open_sound, transaction

log = logging.getLogger(__name__)

TRAFFIC: Final = "traffic.sqlite"
KEPT: Final = timedelta(days=400)
_SCHEMA: Final = (
    (
        """CREATE TABLE moved (sink TEXT NOT NULL, day TEXT NOT NULL, bytes INTEGER NOT NULL,
        PRIMARY KEY (sink, day)) WITHOUT ROWID, STRICT""",
    ),
)
_SAVE_S: Final = 10.0


class Days:
    """The book of all sinks. One per data directory."""

    def __init__(self, directory: Path, clock: Clock, zone: ZoneInfo) -> None:
        self._path = directory / TRAFFIC
        self._clock = clock
        self._zone = zone
        self._moved: dict[tuple[str, str], int] = {}
        self._unsaved: dict[tuple[str, str], int] = {}
        self._saving = threading.Lock()
        """The last saving waits for one that is under way on its thread."""
        self._looks: dict[str, Callable[[], None]] = {}

    def __enter__(self) -> Self:
        """Open or create the file; a damaged one is put aside."""
        try:
            self._connection = open_sound(self._path, _SCHEMA)
        except sqlite3.DatabaseError:
            _, *beside = files_of(self._path)
            self._path.replace(self._path.with_name(f"{TRAFFIC}.damaged"))
            for file in beside:
                file.unlink(missing_ok=True)
            log.exception("the book of moved bytes is damaged: it was put aside, today begins at nothing")
            self._connection = open_sound(self._path, _SCHEMA)
        rows = self._connection.execute("SELECT sink, day, bytes FROM moved")
        self._moved = {(sink, day): size for sink, day, size in rows}
        return self

    def __exit__(self, *_: object) -> None:
        """Look once more, save, close."""
        self._look()
        with contextlib.suppress(sqlite3.Error):  # a full disk: the day is a little short
            self._save(self._taken())
        self._connection.close()

    def today(self) -> date:
        """Return the plant's day."""
        return datetime.fromtimestamp(self._clock.now() / 1e9, self._zone).date()

    def ends(self) -> datetime:
        """Return when the plant's day ends, in its zone."""
        return datetime.combine(self.today() + timedelta(days=1), datetime.min.time(), self._zone)

    def length_s(self) -> float:
        """Return how long the plant's day is: where clocks are set for summer, 23 or 25 hours once a year."""
        begins = datetime.combine(self.today(), datetime.min.time(), self._zone)
        return self.ends().timestamp() - begins.timestamp()

    def seconds_left(self) -> float:
        """Return how long the plant's day still is."""
        return max(0.0, self.ends().astimezone(UTC).timestamp() - self._clock.now() / 1e9)

    def moved(self, sink: str) -> int:
        """Return the bytes of this sink today."""
        return self._moved.get((sink, self.today().isoformat()), 0)

    def add(self, sink: str, size: int) -> None:
        """Book bytes on today."""
        key = sink, self.today().isoformat()
        self._moved[key] = self._moved.get(key, 0) + size
        self._unsaved[key] = self._moved[key]

    def watch(self, sink: str, look: Callable[[], None]) -> None:
        """Have `look` add what a sink has moved, before each saving; it takes the place of the one before."""
        if sink in self._looks:
            self._looks[sink]()
        self._looks[sink] = look

    async def keep(self) -> None:
        """Save every ten seconds, for ever."""
        while True:
            await asyncio.sleep(_SAVE_S)
            self._look()
            taken = self._taken()
            try:
                await asyncio.to_thread(self._save, taken)
            except sqlite3.Error as exc:
                self._unsaved = taken | self._unsaved
                log.warning("the book of moved bytes can't be saved", extra={"reason": str(exc)})

    def _look(self) -> None:
        for look in self._looks.values():
            look()

    def _taken(self) -> dict[tuple[str, str], int]:
        taken, self._unsaved = self._unsaved, {}
        return taken

    def _save(self, moved: dict[tuple[str, str], int]) -> None:
        if not moved:
            return
        oldest = (self.today() - KEPT).isoformat()
        with self._saving, transaction(self._connection):
            self._connection.executemany(
                "INSERT OR REPLACE INTO moved (sink, day, bytes) VALUES (?, ?, ?)",
                [(sink, day, size) for (sink, day), size in moved.items()],
            )
            self._connection.execute("DELETE FROM moved WHERE day < ?", (oldest,))
