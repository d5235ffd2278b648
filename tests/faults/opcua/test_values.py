"""Arrays, matrices, structures and enumerations of node-opcua's server: taken apart into single values."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connectors import Kind, TagTable
from connectors.quality import (
    BAD_DATA_TYPE_ID_UNKNOWN,
    BAD_INDEX_RANGE_NO_DATA,
    BAD_TYPE_MISMATCH,
    GOOD,
)
from tests.faults.opcua.lab import Row, options, read_until, source, variables
from tests.servers.node_opcua import NodeServer

pytestmark = pytest.mark.server

EXTRAS = ["array", "matrix", "ranges", "unit", "texts", "uuid", "enumeration", "structure"]
SERVER = "nsu=http://opcfoundation.org/UA/;i="
WANTED: dict[str, Any] = {
    "array_0": 1.0, "array_1": 2.0, "array_2": 3.0,
    "matrix_0_0": 1.0, "matrix_0_2": 3.0, "matrix_1_0": 4.0, "matrix_1_2": 6.0,
    "ranges_0.Low": 5.0, "ranges_0.High": 9.0, "ranges_1.Low": 6.0,
    "unit.UnitId": 4408652.0, "unit.DisplayName": "°C",
    "texts_0": "一", "texts_1": "two",
    "uuid": "72962b91-fa75-4ae6-8d28-b404dc7daf63",
    "enumeration": "Failed", "state": 0.0, "state.text": "Running",
    "status.State": 0.0, "status.State.text": "Running", "status.BuildInfo.ProductName": "NodeOPCUA-Server",
    "namespaces_0": "http://opcfoundation.org/UA/",
}  # fmt: skip


def told(rows: list[Row]) -> dict[str, tuple[Any, int]]:
    """Return the newest of each tag."""
    return {name: (value, quality) for name, value, quality, _ in rows}


def has(wanted: dict[str, tuple[Any, int]]) -> Callable[[list[Row]], bool]:
    return lambda rows: wanted.items() <= told(rows).items()


@pytest.mark.fault("F6")
@pytest.mark.parametrize("read", ["subscribe", "poll"])
async def test_f6_arrays_and_structures_are_single_values_and_cost_the_others_nothing(
    opcua_server: NodeServer, tmp_path: Path, read: str, record_measure: Callable[..., None]
) -> None:
    """Structures as the server itself explains them, nested, with enumerations, times and texts."""
    await opcua_server.be(variables=2, extra=EXTRAS)
    nodes: dict[str, Any] = variables(2) | {name: f"s={name}" for name in EXTRAS}
    nodes |= {
        "enumeration": {"node": "s=enumeration", "enums": "text"},
        "state": {"node": f"{SERVER}2259", "enums": "both"},
        "status": {"node": f"{SERVER}2256", "enums": "both"},
        "namespaces": f"{SERVER}2255",
    }
    tags = TagTable()
    async with source(options(opcua_server.endpoint, nodes, read=read, scan="50ms"), tmp_path, tags) as it:
        wanted = {name: (value, GOOD) for name, value in WANTED.items()}
        rows = await read_until(it, lambda rows: len(wanted.items() & told(rows).items()) == len(wanted))
        found = told(rows)
        assert found["status.StartTime"][0].endswith("Z")
        assert {"v0", "v1"} <= found.keys()
        kinds = {tags[n].name: tags[n].kind for n in tags.active().tolist()}
        assert (kinds["matrix_1_1"], kinds["status.StartTime"]) == (Kind.INT32, Kind.TEXT)
        own = {"array", "matrix", "structure", "status", "unit"}
        assert not own & kinds.keys()
        assert not own & found.keys()
        assert it.statistics()["unsupported"] == it.statistics()["type_mismatches"] == 0
        assert (it.statistics()["polls"] > 0) == (read == "poll")
        record_measure(f"{len(nodes)} nodes, {len(found)} single values, all Good", row="F6")


@pytest.mark.fault("F6")
async def test_f6_an_array_that_grows_brings_tags_and_one_that_shrinks_says_so_once(
    opcua_server: NodeServer, tmp_path: Path
) -> None:
    await opcua_server.restart(variables=1, extra=["array"])
    nodes: dict[str, Any] = {"array": {"node": "s=array", "unit": "V", "scale": 2, "elements": 4}}
    tags = TagTable()

    async def become(value: list[float]) -> None:
        await asyncio.to_thread(opcua_server.ask, "setArray", name="array", dataType="Double", value=value)

    async with source(options(opcua_server.endpoint, nodes), tmp_path, tags) as it:
        await read_until(it, has({f"array_{i}": (i + 1.0, GOOD) for i in range(3)}))
        await become([7, 8, 9, 10, 11, 12])
        rows = await read_until(it, has({f"array_{i}": (i + 7.0, GOOD) for i in range(4)}))
        assert "array_4" not in told(rows)
        assert it.statistics()["cut"] == 1
        await become([1])
        gone = {f"array_{i}": (0.0, BAD_INDEX_RANGE_NO_DATA) for i in (1, 2, 3)}
        await read_until(it, has({"array_0": (1.0, GOOD), **gone}))
        await become([2, 3])
        rows = await read_until(it, has({"array_0": (2.0, GOOD), "array_1": (3.0, GOOD)}))
        assert {name for name, *_ in rows} == {"array_0", "array_1"}
        await asyncio.to_thread(opcua_server.ask, "set", name="array", dataType="Double", value=5.5)
        await read_until(it, has({"array": (5.5, GOOD), "array_0": (0.0, BAD_INDEX_RANGE_NO_DATA)}))
        number = tags.number("s/a/l/d/array_0")
        assert number is not None
        assert (tags[number].unit, tags[number].scale) == ("VLT", 2.0)
    # A new session knows them before it is connected: they can be Bad while the server is away.
    it = source(options("opc.tcp://127.0.0.1:1", nodes), tmp_path, tags)
    it._items.announce_known(tags)
    assert {tags[n].name for n in tags.active().tolist()} == {f"array_{i}" for i in range(4)}


@pytest.mark.fault("F6")
async def test_f6_a_number_that_becomes_an_array_is_bad_under_its_own_name(
    opcua_server: NodeServer, tmp_path: Path
) -> None:
    await opcua_server.restart(variables=1, extra=["changing"])
    async with source(options(opcua_server.endpoint, {"c": "s=changing"}), tmp_path) as it:
        await read_until(it, has({"c": (1.5, GOOD)}))
        await asyncio.to_thread(
            opcua_server.ask, "setArray", name="changing", dataType="Double", value=[3, 4]
        )
        await read_until(it, has({"c": (0.0, BAD_TYPE_MISMATCH), "c_0": (3.0, GOOD), "c_1": (4.0, GOOD)}))


@pytest.mark.fault("F6")
async def test_f6_a_structure_nobody_explains_is_bad_and_named(
    opcua_server: NodeServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A server of before 1.04 has no definitions to tell; Range every client knows."""

    async def nothing(*_: Any) -> dict[Any, Any]:
        return {}

    monkeypatch.setattr("connectors.opcua.types.learning._definitions", nothing)
    await opcua_server.be(variables=2, extra=EXTRAS)
    nodes = {"status": f"{SERVER}2256", "range": "s=structure", "v0": "s=v0"}
    async with source(options(opcua_server.endpoint, nodes), tmp_path) as it:
        await read_until(it, has({"status": (0.0, BAD_DATA_TYPE_ID_UNKNOWN), "range.Low": (1.0, GOOD)}))
    assert "does not explain some structures" in caplog.text
