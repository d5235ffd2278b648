"""What is asked of the server for each node: its interval, its queue, its deadband, and who is polled."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from connectors.quality import GOOD
from tests.faults.opcua.lab import all_of, options, read_until, source, variables
from tests.servers.node_opcua import NodeServer, value_of

pytestmark = pytest.mark.server


async def _values_told(server: NodeServer, tmp_path: Path, tag: dict[str, Any]) -> tuple[list[float], dict]:
    """Let the analog item take a few values, and return those the server told with what was counted."""
    await server.be(variables=1, extra=["analog", "number"])
    nodes = {"v0": "s=v0", "a": {"node": "s=analog", **tag}}
    async with source(options(server.endpoint, nodes), tmp_path) as it:
        await read_until(it, all_of(2))
        told = []
        for value in (50.0, 51.0, 53.0, 58.0, 58.5):
            await asyncio.to_thread(server.ask, "set", name="analog", dataType="Double", value=value)
            # What was not told by the time another node's change has come is not told.
            await asyncio.to_thread(server.ask, "advance")
            tick = (await asyncio.to_thread(server.ask, "state"))["tick"]
            last = ("v0", value_of("Double", 0, tick), GOOD)
            found = await read_until(it, lambda rows, last=last: last in {row[:3] for row in rows})
            told += [row[1] for row in found if row[0] == "a"]
        return told, it.statistics()


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ({}, [51.0, 53.0, 58.0, 58.5]),
        ({"server_deadband": 2.5}, [53.0, 58.0]),
        ({"server_deadband": "2%"}, [58.0]),
        ({"server_deadband": "2%", "read": "poll", "scan": "10ms"}, None),
    ],
    ids=["none", "absolute", "a share of EURange", "polled all the same"],
)
async def test_the_server_reports_only_changes_beyond_the_deadband(
    opcua_server: NodeServer, tmp_path: Path, tag: dict[str, Any], expected: list[float] | None
) -> None:
    """EURange is 0 to 200, so 2 % is 4."""
    told, counted = await _values_told(opcua_server, tmp_path, tag)
    if expected is None:
        assert counted["polls"] > 0
        assert {51.0, 53.0, 58.0, 58.5} <= set(told)
    else:
        assert list(dict.fromkeys(each for each in told if each != 50.0)) == expected
        assert counted["polls"] == 0
    assert counted["refused_deadbands"] == 0


async def test_a_share_of_a_range_that_is_not_there_is_named_and_everything_comes(
    opcua_server: NodeServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A text can't have a deadband either; neither is lost, nor polled."""
    await opcua_server.restart(variables=2, types=["Double", "String"])
    nodes = {f"v{i}": {"node": f"s=v{i}", "server_deadband": wanted} for i, wanted in enumerate(("5%", 1))}
    async with source(options(opcua_server.endpoint, nodes), tmp_path) as it:
        await read_until(it, all_of(2))
        tick = (await asyncio.to_thread(opcua_server.ask, "advance"))["tick"]
        wanted = {("v0", value_of("Double", 0, tick)), ("v1", value_of("String", 1, tick))}
        await read_until(it, lambda rows: wanted <= {row[:2] for row in rows})
        assert it.statistics()["refused_deadbands"] == 2
        assert it.statistics()["polls"] == 0
    assert "all changes come" in caplog.text
    assert [record.tags for record in caplog.records if "all changes" in record.message] == [2]


async def test_what_the_server_revises_is_told_and_counted(
    opcua_server: NodeServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    await opcua_server.restart(variables=4, minimumSamplingMs=100)
    nodes = {f"v{i}": {"node": f"s=v{i}", "scan": f"{10 + 190 * (i % 2)}ms"} for i in range(4)}
    async with source(options(opcua_server.endpoint, nodes, queue=100_000), tmp_path) as it:
        await read_until(it, all_of(4))
        assert it.statistics()["revised_intervals"] == 2
        assert it.statistics()["revised_queues"] == 4
    told = {record.message: record for record in caplog.records}
    assert told["the server samples some nodes at another interval"].revised_ms == 100
    assert told["the server keeps shorter queues than asked for some nodes"].asked == 100_000


async def test_one_device_has_nodes_that_are_subscribed_and_nodes_that_are_polled(
    opcua_server: NodeServer, tmp_path: Path
) -> None:
    """The tag's word is before the device's, the device's before the connection's."""
    await opcua_server.be(variables=4)
    nodes: dict[str, Any] = variables(4) | {"v1": {"node": "s=v1", "read": "subscribe"}}
    async with source(options(opcua_server.endpoint, nodes, read="poll", scan="50ms"), tmp_path) as it:
        await read_until(it, lambda rows: sum(row[0] == "v0" for row in rows) > 3)
        tick = (await asyncio.to_thread(opcua_server.ask, "advance"))["tick"]
        wanted = {(f"v{i}", value_of("Double", i, tick)) for i in range(4)}
        found = await read_until(it, lambda rows: wanted <= {row[:2] for row in rows})
        assert sum(row[0] == "v1" for row in found) == 1
        assert [item.is_polled for item in it._items.items] == [True, False, True, True]
