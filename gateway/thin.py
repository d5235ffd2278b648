"""Thinning: one row per tag and window instead of every reading, for sinks whose rule says `every … as …`.

A window of one minute is not finished when the process dies in its middle, and a mean over half of it would
be a wrong number. So thinning is a strict reader of the log that appends what it computes back to the log:

    log ═strict cursor═▶ open windows ──closed──▶ append(rows, resume = position) ─▶ log ═▶ the sink

The position is the oldest stored batch an open window still needs, and the window that was closed last. It is
stored in the same transaction as the rows, so after a crash every window is computed again from its first
row, or not at all: exactly once. Thinned rows have tags of their own, `power@mean_60s`, because a mean is not
a reading, and travel to their sink like everything else: with identity, live first, from disk.

A window closes when a row is seen that is `GRACE` younger than its end. Rows older than that, such as a late
backlog of a source, make a row of their own for their window, marked Uncertain.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from config.base import format_duration
from config.select import SelectRule
from connectors import DTYPE_OF_PART, Batch, Columns, Delivery, Kind, Part, Tag, TagTable
from gateway.buffer.contract import Buffer, Cursor
from gateway.select import THINNED_SOURCE, Rules
from gateway.windows import REDUCE_AT, How, Partial, finish, reduce

MOST_ROWS: Final = 20_000
GRACE_NS: Final = 5_000_000_000
"""How much later than a window's end its last rows may be stored."""


@dataclass(slots=True)
class Window:
    """Rows of one rule between start and end: gathered, and reduced when they are many."""

    first_seq: int
    gathered: dict[np.dtype[Any], list[Partial]] = field(default_factory=dict)
    rows: int = 0

    def add(self, rows: Columns, how: How) -> None:
        """Take rows in."""
        partial = Partial.of(rows, how)
        self.gathered.setdefault(partial.value.dtype, []).append(partial)
        self.rows += len(rows)
        if self.rows > REDUCE_AT:
            self.gathered = {dtype: [reduce(parts, how)] for dtype, parts in self.gathered.items()}
            self.rows = 0

    def close(self, how: How, end: int, *, is_late: bool) -> list[Columns]:
        """Return one row per tag, a part per dtype."""
        return [finish(reduce(parts, how), how, end, is_late=is_late) for parts in self.gathered.values()]


async def thin(thinner: "Thinner", cursor: Cursor, buffer: Buffer) -> None:
    """Read the log and append what is thinned, for ever."""
    while True:
        for delivery in await cursor.next(MOST_ROWS):
            batch = thinner.add(delivery)
            if batch is not None:
                await (await buffer.append(thinner.source, batch, thinner.token()))
        await cursor.ack()


class Thinner:
    """The windows of one sink's thinning rules; pure: deliveries in, batches out."""

    def __init__(self, sink: str, rules: Rules, tags: TagTable) -> None:
        self.source = THINNED_SOURCE + sink
        self._rules = rules
        self._tags = tags
        self._open: dict[tuple[int, int], Window] = {}
        self._closed = dict.fromkeys(self._rules.thinning, 0)
        self._newest = 0
        self._seen = -1
        self._done = -1
        self._thinned: dict[tuple[int, int], int] = {}

    def token(self) -> bytes:
        """Return the position to store with what was closed: where to begin again, and what is done."""
        begin = min((window.first_seq for window in self._open.values()), default=self._seen + 1)
        closed = {str(i): end for i, end in self._closed.items()}
        position = {"from": begin, "seen": self._seen, "newest": self._newest, "closed": closed}
        return json.dumps(position).encode()

    def resume(self, token: bytes | None) -> int | None:
        """Take up a stored position; return the seq to read from, None to begin where the sink begins."""
        if token is None:
            return None
        position = json.loads(token)
        for i in self._closed:
            self._closed[i] = position["closed"].get(str(i), 0)
        self._done, self._newest = position["seen"], position["newest"]
        return int(position["from"])

    def add(self, delivery: Delivery) -> Batch | None:
        """Take a stored batch in; return the rows of every window it closes, None if it closes none."""
        self._seen = delivery.seq
        for part in delivery.batch.parts:
            rule_of = self._rules.of(part.tag)
            for i in self._rules.thinning:
                mine = part.where(rule_of == i)
                if len(mine) and not self._tags[int(mine.tag[0])].source.startswith(THINNED_SOURCE):
                    self._add_rows(i, mine, delivery.seq)
        due = sorted(key for key in self._open if self._is_due(*key))
        return self._batch([part for key in due for part in self._close(*key)], delivery.batch.arrived)

    def _add_rows(self, i: int, rows: Columns, seq: int) -> None:
        rule = self._rules.rules[i]
        every = _every(rule)
        start = rows.time // every * every
        self._newest = max(self._newest, int(rows.time.max()))
        for window_start in np.unique(start).tolist():
            if seq <= self._done and window_start + every <= self._closed[i]:
                continue  # read again after a restart, for the sake of another window
            window = self._open.setdefault((i, window_start), Window(seq))
            window.add(rows.where(start == window_start), _how(rule))

    def _is_due(self, i: int, start: int) -> bool:
        return start + _every(self._rules.rules[i]) + GRACE_NS <= self._newest

    def _close(self, i: int, start: int) -> list[Columns]:
        rule = self._rules.rules[i]
        end = start + _every(rule)
        is_late = end <= self._closed[i]
        self._closed[i] = max(self._closed[i], end)
        closed = self._open.pop((i, start)).close(_how(rule), end, is_late=is_late)
        return [replace(part, tag=self._thinned_tags(part.tag, i)) for part in closed]

    def _thinned_tags(self, tag: NDArray[np.int32], i: int) -> NDArray[np.int32]:
        rule = self._rules.rules[i]
        missing = [n for n in tag.tolist() if (n, i) not in self._thinned]
        numbers = self._tags.announce([_thinned(self._tags[n], rule, self.source) for n in missing])
        self._thinned.update(zip(((n, i) for n in missing), numbers.tolist(), strict=True))
        return np.array([self._thinned[n, i] for n in tag.tolist()], np.int32)

    def _batch(self, closed: Sequence[Columns], arrived: int) -> Batch | None:
        parts = []
        for part in Part:
            mine = [columns for columns in closed if columns.value.dtype == DTYPE_OF_PART[part]]
            if mine:
                parts.append(_joined(mine))
        return Batch(tuple(parts), arrived) if parts else None


def _every(rule: SelectRule) -> int:
    assert rule.every is not None  # noqa: S101  only thinning rules come here
    return rule.every


def _how(rule: SelectRule) -> How:
    return rule.as_ or "last"


def _thinned(tag: Tag, rule: SelectRule, source: str) -> Tag:
    # The value is computed from delivered values: nothing is left to scale, hold back or repeat.
    is_mean = rule.as_ == "mean" and tag.kind is not Kind.TEXT
    return replace(
        tag,
        path=f"{tag.path}@{_how(rule)}_{format_duration(_every(rule))}",
        kind=Kind.FLOAT64 if is_mean else tag.kind,
        source=source,
        scale=1.0,
        offset=0.0,
        deadband=np.nan,
        heartbeat=0,
        was="",
    )


def _joined(parts: Sequence[Columns]) -> Columns:
    columns = ("tag", "time", "value", "quality")
    return Columns(*(np.concatenate([getattr(part, name) for part in parts]) for name in columns))
