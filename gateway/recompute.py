"""Strict readers of the log that append what they compute back to it: thinning and derived tags (ADR 9).

    log ═strict cursor═▶ what the reader holds ──computed──▶ append(rows, resume = place) ─▶ log

The place, and what of the past is still needed, is stored in the same transaction as the rows. So after a
crash every row is computed again or not at all: nothing is lost and nothing doubled. What one `next` returned
is appended as one batch: a commit that takes long delays what is computed, and holds up nothing.
"""

from collections.abc import Callable, Sequence
from typing import Final, Literal, Protocol

import numpy as np

from connectors import DTYPE_OF_PART, Batch, Clock, Columns, Delivery, Order, Part, TagTable
from connectors.quality import BAD_NO_COMMUNICATION
from gateway.buffer.contract import Buffer, Cursor
from gateway.collect import bad_batch
from gateway.live import LiveValues
from gateway.pipeline import by_device
from gateway.supervise import Link, LinkState

MOST_ROWS: Final = 20_000


class Recomputing(Protocol):
    """Stored batches in, batches to append out; pure, and after `resume` where it was."""

    source: str
    """The name its rows are stored under; no plant file can name one."""

    def resume(self, token: bytes | None) -> int | None:
        """Take up a stored place; return the seq to read from, None to begin where a new reader begins."""
        ...

    def add(self, delivery: Delivery) -> Batch | None:
        """Take a stored batch in; return what it makes ready, None when nothing."""
        ...

    def token(self) -> bytes:
        """Return the place to store with what was made."""
        ...


class Recomputer:
    """One reader's way through the log, over all its sessions."""

    def __init__(
        self,
        link: Link,
        build: Callable[[], Recomputing],
        *,
        tags: TagTable,
        buffer: Buffer,
        clock: Clock,
        start: Literal["now", "oldest"] = "now",
        live: LiveValues | None = None,
    ) -> None:
        self._link = link
        self._build = build
        self._tags = tags
        self._buffer = buffer
        self._clock = clock
        self._start = start
        self._live = live
        self._group = by_device(tags)
        self._told_lost = False

    def reserve(self) -> None:
        """Let the buffer know of the cursor, before it takes it for that of a sink that was removed."""
        self._begin()

    async def session(self) -> None:
        """Read the log and append what is computed, until the store fails."""
        reader, cursor = self._begin()
        self._link.become(LinkState.CONNECTED)
        while True:
            made = [reader.add(delivery) for delivery in await cursor.next(MOST_ROWS)]
            batch = self._joined([each for each in made if each is not None])
            if batch is not None:
                # The token vouches for every batch before it: it is on disk before the next is appended.
                await (await self._buffer.append(reader.source, batch, reader.token()))
                self._show(batch)
                self._told_lost = False
            await cursor.ack()

    async def lost(self) -> None:
        """Mark what is shown as live Bad after a session has ended, once until it is computed again."""
        numbers = self._tags.of_source(self._link.name)
        if self._live is not None and len(numbers) and not self._told_lost:
            self._told_lost = True
            now = self._clock.now()
            batch = bad_batch(self._tags, numbers, now, BAD_NO_COMMUNICATION, now)
            await (await self._buffer.append(self._link.name, batch))
            self._show(batch)

    def _begin(self) -> tuple[Recomputing, Cursor]:
        reader = self._build()
        first = reader.resume(self._buffer.resume_token(reader.source))
        after = None if first is None else first - 1
        return reader, self._buffer.cursor(reader.source, Order.STRICT, start=self._start, after=after)

    def _show(self, batch: Batch) -> None:
        if self._live is not None:
            self._link.moved(len(batch))
            self._live.put(batch, batch)

    def _joined(self, batches: Sequence[Batch]) -> Batch | None:
        """Return the rows of all these batches in one, as of the last, grouped by device; None for none."""
        if not batches:
            return None
        parts = joined_parts([part for batch in batches for part in batch.parts])
        return Batch(tuple(self._group(part) for part in parts), batches[-1].arrived)


def joined_parts(parts: Sequence[Columns]) -> tuple[Columns, ...]:
    """Return columns of the same part one behind the other, in a batch's order of parts."""
    by_part = ([each for each in parts if each.value.dtype == DTYPE_OF_PART[part]] for part in Part)
    return tuple(joined_columns(mine) for mine in by_part if mine)


def joined_columns(parts: Sequence[Columns]) -> Columns:
    """Return the rows of columns of one dtype, one behind the other."""
    names = ("tag", "time", "value", "quality")
    return Columns(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
