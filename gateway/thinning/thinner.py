"""Thinning: windows of rows, closed one by one, and appended to the log.

A window of one minute is not finished when the process dies in its middle, and a mean over half of it would
be a wrong number. So thinning is a strict reader of the log that appends what it computes back to the log:

    log ═strict cursor═▶ open windows ──closed──▶ append(rows, resume = position) ─▶ log ═▶ the sink

The position is the oldest stored batch an open window still needs, and how far each rule's windows are. It is
stored in the same transaction as the rows, so after a crash every window is computed again from its first
row, or not at all: exactly once. So that this holds for the very first window too, its tags begin with a row
that is Bad_WaitingForInitialData. Thinned rows have tags of their own, `power@mean_1min`, because a mean is
not a reading, and travel to their sink like everything else: with identity, live first, from disk.

A window closes for each device by itself, a grace after its end by that device's clock (`progress.py`) and
not before it is over by the gateway's. Rows for a closed window, such as a late backlog of a source, make a
row of their own for it, marked Uncertain; so do rows so far ahead that nobody waits for their window, and so
is a window the rule joined in its middle. When the gateway's clock steps back, what is open closes and the
rule begins anew: else every row until the old time is reached again would be late.
"""

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from config.base import format_duration
from config.select import SelectRule
from connectors import Batch, Columns, Delivery, Kind, Tag, TagTable
from connectors.quality import BAD_WAITING_FOR_INITIAL_DATA
from gateway.collect import bad_batch
from gateway.recompute import joined_parts
from gateway.select import Rules
from gateway.thinning.progress import FAR_NS, GRACE_NS, Progress
from gateway.thinning.windows import How, Window

AHEAD_NS: Final = 86_400_000_000_000
"""Rows further ahead of the gateway's clock are not waited for: a wrong zone is less, a wrong year more."""
MOST_AHEAD: Final = 1_000
"""Nor are rows so many windows ahead: each is kept open."""
STEP_NS: Final = 60_000_000_000
"""A batch that arrived so much before an earlier one tells that the clock was set back."""
_NONE: Final = np.zeros(0, np.int32)


def thinned_source(sink: str) -> str:
    """Return the source name under which a sink's thinned rows are stored; no plant file can name one."""
    return f"thin/{sink}"


class Thinner:
    """The windows of one sink's thinning rules; pure: deliveries in, batches out."""

    def __init__(self, sink: str, rules: Rules, tags: TagTable) -> None:
        self.source = thinned_source(sink)
        self._sink = sink
        self._rules = rules
        self._tags = tags
        self._open: dict[tuple[int, int], Window] = {}
        self._progress = {i: Progress(_every(rules.rules[i])) for i in rules.thinning}
        self._arrived = 0
        self._seen = -1
        self._done = -1
        self._is_stored = False
        self._thinned: dict[int, NDArray[np.int32]] = {}
        self._tag_of: dict[int, int] = {}
        self._moved = tags.moved

    def token(self) -> bytes:
        """Return the position to store with what was closed: where to begin again, and what is done."""
        begin = min((window.first_seq for window in self._open.values()), default=self._seen + 1)
        windows = {
            _key(self._rules.rules[i]): each.stored(self._tag_of) for i, each in self._progress.items()
        }
        position = {"from": begin, "seen": self._seen, "arrived": self._arrived, "windows": windows}
        return json.dumps(position, separators=(",", ":")).encode()

    def resume(self, token: bytes | None) -> int | None:
        """Take up a stored position; return the seq to read from, None to begin where the sink begins."""
        if token is None:
            return None
        position = json.loads(token)
        self._done, self._arrived = position["seen"], position["arrived"]
        self._is_stored = True
        self._make_room()
        if "windows" not in position:  # of a version that kept time by rule: what was open is known in part
            return self._done + 1
        for i, progress in self._progress.items():
            stored = position["windows"].get(_key(self._rules.rules[i]))
            if stored is not None:
                progress.take_up(stored, self._tags.device)
                tags = [tag for closed in stored["closed"].values() for tag in closed]
                self._tag_of |= {int(self._tags.device[tag]): tag for tag in tags}
        return int(position["from"])

    def add(self, delivery: Delivery) -> Batch | None:
        """Take a stored batch in; return the rows of every window it closes, None if it closes none."""
        arrived, is_again = delivery.batch.arrived, delivery.seq <= self._done
        wanted = self._by_rule(delivery.batch)
        self._seen = delivery.seq
        self._make_room()
        closed: list[Columns] = []
        if not is_again:
            if wanted and arrived <= self._arrived - STEP_NS:
                closed += self._begin_anew(arrived)
            self._arrived = max(self._arrived, arrived)
        for i, parts in wanted.items():
            closed += self._add_rows(i, parts, delivery)
        if not is_again:
            closed += [part for key in sorted(self._open) for part in self._close(*key)]
            for progress in self._progress.values():
                progress.settle()
        batch = Batch(joined_parts(closed), arrived) if closed else None
        if batch is None and self._open and not self._is_stored:
            tags = np.unique(np.concatenate([window.tags() for window in self._open.values()]))
            begin = min(start for _, start in self._open)
            batch = bad_batch(self._tags, tags, begin, BAD_WAITING_FOR_INITIAL_DATA, arrived)
        self._is_stored = self._is_stored or batch is not None
        return batch

    def _make_room(self) -> None:
        for progress in self._progress.values():
            progress.make_room(self._tags.device_count)

    def _by_rule(self, batch: Batch) -> dict[int, list[Columns]]:
        """Return the rows each rule thins, those that are readings."""
        found: dict[int, list[Columns]] = {}
        for part in batch.parts:
            rule_of = self._rules.of(part.tag)
            for i in self._progress:
                rows = part.where(rule_of == i)
                if len(rows) and not self._tags[int(rows.tag[0])].for_sink:
                    found.setdefault(i, []).append(rows)
        return found

    def _begin_anew(self, arrived: int) -> list[Columns]:
        """Close all there is: the gateway's clock was set back to `arrived`."""
        closed = [part for key in sorted(self._open) for part in self._close(*key, is_end=True)]
        for progress in self._progress.values():
            progress.begin_anew()
        self._arrived = arrived
        return closed

    def _add_rows(self, i: int, parts: list[Columns], delivery: Delivery) -> list[Columns]:
        """Take rows into their windows; return those whose window is closed, or not to be waited for."""
        rule, progress = self._rules.rules[i], self._progress[i]
        every, arrived = _every(rule), delivery.batch.arrived
        is_again = delivery.seq <= self._done
        last_start = arrived + min(AHEAD_NS, MOST_AHEAD * every)
        times = [np.clip(rows.time, arrived - FAR_NS, arrived + FAR_NS) for rows in parts]
        if not is_again:
            device = np.concatenate([self._tags.device[rows.tag] for rows in parts])
            time = np.concatenate(times)
            near = time < last_start + every
            if near.any():
                progress.see(device[near], time[near], arrived)
        alone: list[Columns] = []
        for part, time in zip(parts, times, strict=True):
            start = time // every * every
            is_alone = (start > last_start) | progress.is_late(self._tags.device[part.tag], time)
            rows = self._thinned_rows(part, i)
            for window_start in np.unique(start[~is_alone]).tolist():
                window = self._open.setdefault((i, window_start), Window(delivery.seq))
                window.add(rows.where((start == window_start) & ~is_alone), _how(rule))
            if is_alone.any() and not is_again:  # again: they were stored with the batch they came in
                for window_start in np.unique(start[is_alone]).tolist():
                    window = Window(delivery.seq)
                    window.add(rows.where((start == window_start) & is_alone), _how(rule))
                    alone += self._finished(window.close(_how(rule), window_start + every, _alone))
        return alone

    def _close(self, i: int, start: int, *, is_end: bool = False) -> list[Columns]:
        """Close a window for the devices that are past it; at the `is_end` of all windows, for every one."""
        rule, progress, window = self._rules.rules[i], self._progress[i], self._open[i, start]
        end, arrived = start + _every(rule), self._arrived
        if not is_end and end + GRACE_NS > arrived:
            return []
        device = self._tags.device[window.tags()]
        due = device[progress.is_due(device, end, arrived)]
        if not is_end and not len(due):
            return []

        def closing(tag: NDArray[np.int32]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
            device = self._tags.device[tag]
            is_due = progress.is_due(device, end, arrived)
            return is_due | is_end, is_due & progress.is_whole(device, end)

        closed = self._finished(window.close(_how(rule), end, closing))
        progress.close(due, end)
        if not window.gathered:
            del self._open[i, start]
        return closed

    def _finished(self, parts: Iterable[Columns]) -> list[Columns]:
        return [replace(part, value=self._tags.sortable(part)) for part in parts]

    def _thinned_rows(self, rows: Columns, i: int) -> Columns:
        """Return rows of the thinned tags, with values that sort and add up."""
        if self._rules.rules[i].as_ == "mean" and rows.value.dtype != object:
            rows = replace(rows, value=self._tags.as_float(rows))
        rows = replace(rows, tag=self._thinned_tags(rows.tag, i))
        return replace(rows, value=self._tags.sortable(rows)) if rows.value.dtype == np.int64 else rows

    def _thinned_tags(self, tag: NDArray[np.int32], i: int) -> NDArray[np.int32]:
        if self._moved != self._tags.moved:  # renamed while we run: so are the thinned tags
            self._thinned.clear()
        known = self._thinned.get(i, _NONE)
        if len(known) < len(self._tags):
            known = np.append(known, np.full(len(self._tags.kind) - len(known), -1, np.int32))
            self._thinned[i] = known
        missing = np.unique(tag[known[tag] < 0])
        if len(missing):
            # A tag whose kind has changed is two tags with one mean.
            thinned = [
                _thinned(self._tags[n], self._rules.rules[i], self.source, self._sink)
                for n in missing.tolist()
            ]
            once = {each.identity: each for each in thinned}
            numbers = dict(zip(once, self._tags.announce(list(once.values())).tolist(), strict=True))
            known[missing] = [numbers[each.identity] for each in thinned]
            self._tag_of |= {int(self._tags.device[number]): number for number in numbers.values()}
            self._moved = self._tags.moved
        return known[tag]


def _alone(tag: NDArray[np.int32]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    return np.ones(len(tag), np.bool_), np.zeros(len(tag), np.bool_)


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
