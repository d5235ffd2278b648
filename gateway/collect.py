"""South: read, normalise, store, acknowledge; and say honestly when nothing was known."""

import asyncio
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from connectors import (
    DTYPE_OF_PART,
    Batch,
    Clock,
    Columns,
    Origin,
    Part,
    Relayed,
    Repairing,
    Resumable,
    Source,
    TagTable,
    one_time,
)
from connectors.quality import BAD_DATA_LOST, BAD_NO_COMMUNICATION, has_overflowed
from gateway.buffer.contract import Buffer, Receipt
from gateway.ledger.gap import AWAY, LINK_DOWN, MOST_DEVICES, SOURCE_LOST, Gap
from gateway.live import LiveValues
from gateway.pipeline import ClockWatch, build_pipeline
from gateway.review import Reviews
from gateway.supervise import Link, LinkState
from gateway.turnstile import Turnstile

Unacked = asyncio.Queue[tuple[Batch, Receipt | None]]


class Collector:
    """One source's way into the buffer, over all its sessions."""

    def __init__(
        self,
        link: Link,
        open_source: Callable[[], Source],
        tags: TagTable,
        buffer: Buffer,
        clock: Clock,
        *,
        watch: ClockWatch | None = None,
        live: LiveValues | None = None,
        reviews: Reviews | None = None,
        turn: Turnstile | None = None,
    ) -> None:
        self._link = link
        self._open = open_source
        self._tags = tags
        self._buffer = buffer
        self._clock = clock
        self._watch = watch or ClockWatch(clock)
        self._live = live
        self._reviews = reviews
        self._turn = turn or Turnstile()
        self._gap_from = buffer.last_arrived(link.name)
        self._told_until = 0
        """Until when our own absence is noted, ns UTC; 0 is not yet."""
        self._is_down = False
        """A gap of the link has begun and not ended."""
        self._told_lost = False
        """Its tags are Bad in the store."""
        self._first_read = 0
        self._read_at = 0
        self.source: Source | None = None
        """The source of the running session, for its statistics."""

    async def session(self) -> None:
        """Connect and collect until the link drops."""
        source = self._open()
        if isinstance(source, Resumable):
            source.resume_from(self._buffer.resume_token(self._link.name))
        if isinstance(source, Repairing) and self._gap_from is not None:
            known = [self._tags.number(tag.path) for tag in self._tags.known_of(self._link.name)]
            numbers = np.array([number for number in known if number is not None], np.int32)
            source.stored_until(await self._buffer.newest(numbers), self._gap_from)
        try:
            async with source:
                self.source = source
                await self._tell_gap()
                if not isinstance(source, Relayed):
                    self._link.become(LinkState.CONNECTED)
                async with asyncio.TaskGroup() as tasks:
                    unacked: Unacked = asyncio.Queue()
                    tasks.create_task(_acknowledge(source, unacked), name=f"ack {self._link.name}")
                    await self._read(source, unacked)
        finally:
            self.source = None

    async def lost(self) -> None:
        """Mark the tags Bad after a session has ended, once, until something is read again."""
        await self._tell_gap()
        if not self._is_down:
            # From the last batch that is on disk: what was read behind it the store may have refused.
            stored = self._buffer.last_arrived(self._link.name)
            start = stored + 1 if stored is not None else self._first_read or self._clock.now()
            self._note(LINK_DOWN, max(start, self._told_until), None)
            self._is_down = True
        if not self._told_lost:  # nor after the store has refused to take it
            await self._append_bad(self._clock.now(), BAD_NO_COMMUNICATION)
            self._told_lost = True

    def stood_still(self, since: int, until: int) -> None:
        """Note that nothing was collected because the gateway itself stood still; ns UTC."""
        if self._gap_from is None:  # else the gap of the last run goes on
            self._note(AWAY, since, until)

    async def _read(self, source: Source, unacked: Unacked) -> None:
        pipeline = build_pipeline(self._tags, self._watch, self._reviews)
        # What was must not move the deadband of what is.
        late = build_pipeline(self._tags, self._watch, self._reviews)
        resume = source.resume_token if isinstance(source, Resumable) else None
        relayed = source if isinstance(source, Relayed) else None
        last: Receipt | None = None
        while True:
            read = await source.read()
            await self._turn()
            self._first_read = self._first_read or read.arrived
            if relayed is None or relayed.is_heard:
                self._link.become(LinkState.CONNECTED)
                if self._is_down:
                    self._is_down = self._told_lost = False
                    self._note(LINK_DOWN, None, read.arrived)
            self._note_lost(read)
            stored = late(read) if read.origin is Origin.BACKFILL else pipeline(read)
            receipt = None
            if stored is not None:
                token = None
                if resume is not None:
                    # A token vouches for all batches before it: one that failed must not have one behind it.
                    await _settled(last)
                    token = resume(read)
                receipt = last = await self._buffer.append(self._link.name, stored, token)
                receipt.add_done_callback(partial(self._count, len(stored)))
            if self._live is not None:
                self._live.put(read, stored)
            unacked.put_nowait((read, receipt))

    def _count(self, rows: int, receipt: Receipt) -> None:
        """Count what is on disk, also when the session that read it is over."""
        if not receipt.cancelled() and receipt.exception() is None:
            self._link.moved(rows)

    async def _tell_gap(self) -> None:
        """Store a gap record from the last stored batch of an earlier run to now: our absence counts too."""
        if self._gap_from is not None:
            start = self._gap_from + 1
            if not self._told_until:
                self._told_until = self._clock.now()
                # Of a link that was down when we went, nobody knows more.
                self._note(LINK_DOWN, None, self._told_until)
                self._note(AWAY, start, self._told_until)
            await self._append_bad(start, BAD_DATA_LOST)
            self._gap_from = None

    def _note_lost(self, read: Batch) -> None:
        """Note what a source itself says is lost."""
        for part in read.parts:
            if part.quality.any():
                lost = part.where(part.quality == BAD_DATA_LOST)
                if len(lost):
                    self._note(SOURCE_LOST, int(lost.time.min()), read.arrived, np.unique(lost.tag))
                ran_over = part.where(has_overflowed(part.quality))
                if len(ran_over):
                    # Such a row is what came after the loss, so the loss began when we read before.
                    start = min(int(ran_over.time.min()), self._read_at or read.arrived)
                    self._note(SOURCE_LOST, start, read.arrived, np.unique(ran_over.tag))
        self._read_at = read.arrived

    def _note(
        self, reason: str, start: int | None, end: int | None, tags: NDArray[np.int32] | None = None
    ) -> None:
        """Record a gap of some tags, None is all; one that begins has no end yet, one that ends no start."""
        devices: tuple[str, ...] = ()
        if tags is not None:
            places = np.unique(self._tags.device[tags]).tolist()
            devices = tuple(map(self._tags.device_path, places)) if len(places) <= MOST_DEVICES else ()
        gap = Gap(
            reason,
            noted=self._clock.now(),
            start=start,
            end=end,
            sources={self._link.name: 0},
            devices=devices,
            tags=len(self._tags.of_source(self._link.name) if tags is None else tags),
        )
        self._buffer.note(gap)

    async def _append_bad(self, time: int, quality: int) -> None:
        numbers = self._tags.of_source(self._link.name)
        if len(numbers):
            batch = bad_batch(self._tags, numbers, time, quality, self._clock.now())
            await (await self._buffer.append(self._link.name, batch))
            self._link.rows_total += len(batch)
            if self._live is not None:
                self._live.put(None, batch)


async def _settled(receipt: Receipt | None) -> None:
    """Return once the batch is on disk; raise StoreFailed when it can't be."""
    if receipt is not None:
        await asyncio.wait([receipt])  # another task awaits it too: cancelled here, it must live on there
        receipt.result()


async def _acknowledge(source: Source, unacked: Unacked) -> None:
    """Tell the source, in order, what is on disk or was not worth storing."""
    while True:
        batch, receipt = await unacked.get()
        if receipt is not None:
            await receipt
        await source.ack(batch)


def bad_batch(tags: TagTable, numbers: NDArray[np.int32], time: int, quality: int, arrived: int) -> Batch:
    """Return a batch that says of every one of these tags: Bad from `time` on, grouped by device."""
    numbers = numbers[np.argsort(tags.device[numbers], kind="stable")]
    parts = []
    for part in Part:
        mine = numbers[tags.part(numbers) == part]
        if len(mine):
            value = np.zeros(len(mine), DTYPE_OF_PART[part])
            if part is Part.TEXT:
                value[:] = ""
            n = len(mine)
            parts.append(Columns(mine, one_time(time, n), value, np.full(n, quality, np.uint32)))
    return Batch(tuple(parts), arrived)
