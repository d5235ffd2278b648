"""North: next, select, write, acknowledge; refused rows go to quarantine."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from connectors import Clock, Delivery, NotConnected, Refusal, Rejected, Sink, Watching
from gateway.buffer.contract import Cursor
from gateway.metered import Meter
from gateway.select import Selection
from gateway.supervise import Link, LinkState

MOST_ROWS: Final = 20_000
"""One write: enough to hide a round trip, little enough to keep the head of the line short."""
FIRST_ROWS: Final = 1_000
LEAST_ROWS: Final = 100
TURN_NS: Final = 2_000_000_000
"""On a slow line one write is what passes in this time: what is done is acknowledged, a broken link repeats
little, and live values wait no longer."""
REFUSED_SHARE: Final = 0.05
"""More than this refused within a minute is not bad rows but a wrong set-up."""
REFUSED_LEAST: Final = 100


class Forwarder:
    """One sink's way out of the buffer, over all its sessions."""

    def __init__(
        self,
        link: Link,
        sink: Sink,
        cursor: Cursor,
        selection: Selection,
        clock: Clock,
        *,
        meter: Meter | None = None,
    ) -> None:
        self._link = link
        self._entering = sink
        self._cursor = cursor
        self._select = selection
        self._clock = clock
        self._meter = meter
        self._most = FIRST_ROWS
        self._share = RefusedShare(clock)
        self.sink: Sink | None = None
        """The sink of the running session, for its statistics."""

    async def session(self) -> None:
        """Connect and forward until the link drops."""
        if self._meter is not None:
            self._meter.check()
        async with self._entering as sink:
            self.sink = sink
            self._link.become(LinkState.CONNECTED)
            try:
                if isinstance(sink, Watching):
                    async with asyncio.TaskGroup() as tasks:
                        tasks.create_task(sink.watch(), name=f"watch {self._link.name}")
                        await self._forward(sink)
                else:
                    await self._forward(sink)
            finally:
                self.sink = None

    async def _forward(self, sink: Sink) -> None:
        while True:
            await self._forward_next(sink)

    async def _forward_next(self, sink: Sink) -> None:
        if self._meter is not None:
            self._meter.check()
        most = self._most if self._meter is None else self._meter.most_rows(self._most)
        deliveries = await self._cursor.next(most)
        selected = [(i, chosen) for i, each in enumerate(deliveries) if (chosen := self._select(each))]
        rows = sum(len(chosen.batch) for _, chosen in selected)
        everything = sum(len(each.batch) for each in deliveries)
        refused = await self._write(sink, [chosen for _, chosen in selected], everything)
        refusals = [
            Refusal(selected[each.delivery][0], _rows(each, selected[each.delivery][1]), each.reason)
            for each in refused
        ]
        wanted = [0] * len(deliveries)
        for place, chosen in selected:
            wanted[place] = len(chosen.batch)
        await self._cursor.ack(refusals, wanted)
        refused_rows = sum(len(each.rows) for each in refusals if each.rows is not None)
        self._link.moved(rows - refused_rows)
        if self._meter is not None:
            self._meter.passed(rows)
        self._link.count("not_selected", everything - rows)
        self._link.count("quarantined", refused_rows)
        # Out of the cursor only what was in quarantine comes cut. Counted, or the books would not balance:
        # delivered + not_selected + quarantined - retried + dropped + backlog = stored.
        self._link.count("retried", sum(len(each.batch) for each in deliveries if each.rows is not None))
        self._share.look(rows, refused_rows)

    async def _write(self, sink: Sink, deliveries: Sequence[Delivery], rows: int) -> Sequence[Refusal]:
        """Write what is selected of so many rows."""
        if not deliveries:
            self._most = MOST_ROWS
            return ()
        began = self._clock.monotonic()
        try:
            await sink.write(deliveries)
        except Rejected as exc:
            return exc.refusals
        except NotConnected:
            self._most = max(LEAST_ROWS, self._most // 4)
            raise
        took = max(1, self._clock.monotonic() - began)
        self._most = max(LEAST_ROWS, min(MOST_ROWS, rows * TURN_NS // took))
        return ()


def _rows(refusal: Refusal, delivery: Delivery) -> NDArray[np.int32]:
    return np.concatenate(delivery.row_numbers()) if refusal.rows is None else refusal.rows


class RefusedShare:
    """Pause a sink that refuses more than its share: quarantine is for bad rows, not for a bad set-up."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._minute: deque[tuple[int, int, int]] = deque()

    def look(self, rows: int, refused: int) -> None:
        """Count one write; NotConnected(needs_a_person) when the last minute's share is too high."""
        now = self._clock.monotonic()
        if not refused and not self._minute:
            return
        self._minute.append((now, rows, refused))
        while self._minute[0][0] < now - 60_000_000_000:
            self._minute.popleft()
        bad = sum(entry[2] for entry in self._minute)
        everything = sum(entry[1] for entry in self._minute)
        if bad >= REFUSED_LEAST and bad > REFUSED_SHARE * everything:
            self._minute.clear()
            raise NotConnected(
                f"the platform refused {bad} of {everything} rows within a minute; they are in quarantine. "
                "Correct the set-up, then: wanglian quarantine retry",
                needs_a_person=True,
            )
