"""What begins anew when one plant file takes the place of another, and what does not."""

import json
from pathlib import Path

import pytest

from config.load import read_plant_bytes
from config.plant import Plant
from gateway.reload import Change, NeedsRestart, differences

DEVICE = {"tags": {"x": {}}}
BASE = {
    "gateway": {"id": "g", "site": "s"},
    "sources": {
        "one": {"kind": "simulated", "devices": {"a": DEVICE, "b": DEVICE}},
        "two": {"kind": "simulated", "devices": {"c": DEVICE}},
    },
    "sinks": {"cloud": {"kind": "mqtt", "host": "h"}},
}


def plant(*path: str, value: object = None, remove: bool = False) -> Plant:
    """The base with one place changed."""
    tree = json.loads(json.dumps(BASE))
    at = tree
    for key in path[:-1]:
        at = at.setdefault(key, {})
    if remove:
        del at[path[-1]]
    elif path:
        at[path[-1]] = value
    outcome = read_plant_bytes(json.dumps(tree).encode(), "plant.yaml", Path())
    assert outcome.plant is not None, outcome.problems
    return outcome.plant


MQTT = {"kind": "mqtt", "host": "elsewhere"}
CASES = {
    "nothing": ((), None, []),
    "a device": (
        ("sources", "one", "devices", "a", "scan"),
        "2s",
        [Change("source", "one", "changed", ("a",))],
    ),
    "a new device": (
        ("sources", "one", "devices", "z"),
        DEVICE,
        [Change("source", "one", "changed", ("z",))],
    ),
    "a new source": (
        ("sources", "new"),
        {"kind": "simulated", "devices": {"d": DEVICE}},
        [Change("source", "new", "added")],
    ),
    "a sink": (("sinks", "cloud"), MQTT, [Change("sink", "cloud", "changed")]),
    "one more sink": (("sinks", "more"), MQTT, [Change("sink", "more", "added")]),
    "the history": (("history", "enabled"), False, [Change("history", "", "removed")]),
    "how long it keeps": (("history", "raw"), "3d", [Change("history", "", "changed")]),
    "the page": (("page", "port"), 9000, [Change("page", "", "changed")]),
    "a formula": (
        ("derived", "sum", "tags", "both"),
        {"expression": "a.x + b.x"},
        [Change("derived", "", "added")],
    ),
    "the language": (("gateway", "language"), "zh", [Change("words", "", "changed")]),
}


@pytest.mark.parametrize("case", list(CASES))
def test_what_changed_begins_anew_and_nothing_else(case: str) -> None:
    path, value, expected = CASES[case]
    changed = plant(*path, value=value)
    assert list(differences(plant(), changed)) == expected
    back = {"added": "removed", "removed": "added", "changed": "changed"}
    assert [(each.part, each.name, each.how) for each in differences(changed, plant())] == [
        (each.part, each.name, back[each.how]) for each in expected
    ]


def test_a_source_of_another_kind_or_address_is_a_whole_other_connection() -> None:
    (change,) = differences(
        plant(), plant("sources", "one", value={"kind": "simulated", "devices": {"q": DEVICE}})
    )
    assert change.devices == ("a", "b", "q")
    modbus = {"kind": "modbus_tcp", "host": "h", "devices": {"a": {"tags": {"x": {"address": 1}}}}}
    (change,) = differences(plant(), plant("sources", "one", value=modbus))
    assert change == Change("source", "one", "changed")
    elsewhere = plant("sources", "one", value=modbus | {"host": "other"})
    assert list(differences(plant("sources", "one", value=modbus), elsewhere)) == [change]


@pytest.mark.parametrize(("path", "value"), [(("gateway", "id"), "other"), (("buffer", "keep"), "1h")])
def test_who_this_is_and_where_its_data_lie_is_not_changed_while_running(
    path: tuple[str, ...], value: str
) -> None:
    with pytest.raises(NeedsRestart) as refused:
        differences(plant(), plant(*path, value=value))
    assert refused.value.paths == (".".join(path) if path[0] == "gateway" else "buffer",)
