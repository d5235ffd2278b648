"""Over TCP: what a network does to a connection, and how soon the values are back after it."""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Self

import pytest

from config.connections import ModbusTcpSource
from connectors import Batch, NotConnected, SystemClock, TagTable
from connectors.modbus import Modbus, TcpLine
from connectors.quality import GOOD
from gateway.buffer import MemoryBuffer
from gateway.collect import Collector
from gateway.lab.modbus import frames
from gateway.lab.modbus.replies import honest
from gateway.lab.modbus.tcp import TcpEquipment
from gateway.lab.proxy import Proxy
from gateway.lab.weather import Weather
from gateway.supervise import Link, supervise
from tests.faults.modbus.lab import device

SCALE = float(os.environ.get("WL_SCALE", "0.1"))
PATIENCE_S = 30.0
"""For what is no measure: a busy machine is slow, not wrong."""
BACK_S = 10.0
"""What the matrix says of a connection that was lost."""


def opened(proxy: Proxy, tags: TagTable, timeout: str) -> Modbus:
    """Return a source of one device behind the proxy."""
    options = ModbusTcpSource.model_validate(
        {
            "kind": "modbus_tcp",
            "host": "127.0.0.1",
            "port": proxy.port,
            "timeout": timeout,
            "devices": {"m": device(scan="20ms")},
        }
    )
    return Modbus("line", options, TcpLine(options), site="s", tags=tags, clock=SystemClock())


class Seen:
    """What has been read."""

    good = wrong = 0

    def take(self, batch: Batch) -> None:
        for part in batch.parts:
            for address, (value, quality) in enumerate(
                zip(part.value.tolist(), part.quality.tolist(), strict=True)
            ):
                if quality == GOOD:
                    self.good += 1
                    self.wrong += value != frames.register(1, address)


class Watched(Seen):
    """A supervised source behind a proxy."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy

    async def good_again(self, within_s: float) -> float:
        """Return after how long good rows came; TimeoutError when they did not."""
        loop = asyncio.get_running_loop()
        before, began = self.good, loop.time()
        async with asyncio.timeout(within_s):
            while self.good == before:
                await asyncio.sleep(0.005)
        return loop.time() - began


@asynccontextmanager
async def watched(**equipment: Any) -> AsyncIterator[Watched]:
    clock = SystemClock()
    async with (
        TcpEquipment(honest, keep=False, **equipment) as devices,
        Proxy("127.0.0.1", devices.port) as proxy,
        MemoryBuffer(clock) as buffer,
    ):
        it, tags = Watched(proxy), TagTable()

        class Read:
            """A source that shows what it reads."""

            def __init__(self) -> None:
                self._inner = opened(proxy, tags, "500ms")
                self.ack = self._inner.ack

            async def __aenter__(self) -> Self:
                await self._inner.__aenter__()
                return self

            async def __aexit__(self, *exc: object) -> None:
                await self._inner.__aexit__(*exc)

            async def read(self) -> Batch:
                batch = await self._inner.read()
                it.take(batch)
                return batch

        link = Link("line", "source", clock)
        collector = Collector(link, Read, tags, buffer, clock)
        task = asyncio.create_task(supervise(link, collector.session, lost=collector.lost, strict=True))
        try:
            yield it
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def reset(proxy: Proxy) -> None:
    await proxy.reset()


async def cut(proxy: Proxy) -> None:
    await proxy.cut()
    await proxy.mend()


async def half_open(proxy: Proxy) -> None:
    await proxy.abandon()


async def black_hole(proxy: Proxy) -> None:
    proxy.weather = Weather(black_hole=True)
    await asyncio.sleep(1.5)  # the fault itself: longer than the source waits
    proxy.weather = Weather()


async def dripping(proxy: Proxy) -> None:
    proxy.weather = Weather(slice=1, pause=0.2, direction="down")
    await asyncio.sleep(1.5)
    proxy.weather = Weather()


@pytest.mark.fault("D11")
@pytest.mark.parametrize("happens", [reset, cut, half_open, black_hole, dripping])
@pytest.mark.parametrize("most_connections", [1, 1000])
async def test_d11_values_are_back_by_themselves_after_a_bad_network(
    happens: Callable[[Proxy], Any], most_connections: int, record_measure: Callable[..., None]
) -> None:
    async with watched(most_connections=most_connections) as it:
        await it.good_again(PATIENCE_S)
        await happens(it.proxy)
        ended = time.monotonic()
        await it.good_again(PATIENCE_S)
        # A hole or a drip may be outlived by the connection; of the others a value may still be under way.
        while it.proxy.connections < 2 and happens not in (black_hole, dripping):
            await it.good_again(PATIENCE_S)
        took = time.monotonic() - ended
        assert it.wrong == 0
    assert took <= BACK_S
    if most_connections == 1:
        record_measure(f"{happens.__name__.replace('_', ' ')}: back after {took:.1f} s")


@pytest.mark.fault("D3", "D4")
@pytest.mark.timeout(600)
async def test_d3_d4_no_value_is_wrong_in_a_late_and_holed_stream(
    record_measure: Callable[..., None],
) -> None:
    """As behind a serial server that loses bytes, with replies that come after their timeout.

    A turned bit in a value nobody can see over TCP.
    """
    seed, lost, most = random.randrange(2**32), 0, max(5, int(60 * SCALE))
    async with TcpEquipment(honest, keep=False) as devices:
        weather = Weather(drop=0.004, slice=3, jitter=0.07)
        async with Proxy("127.0.0.1", devices.port, weather=weather, seed=seed) as proxy:
            seen, tags = Seen(), TagTable()
            while lost < most:
                with suppress(NotConnected):
                    async with opened(proxy, tags, timeout="100ms") as it:
                        while True:
                            seen.take(await it.read())
                lost += 1
    assert seen.wrong == 0, f"seed {seed}"
    assert seen.good > most
    record_measure(f"{most} connections lost to holes, {seen.good} good values, 0 wrong", row="D4")
