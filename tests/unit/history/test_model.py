"""Random actions on a history and on a dict of rows must agree; some of them are crashes."""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from config.plant import HistoryOptions
from connectors import Delivery, Epoch, Kind
from gateway.history.reader import Reader
from gateway.history.store import Store
from tests.conftest import FakeClock
from tests.unit.history.lab import (
    DAY,
    EPOCH,
    KINDS,
    MINUTE,
    NOW,
    SECOND,
    Model,
    Row,
    check_rows,
    check_trend,
    delivery,
    table,
)

SCALE = float(os.environ.get("WL_SCALE", "0.1"))
FAST = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Memory where there is such a place: what is proved here is order, not the disk."""
TAGS = 20
QUALITIES = st.sampled_from([0, 0, 0, 0, 0x40940000, 0x800A0000, 0x809D0000])
VALUES: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.FLOAT64: st.one_of(
        st.integers(-10_000, 10_000).map(lambda n: n / 100),
        st.floats(-1e6, 1e6, allow_nan=False),
        st.sampled_from([0.0, -0.0, 1e6, 0.1]),
    ),
    Kind.BOOL: st.sampled_from([0.0, 1.0]),
    Kind.INT64: st.one_of(st.integers(-5, 5), st.integers(-(2**63), 2**63 - 1)),
    Kind.UINT64: st.one_of(st.integers(-5, 5), st.integers(-(2**63), 2**63 - 1)),
    Kind.TEXT: st.sampled_from(["", "run", "停", "a" * 40]),
}
TIMES = st.one_of(
    st.integers(-600, 60).map(lambda s: NOW + s * SECOND),
    st.integers(-5 * DAY, DAY // 2).map(lambda ns: NOW + ns),
    st.integers(-6, 0).map(lambda d: (NOW // DAY + d) * DAY),
)


class Killed(BaseException):
    """The process is gone."""


def rows_of(data: st.DataObject) -> list[Row]:
    rows = []
    for tag in data.draw(st.lists(st.integers(0, TAGS - 1), min_size=1, max_size=12)):
        value = data.draw(VALUES[KINDS[tag % len(KINDS)]])
        rows.append((tag, data.draw(TIMES), value, data.draw(QUALITIES)))
    return rows


class HistoryAndModel(RuleBasedStateMachine):
    """The log is `sent`: every delivery so far. What is booked of it must be in the history, once."""

    @initialize()
    def begin(self) -> None:
        self.place = Path(tempfile.mkdtemp(dir=FAST))
        self.generation = 0
        self.clock = FakeClock(NOW)
        self.tags = table(TAGS)
        self.model = Model(self.tags)
        self.sent: list[tuple[Delivery, list[Row]]] = []
        self.epoch = EPOCH
        self.next_seq = 1
        self.is_cut = False
        self.open()

    @property
    def directory(self) -> Path:
        return self.place / str(self.generation)

    def open(self) -> None:
        self.store = Store(self.directory, HistoryOptions(), self.tags, self.clock)
        self.store.open()
        # What the log holds above the position comes again; the model has all of it.
        self.book_from(0)

    def book_from(self, first: int) -> None:
        deliveries = [each for each, _ in self.sent[first:]]
        if deliveries:
            self.store.book(deliveries, deliveries[-1])

    @rule(data=st.data(), batches=st.integers(1, 3))
    def book(self, data: st.DataObject, batches: int) -> None:
        for _ in range(batches):
            rows = rows_of(data)
            self.sent.append((delivery(self.tags, self.next_seq, rows, epoch=self.epoch), rows))
            self.next_seq += data.draw(st.sampled_from([1, 1, 1000]))
            self.model.add(rows)
        # Some of what was booked before is sent again.
        again = data.draw(st.integers(0, 5))
        self.book_from(max(0, len(self.sent) - batches - again))

    @rule()
    def put_away(self) -> None:
        self.store.put_away(10, everything=True)

    @rule(writes=st.integers(0, 6))
    def die_while_putting_away(self, writes: int) -> None:
        """Leave the files as a kill after so many transactions would."""
        left, away = [writes], self.store._away
        write = away._write

        def dying(*arguments: Any) -> None:
            if not left[0]:
                raise Killed
            left[0] -= 1
            write(*arguments)

        away._write = dying  # type: ignore[method-assign]
        try:
            self.store.put_away(10, everything=True)
        except Killed:
            self.crash()
            self.is_cut = True
        else:
            away._write = write  # type: ignore[method-assign]

    @rule()
    def crash(self) -> None:
        """Go on in a copy of the files as they are."""
        old, store = self.directory, self.store
        self.generation += 1
        shutil.copytree(old, self.directory)
        store.close()
        shutil.rmtree(old)
        self.open()

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.open()

    @rule()
    def lose_the_head(self) -> None:
        """What it alone held comes again from the log, the rest is known from the other files.

        A head lost in the middle of putting away would take along what was not moved yet (ADR 30).
        """
        if self.is_cut:
            self.store.put_away(10, everything=True)
            self.is_cut = False
        self.store.close()
        for file in self.directory.glob("head.sqlite*"):
            file.unlink()
        self.open()

    @rule()
    def begin_an_epoch(self) -> None:
        """After a restore the log gives numbers again, under another epoch."""
        self.epoch = Epoch(self.epoch.ordinal + 1, self.epoch.random + 7)
        self.next_seq = max(1, self.next_seq - 2)

    @rule(
        tag=st.integers(0, TAGS - 1),
        start=TIMES,
        span=st.sampled_from([SECOND, MINUTE, 7 * MINUTE, DAY, 8 * DAY]),
    )
    def read(self, tag: int, start: int, span: int) -> None:
        check_rows(Reader(self.directory), self.model, tag, start, start + span)

    @rule(
        tag=st.integers(0, TAGS - 1),
        start=TIMES,
        span=st.sampled_from([MINUTE, 11 * MINUTE, DAY, 8 * DAY]),
        points=st.sampled_from([1, 3, 100, 2000]),
    )
    def trend(self, tag: int, start: int, span: int, points: int) -> None:
        check_trend(Reader(self.directory), self.model, tag, start, start + span, points=points)

    @invariant()
    def counts_agree(self) -> None:
        assert self.store.fresh_rows >= 0

    def teardown(self) -> None:
        if hasattr(self, "store"):
            for tag in range(TAGS):
                check_rows(Reader(self.directory), self.model, tag, NOW - 8 * DAY, NOW + DAY)
                check_trend(Reader(self.directory), self.model, tag, NOW - 8 * DAY, NOW + DAY, points=50)
            self.store.close()
            shutil.rmtree(self.place)


TestHistoryAndModel = pytest.mark.timeout(300)(HistoryAndModel.TestCase)
TestHistoryAndModel.settings = settings(
    max_examples=max(12, round(100 * SCALE)), stateful_step_count=25, deadline=None
)
