"""Random actions on the store and on a model of a list and integers must agree; some of them are crashes."""

import asyncio
import random
import shutil
import tempfile
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from connectors import Order, Refusal
from gateway.buffer import DiskBuffer
from tests.conftest import FakeClock
from tests.faults.buffer.lab import SCALE, TAGS, batch_of, number_of, options, rows_of

SINKS = {"strict": Order.STRICT, "live": Order.LIVE_FIRST}


class StoreAndModel(RuleBasedStateMachine):
    """The model: `stored` is the list of numbers on disk, `waiting[sink]` what each sink still has to get."""

    @initialize(memory=st.sampled_from([0, 4096, 2**20]), segment=st.sampled_from([2048, 16384]))
    def begin(self, memory: int, segment: int) -> None:
        self.runner = asyncio.Runner()
        self.place = Path(tempfile.mkdtemp())
        self.clock = FakeClock(batch_of(0).arrived)
        self.options = options(memory=memory, segment_bytes=segment)
        self.next_number = 1
        self.stored: list[int] = []
        self.waiting: dict[str, list[int]] = {sink: [] for sink in SINKS}
        self.saved: dict[str, list[int]] = {sink: [] for sink in SINKS}
        self.in_flight: dict[str, list[int]] = {sink: [] for sink in SINKS}
        self.refused = self.readers = 0
        self.directory = self.place / "0"
        self.generation = 0
        self.run(self.open())

    def run(self, work: Awaitable[Any]) -> Any:
        async def limited() -> Any:
            async with asyncio.timeout(10):
                return await work

        return self.runner.run(limited())

    async def open(self) -> None:
        self.buffer = await DiskBuffer(self.directory, self.options, self.clock).__aenter__()
        self.buffer.persist(list(enumerate(TAGS)))
        self.cursors = {
            sink: self.buffer.cursor(sink, order, start="oldest") for sink, order in SINKS.items()
        }
        self.buffer.ready()
        self.in_flight = {sink: [] for sink in SINKS}

    async def close(self) -> None:
        await self.buffer.__aexit__(None, None, None)

    @rule(count=st.integers(1, 8))
    def append(self, count: int) -> None:
        numbers = list(range(self.next_number, self.next_number + count))
        self.next_number += count

        async def work() -> None:
            receipts = [await self.buffer.append("src", batch_of(k)) for k in numbers]
            assert sorted(seqs := [await each for each in receipts]) == seqs

        self.run(work())
        self.stored += numbers
        for sink in SINKS:
            self.waiting[sink] += numbers

    @rule(sink=st.sampled_from(list(SINKS)), max_rows=st.sampled_from([1, 50, 200, 5000]))
    def read(self, sink: str, max_rows: int) -> None:
        if not self.waiting[sink]:
            return
        deliveries = self.run(self.cursors[sink].next(max_rows))
        numbers = [number_of(each) for each in deliveries]
        again = self.in_flight[sink]
        # What was under way live comes again as history once it is late, in other portions.
        is_same = numbers == again
        assert is_same or not again or (sink == "live" and deliveries[0].historical)
        assert len(numbers) == 1 or rows_of(numbers) <= max_rows or is_same
        assert len({each.historical for each in deliveries}) == 1
        if sink == "strict":
            assert numbers == self.waiting[sink][: len(numbers)]
        else:
            assert set(numbers) <= set(self.waiting[sink])
            assert numbers == sorted(numbers)
        if deliveries[0].historical:
            assert numbers[0] == self.waiting[sink][0]
        self.in_flight[sink] = numbers

    @rule(sink=st.sampled_from(list(SINKS)), refuse=st.booleans())
    def ack(self, sink: str, refuse: bool) -> None:
        numbers = self.in_flight[sink]
        if not numbers:
            return
        refused = [Refusal(0, np.array([0], np.int32), "no")] if refuse else []
        self.run(self.cursors[sink].ack(refused))
        self.refused += refuse
        self.waiting[sink] = [k for k in self.waiting[sink] if k not in numbers]
        self.in_flight[sink] = []

    @rule(seconds=st.sampled_from([1, 4, 6]))
    def pass_time(self, seconds: int) -> None:
        self.clock.move(seconds)

    @rule()
    def reopen(self) -> None:
        self.run(self.close())
        self.run(self.open())

    @rule()
    def crash(self) -> None:
        """Copy the files as a kill would leave them, and go on in the copy."""

        async def work() -> None:
            self.buffer._tick()
            await self.buffer._shelf._in_writer(lambda: None)
            saved = {sink: list(numbers) for sink, numbers in self.waiting.items()}
            self.generation += 1
            left = self.place / str(self.generation)
            shutil.copytree(self.directory, left)
            await self.close()
            self.directory, self.waiting = left, saved
            await self.open()

        self.run(work())

    @rule(seed=st.integers(0, 2**32 - 1))
    def corrupt(self, seed: int) -> None:
        """Flip a bit of a sealed segment; the model loses what the store says it lost, no more."""
        if len(self.stored) < 20:
            return
        chance = random.Random(seed)

        async def work() -> None:
            await self.close()
            path = chance.choice(sorted(self.directory.glob("*.segment")))
            data = bytearray(path.read_bytes())
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
            path.write_bytes(data)
            await self.open()
            before = sum(gap.batches for gap in self.buffer.gaps())
            self.readers += 1
            name = f"reader {self.readers}"
            reader = self.buffer.cursor(name, Order.STRICT, start="oldest")
            left: list[int] = []
            while reader.backlog().rows:
                left += [number_of(each) for each in await reader.next(10_000)]
                await reader.ack()
            self.buffer.release(name)
            assert left == [k for k in self.stored if k in set(left)]
            lost = len(self.stored) - len(left)
            assert before <= sum(gap.batches for gap in self.buffer.gaps())
            assert lost == 0 or self.buffer.gaps()
            self.stored = left
            for sink in SINKS:
                self.waiting[sink] = [k for k in self.waiting[sink] if k in set(left)]

        self.run(work())

    @invariant()
    def backlogs_agree(self) -> None:
        if not hasattr(self, "buffer"):
            return
        for sink in SINKS:
            assert self.cursors[sink].backlog().rows == rows_of(self.waiting[sink])
            assert (self.cursors[sink].backlog().oldest is None) == (not self.waiting[sink])

    def teardown(self) -> None:
        if hasattr(self, "buffer"):
            self.run(self.close())
            self.runner.close()
            shutil.rmtree(self.place)


TestStoreAgreesWithAModel = pytest.mark.timeout(60 + 3600 * SCALE)(StoreAndModel.TestCase)
TestStoreAgreesWithAModel.settings = settings(
    max_examples=max(8, round(100 * SCALE)), stateful_step_count=25, deadline=None
)
