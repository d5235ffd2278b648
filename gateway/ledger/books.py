"""The books of one sink: what became of every row stored for it, by source (ADR 0070).

    acquired = delivered + buffered + dropped (by reason) + not selected + quarantined

The three sides are counted apart. What was *acquired* the log counts where it stores; what has *left* the
sink's cursor is counted here where the cursor moves, and saved in the same transaction as its place; what is
*buffered* the cursor's place knows from the log. So the sum is no definition: it can fail, and is looked at
with every answer (`Entry.holds`). A crash takes place and books back together.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

import orjson

Rows = dict[str, int]
"""Rows by source."""
UNKNOWN: Final = "unknown"
"""The reason of a loss that nobody told: a fault of ours or of the disk, never silence."""


def add(rows: Rows, more: Mapping[str, int], sign: int = 1) -> None:
    """Add rows by source to others in place; what becomes nothing goes."""
    for source, count in more.items():
        left = rows.get(source, 0) + sign * count
        if left:
            rows[source] = left
        else:
            rows.pop(source, None)


@dataclass(slots=True)
class Passing:
    """What one acknowledgement moves, by source."""

    delivered: Rows = field(default_factory=dict)
    not_selected: Rows = field(default_factory=dict)
    quarantined: Rows = field(default_factory=dict)
    """Refused by it."""
    retried: Rows = field(default_factory=dict)
    """Out of the quarantine with it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One source at one sink, at one instant; all but `dropped` and `holds` are rows."""

    source: str
    acquired: int
    delivered: int
    buffered: int
    not_selected: int
    quarantined: int
    dropped: dict[str, int]
    """By reason."""
    again: int
    """Counted in `acquired` once more, because the sink asked for them a second time."""

    @property
    def holds(self) -> bool:
        """Tell whether the sum is right."""
        left = self.delivered + self.not_selected + self.quarantined + sum(self.dropped.values())
        return self.acquired == left + self.buffered


@dataclass(slots=True)
class Books:
    """Counted since `since`; the cursor that owns them changes them, everyone else gets copies."""

    since: int
    """ns UTC"""
    base: Rows = field(default_factory=dict)
    """Rows the log had acquired before, so that what it acquires later is this sink's."""
    delivered: Rows = field(default_factory=dict)
    not_selected: Rows = field(default_factory=dict)
    quarantined: Rows = field(default_factory=dict)
    """In quarantine now."""
    again: Rows = field(default_factory=dict)
    dropped: dict[str, Rows] = field(default_factory=dict)
    """By reason."""

    @classmethod
    def begun(cls, since: int, acquired: Rows, waiting: Rows, held: Rows) -> Self:
        """Begin where a sink is: what waits for it and what it refused before count as acquired by it."""
        base = dict(acquired)
        add(base, waiting, -1)
        add(base, held, -1)
        return cls(since, base, quarantined=dict(held))

    def take(self, passing: Passing) -> None:
        """Count what an acknowledgement moves."""
        add(self.delivered, passing.delivered)
        if passing.not_selected:
            add(self.not_selected, passing.not_selected)
        if passing.quarantined or passing.retried:
            add(self.quarantined, passing.quarantined)
            add(self.quarantined, passing.retried, -1)

    def drop(self, rows: Mapping[str, int], reason: str) -> None:
        """Count what this sink will never get."""
        if rows:
            add(self.dropped.setdefault(reason, {}), rows)

    def discard(self, source: str, rows: int, reason: str) -> None:
        """Count what has gone from quarantine for ever."""
        add(self.quarantined, {source: rows}, -1)
        self.drop({source: rows}, reason)

    def ask_again(self, rows: Mapping[str, int]) -> None:
        """Count what this sink gets a second time."""
        add(self.base, rows, -1)
        add(self.again, rows)

    def acquired(self, log: Rows) -> Rows:
        """Return what was stored for this sink, of what the log has acquired in all."""
        rows = dict(log)
        add(rows, self.base, -1)
        return rows

    def waiting(self, log: Rows) -> Rows:
        """Return what should wait for this sink: what it acquired less what has left."""
        rows = self.acquired(log)
        for gone in (self.delivered, self.not_selected, self.quarantined, *self.dropped.values()):
            add(rows, gone, -1)
        return rows

    def dropped_by_reason(self) -> dict[str, int]:
        """Return the rows lost to this sink, over all sources."""
        return {reason: total for reason, rows in self.dropped.items() if (total := sum(rows.values()))}

    def entries(self, log: Rows, buffered: Rows) -> list[Entry]:
        """Return a line a source, by name; `buffered` is what waits as the log counts it."""
        acquired = self.acquired(log)
        columns = (acquired, buffered, self.delivered, self.not_selected, self.quarantined)
        sources = {each for rows in (*columns, *self.dropped.values()) for each in rows}
        return [
            Entry(
                source,
                acquired.get(source, 0),
                self.delivered.get(source, 0),
                buffered.get(source, 0),
                self.not_selected.get(source, 0),
                self.quarantined.get(source, 0),
                {reason: rows[source] for reason, rows in self.dropped.items() if source in rows},
                self.again.get(source, 0),
            )
            for source in sorted(sources)
        ]

    def copy(self) -> "Books":
        """Return books that may go their own way."""
        return Books.from_json(self.to_json())

    def to_json(self) -> str:
        """Return the books as they are stored."""
        return orjson.dumps(self).decode()

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return stored books; raises ValueError, TypeError or KeyError."""
        found: dict[str, Any] = orjson.loads(text)
        return cls(**found)


@dataclass(frozen=True, slots=True)
class Account:
    """The books of a sink at one instant, and what proves them."""

    sink: str
    since: int
    """ns UTC"""
    entries: tuple[Entry, ...]
    counted: int
    """Rows that wait as the cursor's place in the log counts them, over all sources."""
    parked: int | None = None
    """Since when the plant file no longer names the sink, ns UTC."""

    @property
    def total(self) -> Entry:
        """All sources together."""
        names = ("acquired", "delivered", "buffered", "not_selected", "quarantined", "again")
        sums = {name: sum(getattr(each, name) for each in self.entries) for name in names}
        return Entry("", dropped=total(each.dropped for each in self.entries), **sums)

    @property
    def holds(self) -> bool:
        """Tell whether every row acquired is where the books say: two counts of what waits must agree."""
        waiting = sum(each.buffered for each in self.entries)
        is_right = all(each.holds and each.buffered >= 0 for each in self.entries)
        return is_right and waiting == self.counted


def total(rows: Iterable[Mapping[str, int]]) -> Rows:
    """Return the sum of several, by source."""
    summed: Rows = {}
    for each in rows:
        add(summed, each)
    return summed
