import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.select import SelectRule
from connectors import Batch, Columns, Delivery, Epoch, Kind, Tag, TagTable
from connectors.quality import BAD_TIMEOUT, GOOD, UNCERTAIN_SUBNORMAL
from gateway.select import Rules
from gateway.thin import Thinner
from gateway.windows import Partial, finish, reduce

S = 1_000_000_000
T0 = 1_790_000_040 * S  # a whole minute
EPOCH = Epoch(1, 7)


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
    out = finish(partials[0], how, T0 + 60 * S, is_late=False)
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
    return Delivery(Batch((rows(entries),), T0), EPOCH, seq)


def test_a_window_closes_when_its_grace_is_over_and_says_what_it_is() -> None:
    thin, tags = thinner(**{"as": "mean"})
    assert thin.add(deliver(1, [(0, 10, 1.0, GOOD), (1, 10, 5.0, GOOD)])) is None
    assert thin.add(deliver(2, [(0, 50, 3.0, GOOD)])) is None
    assert thin.add(deliver(3, [(0, 62, 9.0, GOOD)])) is None  # within the grace
    closed = thin.add(deliver(4, [(0, 66, 9.0, GOOD)]))
    assert closed is not None
    (part,) = closed.parts
    assert [tags[n].path for n in part.tag.tolist()] == ["s/a/l/d/t0@mean_1min", "s/a/l/d/t1@mean_1min"]
    assert part.value.tolist() == [2.0, 5.0]
    assert set(part.time.tolist()) == {T0 + 60 * S}
    assert tags[int(part.tag[0])].source == "thin/cloud"


@pytest.mark.fault
@pytest.mark.parametrize("crash_after", range(1, 12))
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
    begin = second.resume(token) or 1
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
