"""Simulated meters by DL/T 645 and CJ/T 188: a fault is the frame it is named for."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import pytest

from gateway.lab.meters.line import CUT, Asked, MeterLine, Replies, Speech, frame188, frame645, honest, reply
from gateway.lab.meters.readings import Reading, consumption, electricity
from gateway.lab.meters.replies import FAULTS, scripted
from gateway.lab.scenario import Fault, Scenario

ELECTRIC = Asked("dlt645", "000000000001", "02010100", 0, b"\x68what", bytes.fromhex("0523"), place=1)
WATER_DATA = bytes.fromhex("78563412 2c 78563412 2c 31012211051520 2184")
WATER = Asked("cjt188", "1078330011223344", "901F", 0, b"\x68what", WATER_DATA, serial=7, place=2)
BOTH = pytest.mark.parametrize("asked", [ELECTRIC, WATER], ids=["dlt645", "cjt188"])


def said(fault: str, asked: Asked, value: str | None = None) -> list[tuple[float, bytes]]:
    steps = list(told(fault, asked, value))
    assert all(data is not CUT for _, data in steps)
    return [(delay, data or b"") for delay, data in steps]


def told(fault: str, asked: Asked, value: str | None = None) -> Replies:
    return scripted(Scenario.of([Fault(fault=fault, value=value)], FAULTS))(asked)


def only(fault: str, asked: Asked, value: str | None = None) -> bytes:
    ((delay, data),) = said(fault, asked, value)
    assert delay == 0
    return data


def opened(frame: bytes, asked: Asked) -> tuple[str, int, bytes]:
    """Return address, control and data of a frame whose length and sum are right."""
    whole = frame.lstrip(b"\xfe")
    assert (whole[0], whole[-1], whole[-2]) == (0x68, 0x16, sum(whole[:-2]) % 256)
    if asked.speech == "dlt645":
        assert whole[9] == len(whole) - 12
        return whole[6:0:-1].hex(), whole[8], bytes((each - 0x33) % 256 for each in whole[10:-2])
    assert whole[10] == len(whole) - 13
    return whole[1:2].hex() + whole[8:1:-1].hex(), whole[9], whole[11:-2]


@BOTH
def test_a_reply_that_is_not_the_meters_is_a_whole_frame_of_sevens(asked: Asked) -> None:
    right = opened(reply(asked), asked)
    head = len(asked.identifier) // 2 + (asked.speech == "cjt188")
    other = {name: opened(only(name, asked), asked) for name in ("wrong_address", "wrong_identifier")}
    other |= {name: opened(only(name, asked), asked) for name in ("wrong_control", "short", "long")}
    differs = {name: [a != b for a, b in zip(it[:2], right[:2], strict=True)] for name, it in other.items()}
    assert differs["wrong_address"] == [True, False]
    assert differs["wrong_control"] == [False, True]
    assert differs["wrong_identifier"] == differs["short"] == differs["long"] == [False, False]
    assert other["wrong_identifier"][2][:head] != right[2][:head]
    lengths = {name: len(it[2]) - len(right[2]) for name, it in other.items()}
    assert lengths == {
        "wrong_address": 0, "wrong_identifier": 0, "wrong_control": 0, "short": -1, "long": 1,
    }  # fmt: skip
    assert all(it[2][head : head + 1] == b"\x77" for it in other.values())


@BOTH
def test_a_broken_reply_is_broken_in_the_way_it_is_named_for(asked: Asked) -> None:
    right = reply(asked)
    assert said("drop", asked) == []
    assert said("late_reply", asked) == [(1.8, right)]
    assert said("delay", asked, "50ms") == [(0.05, right)]
    assert right.startswith(only("half_frame", asked))
    assert only("noise_before", asked) == b"\xff\x00\x80" + right
    assert only("noise_behind", asked) == right + b"\xff\x00\x80"
    assert only("duplicate", asked) == right * 2
    assert said("echo", asked) == [(0.0, asked.raw), (0.0, right)]
    pauses = said("slow_bytes", asked, "3ms")
    assert ({pause for pause, _ in pauses}, b"".join(each for _, each in pauses)) == ({0.003}, right)
    assert b"\x68" in only("flood", asked)
    for name in ("wrong_sum", "lying_length", "flipped_bit"):
        with pytest.raises(AssertionError):
            opened(only(name, asked), asked)
    assert set(opened(only("no_digits", asked), asked)[2][-len(asked.data or b"") :]) == {0xFF}


@BOTH
def test_a_connection_is_cut_off_after_so_many_bytes_of_the_reply(asked: Asked) -> None:
    assert told("cut", asked) == [(0.0, reply(asked)[:10]), (0.0, CUT)]
    assert told("cut", asked, "0") == [(0.0, b""), (0.0, CUT)]
    assert told("cut", asked, "300") == [(0.0, reply(asked)), (0.0, CUT)]


def test_an_error_answer_says_which() -> None:
    assert only("error", ELECTRIC) == frame645(ELECTRIC.address, 0xD1, b"\x02")
    assert only("error", ELECTRIC, "4") == frame645(ELECTRIC.address, 0xD1, b"\x04")
    assert only("error", WATER, "1") == frame188(WATER.address, 0xC1, b"\x07\x00\x01")


def test_a_fault_is_for_a_place_on_the_line_or_an_identifier() -> None:
    script = scripted(
        Scenario.of([Fault(fault="drop", unit=2), Fault(fault="echo", address=0x02010100)], FAULTS)
    )
    assert script(WATER) == []
    assert len(script(ELECTRIC)) == 2


@pytest.mark.parametrize(
    ("reading", "data"),
    [
        (Reading("u_l1", "02010100", 4, 1, 2, unit="V"), "0023"),
        (Reading("u_l1", "02010100", 4, 1, 2, unit="V", scale=100), "2300"),
        (Reading("pf", "02060000", 4, 3, 2), "5009"),
        (Reading("demand", "01010000", 6, 4, 8), "000001 0101010101"),
    ],
)
def test_a_value_is_written_in_the_meters_digits(reading: Reading, data: str) -> None:
    still = electricity([reading], 0, clock=lambda: 0.0)[reading.identifier]
    assert callable(still)
    assert still() == bytes.fromhex(data)


def test_a_negative_value_has_its_sign_in_the_top_bit() -> None:
    assert Reading("p", "02030000", 6, 4, 3, signed=True).bcd(-0.1234) == bytes.fromhex("341280")


def test_a_counter_goes_round_and_a_water_meter_says_its_unit() -> None:
    total = Reading("total", "901F", 8, 2, 4, is_counter=True, unit="m3", unit_code=0x2C)
    assert total.bcd(1_000_000.25) == bytes.fromhex("25000000")
    held = consumption([total], 3, clock=lambda: 0.0)["901F"]
    assert callable(held)
    assert held() == bytes.fromhex("00003000 2c 00003000 2c 31012211051520 2184")


@pytest.mark.parametrize(
    ("speech", "address", "asking"),
    [
        ("dlt645", "000000000001", lambda address: frame645(address, 0x11, bytes.fromhex("00010102"))),
        ("cjt188", "1078330011223344", lambda address: frame188(address, 0x01, bytes.fromhex("1f9000"))),
    ],
)
async def test_a_line_hears_a_request_behind_noise_in_pieces_and_asked_of_anyone(
    speech: Speech, address: str, asking: Callable[[str], bytes]
) -> None:
    held = {"02010100": b"\x05\x23", "901F": WATER_DATA}
    line = MeterLine(speech, {address: held}, honest, keep=False)
    anyone = "aa" * 6 if speech == "dlt645" else address[:2] + "aa" * 7
    answers: list[bytes | None] = []
    rest = b""
    for piece in (b"\x68\x00" * 400, asking(address)[:9], asking(address)[9:] + asking(anyone)):
        rest = line.hear(rest + piece, answers.append)
        assert len(rest) <= 300
    async with asyncio.timeout(10):
        while len(answers) < 2:
            await asyncio.sleep(0)
    assert answers[0] == answers[1]
    assert answers[0]
    assert (line.count, line.asked, line.others) == (2, [], [])


async def test_a_cut_ends_the_connection_behind_what_was_sent_and_the_next_is_taken() -> None:
    asking = frame645("000000000001", 0x11, bytes.fromhex("00010102"))
    script = scripted(Scenario.of([Fault(fault="cut", value="7", requests=frozenset({1}))], FAULTS))
    async with (
        asyncio.timeout(10),
        MeterLine("dlt645", {"000000000001": {"02010100": b"\x05\x23"}}, script) as line,
    ):
        for _ in range(2):
            reader, writer = await asyncio.open_connection("127.0.0.1", line.port)
            writer.write(asking)
            assert await reader.readexactly(7) == b"\xfe" * 4 + b"\x68\x01\x00"
            if line.count == 1:
                assert await reader.read() == b""
            else:
                assert await reader.readuntil(b"\x16")
            writer.close()


async def test_a_serial_server_that_takes_few_connections_closes_the_others() -> None:
    asking = frame645("000000000001", 0x11, bytes.fromhex("00010102"))
    async with (
        asyncio.timeout(10),
        MeterLine("dlt645", {"000000000001": {"02010100": b"\x05\x23"}}, most_connections=1) as line,
    ):
        first, writer = await asyncio.open_connection("127.0.0.1", line.port)
        writer.write(asking)
        assert await first.readexactly(4) == b"\xfe" * 4
        second, other = await asyncio.open_connection("127.0.0.1", line.port)
        with suppress(ConnectionError):
            assert await second.read() == b""
        writer.write(asking)
        assert await first.readuntil(b"\x16\xfe")
        writer.close()
        other.close()
