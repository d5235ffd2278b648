"""Thinning: one row per tag and window instead of every reading, for sinks whose rule says `every … as …`.

A window of one minute is not finished when the process dies in its middle, and a mean over half of it would
be a wrong number. So thinning is a strict reader of the log that appends what it computes back to the log:

    log ═strict cursor═▶ open windows ──closed──▶ append(rows, resume = position) ─▶ log ═▶ the sink

The position is the oldest stored batch an open window still needs, and how far each rule's windows are. It is
stored in the same transaction as the rows, so after a crash every window is computed again from its first
row, or not at all: exactly once. So that this holds for the very first window too, its tags begin with a row
that is Bad_WaitingForInitialData. Thinned rows have tags of their own, `power@mean_1min`, because a mean is
not a reading, and travel to their sink like everything else: with identity, live first, from disk.

A window closes when a row is seen that is `GRACE` younger than its end, and by the gateway's clock too it is
over: a device whose clock is ahead must not end the windows of all others. Rows older than that, such as a
late backlog of a source, make a row of their own for their window, marked Uncertain; so do rows so far ahead
that nobody waits for their window, and so is a window the rule joined in its middle. When the wall clock
steps back, what is open closes and the windows go on from there: else every row until the old time is
reached again would be late.
"""

import json
from collections.abc import Iterator
from dataclasses import astuple, dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from config.base import format_duration
from config.select import SelectRule
from connectors import Batch, Columns, Delivery, Kind, Tag, TagTable
from connectors.quality import BAD_WAITING_FOR_INITIAL_DATA
from gateway.collect import bad_batch
from gateway.recompute import joined_parts
from gateway.select import Rules
from gateway.windows import REDUCE_AT, How, Partial, finish, reduce

GRACE_NS: Final = 5_000_000_000
"""How much later than a window's end its last rows may be stored."""
AHEAD_NS: Final = 86_400_000_000_000
"""Rows further ahead of the gateway's clock are not waited for: a wrong zone is less, a wrong year more."""
MOST_AHEAD: Final = 1_000
"""Nor are rows so many windows ahead: each is kept open."""
_LEAST_NS: Final = -(2**63)
_MOST_NS: Final = 2**63 - 1
STEP_NS: Final = 60_000_000_000
"""A batch that arrived so much before an earlier one tells that the clock was set back."""


def thinned_source(sink: str) -> str:
    """Return the source name under which a sink's thinned rows are stored; no plant file can name one."""
    return f"thin/{sink}"


@dataclass(slots=True)
class Progress:
    """How far one rule's windows are, ns UTC; stored with every closed window."""

    closed: int = 0
    """End of the newest closed window."""
    newest: int = 0
    """Newest row seen, but no newer than what the gateway's clock said then."""
    since: int = 0
    """The first row seen: an earlier part of its window is not known."""


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

    def close(self, how: How, end: int, *, is_partial: bool) -> list[Columns]:
        """Return one row per tag, a part per dtype."""
        parts = (reduce(gathered, how) for gathered in self.gathered.values())
        return [finish(part, how, end, is_partial=is_partial) for part in parts]

    def tags(self) -> NDArray[np.int32]:
        """Return the tags it has rows of, some more than once."""
        return np.concatenate([part.tag for parts in self.gathered.values() for part in parts])


class Thinner:
    """The windows of one sink's thinning rules; pure: deliveries in, batches out."""

    def __init__(self, sink: str, rules: Rules, tags: TagTable) -> None:
        self.source = thinned_source(sink)
        self._sink = sink
        self._rules = rules
        self._tags = tags
        self._open: dict[tuple[int, int], Window] = {}
        self._progress = {i: Progress() for i in self._rules.thinning}
        self._arrived = 0
        self._seen = -1
        self._done = -1
        self._is_stored = False
        self._thinned: dict[tuple[int, int], int] = {}
        self._moved = tags.moved

    def token(self) -> bytes:
        """Return the position to store with what was closed: where to begin again, and what is done."""
        begin = min((window.first_seq for window in self._open.values()), default=self._seen + 1)
        rules = {_key(self._rules.rules[i]): astuple(progress) for i, progress in self._progress.items()}
        position = {"from": begin, "seen": self._seen, "arrived": self._arrived, "rules": rules}
        return json.dumps(position).encode()

    def resume(self, token: bytes | None) -> int | None:
        """Take up a stored position; return the seq to read from, None to begin where the sink begins."""
        if token is None:
            return None
        position = json.loads(token)
        for i in self._progress:
            progress = position["rules"].get(_key(self._rules.rules[i]))
            if progress is not None:
                self._progress[i] = Progress(*progress)
        self._done, self._arrived = position["seen"], position["arrived"]
        self._is_stored = True
        return int(position["from"])

    def add(self, delivery: Delivery) -> Batch | None:
        """Take a stored batch in; return the rows of every window it closes, None if it closes none."""
        wanted = [
            (i, rows)
            for part in delivery.batch.parts
            for i, rows in self._by_rule(part)
            if not self._tags[int(rows.tag[0])].for_sink
        ]
        closed = self._follow_clock(delivery) if wanted else []
        self._seen = delivery.seq
        for i, rows in wanted:
            closed += self._add_rows(i, rows, delivery)
        due = sorted(key for key in self._open if self._is_due(*key))
        closed += [part for key in due for part in self._close(*key)]
        arrived = delivery.batch.arrived
        batch = Batch(joined_parts(closed), arrived) if closed else None
        if batch is None and self._open and not self._is_stored:
            tags = np.unique(np.concatenate([window.tags() for window in self._open.values()]))
            begin = min(start for _, start in self._open)
            batch = bad_batch(self._tags, tags, begin, BAD_WAITING_FOR_INITIAL_DATA, arrived)
        self._is_stored = self._is_stored or batch is not None
        return batch

    def _by_rule(self, part: Columns) -> Iterator[tuple[int, Columns]]:
        rule_of = self._rules.of(part.tag)
        for i in self._progress:
            rows = part.where(rule_of == i)
            if len(rows):
                yield i, rows

    def _follow_clock(self, delivery: Delivery) -> list[Columns]:
        arrived = delivery.batch.arrived
        if delivery.seq <= self._done or arrived > self._arrived - STEP_NS:
            self._arrived = max(self._arrived, arrived)
            return []
        closed = [part for key in sorted(self._open) for part in self._close(*key)]
        self._arrived = arrived
        for i, progress in self._progress.items():
            every = _every(self._rules.rules[i])
            progress.closed = min(progress.closed, arrived // every * every)
            progress.newest = min(progress.newest, arrived)
            progress.since = 0
        return closed

    def _add_rows(self, i: int, rows: Columns, delivery: Delivery) -> list[Columns]:
        """Take rows into their windows; return those of windows that are too far ahead to be waited for."""
        rule, progress = self._rules.rules[i], self._progress[i]
        every, arrived = _every(rule), delivery.batch.arrived
        start = np.clip(rows.time, _LEAST_NS + every, _MOST_NS - every) // every * every
        is_far = start > arrived + min(AHEAD_NS, MOST_AHEAD * every)
        is_again = delivery.seq <= self._done
        seen = rows.time[~is_far]
        if len(seen):
            progress.newest = max(progress.newest, min(arrived, int(seen.max())))
            progress.since = progress.since or int(seen.min())
        if rule.as_ == "mean" and rows.value.dtype != object:
            rows = replace(rows, value=self._tags.as_float(rows))
        rows = replace(rows, tag=self._thinned_tags(rows.tag, i))
        rows = replace(rows, value=self._tags.sortable(rows))
        for window_start in np.unique(start[~is_far]).tolist():
            if is_again and window_start + every <= progress.closed:
                continue  # read again after a restart, for the sake of another window
            window = self._open.setdefault((i, window_start), Window(delivery.seq))
            window.add(rows.where((start == window_start) & ~is_far), _how(rule))
        if is_again:  # what is far ahead was stored with the batch it came in
            return []
        return [
            part
            for window_start in np.unique(start[is_far]).tolist()
            for part in self._alone(i, rows.where((start == window_start) & is_far), window_start + every)
        ]

    def _alone(self, i: int, rows: Columns, end: int) -> list[Columns]:
        """Return rows as a window of their own."""
        how, window = _how(self._rules.rules[i]), Window(0)
        window.add(rows, how)
        closed = window.close(how, end, is_partial=True)
        return [replace(part, value=self._tags.sortable(part)) for part in closed]

    def _is_due(self, i: int, start: int) -> bool:
        return start + _every(self._rules.rules[i]) + GRACE_NS <= self._progress[i].newest

    def _close(self, i: int, start: int) -> list[Columns]:
        rule, progress = self._rules.rules[i], self._progress[i]
        end = start + _every(rule)
        is_partial = end <= progress.closed or start < progress.since or progress.newest < end
        progress.closed = max(progress.closed, end)
        closed = self._open.pop((i, start)).close(_how(rule), end, is_partial=is_partial)
        return [replace(part, value=self._tags.sortable(part)) for part in closed]

    def _thinned_tags(self, tag: NDArray[np.int32], i: int) -> NDArray[np.int32]:
        if self._moved != self._tags.moved:  # renamed while we run: so are the thinned tags
            self._thinned.clear()
        missing = [n for n in np.unique(tag).tolist() if (n, i) not in self._thinned]
        if missing:
            # A tag whose kind has changed is two tags with one mean.
            thinned = [
                _thinned(self._tags[n], self._rules.rules[i], self.source, self._sink) for n in missing
            ]
            once = list({each.identity: each for each in thinned}.values())
            numbers = dict(
                zip((each.identity for each in once), self._tags.announce(once).tolist(), strict=True)
            )
            self._thinned.update(
                {(n, i): numbers[each.identity] for n, each in zip(missing, thinned, strict=True)}
            )
            self._moved = self._tags.moved
        return np.array([self._thinned[n, i] for n in tag.tolist()], np.int32)


def _every(rule: SelectRule) -> int:
    assert rule.every is not None  # noqa: S101  only thinning rules come here
    return rule.every


def _how(rule: SelectRule) -> How:
    return rule.as_ or "last"


def _key(rule: SelectRule) -> str:
    """Return what a rule's progress is stored under; a rule that is changed begins anew."""
    return f"{_how(rule)} {_every(rule)} {rule.class_ or ''} {rule.path}"


def _thinned(tag: Tag, rule: SelectRule, source: str, sink: str) -> Tag:
    # The value is computed from delivered values: nothing is left to scale, hold back or repeat.
    is_mean = rule.as_ == "mean" and tag.kind is not Kind.TEXT
    suffix = f"@{_how(rule)}_{format_duration(_every(rule))}"
    return replace(
        tag,
        path=tag.path + suffix,
        kind=Kind.FLOAT64 if is_mean else tag.kind,
        source=source,
        scale=1.0,
        offset=0.0,
        deadband=np.nan,
        heartbeat=0,
        was=tag.was and tag.was + suffix,
        for_sink=sink,
    )
