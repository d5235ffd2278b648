"""The books of every sink and a model that only follows each row: they agree after every step and crash."""

import asyncio
import copy
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from connectors import Order, Refusal
from gateway.buffer import DiskBuffer, Quarantine
from tests.conftest import FakeClock
from tests.faults.buffer.lab import SCALE, TAGS, batch_of, number_of, options

SOURCES = ("north", "south", "derive/tags")
SINKS = {"strict": Order.STRICT, "live": Order.LIVE_FIRST, "own": Order.STRICT, "guest": Order.LIVE_FIRST}
"""`own` keeps its place in its own database, `guest` comes and goes."""
WAITS = "waits"


def source_of(k: int) -> str:
    return SOURCES[k % 3]


class Model:
    """Where every row of every batch is, for one sink."""

    def __init__(self) -> None:
        self.fates: dict[int, Counter[str]] = {}
        self.acquired: Counter[str] = Counter()
        self.again: Counter[str] = Counter()

    def store(self, k: int) -> None:
        self.fates[k] = Counter({WAITS: len(batch_of(k))})
        self.acquired[source_of(k)] += len(batch_of(k))

    def move(self, k: int, before: str, after: str, rows: int | None = None) -> None:
        rows = self.fates[k][before] if rows is None else rows
        self.fates[k][before] -= rows
        self.fates[k][after] += rows
        assert self.fates[k][before] >= 0

    def of(self, source: str) -> dict[str, int]:
        total: Counter[str] = Counter()
        for k, fates in self.fates.items():
            if source_of(k) == source:
                total += fates
        return dict(+total)

    def waiting(self) -> set[int]:
        return {k for k, fates in self.fates.items() if fates[WAITS]}


class BooksAndModel(RuleBasedStateMachine):
    """`model` is what is true now, `saved` what a crash goes back to; stored rows and refused ones stay."""

    @initialize(memory=st.sampled_from([0, 2**20]))
    def begin(self, memory: int) -> None:
        self.runner = asyncio.Runner()
        self.place = Path(tempfile.mkdtemp())
        self.clock = FakeClock(batch_of(0).arrived)
        self.options = options(memory=memory, segment_bytes=2048)
        self.directory, self.generation, self.readers = self.place / "0", 0, 0
        self.stored: dict[int, int] = {}
        """seq by number"""
        self.next_number = 1
        self.model = {sink: Model() for sink in SINKS}
        self.saved = copy.deepcopy(self.model)
        self.own_place: int | None = None
        self.in_flight: dict[str, list[int]] = {sink: [] for sink in SINKS}
        self.cut: dict[str, dict[int, str]] = {sink: {} for sink in SINKS}
        """What is in flight and gone from the log, and why."""
        self.retrying: dict[str, list[tuple[int, int, int]]] = {sink: [] for sink in SINKS}
        """Entry, number and rows of what is out of quarantine."""
        self.discarded: dict[str, list[tuple[int, int, int]]] = {sink: [] for sink in SINKS}
        """… and of what has been deleted there, which the books learn within a second."""
        self.parked = False
        self.run(self.open())
        self.append(count=12)

    def run(self, work: Awaitable[Any]) -> Any:
        async def limited() -> Any:
            async with asyncio.timeout(20):
                return await work

        return self.runner.run(limited())

    async def open(self) -> None:
        self.buffer = await DiskBuffer(self.directory, self.options, self.clock).__aenter__()
        self.buffer._timer.cancel()  # the second passes when the model says so
        self.buffer.persist(list(enumerate(TAGS)))
        self.cursors = {}
        for sink, order in SINKS.items():
            if sink != "guest" or not self.parked:
                self.cursors[sink] = self.buffer.cursor(
                    *(sink, order),
                    start="oldest",
                    after=self.own_place if sink == "own" else None,
                    knows_again=True,
                )
        self.buffer.ready()
        self.in_flight = {sink: [] for sink in SINKS}
        self.retrying = {sink: [] for sink in SINKS}
        self.cut = {sink: {} for sink in SINKS}
        await self.tick()

    async def tick(self) -> None:
        """Let a second pass: what moved is saved, and what was deleted in quarantine is booked."""
        for _ in range(2):
            self.buffer._housekeeping = False
            self.buffer._timer = None
            self.buffer._tick()
            self.buffer._timer.cancel()
            await self.buffer._shelf._in_writer(lambda: None)
            await asyncio.sleep(0)
            self.book_discards()
        self.save(*SINKS)

    def book_discards(self) -> None:
        for sink, entries in self.discarded.items():
            lent = {entry for entry, _, _ in self.retrying[sink]}
            for entry, k, rows in [each for each in entries if each[0] not in lent]:
                self.model[sink].move(k, "quarantined", "dropped discarded", rows)
                entries.remove((entry, k, rows))

    def save(self, *sinks: str) -> None:
        """A crash now finds this; rows in flight that the log has lost are lost then."""
        for sink in sinks:
            self.saved[sink] = copy.deepcopy(self.model[sink])
            for k, reason in self.cut[sink].items():
                self.saved[sink].move(k, WAITS, reason)

    async def close(self) -> None:
        await self.buffer.__aexit__(None, None, None)
        self.save(*SINKS)
        self.model = copy.deepcopy(self.saved)

    def crash_back(self) -> None:
        """Everything is as it was saved, but what was stored since is there."""
        for sink, model in self.saved.items():
            for k in self.model[sink].fates.keys() - model.fates.keys():
                model.store(k)
        self.model = copy.deepcopy(self.saved)

    @rule(count=st.integers(1, 8))
    def append(self, count: int) -> None:
        numbers = list(range(self.next_number, self.next_number + count))
        self.next_number += count

        async def work() -> None:
            receipts = [await self.buffer.append(source_of(k), batch_of(k)) for k in numbers]
            for k, receipt in zip(numbers, receipts, strict=True):
                self.stored[k] = await receipt

        self.run(work())
        for k in numbers:
            for model in self.model.values():
                model.store(k)

    @rule(sink=st.sampled_from(list(SINKS)), max_rows=st.sampled_from([1, 50, 200, 5000]))
    def read(self, sink: str, max_rows: int) -> None:
        has_retries = self.in_flight[sink] or self.marked(sink)
        if sink not in self.cursors or not (self.model[sink].waiting() or has_retries):
            return
        deliveries = self.run(self.cursors[sink].next(max_rows))
        assert all(each.source == source_of(number_of_any(each)) for each in deliveries)
        self.in_flight[sink] = [number_of_any(each) for each in deliveries]
        if self.cursors[sink].lent and not self.retrying[sink]:
            self.retrying[sink] = [
                (entry, number_of_any(each), len(each.batch))
                for entry, each in zip(self.cursors[sink].lent, deliveries, strict=True)
            ]

    def marked(self, sink: str) -> bool:
        return self.cursors[sink].has_retries if sink in self.cursors else False

    @rule(sink=st.sampled_from(list(SINKS)), refuse=st.booleans(), leave_out=st.booleans())
    def ack(self, sink: str, refuse: bool, leave_out: bool) -> None:
        numbers, model = self.in_flight[sink], self.model[sink]
        if not numbers:
            return
        pending = self.cursors[sink].in_flight
        rows = [len(each.batch) for each in pending]
        wanted = [n - (leave_out and n > 1) for n in rows]
        first = int(np.concatenate(pending[0].row_numbers())[0])
        # Named twice, held once.
        again = [Refusal(0, np.array([first, 9999], np.int32), why) for why in ("no", "never")]
        self.run(self.cursors[sink].ack(again if refuse else [], wanted))
        before = "quarantined" if self.retrying[sink] else WAITS
        for place, (k, n, mine) in enumerate(zip(numbers, rows, wanted, strict=True)):
            is_refused = refuse and place == 0
            model.move(k, before, "not_selected", n - mine)
            model.move(k, before, "quarantined", int(is_refused))
            model.move(k, before, "delivered", mine - is_refused)
        if sink == "own" and before is WAITS:
            self.own_place = pending[-1].seq
        settled = {entry for entry, _, _ in self.retrying[sink]}
        self.discarded[sink] = [each for each in self.discarded[sink] if each[0] not in settled]
        is_saved = refuse or bool(settled)
        self.in_flight[sink], self.retrying[sink], self.cut[sink] = [], [], {}
        if is_saved:
            self.save(sink)

    @rule(sink=st.sampled_from(list(SINKS)))
    def retry(self, sink: str) -> None:
        with Quarantine(self.directory) as quarantine:
            quarantine.retry(sink)
        self.run(self.tick())

    @rule(sink=st.sampled_from(list(SINKS)), most=st.integers(1, 3), at_once=st.booleans())
    def discard(self, sink: str, most: int, at_once: bool) -> None:
        with Quarantine(self.directory) as quarantine:
            entries = list(quarantine.list(sink))[:most]
            quarantine.delete(sink, [each.id for each in entries])
        for each in entries:
            self.discarded[sink].append((each.id, number_of_any(each.delivery), len(each.delivery.batch)))
        if at_once:
            self.run(self.tick())

    @rule(seconds=st.sampled_from([1, 4, 6]))
    def pass_time(self, seconds: int) -> None:
        self.clock.move(seconds)

    @rule()
    def second(self) -> None:
        self.run(self.tick())

    @rule()
    def drop_oldest(self) -> None:
        """Retention takes the oldest segment, needed or not."""
        segments = self.buffer._shelf.segments
        if len(segments) < 2 or not segments[0].closed:
            return
        last = segments[0].last_seq

        async def work() -> None:
            await self.buffer._shelf._in_writer(
                lambda: self.buffer._retention.drop(self.buffer._shelf.segments[0], "max_age")
            )

        self.run(work())
        self.lose({k for k, seq in self.stored.items() if seq <= last}, "dropped max_age")
        self.save(*SINKS)

    def lose(self, numbers: set[int], reason: str) -> None:
        """What a sink was waiting for is lost to it, but what is in flight may still be taken."""
        for k in numbers:
            self.stored.pop(k, None)
        for sink, model in self.model.items():
            flying = set(self.in_flight[sink]) if not self.retrying[sink] else set()
            for k in numbers & model.waiting() - self.cut[sink].keys():
                if k in flying:
                    self.cut[sink][k] = reason
                else:
                    model.move(k, WAITS, reason)

    @rule()
    def reopen(self) -> None:
        self.run(self.close())
        self.run(self.open())

    @rule(with_save=st.booleans())
    def crash(self, with_save: bool) -> None:
        """Copy the files as a kill would leave them, and go on in the copy."""

        async def work() -> None:
            if with_save:
                await self.tick()
            self.generation += 1
            left = self.place / str(self.generation)
            shutil.copytree(self.directory, left)
            await self.buffer.__aexit__(None, None, None)
            self.directory = left
            self.crash_back()
            await self.open()

        self.run(work())

    @rule()
    @precondition(lambda self: self.own_place is not None)
    def own_books_go_back(self) -> None:
        """The sink with its own database lost it: it asks for everything that is still there again."""
        self.run(self.close())
        self.own_place = -1
        model = self.model["own"]
        for k in self.stored:
            rows = len(batch_of(k)) - model.fates[k][WAITS]
            if rows:
                model.acquired[source_of(k)] += rows
                model.again[source_of(k)] += rows
                model.fates[k][WAITS] += rows
        self.run(self.open())
        self.own_place = None

    @rule()
    def guest_goes_or_comes(self) -> None:
        if self.parked:
            self.cursors["guest"] = self.buffer.cursor("guest", SINKS["guest"], start="oldest")
        else:
            for k, reason in self.cut["guest"].items():
                self.model["guest"].move(k, WAITS, reason)
            self.buffer.release("guest")
            del self.cursors["guest"]
        self.in_flight["guest"], self.retrying["guest"], self.cut["guest"] = [], [], {}
        self.parked = not self.parked
        self.run(self.tick())

    @rule(seed=st.integers(0, 2**32 - 1), while_open=st.booleans(), whole=st.booleans())
    def damage(self, seed: int, while_open: bool, whole: bool) -> None:
        """Flip a bit of a segment, or let one go missing; the model loses what a reader no longer finds."""
        if len(self.stored) < 20:
            return
        chance = random.Random(seed)

        async def work() -> None:
            segments = [each.path for each in self.buffer._shelf.segments if each.sealed]
            if not while_open:
                await self.close()
                segments = sorted(self.directory.glob("*.segment"))
            if segments:
                path = chance.choice(segments)
                if whole and not while_open and path != segments[-1]:
                    path.unlink()
                else:
                    data = bytearray(path.read_bytes())
                    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
                    path.write_bytes(data)
            if while_open:
                # What memory holds of the file is from before.
                self.buffer._readers.close()
                self.buffer._shelf.ring.forget(0, 2**62)
            else:
                await self.open()
            left = await self.read_all()
            reason = "dropped missing" if whole and not while_open and segments else "dropped damaged"
            self.lose(set(self.stored) - left, reason)
            await self.tick()

        self.run(work())

    async def read_all(self) -> set[int]:
        self.readers += 1
        name = f"reader {self.readers}"
        reader = self.buffer.cursor(name, Order.STRICT, start="oldest")
        left: set[int] = set()
        while reader.backlog().rows:
            left |= {number_of(each) for each in await reader.next(10_000)}
            await reader.ack()
        assert reader.account().holds
        self.buffer.release(name)
        return left

    @invariant()
    def the_books_agree(self) -> None:
        if not hasattr(self, "buffer"):
            return
        accounts = {each.sink: each for each in self.buffer.accounts()}
        for sink, model in self.model.items():
            account = accounts[sink]
            assert account.holds, account
            entries = {each.source: each for each in account.entries}
            counted = self.cursors[sink].counted() if sink in self.cursors else None
            for source in SOURCES:
                expected = model.of(source)
                waits = expected.pop(WAITS, 0)
                each = entries.get(source)
                if each is None:
                    assert not expected
                    assert not waits
                    continue
                assert each.holds
                assert each.acquired == model.acquired[source]
                assert each.again == model.again[source]
                said = {
                    "delivered": each.delivered,
                    "not_selected": each.not_selected,
                    "quarantined": each.quarantined,
                    **{f"dropped {reason}": rows for reason, rows in each.dropped.items()},
                }
                assert {fate: rows for fate, rows in said.items() if rows} == expected
                if counted is not None:
                    # What waits, from the log itself, is what the sum leaves.
                    assert counted.get(source, 0) == waits == each.acquired - sum(said.values())
                    assert each.buffered == waits

    def teardown(self) -> None:
        if hasattr(self, "buffer"):
            self.run(self.buffer.__aexit__(None, None, None))
            self.runner.close()
            shutil.rmtree(self.place)


def number_of_any(delivery: Any) -> int:
    """Return k, from the time of any of its rows."""
    return delivery.batch.arrived - batch_of(0).arrived


TestTheBooksAgreeWithAModel = pytest.mark.timeout(60 + 3600 * SCALE)(BooksAndModel.TestCase)
TestTheBooksAgreeWithAModel.settings = settings(
    max_examples=max(8, round(100 * SCALE)), stateful_step_count=30, deadline=None
)

STORIES = max(6, round(60 * SCALE))
STEPS = 120
WEIGHTS = {
    "append": 25,
    "read": 25,
    "ack": 22,
    "retry": 4,
    "discard": 3,
    "second": 4,
    "pass_time": 3,
    "drop_oldest": 4,
    "reopen": 1,
    "crash": 4,
    "guest_goes_or_comes": 2,
    "own_books_go_back": 1,
    "damage": 2,
}


def step_of(chance: random.Random, machine: BooksAndModel) -> str:
    """Do one thing; return what it was."""
    (name,) = chance.choices(list(WEIGHTS), list(WEIGHTS.values()))
    sink = chance.choice(list(SINKS))
    wanted: dict[str, dict[str, Any]] = {
        "append": {"count": chance.randint(1, 8)},
        "read": {"sink": sink, "max_rows": chance.choice([1, 50, 200, 5000])},
        "ack": {"sink": sink, "refuse": chance.random() < 0.4, "leave_out": chance.random() < 0.3},
        "retry": {"sink": sink},
        "discard": {"sink": sink, "most": chance.randint(1, 3), "at_once": chance.random() < 0.5},
        "pass_time": {"seconds": chance.choice([1, 4, 6])},
        "crash": {"with_save": chance.random() < 0.3},
        "damage": {
            "seed": chance.randrange(2**32),
            "while_open": chance.random() < 0.5,
            "whole": chance.random() < 0.5,
        },
    }
    if name == "own_books_go_back" and machine.own_place is None:
        return "nothing"
    getattr(machine, name)(**wanted.get(name, {}))
    return name


@pytest.mark.timeout(60 + 3600 * SCALE)
@pytest.mark.fault("A1", "A4", "A6")
def test_the_books_agree_with_the_model_through_long_stories(record_measure: Any) -> None:
    """Hypothesis tries short stories and shrinks them; what takes many steps to meet is met here."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    done: Counter[str] = Counter()
    for _ in range(STORIES):
        machine = BooksAndModel()
        machine.begin(memory=chance.choice([0, 2**20]))
        try:
            for _ in range(STEPS):
                done[step_of(chance, machine)] += 1
                machine.the_books_agree()
        finally:
            machine.teardown()
    told = ", ".join(f"{count} {name}" for name, count in done.most_common())
    record_measure(f"{STORIES} stories of {STEPS} steps, all sums right: {told}")
