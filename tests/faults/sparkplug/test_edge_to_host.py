"""Our edge node read by our own host: what one gateway has, another gets, through a broker."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from config.connections import SparkplugSource
from connectors import Batch, Kind, Origin, SystemClock, TagTable
from connectors.sparkplug import Sparkplug
from tests.faults.sparkplug.edge import Edge
from tests.servers.broker import Broker
from tests.unit.sparkplug.edge.hosted import GONE

pytestmark = pytest.mark.server
STALE = 0x40900000
Row = tuple[str, Any, int, Origin]


async def test_values_units_quality_and_history_come_through_to_a_host_of_our_own(tmp_path: Path) -> None:
    heard: list[Row] = []
    with Broker(tmp_path / "broker", settings=("log_type error",)) as broker:
        options = SparkplugSource.model_validate(
            {"kind": "sparkplug", "host": "127.0.0.1", "port": broker.port, "nodes": [{}]}
        )
        table = TagTable()
        host = Sparkplug("in", options, gateway="scada", site="s", tags=table, clock=SystemClock(), kept={})
        edge = Edge(broker.port, tmp_path, primary_host="scada")
        edge.made.announce("m/p", unit="KWT")
        edge.made.announce("m/l", kind=Kind.INT64, unit="C62")
        edge.made.announce("m/u", kind=Kind.UINT64, unit="KWH")
        edge.made.announce("m/b", kind=Kind.BOOL, unit="C62")
        edge.made.announce("m/t", kind=Kind.TEXT, unit="C62")

        async def listen() -> None:
            while True:
                batch = await host.read()
                heard.extend(_rows(table, batch))
                await host.ack(batch)

        async with asyncio.timeout(40), host, edge.running(), asyncio.TaskGroup() as tasks:
            listening = tasks.create_task(listen())
            await edge.read(
                ("m/p", 1, 1.5, 0), ("m/l", 1, -(2**62), 0), ("m/u", 1, -1, 0), ("m/b", 1, 1.0, 0),
                ("m/t", 1, "läuft", 0),
            )  # fmt: skip
            await edge.read(("m/p", 2, 2.5, STALE))
            await edge.read(("m/p", 0, 0.5, 0), historical=True)
            await edge.read(*((f"m/{name}", 3, "" if name == "t" else 0, GONE) for name in "plubt"))
            await edge.read(("m/p", 4, 4.5, 0))
            while ("p", 4.5, 0, Origin.LIVE) not in heard:
                await asyncio.sleep(0.005)
            listening.cancel()
    units = {table[n].name: table[n].unit for n in table.active().tolist()}
    assert units["p"] == "KWT"
    assert units["u"] == "KWH"
    assert {("p", 1.5, 0, Origin.LIVE), ("l", -(2**62), 0, Origin.LIVE), ("u", -1, 0, Origin.LIVE)} <= {
        *heard
    }
    assert {("b", 1.0, 0, Origin.LIVE), ("t", "läuft", 0, Origin.LIVE)} <= {*heard}
    assert ("p", 2.5, STALE, Origin.LIVE) in heard
    assert ("p", 0.5, 0, Origin.BACKFILL) in heard
    live = [
        (value, quality >> 30)
        for name, value, quality, origin in heard
        if name == "p" and origin is Origin.LIVE
    ]
    # A birth tells the value that comes as data behind it, too.
    assert list(dict.fromkeys(value for value, severity in live if severity == 0)) == [1.5, 4.5]
    assert live[-1] == (4.5, 0)
    assert any(severity == 2 for _, severity in live[-5:-1])  # the device's death
    counts = host.statistics()
    assert (counts["missed"], counts["before_birth"], counts["unknown_aliases"]) == (0, 0, 0)


def _rows(table: TagTable, batch: Batch) -> list[Row]:
    return [
        (table[tag].name, value, quality, batch.origin)
        for part in batch.parts
        for tag, value, quality in zip(
            part.tag.tolist(), part.value.tolist(), part.quality.tolist(), strict=True
        )
    ]
