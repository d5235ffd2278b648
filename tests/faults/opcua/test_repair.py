"""What was missed while the connection was away comes from the server's history, or is a gap: no zero."""

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asyncua import ua

from connectors import Batch, Origin
from connectors.opcua import OpcUa
from connectors.opcua.repair import _AGAIN, _DEAF
from connectors.quality import BAD_DATA_LOST, GOOD
from tests.faults.opcua.lab import Row, all_of, read_until, rows
from tests.faults.opcua.test_resume import Line, line, read_while, session
from tests.servers.node_opcua import NodeServer, value_of

pytestmark = pytest.mark.server

COUNT = 5
KEPT = 3
"""Variables the server keeps a history of: v0, v1, v2."""


async def run_dry(it: OpcUa, history: list[tuple[Batch, list[Row]]]) -> None:
    """Read until nothing is left to be repaired."""
    whole = it._repair.take

    def take() -> Batch | None:
        batch = whole()
        if batch is not None:
            history.append((batch, rows(batch, it._tags)))
        return batch

    it._repair.take = take  # type: ignore[method-assign]
    await read_while(it, lambda: bool(it._kept.past.windows or it._repair._asked or it._repair._filled))


def missed(first: int, last: int) -> dict[str, list[tuple[float, int]]]:
    """Return what variables with a history went through in these ticks."""
    return {f"v{i}": [(value_of("Double", i, n), GOOD) for n in range(first, last + 1)] for i in range(KEPT)}


async def advance(it: Line, times: int) -> int:
    for _ in range(times):
        tick = (await it.ask("advance"))["tick"]
        await asyncio.sleep(0.002)  # a time of its own, in ms
    return int(tick)


@pytest.mark.fault("F1")
async def test_f1_what_was_missed_between_two_sessions_is_read_from_the_history(
    opcua_server: NodeServer,
    tmp_path: Path,
    record_measure: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In pieces of ten values; a tag without a history gets a gap, one that did not change nothing."""
    monkeypatch.setattr("connectors.opcua.repair._VALUES", 10)
    monkeypatch.setattr("connectors.opcua.repair._SETTLE_NS", 0)
    await opcua_server.restart(variables=COUNT, history=[0, KEPT], extra=["number", "array"])
    still = {"still": "s=number", "list": "s=array"}
    async with line(opcua_server, tmp_path, more=still) as it:
        async with session(it) as before:
            await read_until(before, all_of(COUNT + 4))
            first = await advance(it, 1)
            await read_until(before, all_of(COUNT))
            await it.proxy.cut()
            await it.read_to_the_end(before)
        await advance(it, 25)
        await it.ask("terminate")
        last = await advance(it, 1)
        await it.proxy.mend()
        history: list[tuple[Batch, list[Row]]] = []
        async with session(it) as after:
            live = await read_until(after, all_of(COUNT + 4))
            await run_dry(after, history)
            counts = after.statistics()
    assert {batch.origin for batch, _ in history} == {Origin.BACKFILL}
    found = [row for _, each in history for row in each]
    told = {
        name: [row[1:3] for row in found if row[0] == name and row[2] != BAD_DATA_LOST]
        for name in missed(0, 0)
    }
    assert told == missed(first + 1, last - 1)
    lost = Counter(row[0] for row in found if row[2] == BAD_DATA_LOST)
    assert not lost.keys() & {"still", "list_0", "list_1", "list_2"}
    assert (lost["v3"], lost["v4"]) == (1, 1), "no history: a gap"
    newest = {row[0]: row[3] for row in live}
    assert all(row[3] < newest[row[0]] for row in found)
    assert counts["backfilled"] == KEPT * 25
    record_measure(
        f"{counts['backfilled']} of {KEPT * 25} missed values read from the history, 0 twice;"
        f" {lost.total()} gaps where there is none"
    )


@pytest.mark.fault("F1")
async def test_f1_what_a_short_queue_lost_while_the_connection_was_away_is_read_from_the_history(
    opcua_server: NodeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The session goes on; its overflow bit says that values are missing, and where."""
    monkeypatch.setattr("connectors.opcua.repair._SETTLE_NS", 0)
    await opcua_server.restart(variables=COUNT, history=[0, KEPT])
    async with line(opcua_server, tmp_path, publish="50ms", scan="50ms") as it:
        async with session(it) as before:
            await read_until(before, all_of(COUNT))
            first = await advance(it, 1)
            await read_until(before, all_of(COUNT))
            await it.proxy.cut()
            await it.read_to_the_end(before)
        for _ in range(12):
            await it.ask("advance")
            await asyncio.sleep(0.2)  # each is sampled; five are sent in vain, the queue holds two
        last = (await it.ask("state"))["tick"]
        await it.proxy.mend()
        history: list[tuple[Batch, list[Row]]] = []
        async with session(it) as after:
            wanted = {f"v{i}": value_of("Double", i, last) for i in range(COUNT)}
            live = await read_until(
                after, lambda rows: Counter(row[:2] for row in rows)["v0", wanted["v0"]] > 1
            )
            await run_dry(after, history)
            counts = after.statistics()
    found = [row for _, each in history for row in each]
    assert wanted.items() <= {row[:2] for row in live}
    for i in range(KEPT):
        everything = {row[1] for row in [*live, *found] if row[0] == f"v{i}" and row[2] < 0x80000000}
        assert everything >= {value_of("Double", i, n) for n in range(first + 1, last + 1)}
    assert counts["reactivated"] == 1
    assert counts["overflows"] > 0
    assert {row[0] for row in found if row[2] == BAD_DATA_LOST} >= {"v3", "v4"}


@pytest.mark.fault("F1")
async def test_f1_after_a_restart_of_the_gateway_the_history_begins_where_the_store_ends(
    opcua_server: NodeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is left in memory; the store tells of each tag when it was known last."""
    monkeypatch.setattr("connectors.opcua.repair._SETTLE_NS", 0)
    await opcua_server.restart(variables=COUNT, history=[0, KEPT])
    async with line(opcua_server, tmp_path) as it:
        first = await advance(it, 1)
        async with session(it) as before:
            stored = await read_until(before, all_of(COUNT))
        last = await advance(it, 7)
        it.kept = type(it.kept)()
        times = np.zeros(len(it.tags), np.int64)
        for name, *_, time in stored:
            times[it.tags.number(f"s/a/l/d/{name}") or 0] = time
        it.stored = (times, max(times.tolist()))
        history: list[tuple[Batch, list[Row]]] = []
        async with session(it) as after:
            await read_until(after, all_of(COUNT))
            await run_dry(after, history)
    found = [row for _, each in history for row in each if row[2] != BAD_DATA_LOST]
    told = {name: [row[1:3] for row in found if row[0] == name] for name in missed(0, 0)}
    assert told == missed(first + 1, last - 1)


@pytest.mark.fault("F1")
@pytest.mark.parametrize("options", [{"history": "none"}, {"timestamps": "server"}])
async def test_f1_without_a_history_what_was_missed_stays_a_gap(
    opcua_server: NodeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    """Switched off, or dated by another clock: it is not asked, and every tag that changed has its gap."""
    monkeypatch.setattr("connectors.opcua.repair._SETTLE_NS", 0)
    await opcua_server.restart(variables=COUNT, history=[0, COUNT])
    async with line(opcua_server, tmp_path, **options) as it:
        async with session(it) as before:
            await read_until(before, all_of(COUNT))
            await it.proxy.cut()
            await it.read_to_the_end(before)
        await it.ask("terminate")
        await advance(it, 3)
        await it.proxy.mend()
        history: list[tuple[Batch, list[Row]]] = []
        async with session(it) as after:
            await read_until(after, all_of(COUNT))
            await run_dry(after, history)
            counts = after.statistics()
    found = [row for _, each in history for row in each]
    assert {row[:3:2] for row in found} == {(f"v{i}", BAD_DATA_LOST) for i in range(COUNT)}
    assert (counts["backfilled"], counts["gaps"]) == (0, COUNT)


def unheard(it: OpcUa, lost: Callable[[int, list[str]], bool]) -> list[list[str]]:
    """Let requests for a history get no answer, by their number and nodes; return what was asked for."""
    asked: list[list[str]] = []
    send = it._session.send

    def sent(request: Any) -> "asyncio.Future[Any]":
        if not isinstance(request, ua.HistoryReadRequest):
            return send(request)
        asked.append([str(each.NodeId.Identifier) for each in request.Parameters.NodesToRead])
        if lost(len(asked), asked[-1]):
            return asyncio.get_running_loop().create_future()
        return send(request)

    it._session.send = sent  # type: ignore[method-assign]
    return asked


@pytest.mark.fault("F1")
@pytest.mark.parametrize("deaf", [set(), {"v1"}, {"v0", "v1", "v2"}], ids=["once", "for one", "for all"])
async def test_f1_a_request_for_a_history_that_is_not_answered_is_asked_again_in_halves(
    opcua_server: NodeServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    record_measure: Callable[..., None],
    deaf: set[str],
) -> None:
    """Of a node that is never answered for there is a gap in the end; every other has all its values."""
    monkeypatch.setattr("connectors.opcua.repair._SETTLE_NS", 0)
    await opcua_server.restart(variables=COUNT, history=[0, KEPT])
    async with line(opcua_server, tmp_path) as it:
        async with session(it) as before:
            await read_until(before, all_of(COUNT))
            first = await advance(it, 1)
            await read_until(before, all_of(COUNT))
            await it.proxy.cut()
            await it.read_to_the_end(before)
        await advance(it, 12)
        await it.ask("terminate")
        last = await advance(it, 1)
        await it.proxy.mend()
        history: list[tuple[Batch, list[Row]]] = []
        async with session(it) as after:
            asked = unheard(after, lambda number, nodes: bool(deaf & set(nodes)) if deaf else number == 1)
            after._repair._options = after._options.model_copy(update={"timeout": 200_000_000})
            await read_until(after, all_of(COUNT))
            await run_dry(after, history)
    found = [row for _, each in history for row in each]
    told = {
        name: [row[1:3] for row in found if row[0] == name and row[2] != BAD_DATA_LOST]
        for name in missed(0, 0)
    }
    wanted = missed(first + 1, last - 1)
    lost = Counter(row[0] for row in found if row[2] == BAD_DATA_LOST and row[0] in wanted)
    assert len(asked[0]) == KEPT, "all were asked for together"
    assert told == {name: [] if name in deaf else wanted[name] for name in wanted}
    assert lost == dict.fromkeys(deaf, 1)
    if len(deaf) == 1:
        assert sum("v1" in each for each in asked) == 1 + _AGAIN
    else:
        assert len(asked) <= _DEAF
    record_measure(
        f"history not answered {f'for {len(deaf)} of {KEPT} nodes' if deaf else 'once'}: "
        f"{sum(map(len, told.values()))} missed values read, {lost.total()} gaps"
    )


@pytest.mark.fault("F1")
async def test_f1_a_history_that_was_half_read_when_its_session_ended_is_read_on_in_the_next(
    opcua_server: NodeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it goes on in the server, the next session can not know: it asks from the newest value told."""
    monkeypatch.setattr("connectors.opcua.repair._SETTLE_NS", 0)
    monkeypatch.setattr("connectors.opcua.repair._VALUES", 5)
    await opcua_server.restart(variables=COUNT, history=[0, 1])
    async with line(opcua_server, tmp_path) as it:
        async with session(it) as before:
            await read_until(before, all_of(COUNT))
            first = await advance(it, 1)
            await read_until(before, all_of(COUNT))
            await it.proxy.cut()
            await it.read_to_the_end(before)
        await advance(it, 25)
        await it.ask("terminate")
        last = await advance(it, 1)
        await it.proxy.mend()
        async with session(it) as half:
            asked = unheard(half, lambda number, _: number > 1)
            found = await read_while(half, lambda: len(asked) < 2)
            await it.ask("expire")
            await it.ask("terminate")
            await it.proxy.cut()
            found += await it.read_to_the_end(half)
        await it.proxy.mend()
        history: list[tuple[Batch, list[Row]]] = []
        async with session(it) as after:
            found += await read_until(after, all_of(COUNT))
            await run_dry(after, history)
    found += [row for _, each in history for row in each]
    told = sorted(row[1:3] for row in found if row[0] == "v0" and row[2] == GOOD)
    wanted = missed(first + 1, last - 1)["v0"]
    assert [each for each in told if each in wanted] == wanted
