"""F1: the OPC UA server's process is killed at random instants and started again."""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import pytest

from config.connections import OpcUaSource
from connectors import Batch, NotConnected, SystemClock, TagTable
from connectors.opcua import Kept, OpcUa
from gateway.buffer import MemoryBuffer
from gateway.collect import Collector
from gateway.supervise import Link, supervise
from tests.faults.opcua.lab import (
    Comings,
    Row,
    as_new_as,
    entered,
    options,
    read_until,
    rows,
    source,
    variables,
)
from tests.servers.node_opcua import node_server

pytestmark = pytest.mark.server

COUNT = 5
PUBLISH_S, PUBLISH = 0.25, "250ms"
SCALE = float(os.environ.get("WL_SCALE", "0.1"))
KILLS = max(3, round(100 * SCALE))
SUPERVISED = max(1, round(10 * SCALE))
AWAY_S = 20 * SCALE
WITHIN_S = 15.0
"""The longest back-off is 8 s; connecting and subscribing come on top."""


@pytest.mark.fault("F1")
@pytest.mark.timeout(60 + 20 * KILLS)
async def test_f1_a_server_that_is_killed_again_and_again_has_its_newest_values_read_at_once(
    tmp_path: Path, record_measure: Callable[..., None]
) -> None:
    seed, tags, kept, comings = random.randrange(2**32), TagTable(), Kept(), Comings()
    print(f"seed {seed}")
    chance, port = random.Random(seed), 0
    for kill in range(KILLS + 1):
        with ExitStack() as stack:
            start = node_server(
                tmp_path / "server", variables=COUNT, rateMs=50, **({"port": port} if port else {})
            )
            server = await asyncio.to_thread(stack.enter_context, start)
            port = server.port
            where = options(server.endpoint, variables(COUNT), publish=PUBLISH, keep_alive="1s")
            tick = (await asyncio.to_thread(server.ask, "state"))["tick"]
            comings.begin()
            it = await entered(lambda: comings.of(source(where, tmp_path, tags, kept)))  # noqa: B023  now
            try:
                await read_until(it, as_new_as(tick, COUNT))
                comings.end()
                if kill == KILLS:
                    break
                reading = asyncio.create_task(read_until(it, lambda _: False, within_s=60))
                await asyncio.sleep(chance.uniform(0, 0.3))  # the instant of the kill
                await asyncio.to_thread(server.kill)
                with pytest.raises(NotConnected):
                    await reading
            finally:
                await it.__aexit__(None, None, None)
    del comings.took[0]  # the first came before any kill
    record_measure(f"{KILLS} kills of its process: {comings.proven(PUBLISH_S, exactly=SCALE >= 1)}")


@asynccontextmanager
async def supervised(where: OpcUaSource, folder: Path) -> AsyncIterator[list[Row]]:
    """Collect from this server as the gateway does, while entered; yield the rows that are stored."""
    clock, tags, kept, stored = SystemClock(), TagTable(), Kept(), list[Row]()

    class Told(OpcUa):
        """Tells what is stored: that is acknowledged."""

        async def ack(self, batch: Batch) -> None:
            await super().ack(batch)
            stored.extend(rows(batch, tags))

    def opened() -> OpcUa:
        return Told("cell", where, gateway="g", site="s", tags=tags, clock=clock, directory=folder, kept=kept)

    async with MemoryBuffer(clock) as buffer:
        link = Link("cell", "source", clock)
        collector = Collector(link, opened, tags, buffer, clock)
        task = asyncio.create_task(supervise(link, collector.session, lost=collector.lost, strict=True))
        try:
            yield stored
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def seconds_until_stored(stored: list[Row], tick: int) -> float:
    """Return how long it takes until the newest values of all are stored; TimeoutError when too long."""
    loop, are = asyncio.get_running_loop(), as_new_as(tick, COUNT)
    began = loop.time()
    async with asyncio.timeout(WITHIN_S):
        while not are(stored):
            await asyncio.sleep(0.01)
    return loop.time() - began


@pytest.mark.fault("F1")
@pytest.mark.timeout(120 + 60 * SUPERVISED)
async def test_f1_the_gateway_by_itself_stores_newest_values_soon_after_a_killed_server_is_back(
    tmp_path: Path, record_measure: Callable[..., None]
) -> None:
    """By the real collector and its supervisor, which waits longer after each failure."""
    took: list[float] = []
    with ExitStack() as stack:
        server = await asyncio.to_thread(
            stack.enter_context, node_server(tmp_path / "server", variables=COUNT, rateMs=50)
        )
        where = options(server.endpoint, variables(COUNT), publish=PUBLISH, keep_alive="1s")
        async with supervised(where, tmp_path) as stored:
            await seconds_until_stored(stored, 0)
            for _ in range(SUPERVISED):
                await asyncio.to_thread(server.kill)
                await asyncio.sleep(AWAY_S)  # the fault itself
                again = node_server(tmp_path / "server", variables=COUNT, rateMs=50, port=server.port)
                server = await asyncio.to_thread(stack.enter_context, again)
                stored.clear()
                tick = (await asyncio.to_thread(server.ask, "state"))["tick"]
                took.append(await seconds_until_stored(stored, tick))
    record_measure(
        f"{SUPERVISED} kills of its process, away for {AWAY_S:.0f} s and more: newest values stored by the "
        f"gateway alone within {max(took):.1f} s of its return, no more than {WITHIN_S:.0f} s allowed"
    )
