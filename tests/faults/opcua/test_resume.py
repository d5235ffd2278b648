"""A connection that is cut while the server lives: rung by rung the session goes on, and data prove it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asyncua import ua
from numpy.typing import NDArray

from config.connections import OpcUaSource
from connectors import NotConnected, TagTable
from connectors.opcua import Kept, OpcUa
from connectors.opcua.rows import Fault
from connectors.opcua.session import Session
from connectors.quality import GOOD
from gateway.lab.proxy import Proxy
from tests.faults.opcua.lab import Row, all_of, entered, options, read_until, source, variables
from tests.faults.opcua.test_security import MODES, POLICIES, SECRET, secret, secured, trust
from tests.servers.node_opcua import NodeServer, value_of

pytestmark = pytest.mark.server

COUNT = 5


@dataclass
class Line:
    """A source behind a network that can be cut, over its sessions."""

    server: NodeServer
    proxy: Proxy
    where: OpcUaSource
    folder: Path
    tags: TagTable = field(default_factory=TagTable)
    kept: Kept = field(default_factory=Kept)
    stored: tuple[NDArray[np.int64], int] | None = None
    """What the next source shall learn of an earlier run."""

    def source(self) -> OpcUa:
        it = source(self.where, self.folder, self.tags, self.kept)
        if self.stored is not None:
            it.stored_until(*self.stored)
            self.stored = None
        return it

    async def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        return await asyncio.to_thread(self.server.ask, command, **arguments)

    async def read_to_the_end(self, it: OpcUa) -> list[Row]:
        """Read until the link is lost."""
        found: list[Row] = []
        with pytest.raises(NotConnected):
            await read_until(it, lambda rows: found.clear() or found.extend(rows))
        return found


@asynccontextmanager
async def line(
    server: NodeServer, folder: Path, count: int = COUNT, more: dict[str, str] | None = None, **settings: Any
) -> AsyncIterator[Line]:
    async with Proxy("127.0.0.1", server.port) as proxy:
        endpoint = server.endpoint.replace(str(server.port), str(proxy.port))
        yield Line(server, proxy, options(endpoint, variables(count) | (more or {}), **settings), folder)


@asynccontextmanager
async def session(line: Line) -> AsyncIterator[OpcUa]:
    it = await entered(line.source)
    try:
        yield it
    finally:
        await it.__aexit__(None, None, None)


async def read_while(it: OpcUa, is_awaited: Callable[[], bool], within_s: float = 10.0) -> list[Row]:
    """Read for as long as something is awaited that brings no row."""
    found: list[Row] = []
    reading = asyncio.create_task(read_until(it, lambda rows: found.clear() or found.extend(rows), 60.0))
    try:
        async with asyncio.timeout(within_s):
            while is_awaited() and not reading.done():
                await asyncio.sleep(0.005)
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    return found


def newest(tick: int) -> Callable[[list[Row]], bool]:
    wanted = {(f"v{i}", value_of("Double", i, tick)) for i in range(COUNT)}
    return lambda rows: wanted <= {row[:2] for row in rows}


def ticks(rows: list[Row], first: int, last: int) -> Counter[int]:
    """Return how often v0's value of each of these ticks is among the rows."""
    tick_of = {value_of("Double", 0, tick): tick for tick in range(first, last + 1)}
    return Counter(tick_of[row[1]] for row in rows if row[0] == "v0" and row[1] in tick_of)


RUNGS = {
    "the session is reactivated": ("reactivated", None, 0, 0),
    "its subscription is transferred": ("transferred", "expire", 0, 1),
    "nothing is left and all is made anew": ("recreated", "terminate", 1, 0),
}


@pytest.mark.fault("F5")
@pytest.mark.parametrize("case", RUNGS.values(), ids=RUNGS.keys())
async def test_f5_after_a_cut_connection(
    opcua_server: NodeServer,
    tmp_path: Path,
    record_measure: Callable[..., None],
    case: tuple[str, str | None, int, int],
) -> None:
    """What the server queued meanwhile arrives where its subscription lives on, and every value is there."""
    rung, meanwhile, subscribed, opened = case
    await opcua_server.restart(variables=COUNT, transfer=True, extra=["array"])
    async with line(opcua_server, tmp_path, more={"list": "s=array"}, publish="50ms") as it:
        async with session(it) as before:
            await read_until(before, all_of(COUNT + 3))
            await it.proxy.cut()
            await it.read_to_the_end(before)
        at_cut = await it.ask("state")
        if meanwhile is not None:
            await it.ask(meanwhile)
        for _ in range(3):
            await it.ask("advance")
            await asyncio.sleep(0.06)  # each is a message of its own
        await it.proxy.mend()
        async with session(it) as after:
            found = await read_until(after, newest(at_cut["tick"] + 3))
            assert {f"list_{i}" for i in range(3)} <= {row[0] for row in found}, "a full report"
            tick = (await it.ask("advance"))["tick"]
            found += await read_until(after, newest(tick))
            found += await read_while(after, lambda: after.statistics()[rung] == 0)
            counts = after.statistics()
            now = await it.ask("state")
    assert {row[2] & 0x80000000 for row in found} == {GOOD}
    assert now["subscribed"] - at_cut["subscribed"] == subscribed
    assert now["opened"] - at_cut["opened"] == opened
    seen = ticks(found, at_cut["tick"] + 1, tick)
    if rung != "recreated":
        assert set(seen) == set(range(at_cut["tick"] + 1, tick + 1))
    record_measure(f"{rung}: {len(seen)} of 4 values changed meanwhile, {counts['republished']} republished")


@pytest.mark.fault("F5")
@pytest.mark.parametrize("status", ["BadSessionIdInvalid", "BadSecureChannelClosed"])
async def test_f5_a_session_the_server_calls_unknown_leaves_its_subscription_to_the_next(
    opcua_server: NodeServer,
    tmp_path: Path,
    record_measure: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    status: str,
) -> None:
    """The connection lives; one answer says that there is no such session or channel."""
    await opcua_server.restart(variables=COUNT)
    async with line(opcua_server, tmp_path, publish="50ms") as it:
        async with session(it) as before:
            await read_until(before, all_of(COUNT))

            def refuse(_: bytes) -> Any:
                raise Fault(getattr(ua.StatusCodes, status))

            with monkeypatch.context() as patched:
                patched.setattr("connectors.opcua.publishing.decode_publish", refuse)
                await it.read_to_the_end(before)
        tick = (await it.ask("advance"))["tick"]
        async with session(it) as after:
            await read_until(after, newest(tick))
            await read_while(after, lambda: after.statistics()["reactivated"] == 0)
            counts = after.statistics()
        assert (await it.ask("state"))["subscribed"] == 1
    assert counts["recreated"] == counts["missed"] == 0
    record_measure(f"{status}: the subscription goes on, 0 missed")


@pytest.mark.fault("F3", "F5")
async def test_f3_what_was_reactivated_and_brings_nothing_is_made_anew(
    opcua_server: NodeServer, tmp_path: Path, record_measure: Callable[..., None]
) -> None:
    """Every status is Good; only that no value comes tells that the subscription is dead."""
    await opcua_server.restart(variables=COUNT)
    async with line(opcua_server, tmp_path, publish="50ms", timeout="1s", keep_alive="60s") as it:
        async with session(it) as before:
            await read_until(before, all_of(COUNT))
            await it.proxy.cut()
            await it.read_to_the_end(before)
        await it.ask("silence")
        tick = (await it.ask("advance"))["tick"]
        await it.proxy.mend()
        began = asyncio.get_running_loop().time()
        async with session(it) as after:
            with pytest.raises(NotConnected, match="brings nothing"):
                await read_until(after, lambda _: False)
            assert after.statistics()["reactivated"] == 0
        async with session(it) as anew:
            await read_until(anew, newest(tick))
            tick = (await it.ask("advance"))["tick"]
            await read_until(anew, newest(tick))
        took = asyncio.get_running_loop().time() - began
        assert (await it.ask("state"))["subscribed"] == 2
    record_measure(f"a dead subscription told by its silence, live values after {took:.1f} s")


@pytest.mark.fault("F3", "F5")
async def test_f5_a_connection_into_a_black_hole_is_told_from_a_silent_subscription(
    opcua_server: NodeServer, tmp_path: Path, record_measure: Callable[..., None]
) -> None:
    """Nothing comes over it: the session is gone on with, and what was sent in vain is asked for again."""
    await opcua_server.restart(variables=COUNT)
    async with line(opcua_server, tmp_path, publish="50ms", timeout="1s") as it:
        async with session(it) as before:
            await read_until(before, all_of(COUNT))
            it.proxy.weather = it.proxy.weather.changed(black_hole=True)
            first = (await it.ask("advance"))["tick"]
            await it.read_to_the_end(before)
        it.proxy.weather = it.proxy.weather.changed(black_hole=False)
        second = (await it.ask("advance"))["tick"]
        async with session(it) as after:
            found = await read_until(after, newest(second))
            last = (await it.ask("advance"))["tick"]
            found += await read_until(after, newest(last))  # messages come in order: behind all of before
            await read_while(after, lambda: after.statistics()["reactivated"] == 0)
            counts = after.statistics()
    assert set(ticks(found, first, last)) == {first, second, last}
    assert counts["republished"] > 0
    assert counts["recreated"] == counts["missed"] == 0
    record_measure(
        f"{counts['republished']} messages sent into a black hole came when asked for again, 0 missed"
    )


@pytest.mark.fault("F5")
async def test_f5_a_secured_session_of_a_user_goes_on_over_another_channel(
    opcua_server: NodeServer, tmp_path: Path, record_measure: Callable[..., None]
) -> None:
    """Certificate, nonce and password are proved anew; the standard's rules for taking over hold."""
    await secured(opcua_server, tmp_path, users={"reader": SECRET})
    user = {"name": "reader", "password": secret(SECRET)}
    how = {"security": {"policy": POLICIES[0], "mode": MODES[1]}, "user": user}
    rungs = {}
    async with line(opcua_server, tmp_path / "gateway", count=3, publish="50ms", **how) as it:
        with pytest.raises(NotConnected):
            await it.source().__aenter__()
        trust(tmp_path)
        for rung in ("", "reactivated", "transferred"):
            async with session(it) as each:
                await read_until(each, all_of(3))
                if rung:
                    await read_while(each, lambda each=each, rung=rung: each.statistics()[rung] == 0)  # type: ignore[misc]
                    rungs[rung] = each.statistics()[rung]
                await it.proxy.cut()
                await it.read_to_the_end(each)
            if rung == "reactivated":
                await it.ask("expire")
            await it.proxy.mend()
    assert rungs == {"reactivated": 1, "transferred": 1}
    record_measure("SignAndEncrypt with a password: reactivated, then transferred")


@pytest.mark.fault("F1")
async def test_f1_of_a_server_that_was_started_since_nothing_is_taken_over(
    opcua_server: NodeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A number that was ours may be somebody else's subscription now."""
    await opcua_server.restart(variables=COUNT, transfer=True)
    async with line(opcua_server, tmp_path) as it:
        async with session(it) as before:
            await read_until(before, all_of(COUNT))
            await it.proxy.cut()
            await it.read_to_the_end(before)
        await opcua_server.restart(variables=COUNT, transfer=True)
        await it.proxy.mend()
        asked: list[str] = []
        whole = Session.ask

        async def noted(self: Session, request: Any, answer: Any) -> Any:
            asked.append(type(request).__name__)
            return await whole(self, request, answer)

        monkeypatch.setattr(Session, "ask", noted)
        async with session(it) as after:
            await read_until(after, all_of(COUNT))
            assert after.statistics()["recreated"] == 1
    assert "CreateSubscriptionRequest" in asked
    assert not {"TransferSubscriptionsRequest", "DeleteSubscriptionsRequest"} & set(asked)
