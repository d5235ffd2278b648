"""What every reader promises that appends to the log: killed at any moment, each row comes once.

The log is a list here; a kill forgets everything but what was appended, and the place stored with it.
"""

import os
import random
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from config.select import SelectRule
from connectors import Batch, Delivery, Epoch
from connectors.quality import BAD_NO_COMMUNICATION
from gateway.derive import held
from gateway.recompute import Recomputing
from gateway.select import Rules
from gateway.thinning import Thinner
from tests.unit.derive.lab import Lab

EXAMPLES = round(200 * float(os.environ.get("WL_SCALE", "0.1")))
Row = tuple[str, float, float, int]


class Subject(NamedTuple):
    """A reader to try, and what it needs."""

    lab: Lab
    build: Callable[[], Recomputing]


def deriver() -> Subject:
    lab = Lab("x: {expression: d.a + e.c}", "y: {expression: t.x * d.b}", "z: {expression: d.k > d.b}")
    return Subject(lab, lab.again)


def thinner() -> Subject:
    lab = Lab("x: {expression: d.a + e.c}")
    rules = [SelectRule(path="**", every="10s", **{"as": "mean"})]  # type: ignore[arg-type]
    return Subject(lab, lambda: Thinner("cloud", Rules("cloud", rules, lab.tags), lab.tags))


@pytest.fixture(params=[deriver, thinner])
def subject(request: pytest.FixtureRequest) -> Subject:
    return request.param()


def log_of(lab: Lab, chance: random.Random, batches: int) -> list[Delivery]:
    """Return stored batches: some slow tags, some fast, late rows, gaps."""
    log, now = [], 0.0
    for seq in range(1, batches + 1):
        now += chance.choice([0.5, 1.0, 1.0, 7.0])
        names = ["d/a"] if chance.random() < 0.8 else chance.choices(["d/b", "d/k", "e/c"], k=2)
        rows: list[Any] = [
            (
                name,
                now - chance.choice([0, 0, 0, 3]),
                chance.randrange(9),
                chance.choice([0, 0, 0, 0x40000000]),
            )
            for name in names
        ]
        if chance.random() < 0.03:
            rows = [(name, now, 0, BAD_NO_COMMUNICATION) for name in ("d/a", "d/b")]
        log.append(lab.stored(seq, *rows, arrived=now))
    return log


def run(subject: Subject, log: Sequence[Delivery], cuts: Sequence[int], rounds: random.Random) -> list[Row]:
    """Read the log, killed behind each of these batches; return every row that was appended."""
    found: list[Row] = []
    token: bytes | None = None
    appended: list[Batch] = []
    for end in [*cuts, len(log)]:
        reader = subject.build()
        first = reader.resume(token)
        at = 0 if first is None else first - 1
        while at < end:
            step = min(end, at + rounds.choice([1, 1, 2, 5]))
            made = [reader.add(each) for each in log[at:step]]
            some = [each for each in made if each is not None]
            # Killed before the append, what was computed is gone; after it, its place is there with it.
            if some and (step < end or end == len(log) or rounds.random() < 0.5):
                appended += some
                token = reader.token()
            at = step
    for batch in appended:
        found += subject.lab.shown(batch)
    return found


@settings(max_examples=EXAMPLES, deadline=None)
@given(seed=st.integers(0, 2**32), kills=st.integers(1, 6))
@example(seed=3736759, kills=2)  # a late row behind a Bad one
@pytest.mark.parametrize("make", [deriver, thinner])
def test_killed_anywhere_every_row_comes_once(make: Callable[[], Subject], seed: int, kills: int) -> None:
    chance = random.Random(seed)
    subject = make()
    log = log_of(subject.lab, chance, 120)
    whole = run(subject, log, [], random.Random(seed))
    cuts = sorted(chance.sample(range(1, len(log)), kills))
    assert run(subject, log, cuts, chance) == whole
    assert len(whole) > 20


def test_what_is_older_than_what_is_read_again_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "READ_AGAIN", 5)
    subject = deriver()
    log = [subject.lab.stored(1, ("e/c", 0, 100), ("d/b", 0, 7))]
    log += [subject.lab.stored(seq, ("d/a", seq / 10, seq)) for seq in range(2, 60)]
    whole = run(subject, log, [], random.Random(1))
    assert run(subject, log, [20, 40, 41, 42, 59], random.Random(1)) == whole
    assert whole[-1] == ("y", 5.9, 7 * 159.0, 0)


def test_a_place_does_not_grow_with_the_log(subject: Subject) -> None:
    reader, sizes = subject.build(), []
    for each in log_of(subject.lab, random.Random(3), 2_000):
        reader.add(each)
        sizes.append(len(reader.token()))
    assert max(sizes) < 1_000


def test_what_a_reader_appends_is_not_what_it_reads(subject: Subject) -> None:
    """Its own rows come back to it in the log: they make nothing."""
    reader = subject.build()
    made = [reader.add(each) for each in log_of(subject.lab, random.Random(4), 200)]
    last = 1_000
    for batch in made:
        if batch is not None:
            last += 1
            assert reader.add(Delivery(batch, Epoch(1, 1), last)) is None
