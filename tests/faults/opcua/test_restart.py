"""A server that restarts: the session ends, the next finds every node again, by its namespace's name."""

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connectors import NotConnected, TagTable
from connectors.opcua import Kept
from connectors.quality import BAD_NODE_ID_UNKNOWN, GOOD
from gateway.lab.proxy import Proxy
from tests.faults.opcua.lab import Comings, all_of, as_new_as, entered, options, read_until, source, variables
from tests.servers.node_opcua import MACHINE, NodeServer, value_of

pytestmark = pytest.mark.server

OTHER = "urn:wanglian:test:other"
COUNT = 5
QUIET = ("notifications", "values", "keep_alives")
SCALE = float(os.environ.get("WL_SCALE", "0.1"))
VARIANTS = {
    "the index has moved": {"namespaces": [OTHER, MACHINE], "machine": 1},
    "another namespace has the index and the same identifiers": {
        "namespaces": [OTHER, MACHINE],
        "machine": 1,
        "twin": 0,
    },
    "the namespace is gone and another has its index": {"namespaces": [OTHER], "machine": None, "twin": 0},
}


@pytest.mark.fault("F1")
async def test_f1_after_a_restart_of_the_server_a_new_session_reports_everything(
    opcua_server: NodeServer, tmp_path: Path
) -> None:
    await opcua_server.be(variables=COUNT)
    tags = TagTable()
    where = options(opcua_server.endpoint, variables(COUNT))
    async with source(where, tmp_path, tags) as it:
        await read_until(it, lambda rows: len(rows) >= COUNT)
        await opcua_server.restart(variables=COUNT)
        with pytest.raises(NotConnected):
            await read_until(it, lambda _: False)
    it = await entered(lambda: source(where, tmp_path, tags))
    try:
        found = await read_until(it, lambda rows: len({name for name, *_ in rows}) == COUNT)
        tick = opcua_server.ask("state")["tick"]
        assert {row[:3] for row in found} == {
            (f"v{i}", value_of("Double", i, tick), GOOD) for i in range(COUNT)
        }
    finally:
        await it.__aexit__(None, None, None)


@pytest.mark.fault("F1")
async def test_f1_what_came_before_the_server_went_is_not_lost_with_it(
    opcua_server: NodeServer, tmp_path: Path
) -> None:
    """The last values before a stop arrive together with the end of the connection."""
    await opcua_server.restart(variables=COUNT)
    async with source(options(opcua_server.endpoint, variables(COUNT)), tmp_path) as it:
        await read_until(it, lambda rows: len(rows) >= COUNT)
        tick = (await asyncio.to_thread(opcua_server.ask, "advance"))["tick"]
        async with asyncio.timeout(10):
            while not it._publishing._arrived:
                await asyncio.sleep(0.01)
            await opcua_server.restart(variables=COUNT)
            while not it._session._lost:
                await asyncio.sleep(0.01)
        found = await read_until(it, lambda rows: len(rows) >= COUNT)
        assert {row[:2] for row in found} == {(f"v{i}", value_of("Double", i, tick)) for i in range(COUNT)}
        with pytest.raises(NotConnected):
            await it.read()


@pytest.mark.fault("F2")
@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS.keys())
async def test_f2_a_node_is_found_by_its_namespaces_name_or_not_at_all(
    opcua_server: NodeServer, tmp_path: Path, variant: dict[str, Any]
) -> None:
    """Never another variable's value (777), whatever has its old index."""
    await opcua_server.be(variables=COUNT)
    tags = TagTable()
    where = options(opcua_server.endpoint, variables(COUNT))
    async with source(where, tmp_path, tags) as it:
        await read_until(it, lambda rows: len(rows) >= COUNT)
        await opcua_server.restart(variables=COUNT, **variant)
        with pytest.raises(NotConnected):
            await read_until(it, lambda _: False)
    it = await entered(lambda: source(where, tmp_path, tags))
    try:
        found = await read_until(it, lambda rows: len({name for name, *_ in rows}) == COUNT)
        await asyncio.to_thread(opcua_server.ask, "advance")
        if variant["machine"] is None:
            assert {quality for *_, quality, _ in found} == {BAD_NODE_ID_UNKNOWN}
            with pytest.raises(TimeoutError):
                await read_until(it, lambda _: False, within_s=0.3)
        else:
            found += await read_until(it, lambda rows: len(rows) >= COUNT)
            assert all(quality == GOOD for *_, quality, _ in found)
            assert 777 not in {value for _, value, *_ in found}
            tick = opcua_server.ask("state")["tick"]
            newest = {name: value for name, value, *_ in found}
            assert newest == {f"v{i}": value_of("Double", i, tick) for i in range(COUNT)}
    finally:
        await it.__aexit__(None, None, None)


@pytest.mark.fault("F2")
async def test_namespaces_that_change_while_connected_end_the_session(
    opcua_server: NodeServer, tmp_path: Path
) -> None:
    await opcua_server.restart(variables=COUNT)
    where = options(opcua_server.endpoint, variables(COUNT))
    async with source(where, tmp_path) as it:
        await read_until(it, lambda rows: len(rows) >= COUNT)
        await asyncio.to_thread(opcua_server.ask, "namespace", uri="urn:wanglian:test:late")
        with pytest.raises(NotConnected, match="changed its namespaces"):
            await read_until(it, lambda _: False)


@pytest.mark.fault("F2")
@pytest.mark.timeout(300)
async def test_f2_two_namespaces_that_swap_their_identifiers_bring_no_wrong_value(
    opcua_server: NodeServer, tmp_path: Path, record_measure: Callable[..., None]
) -> None:
    """Both have the same identifiers; at the restart they change places, and the other's values are 777."""
    count, wrong, seen = int(1000 * SCALE), 0, 0
    slowest = 0.0
    first = {"namespaces": [MACHINE, OTHER], "machine": 0, "twin": 1}
    swapped = {"namespaces": [OTHER, MACHINE], "machine": 1, "twin": 0}
    await opcua_server.restart(variables=count, **first)
    tags = TagTable()
    where = options(opcua_server.endpoint, variables(count))
    for order in (swapped, first, swapped):
        began = time.monotonic()
        it = await entered(lambda: source(where, tmp_path, tags))
        try:
            found = await read_until(it, all_of(count), within_s=30)
            slowest = max(slowest, time.monotonic() - began)
            await asyncio.to_thread(opcua_server.ask, "advance")
            found += await read_until(it, all_of(count), within_s=30)
            wrong += sum(value == 777 for _, value, *_ in found)
            seen += len(found)
            await opcua_server.restart(variables=count, **order)
            with pytest.raises(NotConnected):
                await read_until(it, lambda _: False)
        finally:
            await it.__aexit__(None, None, None)
    assert wrong == 0
    assert slowest <= 15 or SCALE < 1
    record_measure(
        f"{count} variables, namespaces swapped 3 times: {seen} values, 0 wrong; all read again after "
        f"{slowest:.1f} s at most"
    )


@pytest.mark.fault("F1")
@pytest.mark.timeout(1200)
async def test_f1_after_each_of_many_kills_the_newest_values_are_there_again(
    opcua_server: NodeServer, tmp_path: Path, record_measure: Callable[..., None]
) -> None:
    """The server's network is reset at random instants, and every fifth time the server itself is another."""
    seed, kills = random.randrange(2**32), max(5, int(100 * SCALE))
    print(f"seed {seed}")
    chance, tags, kept, comings = random.Random(seed), TagTable(), Kept(), Comings()
    rungs: Counter[str] = Counter()
    await opcua_server.restart(variables=COUNT, rateMs=50)
    async with Proxy("127.0.0.1", opcua_server.port, seed=seed) as proxy:
        endpoint = opcua_server.endpoint.replace(str(opcua_server.port), str(proxy.port))
        where = options(endpoint, variables(COUNT), publish="250ms", keep_alive="1s")
        it = await entered(lambda: source(where, tmp_path, tags, kept))
        for kill in range(kills):
            try:
                await read_until(it, all_of(COUNT))
                reading = asyncio.create_task(read_until(it, lambda _: False, within_s=60))
                await asyncio.sleep(chance.uniform(0, 0.3))  # the instant of the kill
                await proxy.cut()
                with pytest.raises(NotConnected):
                    await reading
            finally:
                rungs += Counter(it.statistics())
                await it.__aexit__(None, None, None)
            if kill % 5 == 4:
                await opcua_server.restart(variables=COUNT, rateMs=50)
            await proxy.mend()
            tick = (await asyncio.to_thread(opcua_server.ask, "state"))["tick"]
            comings.begin()
            it = await entered(lambda: comings.of(source(where, tmp_path, tags, kept)))
            await read_until(it, as_new_as(tick, COUNT))
            comings.end()
        rungs += Counter(it.statistics())
        await it.__aexit__(None, None, None)
    assert rungs["recreated"] >= kills // 5, "another server has nothing of ours"
    assert rungs["reactivated"] > 0
    record_measure(
        f"{kills} cuts of its network: {comings.proven(0.25, exactly=SCALE >= 1)}; published every 250 ms; "
        f"{rungs['reactivated']} sessions went on, {rungs['recreated']} were made anew, "
        f"{rungs['republished']} messages republished, {rungs['missed']} missed"
    )


@pytest.mark.fault("F1", "F3")
@pytest.mark.timeout(900)
async def test_f1_a_quiet_server_gives_no_false_alarm(
    opcua_server: NodeServer,
    tmp_path: Path,
    record_measure: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing changes: the link stays, nothing is made anew, nothing is taken for deaf or missed."""
    seconds = max(2.0, 600 * SCALE**3)
    monkeypatch.setattr("connectors.opcua.watch._EVERY_NS", round(seconds / 10 * 1e9))
    await opcua_server.restart(variables=COUNT, history=[0, COUNT])
    where = options(opcua_server.endpoint, variables(COUNT), keep_alive="1s", publish="100ms", scan="100ms")
    async with source(where, tmp_path) as it:
        await read_until(it, all_of(COUNT))
        with pytest.raises(TimeoutError):
            await read_until(it, lambda _: False, within_s=seconds)
        await read_until(it, lambda _: True)
        counts = it.statistics()
        opened = (await asyncio.to_thread(opcua_server.ask, "state"))["opened"]
    alarms = {name: count for name, count in counts.items() if count and name not in QUIET}
    assert alarms == {}
    assert opened == 1
    record_measure(f"{seconds:.0f} s without a change: {counts['keep_alives']} keep-alives, 0 alarms")
