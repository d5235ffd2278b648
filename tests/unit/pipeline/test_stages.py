import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import Batch, Columns, Kind, Tag, TagTable
from connectors.quality import (
    BAD_OUT_OF_RANGE,
    BAD_TIMEOUT,
    GOOD,
    UNCERTAIN,
    UNCERTAIN_ENGINEERING_UNITS_EXCEEDED,
)
from gateway.pipeline import ClockWatch, PerColumn, build_pipeline, by_device
from gateway.pipeline.clock_sanity import clock_sanity
from gateway.pipeline.deadband import deadband, turns
from gateway.pipeline.limits import limits
from gateway.pipeline.scale import finite, scale

T0 = 1_790_000_000_000_000_000


def table(*tags: Tag) -> TagTable:
    found = TagTable()
    found.announce(tags)
    return found


def tag(name: str = "a", kind: Kind = Kind.FLOAT64, device: str = "s/a/l/d", **options: object) -> Tag:
    return Tag(f"{device}/{name}", kind, "C62", "src", **options)  # type: ignore[arg-type]


def columns(
    tags: list[int], values: list[object], quality: int = GOOD, times: list[int] | None = None
) -> Columns:
    dtype = object if isinstance(values[0], str) else np.int64 if isinstance(values[0], int) else np.float64
    n = len(tags)
    return Columns(
        np.array(tags, np.int32),
        np.array(times or [T0] * n, np.int64),
        np.array(values, dtype),
        np.full(n, quality, np.uint32),
    )


def test_scale_gives_engineering_units_and_leaves_unscaled_columns_alone() -> None:
    tags = table(tag("a", scale=0.1, offset=-40.0), tag("b"))
    stage = scale(tags)
    assert stage(columns([0, 1], [500.0, 7.0])).value.tolist() == [10.0, 7.0]
    plain = columns([1], [7.0])
    assert stage(plain) is plain


def test_nan_and_infinity_become_bad_with_a_reason() -> None:
    out = finite(columns([0, 1, 2, 3], [math.nan, math.inf, -math.inf, 1.0]))
    assert out.quality.tolist() == [BAD_OUT_OF_RANGE] * 3 + [GOOD]
    assert np.isfinite(out.value).all()


def test_a_row_that_is_bad_already_keeps_its_own_reason() -> None:
    assert finite(columns([0], [math.nan], BAD_TIMEOUT)).quality.tolist() == [BAD_TIMEOUT]


def test_huge_but_finite_values_are_not_touched() -> None:
    huge = columns([0, 1], [1.7e308, 1.7e308])
    assert finite(huge) is huge


def test_scaling_beyond_float64_becomes_bad() -> None:
    tags = table(tag(scale=1e300))
    assert finite(scale(tags)(columns([0], [1e300]))).quality.tolist() == [BAD_OUT_OF_RANGE]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (-0.1, UNCERTAIN_ENGINEERING_UNITS_EXCEEDED),
        (0.0, GOOD),
        (100.0, GOOD),
        (100.1, UNCERTAIN_ENGINEERING_UNITS_EXCEEDED),
    ],
)
def test_limits_mark_what_a_sensible_plant_cannot_have(value: float, expected: int) -> None:
    stage = limits(table(tag(low=0.0, high=100.0)))
    assert stage(columns([0], [value])).quality.tolist() == [expected]


def test_limits_never_hide_that_a_row_is_bad() -> None:
    stage = limits(table(tag(low=0.0, high=1.0)))
    assert stage(columns([0], [5.0], BAD_TIMEOUT)).quality.tolist() == [BAD_TIMEOUT]


def test_limits_read_an_unsigned_64_bit_value_as_unsigned() -> None:
    stage = limits(table(tag(kind=Kind.UINT64, low=0.0)))
    assert stage(columns([0], [-1])).quality.tolist() == [GOOD]


@pytest.mark.fault("C1", "C5")
@pytest.mark.parametrize("year_ns", [0, 946_684_800_000_000_000, T0 + 120 * 10**9])
def test_a_clock_at_1970_2000_or_in_the_future_makes_rows_uncertain(clock, year_ns: int) -> None:
    stage = clock_sanity(ClockWatch(clock))
    out = stage(columns([0, 1], [1.0, 2.0], times=[year_ns, clock.now()]))
    assert out.quality.tolist() == [UNCERTAIN, GOOD]
    assert out.time[0] == year_ns


@pytest.mark.fault("C1")
@pytest.mark.parametrize("by_s", [3600, -7200, 80 * 365 * 86400, -1.5])
def test_rows_are_uncertain_for_a_minute_after_the_clock_was_set(
    clock, by_s: float, caplog: pytest.LogCaptureFixture
) -> None:
    stage = clock_sanity(ClockWatch(clock))

    def quality() -> int:
        return stage(columns([0], [1.0], times=[clock.now()])).quality.tolist()[0]

    assert quality() == GOOD
    clock.wall += int(by_s * 1e9)
    for _ in range(2):
        assert quality() == UNCERTAIN
        clock.move(59 / 2)
    clock.move(1)
    assert quality() == GOOD
    assert [record.by_s for record in caplog.records] == [by_s]


@pytest.mark.fault("C2")
def test_a_clock_that_is_corrected_by_half_a_second_again_and_again_spoils_no_row(clock) -> None:
    stage = clock_sanity(ClockWatch(clock))
    for minute in range(100):
        clock.move(60)
        clock.wall += 500_000_000 * (-1) ** minute
        assert stage(columns([0], [1.0], times=[clock.now()])).quality.tolist() == [GOOD]


def test_a_process_that_was_held_up_between_two_readings_takes_nothing_for_a_step() -> None:
    class Held:
        steady = wall = 1_790_000_000_000_000_000

        def now(self) -> int:
            self.wall += 5_000_000_000
            self.steady += 5_000_000_000
            return self.wall

        def monotonic(self) -> int:
            return self.steady

    stage = clock_sanity(ClockWatch(Held()))
    for _ in range(3):
        assert stage(columns([0], [1.0])).quality.tolist() == [GOOD]


def keeps(stage, *rows: Columns) -> list[list[object]]:
    return [stage(each).value.tolist() for each in rows]


def test_without_a_deadband_every_reading_is_reported() -> None:
    stage = deadband(table(tag()))
    assert keeps(stage, columns([0], [1.0]), columns([0], [1.0])) == [[1.0], [1.0]]


def test_a_deadband_of_zero_reports_every_change() -> None:
    stage = deadband(table(tag(deadband=0.0)))
    assert keeps(stage, *(columns([0], [v]) for v in (1.0, 1.0, 1.1, 1.1))) == [[1.0], [], [1.1], []]


def test_the_deadband_is_measured_from_the_last_report_not_from_the_last_reading() -> None:
    stage = deadband(table(tag(deadband=1.0)))
    assert keeps(stage, *(columns([0], [v]) for v in (0.0, 0.9, 1.8, 2.0, 3.0))) == [
        [0.0],
        [],
        [1.8],
        [],
        [3.0],
    ]


def test_a_tag_that_occurs_twice_in_a_batch_is_compared_with_itself() -> None:
    stage = deadband(table(tag(deadband=1.0), tag("b", deadband=1.0)))
    out = stage(columns([0, 1, 0, 0, 1], [0.0, 5.0, 0.5, 2.0, 9.0]))
    assert out.tag.tolist() == [0, 1, 0, 1]
    assert out.value.tolist() == [0.0, 5.0, 2.0, 9.0]


def test_the_heartbeat_reports_a_value_that_does_not_change() -> None:
    stage = deadband(table(tag(deadband=1.0, heartbeat=10 * 10**9)))
    rows = [columns([0], [5.0], times=[T0 + s * 10**9]) for s in (0, 5, 10, 15, 20)]
    assert keeps(stage, *rows) == [[5.0], [], [5.0], [], [5.0]]


def test_a_change_of_quality_is_reported_and_repeated_bad_is_not() -> None:
    stage = deadband(table(tag(deadband=1.0)))
    rows = [
        columns([0], [v], q) for v, q in ((5.0, GOOD), (5.0, BAD_TIMEOUT), (77.0, BAD_TIMEOUT), (5.0, GOOD))
    ]
    assert [len(stage(each)) for each in rows] == [1, 1, 0, 1]


def test_integers_are_compared_exactly_beyond_2_to_the_53() -> None:
    stage = deadband(table(tag(kind=Kind.INT64, deadband=0.0)))
    big = 2**60
    assert keeps(stage, columns([0], [big]), columns([0], [big + 1]), columns([0], [big + 1])) == [
        [big],
        [big + 1],
        [],
    ]


def test_text_is_reported_when_it_changes() -> None:
    stage = deadband(table(tag(kind=Kind.TEXT, deadband=0.0)))
    assert keeps(stage, columns([0], ["run"]), columns([0], ["run"]), columns([0], ["stop"])) == [
        ["run"],
        [],
        ["stop"],
    ]


@pytest.mark.fault("C1")
def test_a_clock_set_back_does_not_silence_the_heartbeat() -> None:
    stage = deadband(table(tag(deadband=1.0, heartbeat=10 * 10**9)))
    times = [T0 - each * 10**9 for each in (0, 7200, 7195, 7190)]
    assert [len(stage(columns([0], [5.0], times=[time]))) for time in times] == [1, 1, 0, 1]


def test_the_deadband_of_uint64_is_measured_unsigned() -> None:
    stage = deadband(table(tag(kind=Kind.UINT64, deadband=1.0)))
    bits = np.array([0, 2**64 - 1, 2**63 - 1, 2**63], np.uint64).view(np.int64).tolist()
    assert [len(stage(columns([0], [value]))) for value in bits] == [1, 1, 1, 0]


def test_a_tag_announced_later_joins_the_running_deadband() -> None:
    tags = table(tag(deadband=1.0))
    stage = deadband(tags)
    stage(columns([0], [1.0]))
    (number,) = tags.announce([tag("late", deadband=1.0)]).tolist()
    assert keeps(stage, columns([number], [1.0]), columns([number], [1.2])) == [[1.0], []]


@given(st.lists(st.integers(0, 5), max_size=40))
def test_turns_hold_every_row_once_in_order_with_each_tag_at_most_once(tags: list[int]) -> None:
    split = turns(np.array(tags, np.int32))
    if split is None:
        assert len(set(tags)) == len(tags)
        return
    assert sorted(np.concatenate(split).tolist()) == list(range(len(tags)))
    for rows in split:
        assert len({tags[row] for row in rows}) == len(rows)
    for number in set(tags):
        places = [row for rows in split for row in rows if tags[row] == number]
        assert places == sorted(places)


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(-10, 10)), min_size=1, max_size=60), st.integers(1, 7))
def test_deadband_over_columns_equals_deadband_row_by_row(rows: list[tuple[int, float]], size: int) -> None:
    tags = table(*(tag(str(i), deadband=float(i)) for i in range(4)))
    stage = deadband(tags)
    got = []
    for i in range(0, len(rows), size):
        chunk = rows[i : i + size]
        out = stage(columns([r[0] for r in chunk], [r[1] for r in chunk]))
        got += list(zip(out.tag.tolist(), out.value.tolist(), strict=True))
    last: dict[int, float] = {}
    expected = []
    for number, value in rows:
        if number not in last or abs(value - last[number]) > number:
            last[number] = value
            expected.append((number, value))
    assert got == expected


def test_rows_are_grouped_by_device_and_keep_their_order_within_it() -> None:
    tags = table(tag("a"), tag("b", device="s/a/l/e"), tag("c"))
    stage = by_device(tags)
    assert stage(columns([0, 1, 2], [1.0, 2.0, 3.0])).tag.tolist() == [0, 2, 1]
    grouped = columns([0, 2, 1], [1.0, 2.0, 3.0])
    assert stage(grouped) is grouped


def test_a_batch_of_which_nothing_is_worth_storing_is_none(clock) -> None:
    tags = table(tag(deadband=1.0))
    run = build_pipeline(tags, ClockWatch(clock))
    assert run(Batch((columns([0], [1.0]),), T0)) is not None
    assert run(Batch((columns([0], [1.0]),), T0)) is None


def test_a_new_session_begins_with_a_full_report(clock) -> None:
    tags = table(tag(deadband=1.0))
    batch = Batch((columns([0], [1.0]),), T0)
    for _ in range(2):
        assert build_pipeline(tags, ClockWatch(clock))(batch) is not None


def test_what_is_remembered_of_a_column_goes_with_the_column() -> None:
    known = PerColumn(TagTable(), lambda tag: int(tag.sum()))
    kept = np.arange(3, dtype=np.int32)
    for _ in range(100):
        assert known(np.arange(4, dtype=np.int32)) == 6
        assert known(kept) == 3
    assert len(known._known) == 1
