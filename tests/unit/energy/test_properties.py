"""What holds of the books whatever a counter does, and in whatever order its readings come."""

import os
import tempfile
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gateway.energy import flags as f
from gateway.energy.accounts.account import Stand, book, stand_from
from gateway.energy.accounts.counter import judge
from gateway.energy.accounts.readings import decode, encode, sorted_readings
from gateway.energy.accounts.state import State
from gateway.energy.bookkeeping.pages import MISSING
from gateway.energy.periods import QUARTER_NS
from tests.unit.energy.lab import Lab, plant_of
from tests.unit.energy.story import NS, PER_SECOND, Story, stories

pytestmark = pytest.mark.timeout(900)
SCALE = float(os.environ.get("WL_SCALE", "0.1"))
MANY = settings(
    phases=[Phase.explicit, Phase.generate],
    max_examples=max(30, int(1_000 * SCALE)),
    deadline=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.function_scoped_fixture,
    ],
)
FEW = settings(MANY, max_examples=max(8, int(150 * SCALE)))
SAID = f.SUSPECT | f.RESET | f.UNKNOWN | f.SWAP | f.RATIO | f.ROLLOVER | f.BACKSTEP
STORIES = stories()
TOLD = stories(is_entered=False)


def arrays(story: Story) -> tuple[np.ndarray, np.ndarray]:
    time, raw = zip(*story.readings, strict=True)
    return np.array(time, np.int64), np.array(raw, np.int64)


@pytest.fixture(scope="module")
def tally() -> dict[str, int]:
    """Count what was looked at."""
    return {"stories": 0, "intervals": 0}


@pytest.mark.fault("E1", "E2", "E3", "E4")
@MANY
@given(STORIES)
def test_no_counter_fault_books_negative_or_above_the_maximum(story: Story) -> None:
    """FAULTS E1 to E4: whatever the register shows, each stretch books 0 to 1.5 × maximum × time + a step."""
    rules = story.rules
    knots = judge(rules, State(), *arrays(story)).knots
    gain, passed = np.diff(knots.total), np.diff(knots.time)
    assert (gain >= 0).all()
    most = [rules.limit(int(p), int(w)) for p, w in zip(passed, knots.width[1:], strict=True)]
    assert (gain <= most).all()
    for part in (knots.estimated, knots.manual, knots.slack, knots.covered):
        assert (np.diff(part) >= 0).all()
    assert (knots.estimated + knots.manual <= knots.total).all()


@pytest.mark.fault("E1", "E2", "E3", "E4")
@MANY
@given(STORIES)
def test_the_truth_lies_within_the_stated_uncertainty(
    record_measure, tally: dict[str, int], story: Story
) -> None:
    """Whatever happened to the counter: every interval's truth is within what is stated, and said why."""
    found = book(
        story.rules, Stand(), sorted_readings(*arrays(story)),
        step=QUARTER_NS, cuts=np.zeros(0, np.int64), has_peaks=True,
    ).boundaries  # fmt: skip
    at = [i for i, time in enumerate(found.time.tolist()) if time not in story.unclear]
    truths = {i: story.truth(int(found.time[i])) for i in at}
    for n, i in enumerate(at):
        for j in at[n + 1 :]:
            true = truths[j] - truths[i]
            booked = int(found.total[j] - found.total[i])
            slack = int(found.slack[j] - found.slack[i])
            low = booked - int(found.below[j] + found.above[i]) - slack
            high = booked + int(found.above[j] + found.below[i]) + slack
            assert low <= true <= high, (i, j, float(true), booked, low, high)
            if slack:
                assert np.bitwise_or.reduce(found.flags[i + 1 : j + 1]) & SAID
    tally["stories"] += 1
    tally["intervals"] += len(at) * (len(at) - 1) // 2
    record_measure(
        f"{tally['intervals']} intervals of {tally['stories']} counters within what is stated", so_far=True
    )


@MANY
@given(STORIES, st.randoms(use_true_random=False))
def test_an_account_is_the_same_however_its_readings_are_cut(story: Story, random: object) -> None:
    rules, whole = story.rules, sorted_readings(*arrays(story))
    cuts = np.arange(whole.time[0] // (3600 * NS) + 1, whole.time[-1] // (3600 * NS) + 1) * 3600 * NS

    def cuts_in(readings: object, stand: Stand) -> np.ndarray:
        return cuts[(cuts > stand.state.seen) & (cuts <= readings.time[-1])]

    once = book(rules, Stand(), whole, step=QUARTER_NS, cuts=cuts, has_peaks=True)
    stand, columns, events, snapshots, at = Stand(), [], [], [], 0
    while at < len(whole.time):
        end = at + random.randint(1, 9)
        some = type(whole)(*(column[at:end] for column in whole))
        part = book(rules, stand, some, step=QUARTER_NS, cuts=cuts_in(some, stand), has_peaks=True)
        stand = stand_from(part.stand.to_text())
        columns.append(part.boundaries)
        events += part.events
        snapshots += part.snapshots
        at = end
    assert stand == once.stand
    assert events == once.events
    assert snapshots == once.snapshots
    for i, column in enumerate(once.boundaries):
        assert np.concatenate([each[i] for each in columns]).tolist() == column.tolist()


@FEW
@given(
    st.lists(st.tuples(st.integers(0, 2**60), st.integers(0, 2**60), st.booleans()), min_size=1, max_size=50)
)
def test_readings_come_back_from_their_piece(rows: list[tuple[int, int, bool]]) -> None:
    kept = sorted_readings(*(np.array(column) for column in zip(*rows, strict=True)))
    assert [each.tolist() for each in decode(encode(kept))] == [each.tolist() for each in kept]


def fed(folder: str, story: Story, portions: list[list[int]]) -> Lab:
    energy = {
        "meters": {
            "m": {"maximum": float(Decimal(PER_SECOND * 3600) / 10**5 * 2 / 3 * Decimal(float(story.factor)))}
        }
    }
    if story.modulus:
        energy["meters"]["m"]["rollover"] = story.modulus / 10**5
    lab = Lab(Path(folder), plant_of(energy), now=story.readings[-1][0] + 3600 * NS)
    for rows in portions:
        times, values = zip(*(story.readings[i] for i in rows), strict=True)
        lab.book(lab.delivery("m", times, [each / 10**5 for each in values]))
    return lab


@FEW
@given(TOLD, st.randoms(use_true_random=False))
@pytest.mark.fault("E7")
def test_replay_order_and_portions_never_change_the_books(story: Story, random: object) -> None:
    """FAULTS E7: duplicates, late and out-of-order rows give the books of the batch, bit for bit."""
    n = len(story.readings)
    shuffled = list(range(n))
    random.shuffle(shuffled)
    cut = sorted(random.sample(range(1, n), min(n - 1, 6)))
    portions = [shuffled[a:b] for a, b in zip([0, *cut], [*cut, n], strict=True)]
    portions += [random.sample(range(n), min(n, 10))]
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        straight, mixed = fed(one, story, [list(range(n))]), fed(other, story, portions)
        assert mixed.ledger.digest() == straight.ledger.digest()
        mixed.reopen()
        assert mixed.ledger.digest() == straight.ledger.digest()
        straight.ledger.close()
        mixed.ledger.close()


@FEW
@given(TOLD)
def test_a_day_is_the_sum_of_its_intervals(story: Story) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lab = fed(folder, story, [list(range(len(story.readings)))])
        first = lab.at("2026-03-01")
        days = lab.query.energy("m", "day", first, lab.at("2026-03-06"))
        for day in days.figures:
            for interval in ("15min", "60min"):
                parts = lab.query.energy("m", interval, day.span.first, day.span.last).figures
                known = [each for each in parts if each.quanta is not None]
                assert (day.quanta is None) == (not known)
                assert (day.quanta or 0) == sum(each.quanta or 0 for each in known)
                assert day.estimated == sum(each.estimated for each in known)
                assert day.covered * 96 * QUARTER_NS == sum(
                    (each.covered * (each.span.last - each.span.first) for each in known), Fraction(0)
                )
                flags = 0
                for each in known:
                    flags |= each.flags
                assert day.flags == flags & ~MISSING
        assert (days.total.quanta or 0) == sum(day.quanta or 0 for day in days.figures)
        whole = lab.query.energy("m", "whole", first, lab.at("2026-03-06")).total
        assert whole.quanta == days.total.quanta
        assert f.MISSING & whole.flags == 0
        lab.ledger.close()
