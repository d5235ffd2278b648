"""What the log holds: the list of segments, the newest batches, how many rows of which source lie where."""

import asyncio
import logging
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path

from connectors import Clock, Delivery, Epoch
from gateway.buffer.reader import Counts, Damaged, Readers
from gateway.buffer.records import Retired
from gateway.buffer.recovery import Recovered
from gateway.buffer.repair import provable_counts
from gateway.buffer.ring import Lateness, Ring
from gateway.buffer.segment import Job, Segment
from gateway.ledger import Rows
from gateway.ledger.books import add, total

log = logging.getLogger(__name__)


class Stored(ABC):
    """The stored batches and their counts; everything on the event loop."""

    def __init__(self, found: Recovered, memory: int, clock: Clock, readers: Readers) -> None:
        self.clock = clock
        self.state = found.state
        self.segments = found.segments
        self.ring = Ring(memory)
        self.recent = self.ring.get
        self.batches = 0
        self.rows = 0
        self.lost = found.lost
        """What damage has taken, as far as anybody has looked: (first seq, last seq, reason)."""
        self.ended: list[Segment] = []
        """Segments whose end nobody has saved yet."""
        self._readers = readers
        self._end = found.next_seq
        self._stored = sum(segment.rows for segment in self.segments)
        self._lateness = Lateness(found.next_seq)
        self._counted: dict[Path, tuple[int, Counts]] = {}
        self._retired = dict(found.retired.sources)
        self._below = found.retired.below
        self._acquired = total([self._retired, *(segment.sources for segment in self.segments)])

    @abstractmethod
    async def repair(self, segment: Segment) -> None:
        """Replace a damaged segment by what can be proved of it."""

    def end(self) -> int:
        """Return the seq the next stored batch will get."""
        return self._end

    def stored(self) -> int:
        """Return the running total of stored rows."""
        return self._stored

    def behind(self) -> int:
        """Return the seq below which everything was stored more than 5 s ago."""
        return self._lateness.behind(self.clock.monotonic())

    def take_in(self, jobs: Sequence[Job], first_seq: int, begun: Segment | None) -> None:
        """Take what is on disk now into the log, resolve its receipts."""
        if begun is not None:
            self.segments.append(begun)
        segment = self.segments[-1]
        seq = first_seq
        rows = 0
        put, epoch = self.ring.put, segment.epoch
        sources, acquired = segment.sources, self._acquired
        for job in jobs:
            source = job.source
            put(Delivery(job.batch, epoch, seq, source=source), job.memory)
            rows += job.rows
            sources[source] = sources.get(source, 0) + job.rows
            acquired[source] = acquired.get(source, 0) + job.rows
            segment.bytes += job.size
            if not job.receipt.done():
                job.receipt.set_result(seq)
            seq += 1
        segment.last_seq = seq - 1
        segment.last_arrived = jobs[-1].batch.arrived
        segment.batches += len(jobs)
        segment.rows += rows
        self._end = seq
        self._stored += rows
        self.batches += len(jobs)
        self.rows += rows
        self._lateness.note(self.clock.monotonic(), seq)

    def arrived(self, seq: int) -> int:
        """Return when the first batch at or after `seq` arrived, ns UTC, at worst its segment's first."""
        held = self.recent(seq)
        if held is not None:
            return held.batch.arrived
        for segment in self.segments[self._at(seq) :]:
            return segment.first_arrived
        return self.clock.now()

    async def read(self, start: int, stop: int, max_rows: int) -> Sequence[Delivery]:
        """Return whole deliveries of [start, stop), at least one unless there is none at all."""
        while True:
            place = self._at(start)
            if place >= len(self.segments) or self.segments[place].first_seq >= stop:
                return ()
            segment = self.segments[place]
            upto = min(stop, segment.last_seq + 1)
            try:
                found = await asyncio.to_thread(self._readers.read, segment, start, upto, max_rows)
            except (Damaged, OSError) as exc:
                log.error("segment is damaged", extra={"file": segment.path.name, "reason": str(exc)})  # noqa: TRY400
                await self.repair(segment)
                continue
            if found:
                return found
            start = segment.last_seq + 1

    def count(self, start: int, stop: int) -> Rows:
        """Return the rows stored in [start, stop), by source."""
        rows: Rows = {}
        for segment in self.segments[self._at(start) :]:
            if segment.first_seq >= stop:
                break
            if start <= segment.first_seq and segment.last_seq < stop:
                add(rows, segment.sources)
            else:
                add(rows, self._count_within(segment, start, stop))
        return rows

    def acquired(self) -> Rows:
        """Return the rows the log has taken since it exists, by source; whoever keeps them copies them."""
        return self._acquired

    def segment_ended(self, path: Path, size: int, *, sealed: bool) -> None:
        """Learn that a segment is no longer written."""
        for segment in self.segments:
            if segment.path == path:
                segment.closed, segment.sealed = True, sealed
                segment.bytes = max(size, segment.bytes) if not sealed else size
                self.ended.append(segment)

    def retired(self) -> Retired:
        """Return what is no longer stored."""
        return Retired(self._below, dict(self._retired))

    def remove(self, segment: Segment) -> None:
        """Take the oldest segment out of the log."""
        self.segments.remove(segment)
        self._counted.pop(segment.path, None)
        add(self._retired, segment.sources)
        self._below = max(self._below, segment.last_seq + 1)

    def exchange(self, segment: Segment, left: Segment | None) -> None:
        """Take what is left of a segment for the segment."""
        place = self.segments.index(segment)
        self.segments[place : place + 1] = [left] if left else []
        self._counted.pop(segment.path, None)
        self.ring.forget(segment.first_seq, segment.last_seq + 1)
        add(self._retired, segment.sources)
        add(self._retired, left.sources if left else {}, -1)

    def epochs(self) -> list[Epoch]:
        """Return every epoch there was, the newest first."""
        return [record.epoch for record in reversed(self.state.epochs)]

    def first_arrival(self, seq: int) -> int:
        """Return when the first batch at or after `seq` arrived, read from the disk; ns UTC."""
        for segment in self.segments[self._at(seq) :]:
            try:
                found = self._readers.read(segment, seq, segment.last_seq + 1, 1)
            except (Damaged, OSError):
                return segment.first_arrived
            if found:
                return found[0].batch.arrived
        return self.clock.now()

    def _at(self, seq: int) -> int:
        """Return the place of the first segment that can hold `seq` or something after it."""
        place = bisect_right(self.segments, seq, key=lambda segment: segment.first_seq)
        return place - 1 if place and self.segments[place - 1].last_seq >= seq else place

    def _count_within(self, segment: Segment, start: int, stop: int) -> Rows:
        known = self._counted.get(segment.path)
        if known is None or known[0] != segment.last_seq:
            counts = self._counts(segment)
            known = segment.last_seq, counts
            self._counted = {segment.path: known}
        return known[1].by_source(start, stop)

    def _counts(self, segment: Segment) -> Counts:
        try:
            counts = self._readers.counts(segment)
            if counts.by_source() == segment.sources:
                return counts
        except (Damaged, OSError):
            pass
        # What a repair will keep is what counts: the rest is lost already, though nobody has read it yet.
        epochs = self.epochs()
        self.lost.append((segment.first_seq, segment.last_seq, "damaged"))
        return provable_counts(segment, epochs)
