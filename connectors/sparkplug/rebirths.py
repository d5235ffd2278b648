"""When which edge node is asked for its birth: seldom, and few at once. Pure, no clock of its own.

A node is asked at most every two seconds, half as often each time it must be asked again, until it has not
had to be for a minute. All together are asked at most twenty times a second: after a start with hundreds of
nodes their births come within what a broker and we can carry.
"""

from typing import Final

FIRST_NS: Final = 2_000_000_000
"""Least time between two requests to a node …"""
LONGEST_NS: Final = 60_000_000_000
"""… and the most; a node that was quiet so long begins anew."""
STEP_NS: Final = 50_000_000
"""Least time between any two requests."""

Who = tuple[str, str]
"""Group and edge node."""


class Rebirths:
    """Wishes and what becomes of them, times by the monotonic clock in ns."""

    def __init__(self, begin: int = 0) -> None:
        self._wanted: dict[Who, None] = {}
        self._asked: dict[Who, tuple[int, int]] = {}
        """When a node was asked last, and how long it has peace from then."""
        self._free_at = begin

    def begin(self, at: int) -> None:
        """Begin a session: nobody is wished for, or asked before `at`; who was asked lately has peace."""
        self._wanted.clear()
        self._free_at = at

    def want(self, who: Who) -> None:
        """Wish for a birth; a wish that is there already stays one."""
        self._wanted[who] = None

    def born(self, who: Who) -> None:
        """Forget the wish: the birth has come."""
        self._wanted.pop(who, None)

    def due(self, now: int) -> list[Who]:
        """Return who is to be asked now; each counts as asked."""
        found: list[Who] = []
        for who in list(self._wanted):
            if now < self._free_at:
                break
            if now >= self._may_at(who):
                found.append(who)
                self._free_at = now + STEP_NS
                self._ask(who, now)
        return found

    def next_at(self) -> int | None:
        """Return when somebody may be due; None when nobody is wished for."""
        if not self._wanted:
            return None
        return max(self._free_at, min(self._may_at(who) for who in self._wanted))

    def _may_at(self, who: Who) -> int:
        last, peace = self._asked.get(who, (-LONGEST_NS, 0))
        return last + peace

    def _ask(self, who: Who, now: int) -> None:
        last, peace = self._asked.get(who, (-LONGEST_NS, 0))
        again = peace and now - last < peace + LONGEST_NS
        self._asked[who] = (now, min(2 * peace, LONGEST_NS) if again else FIRST_NS)
