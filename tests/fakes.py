"""Fakes that implement the contract: a source that replays, a sink that records and refuses on demand."""

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import numpy as np

from connectors import Batch, Columns, Delivery, Kind, NotConnected, Order, Tag, TagTable

T0 = 1_790_000_000_000_000_000


def simple_tags(count: int = 3, source: str = "meters", device: str = "s/a/l/d") -> list[Tag]:
    return [Tag(f"{device}/t{i}", Kind.FLOAT64, "KWT", source) for i in range(count)]


def batch_of(values: Sequence[float], *, tags: Sequence[int] | None = None, time: int = T0) -> Batch:
    n = len(values)
    numbers = np.arange(n, dtype=np.int32) if tags is None else np.array(tags, np.int32)
    part = Columns(numbers, np.full(n, time, np.int64), np.array(values, np.float64), np.zeros(n, np.uint32))
    return Batch((part,), time)


class ReplaySource:
    """Reads what it is given; an exception in the list is raised; then waits for ever."""

    def __init__(self, tags: TagTable, announced: Sequence[Tag], script: list[Batch | BaseException]) -> None:
        self._tags = tags
        self._announced = announced
        self._script = script
        self.acked: list[Batch] = []
        self.refuse_entry: NotConnected | None = None

    async def __aenter__(self) -> Self:
        self._tags.announce(self._announced)
        if self.refuse_entry is not None:
            raise self.refuse_entry
        return self

    async def read(self) -> Batch:
        if not self._script:
            await asyncio.Event().wait()
        await asyncio.sleep(0)
        step = self._script.pop(0)
        if isinstance(step, BaseException):
            raise step
        return step

    async def ack(self, batch: Batch) -> None:
        self.acked.append(batch)

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        pass


class RecordingSink:
    """Keeps what it accepts; raises what it is told to, once each."""

    def __init__(self, order: Order = Order.STRICT) -> None:
        self.order = order
        self.written: list[Delivery] = []
        self.raising: list[BaseException] = []
        self.arrived = asyncio.Event()
        self.sessions = self.calls = 0

    async def __aenter__(self) -> Self:
        self.sessions += 1
        return self

    async def write(self, deliveries: Sequence[Delivery]) -> None:
        assert deliveries
        assert all(len(each.batch) for each in deliveries)
        if self.raising:
            raise self.raising.pop(0)
        self.written += deliveries
        self.calls += 1
        self.arrived.set()

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        pass
