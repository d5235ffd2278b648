"""The source against a server that misbehaves: nothing wrong is Good, nothing hangs, the rest flows on."""

import asyncio
import math
import os
import socket
import sys
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.connections import ModbusTcpSource
from connectors import Batch, NotConnected, Scannable, Source, SystemClock, TagTable
from connectors.line.exchange import Exchange
from connectors.modbus import Modbus, TcpLine
from connectors.quality import (
    BAD_COMMUNICATION_ERROR,
    BAD_CONFIGURATION_ERROR,
    BAD_DEVICE_FAILURE,
    BAD_NO_COMMUNICATION,
    BAD_NOT_SUPPORTED,
    BAD_RESOURCE_UNAVAILABLE,
    BAD_TIMEOUT,
    GOOD,
)
from gateway.lab.modbus import frames
from gateway.lab.modbus import replies as faults
from gateway.lab.modbus.tcp import TcpEquipment


def source(port: int, devices: dict[str, dict[str, Any]], timeout: str = "200ms") -> Modbus:
    options = ModbusTcpSource.model_validate(
        {"kind": "modbus_tcp", "host": "127.0.0.1", "port": port, "timeout": timeout, "devices": devices}
    )
    return Modbus("line", options, TcpLine(options), site="site", tags=TagTable(), clock=SystemClock())


def device(unit: int = 1, registers: int = 20, **options: Any) -> dict[str, Any]:
    """A device of ten requests with two registers each, unless told otherwise."""
    tags = {"v": {"address": 0, "type": "uint16", "count": registers}}
    return {"unit_id": unit, "scan": "10ms", "max_registers": 2, "tags": tags, **options}


def content(batch: Batch) -> list[tuple[float, int]]:
    (part,) = batch.parts
    return list(zip(part.value.tolist(), part.quality.tolist(), strict=True))


def assert_none_wrong(batch: Batch, unit: int = 1) -> None:
    """A Good row holds the register's own value; rows are in register order."""
    for address, (value, quality) in enumerate(content(batch)):
        if quality == GOOD:
            assert value == frames.register(unit, address)


def qualities(batch: Batch) -> list[int]:
    return [quality for _, quality in content(batch)]


async def test_a_scan_brings_every_register_good_with_one_time() -> None:
    async with TcpEquipment(faults.honest) as server, source(server.port, {"m": device()}) as it:
        assert isinstance(it, Scannable)
        typed: Source = it
        before = SystemClock().now()
        batch = await typed.read()
        assert [value for value, _ in content(batch)] == [frames.register(1, a) for a in range(20)]
        assert set(qualities(batch)) == {GOOD}
        times = set(batch.parts[0].time.tolist())
        assert len(times) == 1
        assert before <= times.pop() <= batch.arrived
        following = await it.read()
        assert following.parts[0].tag is batch.parts[0].tag


@pytest.mark.fault("S12")
async def test_all_four_tables_are_read_with_their_own_function() -> None:
    tags = {
        "coil": {"table": "coil", "address": 3, "type": "bool", "count": 9},
        "discrete": {"table": "discrete", "address": 4, "type": "bool"},
        "holding": {"table": "holding", "address": 5},
        "input": {"table": "input", "address": 6},
    }
    async with (
        TcpEquipment(faults.honest) as server,
        source(server.port, {"m": device(tags=tags)}) as it,
    ):
        batch = await it.read()
        found = {
            it._tags[tag].name: value
            for tag, value in zip(batch.parts[0].tag.tolist(), batch.parts[0].value.tolist(), strict=True)
        }
        expected = {f"coil_{i}": float((3 + i) % 3 == 0) for i in range(9)}
        assert found == expected | {
            "discrete": 0.0,
            "holding": frames.register(1, 5),
            "input": frames.register(1, 6),
        }
        assert sorted({request.function for request in server.requests}) == [1, 2, 3, 4]


async def test_a_port_nobody_listens_on_is_refused_and_the_tags_are_announced() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        it = source(closed.getsockname()[1], {"m": device()})
        with pytest.raises(NotConnected, match="refused the connection") as caught:
            await it.__aenter__()
    assert isinstance(caught.value.__cause__, ConnectionRefusedError)
    assert len(it._tags.of_source("line")) == 20


WRONG = {
    "wrong unit": faults.wrong_unit,
    "wrong function": faults.wrong_function,
    "too short": faults.short,
    "too long": faults.long,
    "lying byte count": faults.lying_byte_count,
}


@pytest.mark.fault("D3", "D4")
@pytest.mark.parametrize("in_flight", [1, 4])
@pytest.mark.parametrize("script", WRONG.values(), ids=WRONG.keys())
async def test_d3_d4_a_reply_that_does_not_fit_its_request_is_rejected(script: Any, in_flight: int) -> None:

    def every_third(request: Any) -> Any:
        return (script if request.address % 6 == 0 else faults.honest)(request)

    async with (
        TcpEquipment(every_third) as server,
        source(server.port, {"m": device(max_in_flight=in_flight)}) as it,
    ):
        for _ in range(3):
            batch = await it.read()
            assert_none_wrong(batch)
            expected = [BAD_COMMUNICATION_ERROR if a % 6 < 2 else GOOD for a in range(20)]
            assert qualities(batch) == expected
        assert it.statistics()["rejected_replies"] == 12


@pytest.mark.fault("D4")
async def test_d4_a_reply_with_another_transaction_is_not_taken() -> None:

    def mostly(request: Any) -> Any:
        return (faults.wrong_transaction if request.address == 4 else faults.honest)(request)

    async with TcpEquipment(mostly) as server, source(server.port, {"m": device()}, "300ms") as it:
        batch = await it.read()
        assert_none_wrong(batch)
        assert qualities(batch) == [BAD_TIMEOUT if a in (4, 5) else GOOD for a in range(20)]
        assert it.statistics()["unasked_replies"] == 1


@pytest.mark.fault("D4")
@pytest.mark.parametrize("in_flight", [1, 4])
async def test_d4_a_doubled_reply_is_harmless(in_flight: int) -> None:
    async with (
        TcpEquipment(faults.twice) as server,
        source(server.port, {"m": device(max_in_flight=in_flight)}) as it,
    ):
        for _ in range(5):
            batch = await it.read()
            assert_none_wrong(batch)
            assert set(qualities(batch)) == {GOOD}


@pytest.mark.fault("D4")
async def test_d4_a_late_reply_never_becomes_the_next_answer() -> None:

    def sometimes_late(request: Any) -> Any:
        return (faults.late(0.08) if request.number % 7 == 3 else faults.honest)(request)

    async with TcpEquipment(sometimes_late) as server, source(server.port, {"m": device()}, "50ms") as it:
        for _ in range(6):
            assert_none_wrong(await it.read())
        assert it.statistics()["late_replies"] > 0


LOST = {
    "wrong protocol": faults.wrong_protocol,
    "impossible length": faults.impossible_length,
    "garbage": faults.FAULTS["web_page"](None),
    "half a reply": faults.half,
    "closed": faults.cut,
}


@pytest.mark.fault("D11")
@pytest.mark.parametrize("in_flight", [1, 4])
@pytest.mark.parametrize("script", LOST.values(), ids=LOST.keys())
async def test_d11_a_stream_that_can_not_be_trusted_ends_the_session(script: Any, in_flight: int) -> None:

    def after_a_while(request: Any) -> Any:
        return (script if request.number >= 13 else faults.honest)(request)

    async with (
        TcpEquipment(after_a_while) as server,
        source(server.port, {"m": device(max_in_flight=in_flight)}) as it,
    ):
        assert_none_wrong(await it.read())
        async with asyncio.timeout(5):
            with pytest.raises(NotConnected, match="127"):
                await it.read()
            with pytest.raises(NotConnected):
                await it.read()


@pytest.mark.fault("D11")
async def test_d11_slow_bytes_are_waited_for_within_the_deadline_and_no_longer() -> None:
    async with TcpEquipment(faults.in_slices(3, 0.001)) as server, source(server.port, {"m": device()}) as it:
        batch = await it.read()
        assert set(qualities(batch)) == {GOOD}
        assert_none_wrong(batch)
        server.script = faults.in_slices(1, 0.1)
        async with asyncio.timeout(5):
            with pytest.raises(NotConnected, match="in the middle of a reply"):
                await it.read()


@pytest.mark.fault("D11")
async def test_d11_a_device_with_one_connection_is_had_again_after_leaving() -> None:
    async with TcpEquipment(faults.honest, most_connections=1) as server:
        it = source(server.port, {"m": device()})
        for _ in range(3):
            async with it:
                assert set(qualities(await it.read())) == {GOOD}
            async with asyncio.timeout(5):
                while server.open:
                    await asyncio.sleep(0)
        async with it:
            await it.read()
            async with source(server.port, {"m": device()}) as second:
                with pytest.raises(NotConnected, match=r"127\.0\.0\.1"):
                    await second.read()
            assert set(qualities(await it.read())) == {GOOD}


@pytest.mark.fault("D11")
async def test_d11_a_connection_that_drops_while_nothing_is_due_is_noticed_at_once() -> None:

    def once(request: Any) -> Any:
        yield frames.reply(request)
        if request.address == 18:
            yield faults.CUT

    async with TcpEquipment(once) as server, source(server.port, {"m": device(scan="1h")}) as it:
        await it.read()
        async with asyncio.timeout(5):
            with pytest.raises(NotConnected, match="closed the connection"):
                await it.read()


QUALITIES = {
    1: BAD_NOT_SUPPORTED,
    2: BAD_CONFIGURATION_ERROR,
    3: BAD_CONFIGURATION_ERROR,
    4: BAD_DEVICE_FAILURE,
    5: BAD_RESOURCE_UNAVAILABLE,
    6: BAD_RESOURCE_UNAVAILABLE,
    10: BAD_NO_COMMUNICATION,
    11: BAD_NO_COMMUNICATION,
}


@pytest.mark.fault("D6")
@pytest.mark.parametrize("code", QUALITIES)
async def test_d6_an_exception_has_its_quality_and_the_other_blocks_keep_flowing(code: int) -> None:

    def refusing(request: Any) -> Any:
        return (faults.exception(code) if request.address == 6 else faults.honest)(request)

    # One register a request: what is refused is a single value, so there is nothing to narrow down.
    async with (
        TcpEquipment(refusing) as server,
        source(server.port, {"m": device(max_registers=1)}) as it,
    ):
        for _ in range(3):
            batch = await it.read()
            assert_none_wrong(batch)
            assert qualities(batch) == [QUALITIES[code] if a == 6 else GOOD for a in range(20)]


@pytest.mark.fault("D6")
async def test_d6_a_refused_block_is_narrowed_to_the_register_at_fault_within_one_read() -> None:
    async with (
        TcpEquipment(faults.without(37)) as server,
        source(server.port, {"m": device(registers=100, max_registers=125)}) as it,
    ):
        batch = await it.read()
        if set(qualities(batch)) == {BAD_CONFIGURATION_ERROR}:  # one request: only the cut brought good ones
            batch = await it.read()
        assert_none_wrong(batch)
        assert qualities(batch) == [BAD_CONFIGURATION_ERROR if a == 37 else GOOD for a in range(100)]
        asked = len(server.requests)
        again = await it.read()
        assert qualities(again) == qualities(batch)
        assert 37 not in [request.address for request in server.requests[asked:]]


@pytest.mark.fault("D6")
async def test_d6_a_hole_the_device_does_not_have_costs_no_value() -> None:
    tags = {"a": {"address": 0}, "b": {"address": 1}, "c": {"address": 9}}
    async with (
        TcpEquipment(faults.without(5)) as server,
        source(server.port, {"m": device(tags=tags, max_registers=125)}) as it,
    ):
        await it.read()
        batch = await it.read()
        assert content(batch) == [(frames.register(1, a), GOOD) for a in (0, 1, 9)]


@pytest.mark.fault("D1")
async def test_d1_a_silent_device_is_bad_backs_off_and_the_other_keeps_its_rate() -> None:
    dead = {2}

    def by_unit(request: Any) -> Any:
        return (faults.silent if request.unit in dead else faults.honest)(request)

    devices = {"alive": device(1), "dead": device(2)}
    async with TcpEquipment(by_unit) as server, source(server.port, devices, "60ms") as it:
        seen: Counter[str] = Counter()
        async with asyncio.timeout(20):
            while seen["dead"] < 3 or seen["alive"] < 20:
                batch = await it.read()
                name = it._tags[int(batch.parts[0].tag[0])].device.rpartition("/")[2]
                seen[name] += 1
                if name == "dead":
                    assert set(qualities(batch)) == {BAD_TIMEOUT}
                    # One request is waited for: the other device is known to be there.
                    assert it.statistics_by_device()["dead"]["timeouts"] == seen["dead"]
                else:
                    assert set(qualities(batch)) == {GOOD}
            dead.clear()
            while True:
                batch = await it.read()
                if it._tags[int(batch.parts[0].tag[0])].device.endswith("/dead"):
                    assert set(qualities(batch)) == {GOOD}
                    assert_none_wrong(batch, 2)
                    return


@pytest.mark.fault("D1")
async def test_d1_a_new_session_asks_those_first_that_answered_in_the_last() -> None:
    def by_unit(request: Any) -> Any:
        return (faults.silent if request.unit == 1 else faults.honest)(request)

    devices = {"dead": device(1, scan="1h"), "alive": device(2, scan="1h")}
    async with TcpEquipment(by_unit) as server, asyncio.timeout(20):
        it = source(server.port, devices, "60ms")
        async with it:
            assert [set(qualities(await it.read())) for _ in devices] == [{BAD_TIMEOUT}, {GOOD}]
        async with it:
            assert [set(qualities(await it.read())) for _ in devices] == [{GOOD}, {BAD_TIMEOUT}]


@pytest.mark.fault("D1")
async def test_d1_when_every_device_is_silent_the_link_is_down() -> None:
    async with (
        TcpEquipment(faults.silent) as server,
        source(server.port, {"a": device(1), "b": device(2)}, "20ms") as it,
    ):
        assert set(qualities(await it.read())) == {BAD_TIMEOUT}
        with pytest.raises(NotConnected, match="no device answers"):
            await it.read()
        assert not it.is_heard


@pytest.mark.fault("D1")
async def test_d1_devices_a_gateway_can_not_reach_do_not_take_the_link_down() -> None:
    async with TcpEquipment(faults.exception(11)) as server, source(server.port, {"a": device(1)}) as it:
        for _ in range(2):
            assert set(qualities(await it.read())) == {BAD_NO_COMMUNICATION}
        assert it.is_heard
        assert it.statistics()["exceptions"] == 3


async def test_one_block_that_never_answers_does_not_hide_the_others() -> None:
    def hole(request: Any) -> Any:
        return (faults.silent if request.address == 0 else faults.honest)(request)

    async with TcpEquipment(hole) as server, source(server.port, {"m": device()}, "200ms") as it:
        for _ in range(3):
            batch = await it.read()
            assert qualities(batch) == [BAD_TIMEOUT] * 2 + [GOOD] * 18


async def test_a_scan_that_is_left_spoils_nothing_of_the_next() -> None:
    async with TcpEquipment(faults.late(0.01)) as server, source(server.port, {"m": device()}) as it:
        for _ in range(5):
            reading = asyncio.create_task(it.read())
            while not it._exchange._dialogue.waiting:  # type: ignore[union-attr]
                await asyncio.sleep(0)
            reading.cancel()
            await asyncio.wait([reading])
        server.script = faults.honest
        batch = await it.read()
        assert_none_wrong(batch)
        assert set(qualities(batch)) == {GOOD}


async def test_a_scan_longer_than_a_tenth_of_a_second_keeps_each_reply_time() -> None:
    async with (
        TcpEquipment(faults.late(0.06)) as server,
        source(server.port, {"m": device(registers=6)}) as it,
    ):
        batch = await it.read()
        times = batch.parts[0].time.tolist()
        assert len(set(times)) == 3
        assert times == sorted(times)
        assert times[-1] - times[0] >= 100_000_000


async def test_probing_a_device_needs_no_schedule() -> None:
    devices = {"a": device(1, scan="1h"), "b": device(2, scan="1h")}
    async with TcpEquipment(faults.honest) as server, source(server.port, devices) as it:
        assert it.devices() == ["a", "b"]
        for _ in range(3):
            assert_none_wrong(await it.scan("b"), 2)


async def test_overruns_are_counted() -> None:
    async with TcpEquipment(faults.late(0.01)) as server, source(server.port, {"m": device()}) as it:
        for _ in range(3):
            await it.read()
        assert it.statistics()["overruns"] >= 3 * math.floor(0.1 / 0.01) - 3


@pytest.mark.skipif(sys.platform == "win32", reason="uvloop has no wheel for Windows")
def test_the_same_under_uvloop() -> None:
    import uvloop

    async def scenario() -> None:
        async with TcpEquipment(faults.honest) as server, source(server.port, {"m": device()}) as it:
            for _ in range(3):
                batch = await it.read()
                assert set(qualities(batch)) == {GOOD}
            server.script = faults.cut
            with pytest.raises(NotConnected, match=r"127\.0\.0\.1"):
                await it.read()

    uvloop.run(scenario())


@pytest.mark.skipif(sys.platform == "win32", reason="uvloop has no wheel for Windows")
def test_uvloop_wakes_once_or_twice_for_a_scan(monkeypatch: pytest.MonkeyPatch) -> None:
    import uvloop

    waits: list[float] = []
    really = Exchange.idle

    async def idle(self: Exchange, delay: float) -> None:
        waits.append(delay)
        await really(self, delay)

    monkeypatch.setattr(Exchange, "idle", idle)

    async def scenario() -> None:
        async with TcpEquipment(faults.honest) as server, source(server.port, {"m": device()}) as it:
            for _ in range(50):
                await it.read()

    uvloop.run(scenario())
    assert len(waits) < 100, "turn by turn it would be hundreds"


@pytest.mark.fault("D3")
@settings(max_examples=max(30, int(300 * float(os.environ.get("WL_SCALE", "0.1")))), deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=40), st.sampled_from(sorted(WRONG) + sorted(LOST))), max_size=6))
def test_d3_whatever_bytes_come_no_good_row_is_wrong_and_nothing_but_not_connected_is_raised(
    misdeeds: list[bytes | str],
) -> None:

    def script(request: Any) -> Any:
        if request.number >= len(misdeeds):
            return faults.honest(request)
        misdeed = misdeeds[request.number]
        if isinstance(misdeed, str):
            return (WRONG | LOST)[misdeed](request)
        # The right header before bytes of any kind and number, the length telling the truth.
        return [request.transaction.to_bytes(2, "big") + b"\0\0" + (len(misdeed) + 1).to_bytes(2, "big")
                + bytes((request.unit,)) + misdeed]  # fmt: skip

    async def scenario() -> None:
        async with TcpEquipment(script) as server:
            try:
                async with source(server.port, {"m": device()}, "15ms") as it:
                    for _ in range(2):
                        batch = await it.read()
                        accidents = [m for m in misdeeds if isinstance(m, bytes) and m[:2] == b"\x03\x04"]
                        if not accidents:
                            assert_none_wrong(batch)
            except NotConnected:
                return

    asyncio.run(scenario())
