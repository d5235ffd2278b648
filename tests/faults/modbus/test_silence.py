"""On a serial line: a silent device backs off alone, and the others keep their rate."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from config.connections import ModbusSerialSource
from connectors import NotConnected, TagTable
from connectors.line.dialogue import Answers, Terms
from connectors.line.serial import pace_of
from connectors.line.serial_line import SerialLine
from connectors.line.statistics import Statistics
from connectors.modbus import Modbus
from connectors.modbus.framing import FRAMINGS
from connectors.modbus.poll import Poll
from connectors.quality import BAD_TIMEOUT, GOOD
from gateway.lab.modbus import frames
from gateway.lab.modbus import replies as faults
from gateway.lab.modbus.line import SerialEquipment
from tests.conftest import FakeClock
from tests.faults.modbus.lab import SCALE, assert_none_wrong, device, name_of, qualities, source

MINUTES = 6 + round(9 * SCALE)
THINKS_NS = 15_000_000
"""What a device takes before it answers, beside the time on the wire."""


class FakeExchange:
    """The line's dialogue with devices that answer after a set time; the clock jumps from event to event."""

    def __init__(self, line: SerialLine, clock: FakeClock, dead: set[int], character: int) -> None:
        self._line = line
        self._clock = clock
        self._dead = dead
        self._character = character

    @property
    def free(self) -> int:
        return self._line.free

    async def scan(
        self, poll: Poll, slots: Sequence[int], status: Sequence[int], terms: Terms, statistics: Statistics
    ) -> Answers:
        line = self._line
        sent = line.begin(poll, slots, status, terms, statistics)
        reply, due = b"", 0
        while not line.done:
            if sent and sent[0] not in self._dead:
                text = sent[:1] == b":"
                asked = bytes.fromhex(sent[1:-2].decode()) if text else sent
                count = 2 * int.from_bytes(asked[4:6], "big")
                reply = frames.serial_frame(asked[:2] + bytes((count,)) + bytes(count), text=text)
                on_the_wire = (len(sent) + len(reply)) * self._character
                due = self._clock.steady + THINKS_NS + on_the_wire
            if reply and due <= line.deadline:
                self._pass(due - self._clock.steady)
                sent, reply = line.receive(reply), b""
            else:
                self._pass(max(0, line.deadline - self._clock.steady))
                sent = line.expire()
        return line.answers()

    async def idle(self, delay: float) -> None:
        self._pass(int(delay * 1e9) + 1)

    async def close(self) -> None: ...

    def _pass(self, nanoseconds: int) -> None:
        self._clock.wall += nanoseconds
        self._clock.steady += nanoseconds


class FakePort:
    """A line of thirty, made without a port."""

    peer = "line"

    def __init__(self, options: ModbusSerialSource, dead: set[int]) -> None:
        self._options = options
        self._dead = dead

    async def connect(self, clock: Any, statistics: Statistics) -> Any:
        pace = pace_of(self._options)
        line = SerialLine(FRAMINGS[self._options.framing], pace, {}, clock, statistics)
        return FakeExchange(line, clock, self._dead, pace.character)


async def times_of(
    units: Sequence[int], dead: set[int], scan: str, patience: str, *, back_at: int = MINUTES
) -> dict[str, list[tuple[float, bool]]]:
    """Return when each device was tried and whether it answered, s; the clock is simulated.

    After `back_at` minutes the dead are there again.
    """
    clock = FakeClock()
    tags = {"v": {"address": 0, "type": "float32", "count": 8}}
    options = ModbusSerialSource.model_validate(
        {
            "kind": "modbus_serial",
            "port": "line",
            "timeout": patience,
            "devices": {f"m{u}": {"unit_id": u, "scan": scan, "tags": tags} for u in units},
        }
    )
    made: dict[str, list[tuple[float, bool]]] = {f"m{u}": [] for u in units}
    away = set(dead)
    port: Any = FakePort(options, away)
    it = Modbus("line", options, port, site="s", tags=TagTable(), clock=clock)
    async with it:
        began = clock.steady
        while (at := (clock.steady - began) / 1e9) < MINUTES * 60:
            if at >= back_at * 60:
                away.clear()
            batch = await it.read()
            good = set(batch.parts[0].quality.tolist()) == {GOOD}
            made[name_of(it, batch)].append(((clock.steady - began) / 1e9, good))
    return made


def a_minute(made: dict[str, list[tuple[float, bool]]], living: set[str]) -> list[int]:
    """Return how many scans of the living each minute brought."""
    minutes = Counter(int(at // 60) for name in living for at, _ in made[name])
    return [minutes[each] for each in range(MINUTES)]


@pytest.mark.fault("D1")
@pytest.mark.parametrize("silent", [1, 5, 15, 25])
@pytest.mark.parametrize(("scan", "patience"), [("1s", "1s"), ("2s", "2s")])
async def test_d1_dead_devices_of_thirty_cost_the_others_less_than_five_percent(
    scan: str, patience: str, silent: int, record_measure: Callable[..., None]
) -> None:
    """Compared to a line of the others only; in the first two minutes each silent one has its first try."""
    units = range(1, 31)
    dead = set(random.Random(silent).sample(units, silent))
    living = {f"m{u}" for u in units if u not in dead}
    alone = a_minute(await times_of([u for u in units if u not in dead], set(), scan, patience), living)
    made = await times_of(units, dead, scan, patience)
    beside = a_minute(made, living)
    share = min(first + then for first, then in pairwise(beside[2:])) / max(
        first + then for first, then in pairwise(alone[2:])
    )
    assert share > 0.95
    first_tries = max(tries[0][0] for tries in made.values())
    asked_s, waited_s = float(scan[:-1]), float(patience[:-1])
    assert first_tries < silent * (2 * waited_s + asked_s) + 8
    assert all(good for name in living for _, good in made[name])
    for name in living:
        pauses = [then - at for (at, _), (then, _) in pairwise(made[name])]
        assert max(pauses) < 2 * asked_s + 2 * waited_s, "what falls out beside one try, quiet time included"
    record_measure(
        f"{silent} of 30 silent, scan {scan}, timeout {patience}: the others keep {100 * share:.1f} % "
        f"of their scans in the worst two minutes, all are tried once in {first_tries:.0f} s"
    )


@pytest.mark.fault("D1")
@pytest.mark.parametrize("silent", [1, 5, 25])
async def test_d1_silent_devices_take_turns_and_who_is_back_is_read_within_forty_timeouts_each(
    silent: int, record_measure: Callable[..., None]
) -> None:
    dead = set(range(3, 3 + silent))
    made = await times_of(range(1, 31), dead, "1s", "500ms", back_at=5)
    tries = [sum(at < 300 for at, _ in made[f"m{u}"]) for u in dead]
    assert max(tries) - min(tries) <= 1
    back = [next(at for at, good in made[f"m{u}"] if good) - 300 for u in dead]
    assert max(back) < max(62, silent * 40 * 0.5)
    record_measure(f"{silent} of 30 silent for five minutes: all read {max(back):.0f} s after they are back")


@pytest.mark.fault("D1")
async def test_d1_a_silent_device_is_bad_backs_off_and_is_had_again(tmp_path: Path) -> None:
    """Over a terminal: Bad rows for the one, no gap for the other, and back without a person."""
    dead = {2}

    def by_unit(request: Any) -> Any:
        return (faults.silent if request.unit in dead else faults.honest)(request)

    devices = {"alive": device(1), "dead": device(2)}
    patient = source(tmp_path / "line", devices, timeout="300ms")  # a busy machine's good device is late too
    async with SerialEquipment(tmp_path / "line", by_unit), patient as it:
        seen: Counter[str] = Counter()
        async with asyncio.timeout(20):
            while seen["dead"] < 3 or seen["alive"] < 20:
                batch = await it.read()
                name = name_of(it, batch)
                seen[name] += 1
                if name == "dead":
                    assert set(qualities(batch)) == {BAD_TIMEOUT}
                    assert it.statistics_by_device()["dead"]["timeouts"] == seen["dead"]
                else:
                    assert set(qualities(batch)) == {GOOD}
            dead.clear()
            while name_of(it, batch := await it.read()) != "dead":
                pass
            assert set(qualities(batch)) == {GOOD}
            assert_none_wrong(batch, 2)


@pytest.mark.fault("D1")
async def test_d1_an_unplugged_adapter_ends_the_session_and_is_had_again(tmp_path: Path) -> None:
    """Unplug: whether something is being asked or nothing is due."""
    async with SerialEquipment(tmp_path / "line", faults.honest) as line, asyncio.timeout(10):
        for scan in ("10ms", "1h"):
            it = source(line.path, {"m": device(scan=scan)})
            async with it:
                await it.read()
                line.cut()
                with pytest.raises(NotConnected, match="line"):
                    while True:
                        await it.read()
            with pytest.raises(NotConnected, match=r"can't be opened: No such file or directory$"):
                await it.__aenter__()
            line.mend()
            async with it:
                assert set(qualities(await it.read())) == {GOOD}


@pytest.mark.fault("D1")
async def test_d1_when_every_device_is_silent_the_link_is_down(tmp_path: Path) -> None:
    async with (
        SerialEquipment(tmp_path / "line", faults.silent) as line,
        source(line.path, {"a": device(1), "b": device(2)}) as it,
    ):
        assert set(qualities(await it.read())) == {BAD_TIMEOUT}
        with pytest.raises(NotConnected, match="no device answers"):
            await it.read()


@pytest.mark.fault("D1")
async def test_d1_a_port_has_one_owner(tmp_path: Path) -> None:
    """Two masters on one line would read each other's answers."""
    async with (
        SerialEquipment(tmp_path / "line", faults.honest) as line,
        source(line.path, {"m": device()}) as it,
    ):
        await it.read()
        with pytest.raises(NotConnected, match="can't be opened: another program has it open"):
            await source(line.path, {"m": device()}).__aenter__()
        assert set(qualities(await it.read())) == {GOOD}
