"""A host hears the lab's edge nodes go wrong by a scenario: each value stands under its own name."""

from collections.abc import Callable

import pytest

from gateway.lab.edge_nodes import FAULTS, Nodes
from gateway.lab.scenario import Fault, Scenario
from tests.unit.sparkplug.hearing import MS, Hearing

APART = ("two_nodes", "not_protobuf", "half", "deaf")
"""What no host can tell from the node, what is no payload, and what is about commands: other tests'."""
FITS: dict[str, Callable[[float], bool]] = {
    "Power": lambda value: 40 <= value < 45,
    "Energy": lambda value: value >= 1000,
    "Running": lambda value: value in (0, 1),
    "Count": lambda value: 0 <= value < 1000,
}


@pytest.mark.fault("G4", "G7")
def test_of_everything_edge_nodes_do_wrong_no_value_is_read_under_another_name(
    record_measure: Callable[..., None],
) -> None:
    names = [name for name in FAULTS if name not in APART]
    faults = [
        Fault(fault=name, requests=range(3 + 4 * i, 100_000, 4 * len(names))) for i, name in enumerate(names)
    ]
    speaking, heard = Nodes(Scenario.of(faults, FAULTS), nodes=1), Hearing()
    rows = []
    # Later the simulated amounts meet, and so many faults have made the host see two nodes: it takes no more.
    messages = 500
    for i in range(messages):
        rows += heard.hear(*speaking.next(MS + 100 * i))
        rows += heard.wait(0.1)
        if heard.wishes:
            heard.wishes = 0
            rows += heard.hear(*speaking.nodes[0].born(MS + 100 * i))
    values = [(path.rpartition("/")[2], value) for path, value, _ in rows if value is not None]
    wrong = [(name, value) for name, value in values if not FITS[name](value)]
    assert wrong == []
    assert len(values) > messages
    record_measure(f"lab scenario of {len(names)} faults: {len(values)} values, 0 wrong", row="G7")
