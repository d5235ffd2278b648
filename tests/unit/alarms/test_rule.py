"""An alarm begins and ends after its delays, between its bounds nothing turns, and it never flaps."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from gateway.alarms import Rule, State, step

RULE = Rule(Fraction(100), Fraction(90), enter_after=60, leave_after=300)


def run(levels: list[tuple[int, float | None]], rule: Rule = RULE) -> list[tuple[int, bool]]:
    """Every turn of the alarm: when, and whether it began."""
    state, turned = State(), []
    for at, level in levels:
        was, state = state, step(rule, state, None if level is None else Fraction(level), at)
        if state.is_active != was.is_active:
            assert state.since == at
            turned.append((at, state.is_active))
    return turned


def test_it_begins_after_its_delay_and_ends_after_its_own() -> None:
    levels = [(0, 101), (30, 105), (60, 101), (100, 80), (399, 80), (400, 80), (500, 80)]
    assert run(levels) == [(60, True), (400, False)]


def test_a_peak_shorter_than_the_delay_is_no_alarm() -> None:
    assert run([(0, 150), (59, 150), (60, 99), (61, 150), (100, 150)]) == []


def test_between_the_bounds_it_stays_what_it_is() -> None:
    assert run([(0, 95), (1000, 100), (2000, 90.5)]) == []
    assert run([(0, 101), (60, 101), (100, 95), (1000, 95), (2000, 91)]) == [(60, True)]


def test_without_delays_it_turns_at_once_at_its_bounds() -> None:
    rule = Rule(Fraction(100), Fraction(90))
    assert run([(1, 100), (2, 100.5), (3, 90.5), (4, 90)], rule) == [(2, True), (4, False)]


def test_a_level_that_is_not_known_turns_nothing_and_counts_for_no_delay() -> None:
    assert run([(0, 120), (50, None), (70, 120), (129, 120), (130, 120)]) == [(130, True)]
    assert run([(0, 120), (60, 120), (100, None), (1000, None)]) == [(60, True)]


def test_what_comes_late_is_passed_over() -> None:
    assert run([(0, 120), (60, 120), (10, 0), (20, 0), (50, 0)]) == [(60, True)]


@given(st.lists(st.tuples(st.integers(1, 200), st.integers(70, 120)), max_size=60))
def test_between_two_turns_lies_at_least_the_delay_in_which_the_level_said_so(
    steps: list[tuple[int, int]],
) -> None:
    levels, at = [], 0
    for gap, level in steps:
        at += gap
        levels.append((at, float(level)))
    for when, begins in run(levels):
        after = RULE.enter_after if begins else RULE.leave_after
        since = [each for each in levels if when - after <= each[0] <= when]
        before = [each for each in levels if each[0] <= when - after]
        assert before, "the delay has passed"
        said = [level > RULE.enter if begins else level <= RULE.leave for _, level in [before[-1], *since]]
        assert all(said)
