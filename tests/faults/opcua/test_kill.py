"""F1: the OPC UA server's process is killed at random instants and started again."""

import asyncio
import os
import random
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from connectors import NotConnected, TagTable
from connectors.opcua import Kept
from tests.faults.opcua.lab import all_of, entered, options, read_until, source, variables
from tests.servers.node_opcua import node_server, value_of

pytestmark = pytest.mark.server

COUNT = 5
PUBLISH_S, PUBLISH = 0.1, "100ms"
KILLS = max(3, round(100 * float(os.environ.get("WL_SCALE", "0.1"))))


@pytest.mark.fault("F1")
@pytest.mark.timeout(60 + 20 * KILLS)
async def test_f1_a_server_that_is_killed_again_and_again_has_its_newest_values_read_at_once(
    tmp_path: Path, record_measure: Callable[..., None]
) -> None:
    seed, tags, kept, took = random.randrange(2**32), TagTable(), Kept(), []
    print(f"seed {seed}")
    chance, loop, port = random.Random(seed), asyncio.get_running_loop(), 0
    for kill in range(KILLS + 1):
        with ExitStack() as stack:
            start = node_server(
                tmp_path / "server", variables=COUNT, rateMs=50, **({"port": port} if port else {})
            )
            server = await asyncio.to_thread(stack.enter_context, start)
            port = server.port
            where = options(server.endpoint, variables(COUNT), publish=PUBLISH, keep_alive="1s")
            # What is as new as this moment counts: what comes first may be it.
            tick = (await asyncio.to_thread(server.ask, "state"))["tick"]
            newest = {value_of("Double", 0, n) for n in range(tick, tick + 10_000)}
            began = loop.time()
            it = await entered(lambda: source(where, tmp_path, tags, kept))  # noqa: B023  now
            try:
                connected = loop.time()
                await read_until(it, lambda rows: any(row[1] in newest for row in rows))  # noqa: B023  now
                took.append((connected - began, loop.time() - connected))
                await read_until(it, all_of(COUNT))
                if kill == KILLS:
                    break
                reading = asyncio.create_task(read_until(it, lambda _: False, within_s=60))
                await asyncio.sleep(chance.uniform(0, 0.3))  # the instant of the kill
                await asyncio.to_thread(server.kill)
                with pytest.raises(NotConnected):
                    await reading
            finally:
                await it.__aexit__(None, None, None)
    waits, back = zip(*took[1:], strict=True)
    within = sum(each <= 2 * PUBLISH_S for each in back)
    record_measure(
        f"{KILLS} kills of its process: values back within two publishing intervals of a connection after "
        f"{within}, at most {max(back) * 1000:.0f} ms; connected within {max(waits):.2f} s"
    )
