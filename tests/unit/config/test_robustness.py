"""Any bytes, anything like YAML, any options: a plant or a configuration error, never another exception."""

from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.load import read_plant_bytes

PLANTS = Path(str(resources.files("config") / "data" / "plants"))
HEAD = "gateway: {id: g1, site: cz}\n"
MODBUS = "sources:\n  meters:\n    kind: modbus_tcp\n    host: 10.0.0.5\n    devices:\n"


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_a_plant_or_a_configuration_error(data: bytes) -> None:
    outcome = read_plant_bytes(data, "p", Path("/nowhere"))
    for problem in outcome.problems:
        problem.render("zh")
        problem.render("en")


DEMO = (PLANTS / "demo.yaml").read_bytes()


@pytest.mark.fault("H1")
@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(DEMO)), st.integers(0, 30), st.binary(max_size=8)), max_size=3),
)
def test_a_mangled_plant_file_is_a_plant_or_a_configuration_error(edits: Any) -> None:
    data = DEMO
    for at, length, new in edits:
        data = data[:at] + new + data[at + length :]
    outcome = read_plant_bytes(data, "p", Path("/nowhere"))
    assert outcome.plant is not None or outcome.problems
    for problem in outcome.problems:
        assert problem.code != "E-CF-0199"
        problem.render("zh")


KEYS = st.sampled_from(
    [
        "gateway",
        "id",
        "site",
        "sources",
        "kind",
        "host",
        "devices",
        "tags",
        "address",
        "type",
        "unit",
        "count",
        "scale",
        "limits",
        "low",
        "high",
        "was",
        "at",
        "sinks",
        "select",
        "path",
        "class",
        "every",
        "as",
        "password",
        "tls",
        "key",
        "buffer",
        "keep",
        "max_bytes",
        "template",
        "m_{1..3}",
        "a",
        "library",
        "deadband",
        "language",
        "time_zone",
        "port",
        "bit",
        "length",
        "order",
        "not_available",
        "_x",
    ]
)
SCALARS = st.one_of(
    st.sampled_from(
        [
            "modbus_tcp",
            "simulated",
            "mqtt",
            "g1",
            "5s",
            "1%",
            "kWh",
            "0",
            "1",
            "-1",
            "70000",
            "true",
            "yes",
            "null",
            "4x00001",
            "${env:HOME}",
            "${x}",
            "**",
            "a/b",
            "eastron/sdm120",
            "float32",
            "bool",
            "string",
            "10MiB",
            ".nan",
            "1e999",
            "[]",
            "{}",
            "''",
            "~",
            "&a",
            "*a",
            "!!int",
            "<<",
        ]
    ),
    st.text(max_size=6),
    st.integers().map(str),
)


def flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow(each)}" for key, each in value.items()) + "}"
    return "[" + ", ".join(map(flow, value)) + "]" if isinstance(value, list) else value


YAMLISH = st.recursive(
    SCALARS, lambda inner: st.dictionaries(KEYS, inner, max_size=5) | st.lists(inner, max_size=3)
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(["gateway", "sources", "sinks", "buffer"]), YAMLISH))
def test_anything_like_a_plant_file_is_a_plant_or_a_configuration_error(tree: dict[str, Any]) -> None:
    text = "".join(f"{key}: {flow(value)}\n" for key, value in tree.items())
    outcome = read_plant_bytes(text.encode("utf-8", "surrogatepass"), "p", Path("/nowhere"))
    for problem in outcome.problems:
        assert problem.line >= 1
        assert problem.column >= 1
        assert problem.code != "E-CF-0199"
        problem.render("zh")
        problem.render("en")


TAGS = st.dictionaries(
    st.sampled_from(
        [
            "address",
            "type",
            "unit",
            "count",
            "scale",
            "limits",
            "deadband",
            "was",
            "bit",
            "length",
            "order",
            "not_available",
            "class",
            "x",
        ]
    ),
    SCALARS | st.integers(-10, 70_000).map(str),
    max_size=6,
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(st.sampled_from(["u", "v", "v_1", "_x"]), TAGS),
    st.dictionaries(KEYS, SCALARS, max_size=4),
)
def test_any_tags_and_device_options_are_a_plant_or_a_configuration_error(
    tags: dict[str, Any], options: dict[str, Any]
) -> None:
    device = {**options, "tags": tags}
    text = HEAD + MODBUS + f"      m1: {flow(device)}\n      m_{{1..3}}: {flow(device)}\n"
    outcome = read_plant_bytes(text.encode("utf-8", "surrogatepass"), "p", Path("/nowhere"))
    for problem in outcome.problems:
        assert problem.code != "E-CF-0199"
        problem.render("zh")
