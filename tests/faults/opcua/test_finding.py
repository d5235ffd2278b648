"""Nodes named by globs: found while data flow, known to the next session at once, and listed by a command."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from config.load import read_plant
from connectors import SystemClock, TagTable
from connectors.opcua import OpcUa
from connectors.opcua.resume import Kept
from connectors.quality import GOOD
from gateway.cli import app
from tests.faults.opcua.lab import options, read_until
from tests.servers.node_opcua import MACHINE, NodeServer, value_of

pytestmark = pytest.mark.server

COUNT = 60


def finder(
    server: NodeServer, folder: Path, tags: TagTable, kept: Kept, *globs: dict[str, Any], **more: Any
) -> OpcUa:
    where = options(server.endpoint, {"mine": "s=v0"}, globs=globs, **more)
    return OpcUa(
        "cell", where, gateway="g", site="s", tags=tags, clock=SystemClock(), directory=folder, kept=kept
    )


async def values_of(server: NodeServer, it: OpcUa, names: dict[str, int]) -> None:
    """Wait until a change of each of these variables, by tag name, has come."""
    tick = (await asyncio.to_thread(server.ask, "advance"))["tick"]
    wanted = {(name, value_of("Double", i, tick), GOOD) for name, i in names.items()}
    await read_until(it, lambda rows: wanted <= {row[:3] for row in rows})


@pytest.mark.fault("F4")
@pytest.mark.parametrize("read", ["subscribe", "poll"])
async def test_f4_a_glob_finds_nodes_within_a_servers_limits_and_the_next_session_knows_them(
    opcua_server: NodeServer, tmp_path: Path, read: str, record_measure: Callable[..., None]
) -> None:
    """Two nodes to a Browse, seven to a Read, four to a call of monitored items."""
    limits = {"maxNodesPerBrowse": 2, "maxNodesPerRead": 7, "maxMonitoredItemsPerCall": 4}
    await opcua_server.restart(variables=COUNT, extra=["number"], operations=limits)
    tags, kept = TagTable(), Kept()
    glob = {"glob": f"{{{MACHINE}}}Machine/v*", "unit": "V", "read": read, "scan": "50ms"}
    names = {"mine": 0} | {f"v{i}": i for i in range(1, COUNT)}
    async with finder(opcua_server, tmp_path, tags, kept, glob) as it:
        await read_until(it, lambda rows: {"mine", "v59"} <= {row[0] for row in rows})
        await values_of(opcua_server, it, names)
        assert {tags[n].name for n in tags.active().tolist()} == set(names)
        number = tags.number("s/a/l/d/v7")
        assert number is not None
        assert tags[number].unit == "VLT"
        assert (it.statistics()["polls"] > 0) == (read == "poll")
    assert len(kept.found) == COUNT - 1, "what the plant file names itself is not found once more"
    async with finder(opcua_server, tmp_path, tags, kept, glob) as it:
        assert len(it._setup.nodes) == COUNT, "known before anything is looked for"
        await values_of(opcua_server, it, names)
        while it._setup.finding.is_busy():
            await it._setup.find()
        assert len(kept.found) == COUNT - 1
    record_measure(f"{COUNT} of {COUNT} nodes read, {read}d", row="F4")


async def test_what_two_globs_or_two_nodes_would_call_the_same_is_one_tag_and_said(
    opcua_server: NodeServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await opcua_server.restart(variables=3, extra=["number"], twin=1, namespaces=[MACHINE, "urn:other"])
    globs = ({"glob": "Machine/*"}, {"glob": "Machine/v1"}, {"glob": "{urn:other}Machine/*", "most": 1})
    async with finder(opcua_server, tmp_path, TagTable(), kept := Kept(), *globs) as it:
        while it._setup.finding.is_busy():
            await it._setup.find()
        nodes = [(each.name, each.node.namespace) for each in kept.found]
        assert len(nodes) == len({name for name, _ in nodes})
        assert {"v1", "v2", "number"} <= {name for name, _ in nodes}
    assert "others have their names already" in caplog.text
    assert "no node of the server" not in caplog.text


async def test_a_glob_that_matches_nothing_is_said(
    opcua_server: NodeServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await opcua_server.be(variables=COUNT)
    globs = ({"glob": "Machine/v1"}, {"glob": "Objects/Machine/*"})
    async with finder(opcua_server, tmp_path, TagTable(), Kept(), *globs) as it:
        while it._setup.finding.is_busy():
            await it._setup.find()
    said = [vars(each)["glob"] for each in caplog.records if "no node of the server" in each.message]
    assert said == ["Objects/Machine/*"]


async def test_a_node_whose_name_a_part_of_an_array_has_gets_it(
    opcua_server: NodeServer, tmp_path: Path
) -> None:
    """Two numbers under one name would be wrong ones."""
    await opcua_server.restart(variables=1, extra=["array"])
    await asyncio.to_thread(opcua_server.ask, "add", name="array_1", dataType="Double", value=77)
    kept = Kept()
    async with finder(opcua_server, tmp_path, TagTable(), kept, {"glob": "Machine/array"}) as it:
        await read_until(it, lambda rows: "array_1" in {row[0] for row in rows})
    async with finder(opcua_server, tmp_path, it._tags, kept, {"glob": "Machine/array*"}) as it:
        found = await read_until(it, lambda rows: ("array_1", 77.0) in {row[:2] for row in rows})
        await asyncio.to_thread(
            opcua_server.ask, "setArray", name="array", dataType="Double", value=[5, 6, 7]
        )
        found = await read_until(it, lambda rows: ("array_2", 7.0) in {row[:2] for row in rows})
        assert ("array_1", 6.0) not in {row[:2] for row in found}


async def test_a_glob_takes_no_more_nodes_than_it_may_and_tags_of_before_stay_until_all_was_seen(
    opcua_server: NodeServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await opcua_server.be(variables=COUNT)
    tags = TagTable()
    async with finder(opcua_server, tmp_path, tags, Kept(), {"glob": "Machine/v*"}) as it:
        await read_until(it, lambda rows: len({row[0] for row in rows}) == COUNT)
    known = [(number, tags[number]) for number in tags.active().tolist()]
    again = TagTable(known)
    async with finder(opcua_server, tmp_path, again, Kept(), {"glob": "Machine/v*", "most": 5}) as it:
        assert len(again.active()) == COUNT, "Bad while the server is away, they would be"
        await read_until(it, lambda rows: len({row[0] for row in rows}) == 6)
        while it._setup.finding.is_busy():
            await it._setup.find()
        assert len(again.active()) == 6
    assert "more nodes match than may be taken" in caplog.text


async def test_the_command_lists_what_a_server_has_and_its_lines_are_a_plant_file(
    opcua_server: NodeServer, tmp_path: Path
) -> None:
    await opcua_server.restart(variables=3, extra=["analog", "matrix", "structure"])
    source: dict[str, Any] = {"kind": "opcua", "endpoint": opcua_server.endpoint, "security": "none"}
    file = tmp_path / "plant.yaml"

    def write(devices: dict[str, Any]) -> None:
        sources = {
            "plc": source | {"devices": devices},
            "sim": {"kind": "simulated", "devices": {"s": {"tags": {"a": {}}}}},
        }
        file.write_text(yaml.safe_dump({"gateway": {"id": "g", "site": "cz"}, "sources": sources}))

    async def ran(*arguments: str) -> Any:
        return await asyncio.to_thread(
            CliRunner().invoke, app, ["browse", str(file), *arguments, "--lang", "en"]
        )

    write({"d": {"nodes": [{"glob": "Machine/v*"}]}})
    said = await ran("plc", "Machine/*")
    assert said.exit_code == 0, said.output
    lines = {line.split()[0]: line for line in said.stdout.splitlines()}
    assert "Double      °C        read write" in lines["Machine/analog"]
    assert "Int16[][]" in lines["Machine/matrix"]
    assert f"nsu={MACHINE};s=v2" in lines["Machine/v2"]
    assert "6 variables." in said.stderr
    pasted = await ran("plc", "Machine/*", "--yaml")
    write(yaml.safe_load(pasted.stdout)["devices"])
    outcome = read_plant(file)
    assert outcome.plant is not None, outcome.problems
    tags: Any = outcome.plant.sources["plc"].devices["found"].tags
    assert tags["analog"].unit.symbol == "°C"
    assert len(tags) == 6
    assert (await ran("plc", "Nothing/**")).exit_code == 1
    assert "there may be more" in (await ran("plc", "Machine/*", "--most", "2")).stderr
    assert "is no path of browse names" in (await ran("plc", "a//b")).stderr
    assert "there is no source" in (await ran("nobody")).stderr
    assert "is no OPC UA source" in (await ran("sim")).stderr
