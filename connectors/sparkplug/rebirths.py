"""When which edge node is asked for its birth: seldom, and few at once. Pure, no clock of its own.

A node is asked at most every two seconds, then every five: what went wrong with it may be over, and no value
of it comes before its birth does. All together are asked at most twenty times a second, who was asked longest
ago first: after a start with hundreds of nodes their births come within what a broker and we can carry.
"""

from heapq import heappop, heappush
from itertools import count
from typing import Final

FIRST_NS: Final = 2_000_000_000
"""Least time between the first two requests to a node …"""
LONGEST_NS: Final = 5_000_000_000
"""… and between more; ten seconds after a fault is over values are to be there again."""
FORGOTTEN_NS: Final = 60_000_000_000
"""A node that needed none for so long begins anew."""
STEP_NS: Final = 50_000_000
"""Least time between any two requests."""

Who = tuple[str, str]
"""Group and edge node."""


class Rebirths:
    """Wishes and what becomes of them, times by the monotonic clock in ns."""

    def __init__(self, begin: int = 0) -> None:
        self._wanted: set[Who] = set()
        self._queue: list[tuple[int, int, Who]] = []
        """From when each may be asked; one whose wish was granted stays until its turn."""
        self._queued: set[Who] = set()
        self._order = count()
        self._asked: dict[Who, tuple[int, int]] = {}
        """When a node was asked last, and how long it has peace from then."""
        self._free_at = begin

    def begin(self, at: int) -> None:
        """Begin a session: nobody is wished for, or asked before `at`; who was asked lately has peace."""
        self._wanted.clear()
        self._free_at = at

    def want(self, who: Who) -> None:
        """Wish for a birth; a wish that is there already stays one."""
        self._wanted.add(who)
        if who not in self._queued:
            self._put(who)

    def born(self, who: Who) -> None:
        """Forget the wish: the birth has come."""
        self._wanted.discard(who)

    def due(self, now: int) -> list[Who]:
        """Return who is to be asked now; each counts as asked."""
        found: list[Who] = []
        while now >= self._free_at and (at := self._first()) is not None and at <= now:
            who = self._take()
            last, peace = self._asked.get(who, (-FORGOTTEN_NS, 0))
            is_again = peace and now - last < peace + FORGOTTEN_NS
            self._asked[who] = (now, LONGEST_NS if is_again else FIRST_NS)
            self._free_at = now + STEP_NS
            self._put(who)
            found.append(who)
        return found

    def next_at(self) -> int | None:
        """Return when somebody may be due; None when nobody is wished for."""
        at = self._first()
        return None if at is None else max(self._free_at, at)

    def _first(self) -> int | None:
        while self._queue and self._queue[0][2] not in self._wanted:
            self._take()
        return self._queue[0][0] if self._queue else None

    def _take(self) -> Who:
        who = heappop(self._queue)[2]
        self._queued.remove(who)
        return who

    def _put(self, who: Who) -> None:
        last, peace = self._asked.get(who, (-FORGOTTEN_NS, 0))
        heappush(self._queue, (last + peace, next(self._order), who))
        self._queued.add(who)
