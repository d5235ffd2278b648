"""A metered line: what moves is counted as the network counts it; a cap stops a sink and loses no row."""

import asyncio
import json
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from connectors import Context, TagTable
from connectors.factory import build_sink
from gateway.buffer import MemoryBuffer
from gateway.forward import Forwarder
from gateway.metered import Days, Meter
from gateway.select import Rules, Selection
from gateway.supervise import Link, LinkState, supervise
from tests.fakes import batch_of, simple_tags
from tests.network import own_network, rule
from tests.servers.broker import Broker
from tests.servers.scripted_broker import ScriptedBroker
from tests.unit.mqtt.plant import delivery, options, sink, until

pytestmark = pytest.mark.server
CAP = 100_000
ROWS = 200


def carried() -> int:
    """Return the bytes of IP that the rules of this namespace have counted."""
    told = subprocess.run(["iptables", "-w", "-nvxL", "INPUT"], check=True, capture_output=True, text=True)
    return sum(int(line.split()[1]) for line in told.stdout.splitlines()[2:])


def told(broker: ScriptedBroker) -> set[float]:
    """Return every value the broker has been told."""
    data = [json.loads(p.payload) for p in broker.published if p.topic == "wanglian/s/a/l/d"]
    return {value for each in data for value in each["v"]}


@pytest.mark.parametrize("how", ["plain", "websocket"])
async def test_bytes_are_counted_as_the_network_counts_them(tmp_path: Path, how: str) -> None:
    websocket = {"websocket": "/mqtt"} if how == "websocket" else {}
    with (
        own_network(),
        Broker(tmp_path, websocket=bool(websocket)) as broker,
        rule("-p", "tcp", "--dport", str(broker.port)),
        rule("-p", "tcp", "--sport", str(broker.port)),
    ):
        mqtt = sink(broker.port, **websocket)
        for seq in range(1, 4):  # three sessions
            async with mqtt:
                for piece in range(50):
                    await mqtt.write([delivery(100 * seq + piece, 10)])
        real = carried()
        assert real > 50_000
        assert abs(mqtt.traffic() - real) < 0.02 * real


async def test_a_daily_cap_stops_a_sink_and_loses_nothing(tmp_path: Path, clock: Any) -> None:
    tags = TagTable()
    tags.announce(simple_tags())
    opened = options(1, daily_cap="100kB")
    async with ScriptedBroker() as broker, MemoryBuffer(clock) as buffer:
        opened = opened.model_copy(update={"port": broker.port})
        with Days(tmp_path, clock, ZoneInfo("Asia/Shanghai")) as days:
            built = build_sink("cloud", opened, site="s", context=Context("g", tags, clock))
            cursor = buffer.cursor("cloud", built.order, start="oldest")
            link = Link("cloud", "sink", clock)
            meter = Meter("cloud", built, days, peer="h:1", cap=opened.daily_cap)
            selection = Selection(Rules("cloud", opened.select, tags))
            forwarder = Forwarder(link, built, cursor, selection, clock, meter=meter)
            waits: list[float] = []

            async def moment(seconds: float) -> None:
                waits.append(seconds)
                await asyncio.sleep(0.02)

            supervised = supervise(link, forwarder.session, strict=True, sleep=moment)
            running = asyncio.create_task(supervised)
            try:
                stored = 0
                while link.state is not LinkState.WAITING:
                    values = [float(stored + i) for i in range(3)]
                    await (await buffer.append("meters", batch_of(values)))
                    stored += 3
                    assert stored < 50_000
                    await asyncio.sleep(0.001)  # or it would run ahead of what is sent
                assert "the daily cap of 0.1 MB is used up" in link.error
                assert CAP <= meter.today() < 1.2 * CAP
                for _ in range(ROWS):
                    await (await buffer.append("meters", batch_of([float(stored)])))
                    stored += 1
                met = len(broker.connects)
                await until(lambda: len(waits) >= 3)
                assert len(broker.connects) == met, "it dials while the cap holds"
                assert cursor.backlog().rows >= ROWS
                assert max(waits) > 8
                for _ in range(100):  # what waits may take more than one day's share
                    clock.move(86_400)
                    await until(lambda: link.state is LinkState.CONNECTED)
                    await until(lambda: not cursor.backlog().rows or link.state is LinkState.WAITING)
                    assert meter.today() < 1.2 * CAP
                    if not cursor.backlog().rows:
                        break
                assert not cursor.backlog().rows  # the last of it may just have used up that day, too
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
        assert link.counts.get("quarantined", 0) == 0
        assert told(broker) == {float(i) for i in range(stored)}


async def test_after_an_outage_live_values_have_the_rest_of_the_day(tmp_path: Path, clock: Any) -> None:
    tags = TagTable()
    tags.announce(simple_tags())
    zone = ZoneInfo("Asia/Shanghai")
    clock.wall = int(datetime(2026, 11, 29, 6, tzinfo=zone).timestamp() * 1e9)
    async with ScriptedBroker() as broker, MemoryBuffer(clock) as buffer:
        opened = options(broker.port, daily_cap="100kB")
        with Days(tmp_path, clock, zone) as days:
            built = build_sink("cloud", opened, site="s", context=Context("g", tags, clock))
            cursor = buffer.cursor("cloud", built.order, start="oldest")
            link = Link("cloud", "sink", clock)
            meter = Meter("cloud", built, days, peer="h:1", cap=opened.daily_cap)
            cursor.holds_back = meter.backlog_waits
            for i in range(2_000):
                await (await buffer.append("meters", batch_of([float(i)], time=clock.wall)))
            clock.move(60)
            selection = Selection(Rules("cloud", opened.select, tags))
            forwarder = Forwarder(link, built, cursor, selection, clock, meter=meter)
            running = asyncio.create_task(forwarder.session())
            try:
                await until(lambda: meter.today() > CAP / 4)
                for i in range(20):  # live values pass at once, the backlog has had its share
                    live = 10_000.0 + i
                    await (await buffer.append("meters", batch_of([live], time=clock.wall)))
                    await until(lambda live=live: live in told(broker))  # type: ignore[misc]
                assert CAP / 4 < meter.today() < 0.4 * CAP
                assert cursor.backlog().rows > 1_000
                clock.move(6 * 3600)
                await (await buffer.append("meters", batch_of([1.0], time=clock.wall)))
                await until(lambda: meter.today() > CAP / 2)
                assert link.state is LinkState.CONNECTED
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
