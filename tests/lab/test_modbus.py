"""The simulated Modbus equipment does what its faults are named for, as a plain socket sees it."""

import asyncio
import struct
from contextlib import suppress
from pathlib import Path

import pytest
from pymodbus.client import AsyncModbusTcpClient

from gateway.lab.modbus import frames
from gateway.lab.modbus.line import SerialEquipment
from gateway.lab.modbus.meter import Meter, Point, octets, ordered
from gateway.lab.modbus.replies import FAULTS, faulty, honest, scripted
from gateway.lab.modbus.tcp import TcpEquipment
from gateway.lab.plausible import value
from gateway.lab.scenario import Scenario

ASKED = bytes.fromhex("0007 0000 0006 02 03 0005 0002")
RIGHT = bytes.fromhex("0007 0000 0007 02 03 04") + struct.pack(">2H", 2185, 2222)
QUIET_S = 0.2


async def answer(script: str, least: int) -> bytes:
    """Return what comes, at least so many bytes, until it has been quiet for a while."""
    async with asyncio.timeout(20), TcpEquipment(faulty(script)) as equipment:
        reader, writer = await asyncio.open_connection("127.0.0.1", equipment.port)
        writer.write(ASKED)
        found = await reader.readexactly(least)
        with suppress(TimeoutError):
            while data := await asyncio.wait_for(reader.read(4096), QUIET_S):
                found += data
        writer.close()
        return found


WRONG = {
    "delay=10ms": RIGHT,
    "drop": b"",
    "wrong_unit": RIGHT[:6] + b"\x03\x03\x04" + struct.pack(">2H", 2222, 2259),
    "wrong_function": RIGHT[:7] + b"\x04\x04" + struct.pack(">2H", 2222, 2259),
    "wrong_transaction": b"\x50" + RIGHT[1:9] + struct.pack(">2H", 2222, 2259),
    "wrong_protocol": RIGHT[:3] + b"\x07" + RIGHT[4:9] + struct.pack(">2H", 2222, 2259),
    "short": bytes.fromhex("0007 0000 0005 02 03 02") + RIGHT[9:11],
    "long": bytes.fromhex("0007 0000 0009 02 03 06") + RIGHT[9:] + b"\x7f\xff",
    "lying_byte_count": RIGHT[:8] + b"\x02" + RIGHT[9:],
    "impossible_length": bytes.fromhex("0007 0000 0bb8 02 03"),
    "flipped_bit=72": RIGHT[:9] + bytes((RIGHT[9] ^ 1,)) + RIGHT[10:],
    "noise_before": b"\xff\x00\x80" + RIGHT,
    "noise_behind": RIGHT + b"\0",
    "text": b" Busy ",
    "web_page": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "flood": bytes(range(256)) + bytes(44),
    "half_frame": RIGHT[:6],
    "duplicate": RIGHT + RIGHT,
    "echo": ASKED + RIGHT,
    "slow_bytes=1ms": RIGHT,
    "torn=10ms": RIGHT,
    "exception=6": bytes.fromhex("0007 0000 0003 02 83 06"),
    "missing_address=6": bytes.fromhex("0007 0000 0003 02 83 02"),
    "missing_address=7": RIGHT,
    "cut": b"",
    "restart=10s": b"",
    "drop@#2": RIGHT,
    "drop/3": RIGHT,
    "babble=20ms": b"\x55" * 32,
    "late_reply=200ms": RIGHT,
    "deaf_at_first=10s": b"",
    "deaf_at_first=0s": RIGHT,
    "needs_rest=10s": RIGHT,
    "from_zero_only": RIGHT,
    "at_most=1": bytes.fromhex("0007 0000 0003 02 83 03"),
    "at_most=2": RIGHT,
}


@pytest.mark.parametrize("script", WRONG)
async def test_a_fault_over_tcp_is_these_bytes(script: str) -> None:
    assert await answer(script, len(WRONG[script])) == WRONG[script]


def test_every_fault_is_shown_above_or_is_one_of_a_line() -> None:
    shown = {script.partition("=")[0].partition("@")[0].partition("/")[0] for script in WRONG}
    assert shown | {"wrong_check"} == set(FAULTS)


async def test_writing_is_refused_as_by_a_device_that_can_only_be_read() -> None:
    writing = bytes.fromhex("0007 0000 0006 02 06 0005 0002")
    async with TcpEquipment(honest) as equipment:
        reader, writer = await asyncio.open_connection("127.0.0.1", equipment.port)
        writer.write(writing)
        assert await reader.readexactly(9) == bytes.fromhex("0007 0000 0003 02 86 01")
        writer.close()


async def test_a_device_that_takes_few_connections_closes_the_others() -> None:
    async with TcpEquipment(honest, most_connections=1) as equipment:
        first, writer = await asyncio.open_connection("127.0.0.1", equipment.port)
        second, other = await asyncio.open_connection("127.0.0.1", equipment.port)
        with suppress(ConnectionError):
            assert await second.read() == b""
        writer.write(ASKED)
        assert await first.readexactly(len(RIGHT)) == RIGHT
        writer.close()
        other.close()


async def test_equipment_that_restarts_is_away_for_so_long_and_then_where_it_was(tmp_path: Path) -> None:
    """TCP: every connection ends and none is taken meanwhile. A line: its name is gone meanwhile."""
    async with asyncio.timeout(20), TcpEquipment(faulty("restart=300ms@#1")) as equipment:
        one, writer = await asyncio.open_connection("127.0.0.1", equipment.port)
        other, beside = await asyncio.open_connection("127.0.0.1", equipment.port)
        writer.write(ASKED)
        for reader in (one, other):
            with suppress(ConnectionError):
                assert await reader.read() == b""
        with pytest.raises(ConnectionError):
            await asyncio.open_connection("127.0.0.1", equipment.port)
        while equipment.connections < 3:
            with suppress(ConnectionError):
                again, third = await asyncio.open_connection("127.0.0.1", equipment.port)
                third.write(ASKED)
                assert await again.readexactly(len(RIGHT)) == RIGHT
            await asyncio.sleep(0.01)
        for each in (writer, beside, third):
            each.close()
    async with asyncio.timeout(20), SerialEquipment(tmp_path / "line", faulty("restart=100ms@#1")) as line:
        line.hear(frames.serial_frame(ASKED[6:]))
        while line.path.is_symlink():
            await asyncio.sleep(0.001)
        while not line.path.is_symlink():
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("framing", ["rtu", "ascii"])
async def test_a_wrong_check_is_the_only_thing_wrong_with_the_frame(tmp_path: Path, framing: str) -> None:
    sent: list[bytes] = []
    line = SerialEquipment(tmp_path / "line", faulty("wrong_check@#1"), framing, through=sent.append)  # type: ignore[arg-type]
    content = bytes.fromhex("02 03 0005 0002")
    for _ in range(2):
        line.hear(frames.serial_frame(content, text=framing == "ascii"))
    async with asyncio.timeout(5):
        while len(sent) < 2:
            await asyncio.sleep(0)
    await line.__aexit__(None, None, None)
    wrong, right = sent
    assert right == frames.serial_frame(RIGHT[6:], text=framing == "ascii")
    assert len(wrong) == len(right)
    assert wrong != right


POINTS = (
    Point("u", "input", 0, "float32", unit="V"),
    Point("e", "input", 10, "uint32", "CDAB", 0.01, unit="kWh", is_counter=True),
    Point("t", "input", 20, "int16", scale=0.1, offset=-40, unit="°C"),
    Point("w", "input", 30, "float64", "DCBA", unit="kW"),
    Point("name", "input", 40, "string", length=3),
    Point("alarm", "coil", 2, "bool"),
)


@pytest.mark.server
async def test_pymodbus_reads_from_a_simulated_meter_what_it_is_to_hold() -> None:
    async with TcpEquipment(honest, memory=Meter({1: POINTS}, clock=lambda: 0.0)) as equipment:
        client = AsyncModbusTcpClient("127.0.0.1", port=equipment.port)
        assert await client.connect()
        kind = client.DATATYPE
        registers = (await client.read_input_registers(0, count=50)).registers
        coils = (await client.read_coils(0, count=4)).bits
        client.close()
    expected = {point.name: value(point, 0, 1, 0.0) for point in POINTS}
    read = client.convert_from_registers
    assert read(registers[0:2], kind.FLOAT32) == pytest.approx(expected["u"])
    assert read(registers[10:12], kind.UINT32, "little") * 0.01 == pytest.approx(expected["e"], abs=0.01)
    assert read(registers[20:21], kind.INT16) * 0.1 - 40 == pytest.approx(expected["t"], abs=0.1)
    (w,) = struct.unpack("<d", struct.pack(">4H", *registers[30:34]))
    assert w == pytest.approx(expected["w"])
    assert read(registers[40:43], kind.STRING).rstrip("\0") == "name"
    assert coils[:4] == [False, False, True, False]


def test_orders_are_written_as_the_trade_names_them() -> None:
    big = bytes(range(8))
    assert ordered(big[:4], "ABCD") == bytes((0, 1, 2, 3))
    assert ordered(big[:4], "CDAB") == bytes((2, 3, 0, 1))
    assert ordered(big[:4], "BADC") == bytes((1, 0, 3, 2))
    assert ordered(big[:4], "DCBA") == bytes((3, 2, 1, 0))
    assert ordered(big, "CDAB") == bytes((6, 7, 4, 5, 2, 3, 0, 1))
    assert ordered(big, "GHEFCDAB") == bytes((6, 7, 4, 5, 2, 3, 0, 1))
    assert octets(Point("x", "holding", 0, "bcd", length=2), 1234) == bytes.fromhex("00001234")
    assert octets(Point("x", "holding", 0, "uint16"), -5) == b"\0\0"
    assert octets(Point("x", "holding", 0, "int16"), 99_999) == b"\x7f\xff"
    assert octets(Point("x", "holding", 0, "float16"), -2) == bytes.fromhex("C000")
    assert octets(Point("x", "holding", 0, "float16"), 1e9) == bytes.fromhex("7BFF")
    assert octets(Point("x", "holding", 0, "int8", byte="low"), -2) == b"\x00\xfe"
    assert octets(Point("x", "holding", 0, "uint8", "BADC", byte="low"), 300) == b"\xff\x00"


def test_halves_of_one_register_lie_beside_each_other() -> None:
    points = (
        Point("h", "holding", 4, "uint8", unit="V", byte="high"),
        Point("l", "holding", 4, "uint8", offset=-40, unit="°C", byte="low"),
    )
    high, low = Meter({1: points}, clock=lambda: 0.0)(1, 3, 4, 1)
    assert (high, low) == tuple(round(value(point, 0, 1, 0.0) - point.offset) for point in points)


def test_the_script_of_an_empty_scenario_is_a_device_in_order() -> None:
    request = frames.Request(2, 3, 5, 2, 0, "tcp", ASKED, 0.0, 7)
    assert list(scripted(Scenario())(request)) == [RIGHT]
