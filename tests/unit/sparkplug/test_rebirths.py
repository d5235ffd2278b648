"""Asked seldom, few at once, and until there is an answer."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from connectors.sparkplug.rebirths import FIRST_NS, LONGEST_NS, STEP_NS, Rebirths

S = 1_000_000_000
A, B = ("g", "a"), ("g", "b")


def test_a_node_is_asked_at_once_and_then_seldom() -> None:
    asked, at = Rebirths(), []
    asked.want(A)
    now = 0
    while now < 40 * S:
        at += [now] * len(asked.due(now))
        now = max(now + 1, asked.next_at() or 0)
        asked.want(A)
    gaps = [(b - a) / S for a, b in itertools.pairwise(at)]
    assert at[0] == 0
    assert gaps[:4] == [2, 5, 5, 5]


def test_a_birth_ends_the_wish_and_a_minute_without_one_begins_anew() -> None:
    asked = Rebirths()
    asked.want(A)
    assert asked.due(0) == [A]
    asked.born(A)
    assert asked.next_at() is None
    assert asked.due(500 * S) == []
    asked.want(A)
    assert asked.due(500 * S) == [A]
    asked.want(A)
    assert asked.next_at() == 502 * S


def test_nobody_is_asked_before_the_beginning() -> None:
    asked = Rebirths(begin=3 * S)
    asked.want(A)
    assert asked.due(2 * S) == []
    assert asked.next_at() == 3 * S


def test_another_session_does_not_ask_sooner() -> None:
    asked = Rebirths()
    asked.want(A)
    assert asked.due(0) == [A]
    asked.begin(S // 2)
    assert asked.next_at() is None
    asked.want(A)
    assert asked.due(S) == []
    assert asked.due(2 * S) == [A]


def test_one_that_must_wait_does_not_hold_up_the_others() -> None:
    asked = Rebirths()
    asked.want(A)
    asked.due(0)
    asked.want(A)
    asked.want(B)
    assert asked.due(S) == [B]


def test_nodes_that_never_answer_leave_the_others_their_turn() -> None:
    """Twenty requests a second are all there are."""
    asked, heard, now = Rebirths(), set[tuple[str, str]](), 0
    for i in range(300):
        asked.want(("g", f"deaf{i}"))
    while now < 20 * S:
        heard |= set(asked.due(now))
        if now == 10 * S:
            asked.want(A)
        now += STEP_NS
    assert len(heard) == 301


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3 * S), st.booleans()), max_size=60))
def test_whatever_is_wished_for_nobody_is_asked_twice_in_two_seconds(
    wishes: list[tuple[int, int, bool]],
) -> None:
    asked, now, last, any_last = Rebirths(), 0, dict[tuple[str, str], int](), -STEP_NS
    for who, step, is_born in wishes:
        now += step
        node = ("g", str(who))
        if is_born:
            asked.born(node)
        else:
            asked.want(node)
        for each in asked.due(now):
            assert now - last.get(each, -FIRST_NS) >= FIRST_NS
            assert now - any_last >= STEP_NS
            last[each] = any_last = now
    due = asked.next_at()
    assert due is None or due <= now + LONGEST_NS + STEP_NS
