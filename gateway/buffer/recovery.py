"""Opening a store: every file is checked, what is damaged is set aside and counted, and the start goes on."""

import logging
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from connectors import Clock, Epoch
from gateway.buffer.codec import tag_from_json
from gateway.buffer.contract import StoreFailed
from gateway.buffer.full import DiskFull, Freed, gaps, wants_room
from gateway.buffer.identity import fingerprint, new_epoch
from gateway.buffer.quarantine import held_rows, name_sources
from gateway.buffer.reader import Damaged, SegmentReader
from gateway.buffer.records import Changes, EpochRecord, Retired, Totals
from gateway.buffer.repair import salvage, set_aside
from gateway.buffer.segment import SCHEMA, SUFFIX, Segment, SourceState
from gateway.buffer.state import NAME, State
from gateway.ledger import Gap, Rows
from gateway.ledger.books import add
from gateway.sqlite import check_version, checkpoint, connect, connect_for_reading, files_of, primary_code

log = logging.getLogger(__name__)
LEAP: Final = 1_000_000
"""Seqs left free after a stop that was not clean: a tail may be missing without a trace, and its numbers may
have reached a platform already."""
_NOT_DAMAGE: Final = {
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_BUSY,
}


@dataclass(slots=True)
class Recovered:
    """What an opened store begins with."""

    state: State
    epoch: Epoch
    next_seq: int
    segments: list[Segment] = field(default_factory=list)
    sources: dict[str, SourceState] = field(default_factory=dict)
    rebuilt: bool = False
    """The cursors were lost: sinks not known begin at the oldest, duplicates rather than loss."""
    retired: Retired = field(default_factory=lambda: Retired(0, {}))
    held: dict[str, Rows] = field(default_factory=dict)
    """Rows in quarantine by sink and source."""
    lost: list[tuple[int, int, str]] = field(default_factory=list)
    """First and last seq of segments that have lost something since they were counted, and why."""


def recover(directory: Path, clock: Clock, freed: Sequence[Freed] = ()) -> Recovered:
    """Open state and segments, `freed` deleted for room; raises NewerFormat, DiskFull, else StoreFailed."""
    try:
        state, lost_state = _open_state(directory)
        try:
            return _Recovery(directory, clock, state, freed, lost_state=lost_state).run()
        except BaseException:
            state.close()
            raise
    except (OSError, sqlite3.Error) as exc:
        if wants_room(exc):
            raise DiskFull(f"{directory}: the disk is full, the store can't be opened") from exc
        raise StoreFailed(f"{directory} cannot be used: {exc}") from exc


def _open_state(directory: Path) -> tuple[State, bool]:
    path = directory / NAME
    had_store = path.exists() or any(directory.glob(f"*{SUFFIX}"))
    lost = had_store and not (path.exists() and path.stat().st_size)
    try:
        return State(path), lost
    except sqlite3.DatabaseError as exc:
        if wants_room(exc) or primary_code(exc) in _NOT_DAMAGE:
            raise
        bad = set_aside(path)
        log.error("damaged state set aside", extra={"file": bad.name, "reason": str(exc)})  # noqa: TRY400
        return State(path), True


class _Recovery:
    def __init__(
        self, directory: Path, clock: Clock, state: State, freed: Sequence[Freed], *, lost_state: bool
    ) -> None:
        self._directory = directory
        self._freed = freed
        self._now = clock.now()
        self._state = state
        self._lost_state = lost_state
        self._known: Mapping[int, Totals] = dict(state.totals)
        self._highest = 0
        self._gaps: list[Gap] = []
        self._broken = ""
        """Why continuity of the newest data cannot be proved."""

    def run(self) -> Recovered:
        for leftover in self._directory.glob(f"*{SUFFIX}.repair*"):
            leftover.unlink(missing_ok=True)
        paths = self._paths()
        newest = max([*(int(p.stem) for p in paths), *self._known], default=0)
        segments: list[Segment] = []
        sources: dict[str, SourceState] = {}
        following = None
        for path in reversed(paths):
            is_newest = int(path.stem) == newest
            segment = self._inspect(path, is_newest=is_newest, following=following)
            if segment is not None:
                if not sources:
                    sources = self._sources(segment)
                segments.insert(0, segment)
                following = segment.first_seq
        self._note_missing({int(path.stem) for path in paths}, newest)
        fresh = not self._state.epochs and not segments and not self._lost_state
        if self._lost_state:
            self._rebuild_catalogue(segments)
        epoch, next_seq = self._identify(segments, fresh=fresh)
        rebuilt = self._lost_state or self._state.meta.get("rebuilt") == "1"
        retired = self._retire(segments)
        found = [self._told(gap) for gap in self._gaps]
        found += gaps(self._freed, self._state.cursors.values(), self._now)
        name_sources(self._state)
        lost = [*((gap.first_seq, gap.last_seq, gap.reason) for gap in self._gaps), *self._freed_spans()]
        self._state.save(
            Changes(
                totals=[Totals.of(segment, sealed=True) for segment in segments],
                retired=retired,
                gone=[first for first in self._known if first not in {s.first_seq for s in segments}],
                gaps=[
                    *(self._told(gap) for gap in self._gaps),
                    *gaps(self._freed, self._state.cursors.values(), self._now),
                ],
                meta={
                    "host": fingerprint(self._directory),
                    "clean": "0",
                    "rebuilt": "1" if rebuilt else "0",
                },
            )
        )
        return Recovered(
            *(self._state, epoch, next_seq, segments, sources, rebuilt),
            *(retired, held_rows(self._state), lost),
        )

    def _told(self, gap: Gap) -> Gap:
        """Return the gap with the sinks it may concern and the sources that were in it."""
        known = self._known.get(gap.first_seq)
        sinks = {
            cursor.sink: 0
            for cursor in self._state.cursors.values()
            if cursor.head <= gap.last_seq
            or any(start <= gap.last_seq and gap.first_seq < stop for start, stop in cursor.ranges)
        }
        return replace(gap, sinks=sinks, sources=dict.fromkeys((known and known.sources) or (), 0))

    def _paths(self) -> list[Path]:
        """Return the segments' files, oldest first; those that had gone when a crash came go now."""
        below = self._state.retired.below
        paths = []
        for path in sorted(p for p in self._directory.glob(f"*{SUFFIX}") if p.stem.isdigit()):
            if int(path.stem) < below and int(path.stem) not in self._known:
                for each in files_of(path):
                    each.unlink(missing_ok=True)
            else:
                paths.append(path)
        return paths

    def _retire(self, segments: Sequence[Segment]) -> Retired:
        """Return what the log took in that no segment holds, so that what it acquired is what it was."""
        found = {segment.first_seq: segment.sources for segment in segments}
        freed = {each.first_seq: each.counts.by_source() for each in self._freed}
        highest = max((totals.last_seq for totals in self._known.values()), default=-1)
        retired = dict(self._state.retired.sources)
        for first, totals in self._known.items():
            if first < self._state.retired.below and first not in found:
                continue  # counted as gone, but a full disk took no more than that
            known, now = totals.sources or {}, found.get(first, {})
            then = freed.get(first, {})
            for source in known.keys() | then.keys():
                most = max(known.get(source, 0), then.get(source, 0))
                add(retired, {source: max(0, most - now.get(source, 0))})
        for first, rows in freed.items():
            if first not in self._known:
                add(retired, rows)
        for first, rows in found.items():
            if first not in self._known and first <= highest:
                # A file that was told missing has come back: its rows were acquired once.
                add(retired, rows, -1)
        below = max([self._state.retired.below, *(each.first_seq + 1 for each in self._freed)])
        return Retired(below, retired)

    def _freed_spans(self) -> list[tuple[int, int, str]]:
        return [
            (each.first_seq, int(each.counts.seqs[-1]), "disk_full")
            for each in self._freed
            if len(each.counts.seqs)
        ]

    def _inspect(self, path: Path, *, is_newest: bool, following: int | None) -> Segment | None:
        """Return the segment as it may be believed: sealed, repaired if need be, None if nothing is left."""
        first_seq = int(path.stem)
        known = self._known.get(first_seq)
        limit = (following or 2**62) - 1
        has_wal = files_of(path)[1].exists()
        try:
            if has_wal:
                _fold_in(path)
            if known is None and _never_took_a_batch(path):
                segment = None
            else:
                segment = _count(
                    path, limit, known if known and known.sealed and not is_newest and not has_wal else None
                )
            damaged = False
        except (sqlite3.Error, Damaged) as exc:
            if wants_room(exc):
                raise  # nothing is wrong with the segment, and a copy would need room too
            log.error("segment is damaged", extra={"file": path.name, "reason": str(exc)})  # noqa: TRY400
            epochs = [record.epoch for record in reversed(self._state.epochs)]
            last = min(limit, known.last_seq + LEAP if known else first_seq + 10 * LEAP)
            segment, damaged = salvage(path, epochs, last), True
        if segment is None and not damaged:
            for each in files_of(path):
                each.unlink(missing_ok=True)
        self._highest = max(
            self._highest, limit if following else 0, segment.last_seq if segment else first_seq
        )
        lost = self._loss(segment, known, first_seq)
        if damaged or lost:
            self._gaps.append(lost or Gap("damaged", first_seq, first_seq, 0, 0, self._now))
            if is_newest:
                self._broken = "newest segment damaged"
        return segment

    def _loss(self, segment: Segment | None, known: Totals | None, first_seq: int) -> Gap | None:
        if known is None:
            return None
        batches = known.batches - (segment.batches if segment else 0)
        rows = known.rows - (segment.rows if segment else 0)
        if batches <= 0:
            return None
        return Gap("damaged", first_seq, known.last_seq, batches, rows, self._now)

    def _note_missing(self, found: set[int], newest: int) -> None:
        freed = {each.first_seq for each in self._freed}
        for first, totals in self._known.items():
            if first not in found and first not in freed and first >= self._state.retired.below:
                self._gaps.append(
                    Gap("missing", first, totals.last_seq, totals.batches, totals.rows, self._now)
                )
                log.error("segment is missing", extra={"first_seq": first, "rows": totals.rows})
                if first == newest:
                    self._broken = "newest segment missing"

    def _sources(self, segment: Segment) -> dict[str, SourceState]:
        reader = SegmentReader(segment.path, sealed=True)
        try:
            found = reader.sources()
            for raw in reader.raw(segment.first_seq, segment.last_seq + 1):
                state = found.setdefault(raw.source, SourceState())
                state.last_arrived = raw.arrived
                state.resume = raw.resume if raw.resume is not None else state.resume
        except (sqlite3.Error, Damaged):
            return {}
        else:
            return found
        finally:
            reader.close()

    def _rebuild_catalogue(self, segments: list[Segment]) -> None:
        found = {}
        for segment in segments:
            reader = SegmentReader(segment.path, sealed=True)
            try:
                found.update({number: tag_from_json(record) for number, _, record in reader.tags()})
            except (sqlite3.Error, ValueError, KeyError, TypeError):
                log.warning("tag rows cannot be read", extra={"file": segment.path.name})
            finally:
                reader.close()
        self._state.persist(sorted(found.items()))

    def _identify(self, segments: list[Segment], *, fresh: bool) -> tuple[Epoch, int]:
        records = self._state.epochs
        meta = self._state.meta
        highest = max(
            self._highest,
            *(totals.last_seq for totals in self._known.values()),
            *(cursor.head - 1 for cursor in self._state.cursors.values()),
            *(record.first_seq - 1 for record in records),
            *(segment.last_seq for segment in segments),
            0,
        )
        if fresh:
            reason = "first start"
        elif self._lost_state:
            reason = "state lost"
        elif meta.get("host") not in (None, fingerprint(self._directory)):
            reason = "restored or cloned"
        else:
            reason = self._broken
        next_seq = (
            highest + 1 + (0 if meta.get("clean", "1") == "1" and reason in ("", "first start") else LEAP)
        )
        if not reason and records:
            return records[-1].epoch, next_seq
        epochs = [record.epoch.ordinal for record in records] + [
            segment.epoch.ordinal for segment in segments
        ]
        epoch = new_epoch(max(epochs, default=0))
        if self._lost_state:
            for old in dict.fromkeys(segment.epoch for segment in segments):
                first = next(s for s in segments if s.epoch == old)
                self._state.add_epoch(
                    EpochRecord(old, first.first_arrived, first.first_seq, "found in segments")
                )
        self._state.add_epoch(EpochRecord(epoch, self._now, next_seq, reason or "first start"))
        if not fresh:
            log.warning("new epoch", extra={"epoch": str(epoch), "reason": reason})
        return epoch, next_seq


def _fold_in(path: Path) -> None:
    """Let SQLite recover what a process left in the WAL and move it into the file."""
    connection = connect(path)
    try:
        checkpoint(connection, truncate=True)
    finally:
        connection.close()


def _never_took_a_batch(path: Path) -> bool:
    """Tell a file whose process was killed while it was begun from a damaged one; raises sqlite3.Error."""
    connection = connect_for_reading(path, sealed=True)
    try:
        check_version(connection, SCHEMA)
        if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            return True
        return connection.execute("SELECT 1 FROM batches LIMIT 1").fetchone() is None
    finally:
        connection.close()


def _count(path: Path, limit: int, known: Totals | None) -> Segment | None:
    """Return the segment's numbers: as known when its ends agree, else by proving every batch."""
    reader = SegmentReader(path, sealed=True)
    try:
        segment = Segment(
            path, int(path.stem), reader.epoch, 0, sealed=True, closed=True, bytes=path.stat().st_size
        )
        bounds = reader.bounds()
        if bounds is None or bounds[0] > limit:
            return None
        if known is not None and bounds[1] >= known.last_seq <= limit:
            segment.last_seq, segment.batches, segment.rows = known.last_seq, known.batches, known.rows
            segment.sources = dict(known.sources) if known.sources else reader.counts().by_source()
            if sum(segment.sources.values()) != segment.rows:
                raise Damaged("its batches are not what was counted")
            for end in (bounds[0], known.last_seq):
                raw = next(reader.raw(end, end + 1), None)
                if raw is None:
                    raise Damaged(f"seq {end} is missing")
                segment.first_arrived = segment.first_arrived or raw.arrived
                segment.last_arrived = raw.arrived
            return segment
        for raw in reader.raw(0, limit + 1):
            segment.first_arrived = segment.first_arrived or raw.arrived
            segment.last_arrived, segment.last_seq = raw.arrived, raw.seq
            segment.batches += 1
            segment.rows += raw.rows
            segment.sources[raw.source] = segment.sources.get(raw.source, 0) + raw.rows
        return segment
    finally:
        reader.close()
