"""The energy rows of the fault matrix, one by one."""

import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.energy import flags as f
from gateway.energy.accounts.counter import judge
from gateway.energy.accounts.state import Rules, State
from tests.unit.energy.lab import MINUTE, Lab, plant_of

SCALE = float(os.environ.get("WL_SCALE", "0.1"))
MANY = settings(
    max_examples=max(50, int(2_000 * SCALE)), deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
STEP = 1_000
WIDTHS = [2**16 * STEP, 2**32 * STEP, 99_999_999 * 100, 10_000_000 * STEP]


@pytest.mark.fault("E1")
@MANY
@given(st.sampled_from(WIDTHS), st.floats(0, 1), st.lists(st.integers(0, 400), min_size=1, max_size=200))
def test_a_register_of_any_width_turns_without_a_step_lost(
    modulus: int, start: float, steps: list[int]
) -> None:
    """E1: the sum is exact however often it turns; each turn is plausible and is an event."""
    true = np.cumsum([int(start * (modulus // STEP - 1)), *steps]) * STEP
    true = np.append(true, true[-1])  # a turn is believed when the next reading agrees
    time = np.arange(len(true), dtype=np.int64) * MINUTE
    rules = Rules(modulus=modulus, per_second=10_000, scan=MINUTE)
    judged = judge(rules, State(), time, true % modulus)
    assert judged.state.total - judged.knots.total[0] == true[-1] - true[0]
    assert (
        sum(event.flag == f.ROLLOVER for event in judged.events) == true[-1] // modulus - true[0] // modulus
    )
    assert judged.state.slack == 0


@pytest.mark.fault("E1")
def test_a_turn_that_no_energy_can_have_made_is_no_turn(record_measure) -> None:
    """E1: 40,000 of 65,536 to 100 would be 25,636 steps in a minute: it began again, or was replaced."""
    rules = Rules(modulus=65_536 * STEP, per_second=10_000, scan=MINUTE)
    raw = np.array([40_000, 100, 120], np.int64) * STEP
    judged = judge(rules, State(), np.arange(3, dtype=np.int64) * MINUTE, raw)
    assert [event.flag for event in judged.events] == [f.RESET]
    assert judged.state.total - 40_000 * STEP == 120 * STEP
    record_measure("40,000 to 100 of 65,536 in a minute: a reset, 120 steps booked, not 25,656")


@pytest.mark.fault("E2")
@pytest.mark.parametrize("start", [0.0, 0.3, 7.0])
def test_a_reset_books_no_negative_and_no_spike(start: float, tmp_path: Path, record_measure) -> None:
    """E2: 439.2 kWh, then it begins again near 0: a new baseline, an event, and the energy since then."""
    lab = Lab(tmp_path, plant_of({"meters": {"m": {"maximum": 600}}}), now="2026-03-02")
    lab.feed("m", [["2026-03-01T00:00", 432], ["2026-03-01T00:15", 439.2], ["2026-03-01T00:16", start]])
    lab.feed("m", [["2026-03-01T00:30", start + 5], ["2026-03-01T00:45", start + 12]])
    answer = lab.query.energy("m", "60min", lab.at("2026-03-01T00:00"), lab.at("2026-03-01T01:00"))
    assert answer.amount(answer.total) == Fraction(round((7.2 + start + 12) * 100), 100)
    (event,) = lab.query.events("m", 0, lab.clock.now())
    assert (event.flag, event.before, event.after) == (f.RESET, 43_920_000, round(start * 10**5))
    record_measure(
        f"439.2 kWh to {start}: {answer.decimal(answer.total, 1)} kWh booked, exact, with its event"
    )
    lab.ledger.close()


@pytest.mark.fault("E3")
@MANY
@given(st.integers(0, 10**9), st.lists(st.integers(-1, 3), min_size=2, max_size=100))
def test_a_counter_that_trembles_is_right_to_a_step(record_measure, start: int, moves: list[int]) -> None:
    """E3: 215.7 and then 215.6 is no reset: what is booked is off by no more than the fall."""
    shown = np.maximum(np.cumsum([start + 100, *moves]), 0)
    shown = np.array([max(each, shown[: i + 1].max() - 1) for i, each in enumerate(shown.tolist())])
    time = np.arange(len(shown), dtype=np.int64) * MINUTE
    judged = judge(Rules(per_second=10_000, scan=MINUTE), State(), time, shown * STEP)
    assert judged.state.total == shown.max() * STEP
    assert not judged.events
    record_measure("what is booked is the highest reading, no reset")


@pytest.mark.fault("E4")
def test_a_gap_keeps_its_total_and_says_that_its_spread_is_estimated(tmp_path: Path, record_measure) -> None:
    """E4: six hours without a reading, then 60 kWh more: 10 an hour, estimated; the day is exact."""
    lab = Lab(tmp_path, plant_of({}), now="2026-03-03")
    lab.feed("m", [["2026-03-01T00:00", 100], ["2026-03-01T06:00", 160], ["2026-03-01T06:01", 160.5]])
    answer = lab.query.energy("m", "60min", lab.at("2026-03-01T00:00"), lab.at("2026-03-01T06:00"))
    assert [answer.amount(each) for each in answer.figures] == [10] * 6
    assert all(each.flags == f.GAP and each.estimated == each.quanta for each in answer.figures)
    assert answer.amount(answer.total) == 60
    assert (answer.total.below, answer.total.above) == (2 * STEP, 2 * STEP)
    record_measure("six hours unread: 60 kWh of 60, every hour estimated")
    lab.ledger.close()


@pytest.mark.fault("E5")
def test_what_is_fed_in_is_never_taken_off_what_is_taken(tmp_path: Path, record_measure) -> None:
    """E5: import and export are counters of their own; a negative reading is no reading."""
    plant = plant_of({}, tags={"grid": {"e_import": {}, "e_export": {}}})
    lab = Lab(tmp_path, plant, now="2026-03-03")
    lab.feed("grid", [["2026-03-01T00:00", 5], ["2026-03-01T00:15", -3], ["2026-03-01T00:30", 6]])
    lab.feed("grid.export", [["2026-03-01T00:00", 1], ["2026-03-01T00:30", 9]])
    first, last = lab.at("2026-03-01T00:00"), lab.at("2026-03-01T00:30")
    taken, fed_in = (lab.query.energy(name, "whole", first, last) for name in ("grid", "grid.export"))
    assert taken.amount(taken.total) == 1
    assert fed_in.amount(fed_in.total) == 8
    record_measure("1 kWh taken, 8 fed in, each on its own; the negative reading left out")
    lab.ledger.close()


@pytest.mark.fault("E7")
def test_rows_that_come_late_revise_and_after_closing_adjust(tmp_path: Path, record_measure) -> None:
    """E7: late rows give the batch's figures with a revision; a closed period keeps what it said."""
    from gateway.energy.bookkeeping.manual import closing_of, write_down

    lab = Lab(tmp_path, plant_of({"meters": {"m": {"maximum": 600}}}), now="2026-03-05")
    first, last = lab.at("2026-03-01"), lab.at("2026-03-02")
    lab.feed("m", [["2026-03-01", 0], ["2026-03-01T23:50", 100], ["2026-03-02T00:10", 140]])
    write_down(tmp_path, [closing_of(first, last, lab.clock.now())], "Li", lab.clock.now())
    lab.ledger.book([])
    lab.feed("m", [["2026-03-02T00:00", 105]])
    lab.feed("m", [["2026-03-01T23:55", 101], ["2026-03-02T00:00", 104]])
    day, next_day = lab.query.energy("m", "day", first, lab.at("2026-03-03")).figures
    assert (day.quanta, day.is_closed) == (120 * 10**5, True)
    # The books now say 104 for the closed day and 36 for the next: together what was counted.
    assert next_day.quanta == 36 * 10**5
    assert next_day.revision >= 1
    entered = lab.query.adjustments("m")
    assert [quanta for _, _, quanta in entered] == [-15 * 10**5, -1 * 10**5]
    assert day.quanta + next_day.quanta + sum(q for *_, q in entered) == 140 * 10**5
    hours = lab.query.energy("m", "60min", first, last)
    assert hours.total.quanta == day.quanta
    record_measure("120 kWh closed stay; two adjustments of -15 and -1 kWh; together the 140 counted")
    lab.ledger.close()
