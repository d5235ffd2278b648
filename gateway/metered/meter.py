"""One sink's bytes of today, and its cap: what is over it waits in the log until the plant's midnight."""

import logging
from typing import Final

from config.problems import Phrase
from connectors import Metered, NotConnected, Sink
from gateway.metered.days import Days

log = logging.getLogger(__name__)

_FIRST_GUESS: Final = 100.0
"""Bytes of a row before any was sent."""
_TURNS: Final = 100
"""A day's cap is used in at least so many writes."""
_LOOK_AGAIN_S: Final = 600.0
"""A clock that was wrong and is set must not keep a sink waiting for another day's end."""


class Meter:
    """Counts what a sink moves, also with attempts that fail; stops it at its cap."""

    def __init__(self, name: str, sink: Sink, days: Days, *, peer: str, cap: int | None) -> None:
        self.cap = cap
        self._name = name
        self._sink = sink if isinstance(sink, Metered) else None
        self._days = days
        self._peer = peer
        self._seen = 0
        self._bytes = self._rows = self._before = 0
        self._a_row = _FIRST_GUESS
        days.watch(name, self.look)

    def look(self) -> None:
        """Book what has moved since the last look."""
        if self._sink is not None:
            total = self._sink.traffic()
            if total > self._seen:
                self._days.add(self._name, total - self._seen)
                self._bytes += total - self._seen
                self._seen = total

    def today(self) -> int:
        """Return the bytes of today."""
        self.look()
        return self._days.moved(self._name)

    def check(self) -> None:
        """Let a sink go on.

        Raises:
            NotConnected: today's cap is used up; it needs nobody, the next day ends it.
        """
        if self.cap is None or self.today() < self.cap:
            return
        at = f"{self._days.ends():%Y-%m-%d %H:%M %Z}"
        filling = {"peer": self._peer, "cap": f"{self.cap / 1e6:g} MB", "at": at}
        text = Phrase("link.daily_cap", filling).text("en")
        raise NotConnected(text, retry_after_s=min(self._days.seconds_left(), _LOOK_AGAIN_S))

    def backlog_waits(self) -> float:
        """Return the seconds a backlog still has to wait.

        It gets what the day so far has left over: taking more, it would take it from the values of tonight,
        and after one outage every day would end at noon.
        """
        if self.cap is None:
            return 0.0
        whole = self._days.length_s()
        due_s = self.today() / self.cap * whole
        return max(0.0, min(due_s - (whole - self._days.seconds_left()), _LOOK_AGAIN_S))

    def most_rows(self, most: int) -> int:
        """Return how many rows to write at once, at most `most`.

        A hundredth of the cap, and half of what is left, by what a row has taken on average or last: where
        rows differ, a day ends near its cap all the same.
        """
        if self.cap is None:
            return most
        size = min(self.cap / _TURNS, (self.cap - self.today()) / 2)
        return max(1, min(most, int(size / self._a_row)))

    def passed(self, rows: int) -> None:
        """Learn that so many rows have been accepted."""
        self.look()
        if rows:
            self._rows += rows
            self._a_row = max(1.0, self._bytes / self._rows, (self._bytes - self._before) / rows)
            self._before = self._bytes
