"""A gateway that stands still for a while takes no late reply for an answer, whatever waited meanwhile."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop

from connectors.quality import GOOD
from gateway.lab.modbus import frames
from gateway.lab.modbus.line import SerialEquipment
from gateway.lab.modbus.replies import Script
from tests.faults.modbus.lab import assert_none_wrong, device, qualities, source

TIMEOUT_S = 0.05
QUIET_S = 0.1
LATE_S = 0.8 * (TIMEOUT_S + QUIET_S)
"""Later than the timeout, and within what is promised to be told apart."""
PACE: dict[str, Any] = {"timeout": f"{TIMEOUT_S}s", "quiet": f"{QUIET_S}s"}
LOOPS: dict[str, Callable[[Coroutine[Any, Any, None]], None]] = {"asyncio": asyncio.run, "uvloop": uvloop.run}


@contextmanager
def equipment(path: Path, script: Script) -> Iterator[SerialEquipment]:
    """A line whose devices do not stand still with the gateway: on a thread with a loop of its own."""
    line, leave, ready = SerialEquipment(path, script), threading.Event(), threading.Event()

    async def serve() -> None:
        async with line:
            ready.set()
            while not leave.is_set():
                await asyncio.sleep(0.005)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(10)
        yield line
    finally:
        leave.set()
        thread.join()


def answers(*delays: float | None) -> Script:
    """Answer the first requests so late or never, then always after ten milliseconds."""

    def script(request: frames.Request) -> Any:
        delay = delays[request.number] if request.number < len(delays) else 0.01
        if delay is not None:
            yield delay
            yield frames.reply(request)

    return script


def stand_still(seconds: float) -> None:
    """Keep the loop from everything, as a busy machine does."""
    time.sleep(seconds)


@pytest.mark.fault("D2")
@pytest.mark.parametrize("run", LOOPS.values(), ids=LOOPS)
def test_d2_a_late_reply_that_came_during_a_stall_is_not_taken_by_the_scan_that_follows(
    run: Any, tmp_path: Path
) -> None:
    """The quiet time passes meanwhile; the reply lies in the port, unread, as the next request goes."""

    async def scenario() -> None:
        with equipment(tmp_path / "line", answers(None, LATE_S)) as line:
            async with source(line.path, {"m": device(registers=4)}, **PACE) as it:
                await it.scan("m")
                stand_still(2 * QUIET_S)
                batch = await it.scan("m")
                assert_none_wrong(batch)
                assert it.statistics()["unasked_replies"] == 1
                assert set(qualities(batch)) == {GOOD}

    run(scenario())


@pytest.mark.fault("D2")
@pytest.mark.parametrize("run", LOOPS.values(), ids=LOOPS)
def test_d2_a_late_reply_that_came_during_a_stall_is_not_taken_by_the_scan_that_goes_on(
    run: Any, tmp_path: Path
) -> None:
    """The stall lies within the quiet time of one scan."""

    async def scenario() -> None:
        with equipment(tmp_path / "line", answers(LATE_S)) as line:
            async with source(line.path, {"m": device(registers=4)}, **PACE) as it:
                scanning = asyncio.create_task(it.scan("m"))
                while not it.statistics()["timeouts"]:
                    await asyncio.sleep(0.001)
                stand_still(2 * QUIET_S)
                batch = await scanning
                assert_none_wrong(batch)
                assert it.statistics()["unasked_replies"] == 1

    run(scenario())


@pytest.mark.fault("D2")
@pytest.mark.parametrize("run", LOOPS.values(), ids=LOOPS)
def test_d2_a_request_is_late_from_when_it_left_not_from_when_it_was_made(run: Any, tmp_path: Path) -> None:
    """A stall between the two leaves the device all of its time."""

    async def scenario() -> None:
        with equipment(tmp_path / "line", answers(LATE_S + 0.01)) as line:
            async with source(line.path, {"m": device(registers=4)}, **PACE) as it:
                await asyncio.sleep(3 * QUIET_S)
                scanning = asyncio.create_task(it.scan("m"))
                await asyncio.sleep(0)  # asked
                stand_still(2 * TIMEOUT_S)
                assert_none_wrong(await scanning)

    run(scenario())


@pytest.mark.fault("D2")
@pytest.mark.parametrize("run", LOOPS.values(), ids=LOOPS)
def test_d2_a_port_that_is_slow_to_open_does_not_bring_the_last_session_s_reply_into_the_next(
    run: Any, tmp_path: Path
) -> None:
    """The driver has it open long before the loop hears of it, and the reply falls in between."""

    async def scenario() -> None:
        with equipment(tmp_path / "line", answers(None, LATE_S)) as line:
            async with source(line.path, {"m": device(registers=4)}, **PACE) as it:
                await it.scan("m")
            it = source(line.path, {"m": device(registers=4)}, **PACE)
            entering = asyncio.create_task(it.__aenter__())
            await asyncio.sleep(0)  # the thread that opens it has begun
            stand_still(3 * QUIET_S)
            await entering
            try:
                batch = await it.scan("m")
                assert_none_wrong(batch)
                assert set(qualities(batch)) == {GOOD}
            finally:
                await it.__aexit__(None, None, None)

    run(scenario())


@pytest.mark.fault("D2")
async def test_d2_what_the_network_has_not_taken_is_not_late_yet(tmp_path: Path) -> None:
    """Behind a serial server a request that is sent again and again by TCP reaches its line only then."""
    with equipment(tmp_path / "line", answers(None)) as line:
        async with asyncio.timeout(20), source(line.path, {"m": device(registers=2)}, **PACE) as it:
            exchange: Any = it._exchange
            left = asyncio.Event()
            await asyncio.sleep(0)  # the port tells the exchange once more that it is open
            exchange._unsent = lambda: not left.is_set()
            scanning = asyncio.create_task(it.scan("m"))
            while not it.statistics()["requests"]:
                await asyncio.sleep(0.001)
            await asyncio.sleep(4 * TIMEOUT_S)
            assert it.statistics()["timeouts"] == 0
            left.set()
            await scanning
            assert it.statistics()["timeouts"] == 1
