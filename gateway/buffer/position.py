"""Where a sink is in the log, as integers: a head, and a short list of open ranges behind it.

    seq   0 ....... 40 ######## 55 ........ 80 ##### 90 ................. 140 →
                    └ open range ┘          └─ open ─┘                    head

What is open (#) or at and after the head is still to be delivered; dots are acknowledged. Each part knows its
rows, so a backlog is told without reading the log: the head remembers how many rows the log had stored in all
when it was there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

MOST_RANGES: Final = 512
"""A sink that loses its link every half minute for hours opens no more than this; then its head waits."""

Count = Callable[[int, int], int]
"""Rows stored in [start, stop)."""


@dataclass(slots=True)
class Range:
    """[start, stop) in seq, still to be delivered."""

    start: int
    stop: int
    rows: int


class Position:
    """A sink's place; `stored` arguments are the log's running total of rows."""

    def __init__(self, head: int, passed: int, ranges: list[Range] | None = None) -> None:
        self.head = head
        self.passed = passed
        """Rows the log had stored in all when the head was the next seq."""
        self.ranges = ranges or []

    def rows(self, stored: int) -> int:
        """Return the rows still to be delivered."""
        return stored - self.passed + sum(each.rows for each in self.ranges)

    def lowest(self) -> int:
        """Return the first seq still to be delivered."""
        return self.ranges[0].start if self.ranges else self.head

    def jump(self, end: int, stored: int) -> bool:
        """Move the head to the log's end and leave a range behind; tell whether there was room for one."""
        skipped = Range(self.head, end, stored - self.passed)
        if self.ranges and self.ranges[-1].stop == self.head:
            self.ranges[-1].stop = end
            self.ranges[-1].rows += skipped.rows
        elif len(self.ranges) < MOST_RANGES:
            self.ranges.append(skipped)
        else:
            return False
        self.head, self.passed = end, stored
        return True

    def advance_head(self, seq: int, rows: int) -> None:
        """Acknowledge everything from the head up to and with `seq`, `rows` in all."""
        if seq >= self.head:
            self.head = seq + 1
            self.passed += rows

    def advance_range(self, seq: int, rows: int) -> None:
        """Acknowledge the oldest range up to and with `seq`."""
        if not self.ranges or seq < self.ranges[0].start:
            return
        first = self.ranges[0]
        first.start, first.rows = seq + 1, first.rows - rows
        if first.start >= first.stop:
            self.ranges.pop(0)

    def open_below(self, stop: int) -> list[tuple[int, int]]:
        """Return what of the open parts lies below `stop`, as [start, stop)."""
        parts = [*((each.start, each.stop) for each in self.ranges), (self.head, stop)]
        return [(start, min(end, stop)) for start, end in parts if start < min(end, stop)]

    def cut(self, stop: int, count: Count) -> int:
        """Give up everything below `stop`, the end of the oldest segment; return how many rows that is."""
        lost = 0
        while self.ranges and self.ranges[0].start < stop:
            first = self.ranges[0]
            gone = first.rows if first.stop <= stop else count(first.start, stop)
            lost += gone
            first.start, first.rows = stop, first.rows - gone
            if first.start >= first.stop:
                self.ranges.pop(0)
        if self.head < stop:
            gone = count(self.head, stop)
            self.head, self.passed = stop, self.passed + gone
            lost += gone
        return lost

    def recount(self, end: int, stored: int, count: Count) -> None:
        """Take the rows from the log anew, after a repair has found some missing."""
        for each in self.ranges:
            each.rows = count(each.start, each.stop)
        self.passed = stored - count(self.head, end)
