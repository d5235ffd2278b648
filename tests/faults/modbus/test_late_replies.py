"""On a serial line a late reply is never taken for the answer to the next request."""

import asyncio
import heapq
import random
import re
import time
from pathlib import Path
from typing import Any

import pytest

from config.connections import ModbusDevice
from connectors import NotConnected
from connectors.line.dialogue import Terms
from connectors.line.serial_line import Pace, SerialLine
from connectors.line.statistics import Statistics
from connectors.modbus.framing import FRAMINGS
from connectors.modbus.plan import plan_requests, values_of
from connectors.modbus.poll import Poll
from connectors.quality import GOOD
from gateway.lab.modbus import frames
from gateway.lab.modbus import replies as faults
from gateway.lab.modbus.line import SerialEquipment
from tests.conftest import FakeClock
from tests.faults.modbus.lab import SCALE, assert_none_wrong, device, name_of, qualities, source

POLLS = int(100_000 * SCALE)
LINES = 24
TIMEOUT_MS = 50
QUIET_MS = 100
LATEST_S = 0.9 * (TIMEOUT_MS + QUIET_MS) / 1000
"""No device takes longer; what a busy machine makes later than this is not sent at all."""
SCANS_A_SESSION = 5
MS = 1_000_000
S = 1_000 * MS


def lateness(seed: int, share: float) -> faults.Script:
    """Answer now and then between the timeout and its double, mostly 1.3 times the timeout."""
    chance = random.Random(seed)

    def script(request: Any) -> Any:
        if chance.random() < share:
            yield TIMEOUT_MS / 1000 * chance.choice((1.3, 1.3, 1.6, 1.9))
        if time.monotonic() - request.asked < LATEST_S:
            yield frames.reply(request)

    return script


async def poll(path: Path, seed: int, polls: int) -> tuple[int, int, int]:
    """Poll devices whose requests all have one shape; return polls made, late replies, Good rows.

    What was learned is forgotten every few scans, as by a restart: a gateway that knows how late its devices
    are would not meet a late reply any more.
    """
    late = good = 0
    devices = {f"m{unit}": device(unit, 8) for unit in (1, 2, 3)}
    options = {"timeout": f"{TIMEOUT_MS}ms", "quiet": f"{QUIET_MS}ms"}
    async with SerialEquipment(path, lateness(seed, 0.03), keep=False) as line:
        while line.count < polls:
            it = source(path, devices, **options)
            try:
                async with it:
                    dialogue: Any = it._exchange._dialogue  # type: ignore[union-attr]
                    line.clock = lambda dialogue=dialogue: dialogue._sent / 1e9  # type: ignore[misc]
                    for _ in range(SCANS_A_SESSION):
                        batch = await it.read()
                        assert_none_wrong(batch, int(name_of(it, batch)[1:]))
                        good += qualities(batch).count(GOOD)
            except NotConnected as lost:
                # A full machine opens a port late; it may do so for none of it.
                assert re.search("no device answers|did not open", str(lost))  # noqa: PT017
            late += it.statistics()["late_replies"]
        return line.count, late, good


@pytest.mark.fault("D2")
@pytest.mark.timeout(1800)
async def test_d2_a_hundred_thousand_polls_with_late_replies_bring_no_wrong_value(
    tmp_path: Path, record_measure
) -> None:
    """Delay = timeout x 1.3 and more, requests that differ in nothing but the address."""
    found = await asyncio.gather(*(poll(tmp_path / f"line{n}", n, POLLS // LINES + 1) for n in range(LINES)))
    made, late, good = (sum(each) for each in zip(*found, strict=True))
    assert made >= POLLS
    assert late > made / 200
    assert good > made
    record_measure(f"{made} polls with {late} late replies: 0 wrong")


@pytest.mark.fault("D2")
async def test_d2_a_device_that_is_always_late_is_learned_and_read(tmp_path: Path) -> None:
    """The first replies are lost, then its own timeout is long enough."""
    slow = faults.late(0.1)

    def script(request: Any) -> Any:
        return (slow if request.unit == 2 else faults.honest)(request)

    devices = {"quick": device(1, 4), "slow": device(2, 4)}
    async with (
        SerialEquipment(tmp_path / "line", script) as line,
        source(line.path, devices, timeout="60ms", quiet="500ms") as it,
        asyncio.timeout(20),
    ):
        while True:
            batch = await it.read()
            name = name_of(it, batch)
            assert_none_wrong(batch, 2 if name == "slow" else 1)
            if name == "slow" and set(qualities(batch)) == {GOOD}:
                break
        assert it.statistics()["late_replies"] >= 1


@pytest.mark.fault("D2")
async def test_d2_a_cancelled_read_spoils_nothing_of_the_next(tmp_path: Path) -> None:
    """What was asked before is answered while something else is asked for."""
    async with (
        SerialEquipment(tmp_path / "line", faults.late(0.01)) as line,
        source(line.path, {"m": device()}, quiet="300ms") as it,
        asyncio.timeout(10),
    ):
        for _ in range(3):
            asked = line.count
            reading = asyncio.create_task(it.read())
            while line.count == asked:
                await asyncio.sleep(0)
            reading.cancel()
            await asyncio.wait([reading])
        batch = await it.read()
        assert_none_wrong(batch)
        assert set(qualities(batch)) == {GOOD}


@pytest.mark.fault("D2")
async def test_d2_a_new_session_does_not_take_what_the_last_one_asked_for(tmp_path: Path) -> None:
    """Opening the port again is no cure; the quiet time is."""
    async with SerialEquipment(tmp_path / "line", faults.late(0.08)) as line, asyncio.timeout(20):
        for _ in range(3):
            asked = line.count
            async with source(line.path, {"m": device()}, timeout="400ms", quiet="400ms") as it:
                reading = asyncio.create_task(it.read())
                while line.count == asked:
                    await asyncio.sleep(0)
                reading.cancel()
                await asyncio.wait([reading])
        async with source(line.path, {"m": device()}, timeout="400ms", quiet="400ms") as it:
            batch = await it.read()
        assert_none_wrong(batch)
        assert set(qualities(batch)) == {GOOD}


class Timeline:
    """A line and its devices in simulated time; no stall of a machine passes for a device's lateness."""

    def __init__(self, seed: int) -> None:
        self.clock = FakeClock()
        self.chance = random.Random(seed)
        self.coming: list[tuple[int, int, bytes]] = []  # due, order, bytes
        self.free = dict.fromkeys((1, 2, 3), 0)
        self.polls = self.late = self.wrong = self.good = 0
        self.forget()

    def forget(self) -> None:
        """Begin a session that knows nothing, as after a restart; what is under way still comes."""
        self.strays = Statistics()
        self.line = SerialLine(FRAMINGS["rtu"], Pace(0, 2 * MS, 0, S), {}, self.clock, self.strays)

    def asked(self, sent: bytes) -> None:
        """Answer in time, 1.3 to 1.9 timeouts late, or never; each device one request after the other."""
        if sent:
            self.polls += 1
            fate = self.chance.random()
            if fate > 0.02:
                late = self.chance.choice((1.3, 1.6, 1.9)) if fate < 0.1 else 0.02
                first, count = (int.from_bytes(sent[i : i + 2], "big") for i in (2, 4))
                data = b"".join(frames.register(sent[0], first + i).to_bytes(2, "big") for i in range(count))
                due = max(self.clock.steady, self.free[sent[0]]) + int(late * S)
                self.free[sent[0]] = due
                if 0.08 < fate < 0.12:  # noise first
                    heapq.heappush(self.coming, (self.clock.steady + 9 * MS, self.polls, b"\xff"))
                reply = frames.serial_frame(sent[:2] + bytes((2 * count,)) + data)
                heapq.heappush(self.coming, (due, self.polls, reply))

    def scan(self, poll: Poll, patience: int) -> None:
        line, clock = self.line, self.clock
        slots = range(len(poll.requests))
        self.asked(line.begin(poll, slots, [0] * len(slots), Terms(1, S, patience), Statistics()))
        while not line.done:
            if self.coming and self.coming[0][0] <= line.deadline:
                due, _, reply = heapq.heappop(self.coming)
                clock.steady = max(clock.steady, due)
                self.asked(line.receive(reply))
            else:
                clock.steady = max(clock.steady, line.deadline)
                self.asked(line.expire())
        answers = line.answers()
        for slot, status in enumerate(answers.status):
            if status == GOOD:
                request = poll.requests[slot]
                right = (frames.register(poll.unit_id, request.address + i) for i in range(request.count))
                is_right = answers.replies[slot] == b"".join(each.to_bytes(2, "big") for each in right)
                self.good += is_right
                self.wrong += not is_right


@pytest.mark.fault("D2")
def test_d2_the_same_in_simulated_time_with_lost_replies_between(record_measure) -> None:
    """Timeout and quiet time of a second as shipped, three devices, 2 % lost, 8 % late."""
    polls = {
        unit: Poll(unit, plan_requests(options, values_of(options)))
        for unit in (1, 2, 3)
        for options in [ModbusDevice.model_validate(device(unit, 12))]
    }
    line = Timeline(7)
    while line.polls < POLLS:
        if line.chance.random() < 0.02:
            line.late += line.strays.late_replies
            line.forget()
        line.scan(polls[line.chance.choice((1, 2, 3))], line.chance.choice((1, 2)))
    assert line.wrong == 0
    assert line.late > POLLS / 200
    assert line.good > POLLS / 2
    record_measure(f"{line.polls} polls in simulated time with {line.late} late replies: {line.wrong} wrong")
