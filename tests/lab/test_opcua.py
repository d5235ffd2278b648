"""The simulated OPC UA server goes wrong as a client of other hands sees it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asyncua import Client, ua
from asyncua.ua.ua_binary import struct_from_binary

from gateway.lab.opcua import FAULTS, MACHINE, TRAP, Machine, value
from gateway.lab.scenario import Fault, Scenario
from tests.processes import free_port

pytestmark = pytest.mark.server


@asynccontextmanager
async def machine(*faults: Fault) -> AsyncIterator[Machine]:
    async with Machine(Scenario.of(faults, FAULTS), port=free_port(), variables=3) as it:
        yield it


@asynccontextmanager
async def client(it: Machine) -> AsyncIterator[Any]:
    async with asyncio.timeout(20), Client(it.endpoint) as connected:
        yield connected


async def by_index(connected: Any, index: int) -> float:
    return float(await connected.get_node(ua.NodeId("v1", index)).read_value())


async def test_who_goes_by_the_index_reads_the_trap_behind_a_shuffle() -> None:
    async with machine() as it:
        async with client(it) as connected:
            index = await connected.get_namespace_index(MACHINE)
            assert await by_index(connected, index) == value(1, 0)
        await it.suffer(Fault(fault="swap_namespaces", value="10ms"))
        async with client(it) as connected:
            moved = await connected.get_namespace_index(MACHINE)
            assert moved != index
            assert await by_index(connected, index) == TRAP
            assert await by_index(connected, moved) == value(1, 0)


async def test_a_silent_server_answers_reads_and_publishes_nothing() -> None:
    heard: list[Any] = []

    class Handler:
        def datachange_notification(self, _node: Any, found: Any, _data: Any) -> None:
            heard.append(found)

    async with machine() as it, client(it) as connected:
        index = await connected.get_namespace_index(MACHINE)
        node = connected.get_node(ua.NodeId("v1", index))
        subscription = await connected.create_subscription(20, Handler())
        await subscription.subscribe_data_change(node)
        await it.advance()
        while value(1, 1) not in heard:
            await asyncio.sleep(0.01)
        await it.suffer(Fault(fault="silence"))
        await it.advance()
        assert await node.read_value() == value(1, 2)
        await asyncio.sleep(0.3)
        assert value(1, 2) not in heard


async def test_a_session_that_is_lost_is_told_so_whatever_is_asked_and_waited_for() -> None:
    async with machine() as it, client(it) as connected:
        subscription = await connected.create_subscription(1000, None)
        index = await connected.get_namespace_index(MACHINE)
        await subscription.subscribe_data_change(connected.get_node(ua.NodeId("v1", index)))
        (session,) = it._server.bserver.clients
        async with asyncio.timeout(10):
            while not session.processor._publish_requests:
                await asyncio.sleep(0.01)
        waiting = connected.uaclient.protocol._callbackmap.copy()
        await it.suffer(Fault(fault="lose_sessions"))
        assert not it._server.iserver.subscription_service.subscriptions
        ((_, waited),) = waiting.items()
        answer = struct_from_binary(ua.ServiceFault, await waited)
        assert answer.ResponseHeader.ServiceResult.value == ua.StatusCodes.BadSessionClosed
        with pytest.raises(ua.uaerrors.BadSessionIdInvalid):
            await connected.get_namespace_array()
        async with client(it) as another:
            assert await by_index(another, index) == value(1, 0)


async def test_faults_that_last_are_seen_by_a_client_as_long_as_they_are_held() -> None:
    async with machine() as it, client(it) as connected:
        index = await connected.get_namespace_index(MACHINE)
        nodes = [connected.get_node(ua.NodeId(f"v{i}", index)) for i in range(3)]

        it.hold(Fault(fault="freeze"))
        await it.advance()
        assert await nodes[1].read_value() == value(1, 0)

        it.hold(Fault(fault="old_timestamps", value="2h"))
        await it.advance()
        found = await nodes[1].read_data_value()
        assert found.Value.Value == value(1, 2)
        age = datetime.now(UTC) - found.SourceTimestamp.replace(tzinfo=UTC)
        assert timedelta(hours=2) <= age < timedelta(hours=2, minutes=1)

        it.hold(Fault(fault="few_operations", value="2"))
        assert len(await connected.read_values(nodes[:2])) == 2
        with pytest.raises(ua.uaerrors.BadTooManyOperations):
            await connected.read_values(nodes)
        with pytest.raises(ua.uaerrors.BadTooManyOperations):
            await connected.browse_nodes(nodes)

        it.hold(Fault(fault="few_items", value="2"))
        subscription = await connected.create_subscription(1000, None)
        made = await subscription.subscribe_data_change(nodes)
        assert [isinstance(each, int) for each in made] == [True, True, False]
        assert made[2].value == ua.StatusCodes.BadTooManyMonitoredItems

        it.hold(Fault(fault="few_connections", value="1"))
        reader, writer = await asyncio.open_connection("127.0.0.1", it.port)
        assert await reader.read() == b""
        writer.close()

        it.hold(None)
        await it.advance()
        assert await connected.read_values(nodes) == [value(i, 3) for i in range(3)]
        assert isinstance(await subscription.subscribe_data_change(nodes[2]), int)
        async with client(it) as another:
            assert await by_index(another, index) == value(1, 3)


def test_every_fault_is_shown_above_or_below() -> None:
    at_once = {"restart", "swap_namespaces", "silence", "lose_sessions"}
    lasting = {"bad_status", "old_timestamps", "freeze", "few_operations", "few_items", "few_connections"}
    assert at_once | lasting == set(FAULTS)


async def test_a_scenario_restarts_it_once_in_its_window_and_spoils_values() -> None:
    faults = (
        Fault(fault="restart", value="10ms", between=(0.0, 0.2)),
        Fault(fault="bad_status", between=(0.2, 1000.0)),
    )
    async with machine(*faults) as it:
        starts = 0
        start = it.start

        async def counted() -> None:
            nonlocal starts
            starts += 1
            await start()

        it.start = counted  # type: ignore[method-assign]
        running = asyncio.create_task(it.run(0.05))
        async with asyncio.timeout(20):
            while it._active is None or it._active.fault != "bad_status":
                await asyncio.sleep(0.01)
        before = it.tick
        while it.tick == before:
            await asyncio.sleep(0.01)
        async with client(it) as connected:
            index = await connected.get_namespace_index(MACHINE)
            found = await connected.get_node(ua.NodeId("v0", index)).read_data_value(
                raise_on_bad_status=False
            )
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert starts == 1
        assert not found.StatusCode.is_good()
