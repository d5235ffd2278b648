from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.select import SelectRule
from connectors import Batch, Columns, Delivery, Epoch, Kind, Tag, TagTable
from connectors.quality import BAD, BAD_TIMEOUT, BAD_WAITING_FOR_INITIAL_DATA, GOOD, UNCERTAIN_SUBNORMAL
from gateway.select import Rules, Selection
from gateway.thinning import Thinner
from gateway.thinning.windows import Partial, finish, reduce

S = 1_000_000_000
T0 = 1_790_000_040 * S  # a whole minute
EPOCH = Epoch(1, 7)
MEAN = SelectRule(path="**", every="60s", **{"as": "mean"})


def rows(entries: list[tuple[int, float, float, int]]) -> Columns:
    tag, second, value, quality = zip(*entries, strict=True)
    return Columns(
        np.array(tag, np.int32),
        np.array([T0 + int(s * S) for s in second], np.int64),
        np.array(value, np.float64),
        np.array(quality, np.uint32),
    )


ENTRIES = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.integers(0, 59),
        st.integers(-50, 50).map(float),
        st.sampled_from([GOOD, BAD_TIMEOUT]),
    ),
    min_size=1,
    max_size=40,
)


@given(ENTRIES, st.sampled_from(["last", "mean", "min", "max"]), st.integers(1, 9))
def test_reducing_in_pieces_equals_a_plain_loop(entries, how, size) -> None:
    partials: list[Partial] = []
    for i in range(0, len(entries), size):
        partials = [reduce([*partials, Partial.of(rows(entries[i : i + size]), how)], how)]
    out = finish(partials[0], how, T0 + 60 * S, is_whole=True)
    assert out.tag.tolist() == sorted({e[0] for e in entries})
    for tag, time, value, quality in zip(out.tag, out.time, out.value, out.quality, strict=True):
        mine = [e for e in entries if e[0] == tag]
        good = [e for e in mine if e[3] == GOOD]
        if not good:
            assert quality == BAD_TIMEOUT
            continue
        assert quality == (GOOD if len(good) == len(mine) else UNCERTAIN_SUBNORMAL)
        if how == "mean":
            assert value == pytest.approx(sum(e[2] for e in good) / len(good))
            assert time == T0 + 60 * S
        elif how == "last":
            newest = max(e[1] for e in good)
            assert value in [e[2] for e in good if e[1] == newest]
            assert time == T0 + newest * S
        else:
            assert value == (min if how == "min" else max)(e[2] for e in good)


def thinner(**rule: object) -> tuple[Thinner, TagTable]:
    tags = TagTable()
    tags.announce([Tag(f"s/a/l/d/t{i}", Kind.FLOAT64, "KWT", "src") for i in range(4)])
    rules = Rules("cloud", [SelectRule(path="**", every="60s", **rule)], tags)
    return Thinner("cloud", rules, tags), tags


def deliver(seq: int, entries: list[tuple[int, float, float, int]]) -> Delivery:
    """Return a batch that arrived when its newest row was read."""
    arrived = T0 + int(max(second for _, second, _, _ in entries) * S)
    return Delivery(Batch((rows(entries),), arrived), EPOCH, seq)


def test_a_window_closes_when_its_grace_is_over_and_says_what_it_is() -> None:
    thin, tags = thinner(**{"as": "mean"})
    first = thin.add(deliver(1, [(0, 10, 1.0, GOOD), (1, 10, 5.0, GOOD)]))
    assert first is not None
    assert first.parts[0].quality.tolist() == [BAD_WAITING_FOR_INITIAL_DATA] * 2
    assert thin.add(deliver(2, [(0, 50, 3.0, GOOD)])) is None
    assert thin.add(deliver(3, [(0, 62, 9.0, GOOD)])) is None  # within the grace
    closed = thin.add(deliver(4, [(0, 66, 9.0, GOOD)]))
    assert closed is not None
    (part,) = closed.parts
    assert [tags[n].path for n in part.tag.tolist()] == ["s/a/l/d/t0@mean_1min", "s/a/l/d/t1@mean_1min"]
    assert part.value.tolist() == [2.0, 5.0]
    assert set(part.time.tolist()) == {T0 + 60 * S}
    assert part.quality.tolist() == [UNCERTAIN_SUBNORMAL] * 2  # what was before second 10 is not known
    assert tags[int(part.tag[0])].source == "thin/cloud"


@pytest.mark.fault("A1")
@pytest.mark.parametrize("crash_after", range(12))
def test_a_crash_at_any_batch_makes_no_window_twice_and_none_wrong(crash_after: int) -> None:
    stream = [
        deliver(seq, [(seq % 2, 13 * seq, float(seq), GOOD), (2, 13 * seq - 20, -float(seq), GOOD)])
        for seq in range(1, 30)
    ]
    undisturbed, tags = thinner(**{"as": "mean"})
    expected = [row for d in stream if (b := undisturbed.add(d)) for row in listed(b, tags)]

    first, tags = thinner(**{"as": "mean"})
    stored, token = [], None
    for delivery in stream[:crash_after]:
        if batch := first.add(delivery):
            stored += listed(batch, tags)
            token = first.token()
    second, tags = thinner(**{"as": "mean"})
    begin = second.resume(token) or crash_after + 1  # without a token it begins where its cursor is
    for delivery in stream[begin - 1 :]:
        if batch := second.add(delivery):
            stored += listed(batch, tags)
    assert sorted(stored) == sorted(expected)


def listed(batch: Batch, tags: TagTable) -> list[tuple[str, int, float, int]]:
    return [
        (tags[int(t)].path, int(time), float(v), int(q))
        for part in batch.parts
        for t, time, v, q in zip(part.tag, part.time, part.value, part.quality, strict=True)
    ]


def test_rows_late_for_their_window_make_an_uncertain_row_of_their_own() -> None:
    thin, _ = thinner(**{"as": "max"})
    thin.add(deliver(1, [(0, 10, 1.0, GOOD)]))
    thin.add(deliver(2, [(0, 70, 2.0, GOOD)]))
    late = thin.add(deliver(3, [(0, 20, 8.0, GOOD)]))
    assert late is not None
    assert late.parts[0].value.tolist() == [8.0]
    assert late.parts[0].quality.tolist() == [UNCERTAIN_SUBNORMAL]


def test_two_sinks_with_the_same_rule_get_a_window_once_each() -> None:
    tags = TagTable()
    tags.announce([Tag("s/a/l/d/t0", Kind.FLOAT64, "KWT", "src")])
    rules = {sink: Rules(sink, [MEAN], tags) for sink in ("cloud", "other")}
    stored = []
    for sink, mine in rules.items():
        thin = Thinner(sink, mine, tags)
        thin.add(deliver(1, [(0, 0, 1.0, GOOD)]))
        stored.append(thin.add(deliver(2, [(0, 66, 9.0, GOOD)])))
    for sink, expected in zip(rules, stored, strict=True):
        select = Selection(rules[sink])
        got = [batch for batch in stored if batch is not None and select(Delivery(batch, EPOCH, 3))]
        assert got == [expected]


@pytest.mark.parametrize(
    ("how", "expected"), [("mean", 2.0**62 + 5), ("min", 10), ("max", 2**63), ("last", 10)]
)
def test_uint64_is_unsigned_in_a_window_too(how: str, expected: float) -> None:
    tags = TagTable()
    tags.announce([Tag("s/a/l/d/count", Kind.UINT64, "C62", "src")])
    thin = Thinner("cloud", Rules("cloud", [SelectRule(path="**", every="60s", **{"as": how})], tags), tags)
    columns = rows([(0, 0, 0, GOOD), (0, 1, 0, GOOD), (0, 66, 0, GOOD)])
    value = np.array([2**63, 10, 3], np.uint64).view(np.int64)
    closed = thin.add(Delivery(Batch((replace(columns, value=value),), T0 + 66 * S), EPOCH, 1))
    assert closed is not None
    (part,) = closed.parts
    assert tags.as_float(part).tolist() == [expected]


def test_a_tag_whose_kind_changes_within_a_window_has_one_mean() -> None:
    tags = TagTable()
    tags.announce([Tag("s/a/l/d/t", Kind.INT32, "KWT", "src")])
    tags.announce([Tag("s/a/l/d/t", Kind.FLOAT64, "KWT", "src")])
    thin = Thinner("cloud", Rules("cloud", [MEAN], tags), tags)
    closed = thin.add(deliver(1, [(0, 0, 1.0, GOOD), (1, 1, 4.0, GOOD), (1, 66, 9.0, GOOD)]))
    assert closed is not None
    assert [row[:3] for row in listed(closed, tags)] == [("s/a/l/d/t@mean_1min", T0 + 60 * S, 2.5)]


def test_a_renamed_tag_keeps_the_number_of_its_mean() -> None:
    tags = TagTable()
    found = []
    for tag in (
        Tag("s/a/l/d/old", Kind.FLOAT64, "KWT", "src"),
        Tag("s/a/l/d/new", Kind.FLOAT64, "KWT", "src", was="s/a/l/d/old"),
    ):
        tags.announce([tag])
        thin = Thinner("cloud", Rules("cloud", [MEAN], tags), tags)
        closed = thin.add(deliver(1, [(0, 0, 1.0, GOOD), (0, 66, 9.0, GOOD)]))
        assert closed is not None
        found.append(closed.parts[0].tag.tolist())
    assert found[0] == found[1]
    assert tags[found[0][0]].path == "s/a/l/d/new@mean_1min"


def test_a_tag_that_is_renamed_while_the_gateway_runs_is_thinned_under_its_new_name() -> None:
    thin, tags = thinner(**{"as": "mean"})
    thin.add(at(1, 0, 1.0))
    tags.announce([Tag("s/a/l/d/new", Kind.FLOAT64, "KWT", "src", was="s/a/l/d/t0")])
    closed = [thin.add(at(2, 30, 3.0)), thin.add(at(3, 66, 9.0))]
    found = [row[:3] for batch in closed if batch for row in listed(batch, tags)]
    assert found == [("s/a/l/d/new@mean_1min", T0 + 60 * S, 2.0)]


@pytest.mark.fault("C1")
def test_after_the_clock_is_set_back_windows_are_whole_again() -> None:
    thin, tags = thinner(**{"as": "mean"})
    thin.add(at(1, 3600, 7.0))
    closed = [thin.add(at(2 + i, 10 * i, float(i))) for i in range(14)]
    found = [row for batch in closed if batch for row in listed(batch, tags)]
    assert [(time - T0) // S for _, time, _, _ in found] == [3660, 60, 120]
    assert found[-1][2:] == (pytest.approx(sum(range(6, 12)) / 6), GOOD)


def both(seq: int, lead: float) -> Delivery:
    """Return a batch of a right device and of one whose clock is ahead, a second behind the one before."""
    batch = Batch((rows([(0, seq, float(seq), GOOD), (1, seq + lead, 5.0, GOOD)]),), T0 + seq * S)
    return Delivery(batch, EPOCH, seq)


@pytest.mark.parametrize("lead", [7, 3_600, 8 * 3_600, 400 * 86_400])
def test_a_device_whose_clock_is_ahead_does_not_end_the_windows_of_the_others(lead: float) -> None:
    thin, tags = thinner(**{"as": "mean"})
    closed = [thin.add(both(seq, lead)) for seq in range(1, 200)]
    found = [row for batch in closed if batch for row in listed(batch, tags)]
    right = [row[1:] for row in found if row[0] == "s/a/l/d/t0@mean_1min" and row[3] < BAD]
    assert [(time - T0) // S for time, _, _ in right] == [60, 120, 180]
    assert right[1][1:] == (pytest.approx(np.mean(range(60, 120))), GOOD)


def two_devices(every: str = "60s") -> tuple[Thinner, TagTable]:
    tags = TagTable()
    tags.announce([Tag(f"s/a/l/{device}/t", Kind.FLOAT64, "KWT", "src") for device in ("right", "other")])
    rules = [SelectRule(path="**", every=every, **{"as": "mean"})]
    return Thinner("cloud", Rules("cloud", rules, tags), tags), tags


def means(closed: list[Batch | None], tags: TagTable, device: str) -> list[tuple[int, float, int]]:
    """Return (second of its end, value, quality) of each mean of a device."""
    found = [row for batch in closed if batch for row in listed(batch, tags)]
    return [
        ((time - T0) // S, value, quality)
        for path, time, value, quality in found
        if path.startswith(f"s/a/l/{device}/t@mean") and quality < BAD
    ]


def stream(lag: float, last: int) -> list[Delivery]:
    """Return a batch a second of a right device and of one that says its own time."""
    return [
        Delivery(
            Batch((rows([(0, at, float(at), GOOD), (1, at - lag, at - lag, GOOD)]),), T0 + at * S), EPOCH, at
        )
        for at in range(1, last + 1)
    ]


@pytest.mark.parametrize("lag", [-61, -7, -2, 2, 4, 5, 7, 63, 3_600, 8 * 3_600, 400 * 86_400])
def test_a_device_whose_clock_is_wrong_has_whole_windows_all_the_same(lag: int) -> None:
    thin, tags = two_devices()
    closed = [thin.add(delivery) for delivery in stream(lag, 400)]
    right, (joined, *whole) = means(closed, tags, "right"), means(closed, tags, "other")
    assert [row[0] for row in right] == [60, 120, 180, 240, 300, 360]
    assert joined[2] == UNCERTAIN_SUBNORMAL
    assert len(whole) >= 3
    for (end, value, quality), before in zip(whole, [joined, *whole[:-1]], strict=True):
        assert (end - before[0], value, quality) == (60, end - 30.5, GOOD)


def test_a_device_that_falls_silent_has_its_last_window_as_late_as_its_rows_came() -> None:
    thin, tags = two_devices()
    closed = {at: thin.add(each) for at, each in enumerate(stream(20, 130), 1)}
    # By its own clock it is second 110. Nobody but the right device speaks from here on.
    closed |= {at: thin.add(replace(deliver(at, [(0, at, 0.0, GOOD)]))) for at in range(131, 200)}
    ((when, last),) = [
        (at, row) for at in closed for row in means([closed[at]], tags, "other") if row[0] == 120
    ]
    assert when == 120 + 20 + 5
    assert last == (120, np.mean(range(60, 111)), UNCERTAIN_SUBNORMAL)


@pytest.mark.parametrize("first", [25, 60])
def test_a_device_that_sends_a_minute_at_once_has_whole_windows(first: int) -> None:
    tags = TagTable()
    tags.announce([Tag(f"s/a/l/{device}/t", Kind.FLOAT64, "KWT", "src") for device in ("right", "other")])
    rules = [SelectRule(path="**", every="10s", **{"as": "mean"})]
    thin = Thinner("cloud", Rules("cloud", rules, tags), tags)
    closed = []
    for at in range(1, 600):
        entries = [(0, at, float(at), GOOD)]
        if at >= first and (at - first) % 60 == 0:
            entries += [(1, second, float(second), GOOD) for second in range(max(1, at - 59), at + 1)]
        closed.append(thin.add(deliver(at, entries)))
    found = [row for batch in closed if batch for row in listed(batch, tags)]
    mine = [row[1:] for row in found if row[0] == "s/a/l/other/t@mean_10s" and row[3] < BAD]
    good = [((time - T0) / S, value) for time, value, quality in mine if quality == GOOD]
    assert len({end for end, _ in good}) == len(good) > 45
    assert {value - end for end, value in good[1:]} == {-5.5}
    assert len(mine) <= len(good) + 3  # nobody knew what was before the first message, nor that it was short


@pytest.mark.parametrize(("size", "first", "spacing"), [(15, 1, 1), (9, 7, 1), (60, 11, 1), (15, 12, 4)])
def test_no_window_is_good_that_lacks_rows_of_a_device_that_sends_many_at_once(
    size: int, first: int, spacing: int
) -> None:
    """Not even before its habit is known: it is heard for the first time, then comes too late once."""
    thin, tags = two_devices(every="10s")
    closed = []
    for at in range(1, 300):
        entries = [(0, at, float(at), GOOD)]
        if at % size == first % size:
            mine = range(at - size + 1, at + 1)
            entries += [(1, second, float(second), GOOD) for second in mine if second % spacing == 0]
        closed.append(thin.add(deliver(at, entries)))
    good = [(end, value) for end, value, quality in means(closed, tags, "other") if quality == GOOD]
    assert len(good) > 20
    for end, value in good:
        assert value == np.mean([each for each in range(end - 10, end) if each % spacing == 0]), end


def test_a_device_that_has_just_come_too_late_is_not_taken_to_be_silent() -> None:
    thin, tags = two_devices(every="10s")
    closed, waiting = [], []
    for at in range(1, 140):
        waiting += [(1, at - 0.25, float(at), GOOD)] if at % 4 == 0 else []
        entries = [(0, at, float(at), GOOD)]
        if at < 40 or at % 23 == 0:  # from 40 on it sends what has gathered
            entries, waiting = entries + waiting, []
        closed.append(thin.add(deliver(at, entries)))
    good = [(end, value) for end, value, quality in means(closed, tags, "other") if quality == GOOD]
    assert [end for end, _ in good if end > 110] == [120, 130]
    for end, value in good:
        if end > 40:  # its rows came ten seconds later than ever before
            assert value == np.mean([each for each in range(0, 140, 4) if end - 10 <= each - 0.25 < end]), end


def test_the_window_a_device_is_first_heard_in_is_not_whole_though_its_clock_is_ahead() -> None:
    thin, tags = two_devices(every="10s")
    for at in range(1, 40):
        thin.add(deliver(at, [(0, at, float(at), GOOD)]))
    closed = [
        thin.add(Delivery(Batch((rows([(1, 600 + at, 1.0, GOOD)]),), T0 + at * S), EPOCH, at))
        for at in range(45, 700)
    ]
    assert [quality for _, _, quality in means(closed, tags, "other")][:3] == [
        UNCERTAIN_SUBNORMAL,
        GOOD,
        GOOD,
    ]


@pytest.mark.fault("C1")
def test_a_window_that_waits_for_its_last_rows_when_the_clock_is_set_back_is_uncertain() -> None:
    thin, tags = two_devices()
    log = stream(4, 240)
    set_back = [
        replace(each, batch=replace(each.batch, arrived=each.batch.arrived - 100 * S)) for each in log
    ]
    closed = [thin.add(each) for each in (*log[:182], *set_back[182:])]
    found = means(closed, tags, "other")
    assert [(end, quality) for end, _, quality in found if end in (120, 180)] == [
        (120, GOOD),
        (180, UNCERTAIN_SUBNORMAL),
    ]


def test_a_backlog_that_comes_first_makes_whole_windows_and_one_that_comes_behind_uncertain_rows() -> None:
    thin, tags = two_devices()
    for each in stream(0, 100):
        thin.add(each)
    closed = [thin.add(deliver(at, [(0, at, float(at), GOOD)])) for at in range(101, 1000)]
    assert [row[0] for row in means(closed, tags, "other")] == [120]
    made = []
    for seq, begin in enumerate(range(130, 1000, 50), 1000):
        backlog = rows([(1, second, float(second), GOOD) for second in range(begin, begin + 50)])
        made.append(thin.add(Delivery(Batch((backlog,), T0 + (seq + 10) * S), EPOCH, seq)))
    late, *whole = means(made, tags, "other")
    assert late == (180, np.mean(range(130, 180)), GOOD)
    assert {(value - end, quality) for end, value, quality in whole} == {(-30.5, GOOD)}
    again = rows([(1, second, 0.0, GOOD) for second in range(300, 330)])
    made = [thin.add(Delivery(Batch((again,), T0 + 1100 * S), EPOCH, 1100))]
    assert means(made, tags, "other") == [(360, 0.0, UNCERTAIN_SUBNORMAL)]


@pytest.mark.fault("A1")
@pytest.mark.parametrize("lag", [-7, 7, 100])
@pytest.mark.parametrize("every", [1, 3, 50])
def test_killed_at_any_batch_devices_with_clocks_of_their_own_have_every_window_once(
    lag: int, every: int
) -> None:
    log = [each for i, each in enumerate(stream(lag, 300)) if i % every == 0 or i % 7 == 0]
    log = [replace(each, seq=seq) for seq, each in enumerate(log, 1)]
    undisturbed, tags = two_devices()
    expected = [row for each in log if (made := undisturbed.add(each)) for row in listed(made, tags)]
    for cut in range(1, len(log), 5):
        first, tags = two_devices()
        stored, token = [], None
        for each in log[:cut]:
            if made := first.add(each):
                stored += listed(made, tags)
                token = first.token()
        second, fresh = two_devices()
        fresh.announce([tags[n] for n in range(2, len(tags))])  # the table is on disk
        begin = second.resume(token) or 1
        for each in log[begin - 1 :]:
            if made := second.add(each):
                stored += listed(made, fresh)
        assert sorted(stored) == sorted(expected), cut


def test_rows_too_far_ahead_to_wait_for_make_an_uncertain_row_of_their_own_at_once() -> None:
    thin, tags = thinner(**{"as": "last"})
    thin.add(both(1, 0))
    far = Columns(
        np.array([1, 1, 2], np.int32),
        np.array([2**63 - 1, 2**63 - 2, -(2**63)], np.int64),
        np.array([1.0, 2.0, 3.0]),
        np.zeros(3, np.uint32),
    )
    made = thin.add(Delivery(Batch((far,), T0 + 2 * S), EPOCH, 2))
    assert made is not None
    assert [(value, quality) for _, _, value, quality in sorted(listed(made, tags))] == [
        (1.0, UNCERTAIN_SUBNORMAL),
        (3.0, UNCERTAIN_SUBNORMAL),
    ]
    again, _ = thinner(**{"as": "last"})
    begin = again.resume(thin.token())
    assert begin == 1
    assert [again.add(each) for each in (both(1, 0), Delivery(Batch((far,), T0 + 2 * S), EPOCH, 2))] == [
        None,
        None,
    ]


def test_a_rule_that_is_changed_between_runs_begins_with_windows_of_its_own() -> None:
    first, tags = thinner(**{"as": "mean"})
    for seq in range(1, 30):
        first.add(at(seq, 7 * seq, float(seq)))
    tags = TagTable()
    tags.announce([Tag("s/a/l/d/t0", Kind.FLOAT64, "KWT", "src")])
    changed = SelectRule(path="**", every="120s", **{"as": "mean"})
    second = Thinner("cloud", Rules("cloud", [changed], tags), tags)
    begin = second.resume(first.token())
    assert begin is not None
    found = []
    for seq in range(begin, 60):
        batch = second.add(at(seq, 7 * seq, float(seq)))
        found += listed(batch, tags) if batch else []
    assert [(time - T0) // S for _, time, _, _ in found] == [240, 360]
    joined, whole = found
    assert joined[3] == UNCERTAIN_SUBNORMAL
    assert whole[3] == GOOD
    assert whole[2] == pytest.approx(np.mean([seq for seq in range(60) if 240 <= 7 * seq < 360]))


def at(seq: int, second: float, value: float) -> Delivery:
    """Return a batch that arrived when its only row was read."""
    return Delivery(Batch((rows([(0, second, value, GOOD)]),), T0 + int(second * S)), EPOCH, seq)
