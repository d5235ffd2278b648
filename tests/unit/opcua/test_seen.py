"""What a walk through a server has seen, remembered in little."""

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from connectors.opcua.browse.seen import Seen


@given(st.lists(st.sampled_from("abcdefghij")))
def test_it_is_a_set_that_only_grows(things: list[str]) -> None:
    seen, model = Seen(), set[str]()
    for thing in things:
        assert (thing in seen) == (thing in model)
        assert seen.add(thing) == (thing not in model)
        model.add(thing)
        assert len(seen) == len(model)


def test_a_hundred_thousand_nodes_are_remembered_in_a_megabyte_and_a_half() -> None:
    tracemalloc.start()
    seen = Seen()
    for number in range(100_000):
        assert seen.add((b"\x02\x01\x00" + number.to_bytes(4, "little"), frozenset({1})))
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(seen) == 100_000
    assert not seen.add((b"\x02\x01\x00" + (77).to_bytes(4, "little"), frozenset({1})))
    assert (b"", frozenset({1})) not in seen
    assert kept < 1_500_000
