"""What is computed when: rows of stored batches in, rows of derived tags out."""

import pytest

from connectors import Kind, Origin, Tag
from connectors.quality import (
    BAD_NO_COMMUNICATION,
    BAD_OUT_OF_RANGE,
    BAD_WAITING_FOR_INITIAL_DATA,
    UNCERTAIN,
    UNCERTAIN_ENGINEERING_UNITS_EXCEEDED,
    UNCERTAIN_LAST_USABLE_VALUE,
)
from tests.unit.derive.lab import Lab

SUM = "x: {expression: d.a + e.c}"
WAITING, OLD = BAD_WAITING_FOR_INITIAL_DATA, UNCERTAIN_LAST_USABLE_VALUE


def test_it_is_computed_whenever_one_of_its_inputs_comes() -> None:
    lab = Lab(SUM)
    assert lab.add(1, ("d/a", 1, 10)) == [("x", 1, 0.0, WAITING)]
    assert lab.add(2, ("e/c", 2, 5)) == [("x", 2, 15.0, 0)]
    assert lab.add(3, ("d/b", 3, 99)) == []
    assert lab.add(4, ("d/a", 4, 11)) == [("x", 4, 16.0, 0)]


def test_its_time_is_that_of_the_newest_input() -> None:
    lab = Lab(SUM)
    lab.add(1, ("d/a", 5, 10))
    assert lab.add(2, ("e/c", 3, 1)) == [("x", 5, 11.0, 0)]


def test_its_quality_is_that_of_the_worst_input() -> None:
    lab = Lab("x: {expression: d.a + d.b + e.c}")
    lab.add(1, ("d/a", 1, 1, UNCERTAIN), ("d/b", 1, 2), ("e/c", 1, 3))
    assert lab.add(2, ("d/b", 2, 4)) == [("x", 2, 8.0, UNCERTAIN)]
    assert lab.add(3, ("e/c", 3, 4, BAD_NO_COMMUNICATION)) == [("x", 3, 0.0, BAD_NO_COMMUNICATION)]
    assert lab.add(4, ("e/c", 4, 4)) == [("x", 4, 9.0, UNCERTAIN)]


def test_an_old_input_makes_it_uncertain() -> None:
    lab = Lab(SUM, "y: {expression: d.a + e.c, max_age: 5s}")
    lab.add(1, ("d/a", 0, 1), ("e/c", 0, 1))
    assert lab.add(2, ("d/a", 5, 2)) == [("x", 5, 3.0, 0), ("y", 5, 3.0, 0)]
    assert lab.add(3, ("d/a", 6, 2)) == [("x", 6, 3.0, 0), ("y", 6, 3.0, OLD)]
    # Unsaid, three of its own scans of twenty seconds; the other speaks every second, and is let ten.
    assert lab.add(4, ("d/a", 61, 2)) == [("x", 61, 3.0, OLD), ("y", 61, 3.0, OLD)]
    assert lab.add(5, ("e/c", 72, 2)) == [("x", 72, 4.0, OLD), ("y", 72, 4.0, OLD)]
    assert lab.add(6, ("d/a", 73, 3)) == [("x", 73, 5.0, 0), ("y", 73, 5.0, 0)]


def test_a_value_that_comes_with_an_old_time_is_old() -> None:
    lab = Lab("x: {expression: d.a + d.b, max_age: 5s}")
    lab.add(1, ("d/a", 0, 1), arrived=100)
    assert lab.add(2, ("d/b", 100, 1)) == [("x", 100, 2.0, OLD)]


def test_a_tag_that_occurs_twice_in_a_batch_gives_two_rows() -> None:
    lab = Lab(SUM)
    lab.add(1, ("e/c", 0, 100))
    rows = [("d/a", 1, 1), ("e/c", 2, 200), ("d/a", 3, 2), ("d/a", 4, 3)]
    assert lab.add(2, *rows) == [("x", 2, 201.0, 0), ("x", 3, 202.0, 0), ("x", 4, 203.0, 0)]


def test_a_burst_of_hundreds_is_computed_row_by_row() -> None:
    lab = Lab("x: {expression: d.a * 2}", "y: {expression: t.x + e.c}")
    lab.add(1, ("e/c", 0, 1000))
    found = lab.add(2, *[("d/a", i / 100, i) for i in range(300)])
    assert [row for row in found if row[0] == "x"] == [("x", i / 100, 2.0 * i, 0) for i in range(300)]
    assert [row for row in found if row[0] == "y"] == [("y", i / 100, 2.0 * i + 1000, 0) for i in range(300)]


def test_what_is_made_of_a_derived_tag_sees_its_new_value() -> None:
    lab = Lab("x: {expression: d.a + e.c}", "share: {expression: d.a / t.x}")
    lab.add(1, ("d/a", 1, 1), ("e/c", 1, 1))
    assert lab.add(2, ("d/a", 2, 3)) == [("x", 2, 4.0, 0), ("share", 2, 0.75, 0)]
    assert lab.add(3, ("e/c", 3, 9)) == [("x", 3, 12.0, 0), ("share", 3, 0.25, 0)]


def test_what_is_made_of_a_derived_tag_sees_what_is_delivered() -> None:
    lab = Lab("w: {expression: d.a * e.c, unit: W, deliver_as: kW}", "y: {expression: t.w, unit: kW}")
    lab.add(1, ("d/a", 1, 400))
    assert lab.add(2, ("e/c", 2, 5)) == [("w", 2, 2.0, 0), ("y", 2, 2.0, 0)]


@pytest.mark.parametrize("expression", ["d.a / e.c", "1 / (d.a / e.c)"])
def test_what_has_no_result_is_bad(expression: str) -> None:
    lab = Lab(f"x: {{expression: {expression}}}", "y: {expression: t.x + 1}")
    lab.add(1, ("d/a", 1, 1))
    assert lab.add(2, ("e/c", 2, 0)) == [("x", 2, 0.0, BAD_OUT_OF_RANGE), ("y", 2, 0.0, BAD_OUT_OF_RANGE)]


def test_true_and_false_are_a_kind_of_their_own() -> None:
    lab = Lab("x: {expression: d.a > 5 and not e.c}")
    lab.add(1, ("d/a", 1, 6))
    assert lab.add(2, ("e/c", 2, 0)) == [("x", 2, 1.0, 0)]
    assert lab.tags.kind[lab.tags.number("s/-/-/t/x")] == Kind.BOOL


def test_integers_beyond_what_a_float_holds_are_marked() -> None:
    lab = Lab("x: {expression: d.k}")
    assert lab.add(1, ("d/k", 1, 2**53)) == [("x", 1, 2.0**53, 0)]
    assert lab.add(2, ("d/k", 2, -1)) == [("x", 2, 2.0**64, UNCERTAIN_ENGINEERING_UNITS_EXCEEDED)]


def test_limits_and_deadband_are_those_of_any_tag() -> None:
    lab = Lab("x: {expression: d.a + e.c, limits: {high: 10}, deadband: 1}")
    lab.add(1, ("e/c", 0, 1))
    assert lab.add(2, ("d/a", 1, 5)) == [("x", 1, 6.0, 0)]
    assert lab.add(3, ("d/a", 2, 5.5)) == []
    assert lab.add(4, ("d/a", 3, 20)) == [("x", 3, 21.0, UNCERTAIN_ENGINEERING_UNITS_EXCEEDED)]


def test_what_comes_late_or_from_a_history_is_left_out() -> None:
    lab = Lab(SUM)
    lab.add(1, ("d/a", 10, 1), ("e/c", 10, 1))
    assert lab.add(2, ("d/a", 9, 50), arrived=10.5) == []
    assert lab.add(3, ("d/a", 11, 50), origin=Origin.BACKFILL) == []
    assert lab.add(4, ("e/c", 12, 2)) == [("x", 12, 3.0, 0)]


def test_a_clock_that_was_set_back_does_not_silence_a_tag() -> None:
    lab = Lab("x: {expression: d.a * 1}")
    lab.add(1, ("d/a", 1000, 1), arrived=1000)
    assert lab.add(2, ("d/a", 10, 2), arrived=1001) == []
    assert lab.add(3, ("d/a", 71, 3), arrived=1062) == [("x", 71, 3.0, 0)]
    assert lab.add(4, ("d/a", 5, 4), arrived=5) == [("x", 5, 4.0, 0)]


def test_our_word_that_a_link_is_down_counts_whatever_the_device_s_clock_says() -> None:
    lab = Lab("x: {expression: d.a * 1}")
    lab.add(1, ("d/a", 500, 1), arrived=1)
    assert lab.add(2, ("d/a", 2, 0, BAD_NO_COMMUNICATION)) == [("x", 2, 0.0, BAD_NO_COMMUNICATION)]
    assert lab.add(3, ("d/a", 501, 2), arrived=3) == [("x", 501, 2.0, 0)]
    lab.add(4, ("d/a", 600, 0, BAD_NO_COMMUNICATION), arrived=4)
    assert lab.add(5, ("d/a", 502, 3), arrived=5) == [("x", 502, 3.0, 0)]


def test_a_value_stored_in_another_unit_is_not_taken() -> None:
    lab = Lab(SUM)
    lab.tags.announce([Tag("s/-/-/d/a", Kind.FLOAT64, "KWT", "d")])
    assert lab.add(1, ("d/a", 1, 10), ("e/c", 1, 1)) == [("x", 1, 0.0, WAITING)]


def test_a_tag_no_formula_needs_costs_no_row() -> None:
    lab = Lab("x: {expression: d.a}", "y: {expression: e.c}")
    assert lab.add(1, ("d/a", 1, 1)) == [("x", 1, 1.0, 0)]


def test_a_glob_is_every_tag_it_matches() -> None:
    lab = Lab('x: {expression: \'sum("s/-/-/?/?") - 3 * max("s/-/-/d/*")\'}')
    lab.add(1, ("d/a", 1, 1), ("d/b", 1, 2), ("d/k", 1, 3))
    assert lab.add(2, ("e/c", 2, 4)) == [("x", 2, 1.0, 0)]
