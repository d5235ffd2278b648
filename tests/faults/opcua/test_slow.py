"""A server that says everything late: nothing is lost or wrong; beyond the timeout the link is down."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from connectors import NotConnected
from connectors.quality import GOOD
from gateway.lab.opcua import MACHINE, Machine, value
from gateway.lab.scenario import Fault, Scenario
from tests.faults.opcua.lab import Row, all_of, entered, options, read_until, source, variables
from tests.processes import free_port

pytestmark = pytest.mark.server

COUNT = 3


def wrong(rows: list[Row], newest: int) -> list[Row]:
    """Return the Good values that their variables never had."""
    held = {f"v{i}": {value(i, tick) for tick in range(newest + 1)} for i in range(COUNT)}
    return [row for row in rows if row[2] == GOOD and row[1] not in held[row[0]]]


def newest_of(machine: Machine) -> Callable[[list[Row]], bool]:
    """Return whether every variable has told what it holds now."""
    return lambda rows: all(
        (f"v{i}", value(i, machine.tick)) in [row[:2] for row in rows] for i in range(COUNT)
    )


@pytest.mark.fault("F3")
async def test_f3_a_slow_server_loses_nothing_and_one_slower_than_the_timeout_is_down_until_it_is_not(
    tmp_path: Path, record_measure: Callable[..., None]
) -> None:
    async with Machine(Scenario(), port=free_port(), variables=COUNT) as machine:
        where = options(
            machine.endpoint, variables(COUNT), namespace=MACHINE, timeout="600ms", keep_alive="300ms"
        )
        machine.hold(Fault(fault="delay", value="80ms"))
        it = await entered(lambda: source(where, tmp_path))
        try:
            rows = await read_until(it, all_of(COUNT))
            for _ in range(5):
                await machine.advance()
                rows += await read_until(it, newest_of(machine))
            told = {row[:2] for row in rows if row[2] == GOOD}
            every = {(f"v{i}", value(i, tick)) for i in range(COUNT) for tick in range(machine.tick + 1)}
            assert told == every
            machine.hold(Fault(fault="delay", value="5s"))
            with pytest.raises(NotConnected):
                async with asyncio.timeout(10):
                    while True:
                        await machine.advance()
                        rows += await read_until(it, bool)
        finally:
            await it.__aexit__(None, None, None)
        with pytest.raises(NotConnected, match=r"did not answer in 0.6 s"):
            await source(where, tmp_path).__aenter__()
        machine.hold(None)
        async with source(where, tmp_path) as it:
            rows += await read_until(it, newest_of(machine))
    assert wrong(rows, machine.tick) == []
    record_measure(
        f"a server 80 ms late: {len(every)} of {len(every)} values; 5 s late: told, and back after it"
    )
