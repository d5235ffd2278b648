"""Subscriptions that fall silent, are refused, overflow or bring what is not a number."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connectors import Kind, NotConnected, TagTable
from connectors.opcua.publishing import Publishing
from connectors.quality import (
    BAD_ENCODING_LIMITS_EXCEEDED,
    BAD_NODE_ID_UNKNOWN,
    BAD_TYPE_MISMATCH,
    BAD_WAITING_FOR_INITIAL_DATA,
    GOOD,
)
from tests.faults.opcua.lab import all_of, options, read_until, source, variables
from tests.servers.node_opcua import NodeServer, value_of

pytestmark = pytest.mark.server

SCALE = float(os.environ["WL_SCALE"])
COUNT = 25
OVERFLOW = 0x480


@pytest.mark.fault("F3")
async def test_f3_a_subscription_that_says_nothing_ends_the_session(
    opcua_server: NodeServer, tmp_path: Path, record_measure: Callable[..., None]
) -> None:
    """The session answers, the subscription does not even keep alive; the next one is made anew."""
    await opcua_server.be(variables=COUNT)
    where = options(opcua_server.endpoint, variables(COUNT))
    async with source(where, tmp_path) as it:
        await read_until(it, all_of(COUNT))
        assert (await asyncio.to_thread(opcua_server.ask, "silence"))["subscriptions"] == 1
        began = asyncio.get_running_loop().time()
        with pytest.raises(NotConnected, match="silent"):
            await read_until(it, lambda _: False)
        took = asyncio.get_running_loop().time() - began
        await it.scan("d")  # the session itself still answers
        assert not it._session.was_cut, "what is silent is not gone on with"
    record_measure(f"silence told after {took:.2f} s; a sign of life is due every 0.2 s")


@pytest.mark.fault("F3", "F5")
async def test_f3_a_subscription_the_server_ends_ends_the_session(
    opcua_server: NodeServer, tmp_path: Path
) -> None:
    await opcua_server.be(variables=COUNT)
    async with source(options(opcua_server.endpoint, variables(COUNT)), tmp_path) as it:
        await read_until(it, all_of(COUNT))
        await asyncio.to_thread(opcua_server.ask, "terminate")
        with pytest.raises(NotConnected):
            await read_until(it, lambda _: False)


@pytest.mark.fault("F5")
async def test_f5_a_notification_that_is_lost_for_good_ends_the_session(
    opcua_server: NodeServer, tmp_path: Path, record_measure: Callable[..., None]
) -> None:
    """Its number is missing and the server does not have it any more."""
    await opcua_server.be(variables=COUNT)
    async with source(options(opcua_server.endpoint, variables(COUNT)), tmp_path) as it:
        await read_until(it, all_of(COUNT))
        await asyncio.to_thread(opcua_server.ask, "lose")
        await asyncio.to_thread(opcua_server.ask, "advance")
        with pytest.raises(NotConnected, match="lost notification"):
            await read_until(it, lambda _: False)
        assert it.statistics()["missed"] == 1
    record_measure("1 message lost for good: 1 counted, and the session ends")


@pytest.mark.fault("F5")
async def test_f5_a_notification_that_went_missing_is_asked_for_again_and_keeps_its_place(
    opcua_server: NodeServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    record_measure: Callable[..., None],
) -> None:
    """The server still has it."""
    await opcua_server.be(variables=COUNT)
    async with source(options(opcua_server.endpoint, variables(2)), tmp_path) as it:
        await read_until(it, all_of(2))
        whole, dropped = Publishing._decoded, []

        def drop_one(self: Publishing, future: Any) -> Any:
            decoded = whole(self, future)
            if decoded is None or decoded.keep_alive or dropped:
                return decoded
            dropped.append(decoded)
            return None

        monkeypatch.setattr(Publishing, "_decoded", drop_one)
        tick = (await asyncio.to_thread(opcua_server.ask, "advance"))["tick"]
        with pytest.raises(TimeoutError):
            await read_until(it, lambda _: False, within_s=0.3)
        assert len(dropped) == 1
        await asyncio.to_thread(opcua_server.ask, "advance")
        last = value_of("Double", 0, tick + 1)
        found = await read_until(it, lambda rows: last in {row[1] for row in rows})
        assert it.statistics()["republished"] == 1
        mine = [value for name, value, *_ in found if name == "v0"]
        assert mine == [value_of("Double", 0, tick), last]
    record_measure("1 message missing: asked for again, 2 of 2 values in their order")


LIMITS: dict[str, dict[str, Any]] = {
    "few operations a call, told": {"operations": {"maxNodesPerRead": 7, "maxMonitoredItemsPerCall": 4}},
    "few operations a call, not told": {
        "operations": {"maxNodesPerRead": 7, "maxMonitoredItemsPerCall": 4, "maxNodesPerBrowse": 2},
        "hideLimits": True,
    },
    "few items a subscription": {"capabilities": {"maxMonitoredItemsPerSubscription": 10}},
    "few items at all": {"capabilities": {"maxMonitoredItems": 10}},
    "no subscription": {
        "capabilities": {"maxSubscriptionsPerSession": 1, "maxMonitoredItemsPerSubscription": 3}
    },
}


@pytest.mark.fault("F4")
@pytest.mark.parametrize("limits", LIMITS.values(), ids=LIMITS.keys())
async def test_f4_a_server_with_limits_serves_every_tag(
    opcua_server: NodeServer,
    tmp_path: Path,
    limits: dict[str, Any],
    record_measure: Callable[..., None],
    request: pytest.FixtureRequest,
) -> None:
    """Chunks shrink, further subscriptions are opened, the rest is polled."""
    await opcua_server.restart(variables=COUNT, **limits)
    async with source(options(opcua_server.endpoint, variables(COUNT)), tmp_path) as it:
        await read_until(it, all_of(COUNT))
        tick = (await asyncio.to_thread(opcua_server.ask, "advance"))["tick"]
        wanted = {(f"v{i}", value_of("Double", i, tick)) for i in range(COUNT)}
        found = await read_until(it, lambda rows: wanted <= {row[:2] for row in rows})
        assert {quality for *_, quality, _ in found} == {GOOD}
        is_polled = (
            "capabilities" in limits and "maxMonitoredItemsPerSubscription" not in limits["capabilities"]
        )
        polls = it.statistics()["polls"]
        assert (polls > 0) == (is_polled or "maxSubscriptionsPerSession" in str(limits))
    record_measure(f"{request.node.callspec.id}: {COUNT} of {COUNT} tags served, {polls} polls")


@pytest.mark.fault("F4")
async def test_f4_a_server_that_lets_few_requests_wait_is_asked_by_no_more_and_tells_everything(
    opcua_server: NodeServer, tmp_path: Path, record_measure: Callable[..., None]
) -> None:
    """It sends the oldest back as BadTooManyPublishRequests; those are not asked again."""
    await opcua_server.restart(variables=COUNT, publishRequests=2)
    async with source(options(opcua_server.endpoint, variables(COUNT)), tmp_path) as it:
        await read_until(it, all_of(COUNT))
        for _ in range(5):
            tick = (await asyncio.to_thread(opcua_server.ask, "advance"))["tick"]
            wanted = {(f"v{i}", value_of("Double", i, tick), GOOD) for i in range(COUNT)}
            await read_until(it, lambda rows, wanted=wanted: wanted <= {row[:3] for row in rows})  # type: ignore[misc]
        window, counts = it._publishing._window, it.statistics()
        opened = (await asyncio.to_thread(opcua_server.ask, "state"))["opened"]
    assert window == 2
    assert (opened, counts["missed"], counts["polls"]) == (1, 0, 0)
    record_measure(f"2 requests may wait for messages: {COUNT} of {COUNT} tags served, 0 polls, 1 session")


@pytest.mark.fault("F4")
async def test_f4_a_node_the_server_does_not_have_is_named_and_silences_no_other(
    opcua_server: NodeServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is found when it appears later."""
    monkeypatch.setattr("connectors.opcua.setup._ASK_AGAIN_NS", 300_000_000)
    await opcua_server.restart(variables=3)
    nodes = variables(3) | {"late": "s=late", "elsewhere": "nsu=urn:nobody;s=v0"}
    tags = TagTable()
    async with source(options(opcua_server.endpoint, nodes), tmp_path, tags) as it:
        found = await read_until(it, all_of(5))
        assert {row[0]: row[2] for row in found} == {
            **dict.fromkeys(("v0", "v1", "v2"), GOOD),
            **dict.fromkeys(("late", "elsewhere"), BAD_NODE_ID_UNKNOWN),
        }
        assert "does not give all nodes" in caplog.text
        await asyncio.to_thread(opcua_server.ask, "add", name="late", dataType="String", value="here")
        found = await read_until(it, lambda rows: any(quality == GOOD for *_, quality, _ in rows))
        assert found[-1][:3] == ("late", "here", GOOD)
        late = tags.number("s/a/l/d/late")
        assert late is not None
        assert tags[late].kind is Kind.TEXT


@pytest.mark.fault("F3")
async def test_f3_a_node_that_was_replaced_without_a_word_is_heard_again(
    opcua_server: NodeServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A program was loaded; the server lives, keeps alive, and says nothing of this node."""
    monkeypatch.setattr("connectors.opcua.watch._EVERY_NS", 300_000_000)
    await opcua_server.restart(variables=2, extra=["number"])
    async with source(options(opcua_server.endpoint, variables(2) | {"n": "s=number"}), tmp_path) as it:
        await read_until(it, all_of(3))
        await asyncio.to_thread(opcua_server.ask, "remove", name="number")
        found = await read_until(it, lambda rows: any(row[0] == "n" for row in rows))
        assert found[-1][2] >= 0x80000000
        await asyncio.to_thread(opcua_server.ask, "add", name="number", dataType="UInt16", value=7)
        found = await read_until(it, lambda rows: any(row[:3] == ("n", 7, GOOD) for row in rows))
        assert "tells no more of changes" in caplog.text


@pytest.mark.fault("F3")
async def test_f3_nodes_that_change_or_rest_are_never_taken_for_deaf(
    opcua_server: NodeServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Thousands of comparisons, with values changing under them."""
    monkeypatch.setattr("connectors.opcua.watch._EVERY_NS", 50_000_000)
    monkeypatch.setattr("connectors.opcua.watch._MESSAGES", 1)
    kinds = ["Double", "Int64", "UInt64", "Boolean", "String", "Float", "LocalizedText"]
    names = ["array", "structure", "null", "enumeration", "duration"]
    await opcua_server.restart(variables=COUNT, types=kinds, rateMs=70, bad=[3], extra=names)
    nodes = variables(COUNT) | {name: f"s={name}" for name in names}
    async with source(options(opcua_server.endpoint, nodes, scan="25ms"), tmp_path) as it:
        looks = 0
        look = it._setup.watch.look

        async def counted(*args: Any) -> list[int]:
            nonlocal looks
            looks += 1
            return await look(*args)

        monkeypatch.setattr(it._setup.watch, "look", counted)
        await read_until(it, lambda _: looks > 300 * SCALE, within_s=60)
        assert it.statistics()["polls"] == 0


@pytest.mark.fault("F6")
async def test_f6_what_is_too_long_or_none_or_of_another_type_is_bad_and_the_rest_flows(
    opcua_server: NodeServer, tmp_path: Path, record_measure: Callable[..., None]
) -> None:
    """A text of 64 MB, a value that is none, one of another type; arrays and structures beside them."""
    names = [
        "array",
        "structure",
        "bytes",
        "long",
        "date",
        "null",
        "changing",
        "enumeration",
        "duration",
        "number",
    ]
    await opcua_server.restart(variables=2, bad=[1], extra=names, longText=int(64 * 2**20 * SCALE))
    nodes = variables(2) | {name: f"s={name}" for name in names}
    tags = TagTable()
    async with source(options(opcua_server.endpoint, nodes, keep_alive="8s"), tmp_path, tags) as it:
        wanted = {*nodes, "array_0", "array_1", "array_2", "structure.Low", "structure.High"}
        wanted -= {"array", "structure"}
        told = await read_until(it, lambda rows: wanted <= {row[0] for row in rows}, within_s=30)
        found = {row[0]: row for row in told}
        assert {name: row[2] for name, row in found.items()} == {
            "v0": GOOD,
            "v1": found["v1"][2],
            "array_0": GOOD,
            "array_1": GOOD,
            "array_2": GOOD,
            "structure.Low": GOOD,
            "structure.High": GOOD,
            "bytes": GOOD,
            "long": BAD_ENCODING_LIMITS_EXCEEDED,
            "date": GOOD,
            "null": BAD_WAITING_FOR_INITIAL_DATA,
            "changing": GOOD,
            "enumeration": GOOD,
            "duration": GOOD,
            "number": GOOD,
        }
        assert found["v1"][2] >= 0x80000000
        assert found["long"][1] == ""
        assert (found["bytes"][1], found["structure.High"][1]) == ("YWJj", 2.0)
        record_measure(
            f"{len(found)} single values of {len(nodes)} nodes, a text of {64 * SCALE:.1f} MiB among them",
            row="F6",
        )
        assert (found["enumeration"][1], found["duration"][1], found["number"][1]) == (1, 12.5, 40000)
        kinds = {tags[n].name: tags[n].kind for n in tags.active().tolist()}
        assert (kinds["enumeration"], kinds["duration"]) == (Kind.INT32, Kind.FLOAT64)
        assert kinds["number"] is Kind.INT32
        await asyncio.to_thread(opcua_server.ask, "set", name="changing", dataType="Int64", value=[0, 5])
        changed = await read_until(it, all_of(1))
        assert [row[0] for row in changed] == ["changing"]
        assert changed[0][2] == BAD_TYPE_MISMATCH
        await asyncio.to_thread(opcua_server.ask, "set", name="changing", dataType="Float", value=2.5)
        assert (await read_until(it, all_of(1)))[-1][1:3] == (2.5, GOOD)


@pytest.mark.fault("F8")
@pytest.mark.parametrize("is_guarded", [True, False], ids=["queue for the burst", "queue of two"])
async def test_f8_a_burst_arrives_whole_and_what_a_short_queue_loses_is_seen(
    opcua_server: NodeServer, tmp_path: Path, is_guarded: bool, record_measure: Callable[..., None]
) -> None:
    """Variables that change at 1 kHz, sampled every 10 ms, published every 200 ms.

    The overflow bit marks the next row of the tag; how many were lost before it, it does not say.
    """
    await opcua_server.be(variables=COUNT)
    short = {} if is_guarded else {"queue": 2}
    where = options(opcua_server.endpoint, variables(2), publish="200ms", keep_alive="2s", **short)
    async with source(where, tmp_path) as it:
        await read_until(it, all_of(2))
        await asyncio.to_thread(opcua_server.ask, "burst", times=int(2000 * SCALE), everyMs=1)
        state = await asyncio.to_thread(opcua_server.ask, "state")
        last = {(f"v{i}", value_of("Double", i, state["tick"])) for i in range(2)}
        found = await read_until(it, lambda rows: last <= {row[:2] for row in rows})
        flagged = sum(quality & OVERFLOW == OVERFLOW for *_, quality, _ in found)
        assert it.statistics()["overflows"] == flagged
        lost = (await asyncio.to_thread(opcua_server.ask, "state"))["overflows"]
        if is_guarded:
            assert (flagged, lost) == (0, 0)
        else:
            assert 0 < flagged <= lost, "a row is flagged once, however many were lost before it"
        record_measure(
            f"{'a queue for the burst' if is_guarded else 'a queue of two'}: {len(found)} rows read, "
            f"{lost} lost by the server's count, seen as {flagged} marked rows",
            row="F8",
        )
