"""What of each shelf is in the head and not yet put away, and which shelves come next, in how large steps."""

import sqlite3
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from gateway.history.frames import SORT_OF_DTYPE, Frame

PUT_AWAY_AT: Final = 32
"""Blocks of one shelf: few enough to read quickly, enough to be worth sorting."""
MOST_BLOCKS: Final = 2 * PUT_AWAY_AT
"""A shelf that has so many is put away whatever time it takes: the head stays small."""
_STEP: Final = 64
"""Shelves put away in one go at most …"""
_STEP_ROWS: Final = 50_000
"""… and rows, or one shelf: while they are merged with those that lie there they take some 10 MB."""


class Step(NamedTuple):
    """Shelves that are put away together."""

    sort: int
    shelves: list[int]
    """Ascending."""
    blocks: int
    """Of the fullest; no later step of this sort has more."""


class _Held(NamedTuple):
    blocks: int
    rows: int


class Waiting:
    """Counts of the head's frames by (shelf, sort)."""

    def __init__(self) -> None:
        self._held: dict[tuple[int, int], _Held] = {}

    def count(self, head: sqlite3.Connection) -> None:
        """Begin with what a head has."""
        counted = "SELECT shelf, sort, COUNT(*), SUM(rows) FROM fresh GROUP BY shelf, sort"
        self._held = {(shelf, sort): _Held(*rest) for shelf, sort, *rest in head.execute(counted)}

    def add(self, frames: Iterable[Frame]) -> None:
        """Learn of a block's frames."""
        for frame in frames:
            blocks, rows = self._held.get((frame.shelf, frame.sort), (0, 0))
            self._held[frame.shelf, frame.sort] = _Held(blocks + 1, rows + frame.rows)

    def remove(self, step: Step) -> None:
        """Learn that these are put away."""
        for shelf in step.shelves:
            del self._held[shelf, step.sort]

    def steps(self, least: int) -> Iterator[Step]:
        """Yield what to put away of shelves with so many blocks, the fullest first."""
        for sort in SORT_OF_DTYPE.values():
            due = [
                (held, shelf)
                for (shelf, each), held in self._held.items()
                if each == sort and held.blocks >= least
            ]
            due.sort(reverse=True)
            shelves: list[int] = []
            rows = blocks = 0
            for held, shelf in due:
                if shelves and (len(shelves) == _STEP or rows + held.rows > _STEP_ROWS):
                    yield Step(sort, sorted(shelves), blocks)
                    shelves, rows = [], 0
                blocks = blocks if shelves else held.blocks
                shelves.append(shelf)
                rows += held.rows
            if shelves:
                yield Step(sort, sorted(shelves), blocks)
