"""On a serial line: a reply that is not the answer is never used."""

import asyncio
import random
import struct
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import pytest

from connectors import NotConnected
from connectors.quality import (
    BAD_COMMUNICATION_ERROR,
    BAD_CONFIGURATION_ERROR,
    BAD_DEVICE_FAILURE,
    BAD_NO_COMMUNICATION,
    BAD_NOT_SUPPORTED,
    BAD_OUT_OF_RANGE,
    BAD_RESOURCE_UNAVAILABLE,
    GOOD,
)
from gateway.lab.modbus import frames
from gateway.lab.modbus import replies as faults
from gateway.lab.modbus.line import SerialEquipment
from tests.faults.modbus.lab import SCALE, assert_none_wrong, content, device, qualities, source

Framing = Literal["rtu", "ascii"]
WRONG_POLLS = int(20 + 480 * SCALE)
TIMEOUT_S = 0.06
BUSY_S = 1.0
"""How long a machine that is busy with others may keep us from the line; who hangs does so for longer."""

REJECTED = {
    "D4 wrong unit": faults.wrong_unit,
    "D3 wrong function": faults.wrong_function,
    "D3 too short": faults.short,
    "D3 too long": faults.long,
    "D3 lying byte count": faults.lying_byte_count,
    "D5 wrong check": faults.wrong_check,
    "D5 first bit": faults.flipped(0),
    "D5 a bit of the data": faults.flipped(45),
    "D5 noise before": faults.noise_before(b"\xff\x00\x80"),
    "D5 noise behind": faults.noise_behind(b"\x00"),
    "D5 text": faults.instead(b" Busy "),
    "D5 half a frame": faults.half,
    "D5 a flood": faults.instead(bytes(range(256)) + bytes(44)),
}


@pytest.fixture(params=["rtu", "ascii"])
def framing(request: pytest.FixtureRequest) -> Framing:
    return request.param  # type: ignore[no-any-return]


@pytest.mark.fault("D3", "D4", "D5")
@pytest.mark.parametrize("script", REJECTED.values(), ids=REJECTED.keys())
async def test_d3_d4_d5_a_reply_that_does_not_fit_is_rejected_and_the_next_is_fine(
    script: Any, framing: Framing, tmp_path: Path
) -> None:
    """Rejected before it is decoded; the request behind it is answered well."""

    def now_and_then(request: Any) -> Any:
        return (script if request.address == 4 else faults.honest)(request)

    async with (
        SerialEquipment(tmp_path / "line", now_and_then, framing) as line,
        source(line.path, {"m": device()}, framing=framing) as it,
        asyncio.timeout(10),
    ):
        batch = await it.read()
        assert_none_wrong(batch)
        assert qualities(batch) == [BAD_COMMUNICATION_ERROR if a in (4, 5) else GOOD for a in range(20)]
        assert it.statistics()["rejected_replies"] == 1


@pytest.mark.fault("D3", "D4", "D5")
async def test_d3_d4_d5_of_every_kind_of_wrong_reply_in_any_order_none_is_accepted(
    tmp_path: Path, record_measure
) -> None:
    """Every third reply is wrong in one of thirteen ways; none holds the line up for long."""
    chance = random.Random(5)
    wrong = 0

    def now_and_then(request: Any) -> Any:
        nonlocal wrong
        if chance.random() > 1 / 3:
            return faults.honest(request)
        wrong += 1
        return chance.choice(list(REJECTED.values()))(request)

    good = 0
    async with (
        SerialEquipment(tmp_path / "line", now_and_then) as line,
        source(line.path, {"m": device()}, timeout=f"{TIMEOUT_S}s", quiet=f"{TIMEOUT_S}s") as it,
    ):
        while line.count < WRONG_POLLS:
            batch = await it.scan("m")
            assert_none_wrong(batch)
            good += qualities(batch).count(GOOD)
    assert good > line.count / 4
    polls = sorted(after.asked - before.asked for before, after in pairwise(line.requests))
    assert polls[-1] < 2 * TIMEOUT_S + BUSY_S
    shares = f"99 % within {polls[len(polls) * 99 // 100] / TIMEOUT_S:.1f}, all {polls[-1] / TIMEOUT_S:.1f}"
    record_measure(f"from one request to the next, in timeouts: {shares}", row="D5")
    for row in ("D3", "D4", "D5"):
        record_measure(f"{wrong} wrong replies of thirteen kinds among {line.count}: 0 accepted", row=row)


@pytest.mark.fault("D4")
async def test_d4_a_doubled_reply_is_harmless(framing: Framing, tmp_path: Path) -> None:
    """The same frame twice is one answer, and nothing of it is left for the next request."""
    async with (
        SerialEquipment(tmp_path / "line", faults.twice, framing) as line,
        source(line.path, {"m": device(registers=8)}, framing=framing) as it,
    ):
        batch = await it.read()
        assert_none_wrong(batch)
        assert set(qualities(batch)) == {GOOD}
        assert it.statistics()["unasked_replies"] == 4


@pytest.mark.fault("D5")
async def test_d5_slow_bytes_are_waited_for_and_no_longer_than_the_timeout(
    framing: Framing, tmp_path: Path
) -> None:
    """A reply in pieces is one reply as long as it comes in time."""
    async with (
        SerialEquipment(tmp_path / "line", faults.in_slices(3, 0.001), framing) as line,
        source(line.path, {"m": device(registers=4)}, framing=framing) as it,
        asyncio.timeout(10),
    ):
        batch = await it.read()
        assert_none_wrong(batch)
        assert set(qualities(batch)) == {GOOD}
        line.script = faults.in_slices(1, 0.02)
        batch = await it.read()
        assert qualities(batch)[:2] == [BAD_COMMUNICATION_ERROR] * 2
        assert_none_wrong(batch)
        line.script = faults.honest
        while set(qualities(await it.read())) != {GOOD}:
            pass


@pytest.mark.fault("D5")
async def test_d5_an_echoing_adapter_is_named_when_it_is_not_expected(tmp_path: Path) -> None:
    """Not one value, and the person is told which option to set."""
    async with (
        SerialEquipment(tmp_path / "line", faults.echoing) as line,
        source(line.path, {"m": device()}) as it,
    ):
        with pytest.raises(NotConnected, match="echo: true") as caught:
            await it.read()
        assert caught.value.needs_a_person


@pytest.mark.fault("D5")
async def test_d5_an_expected_echo_is_compared_and_left_out(framing: Framing, tmp_path: Path) -> None:
    """With `echo: true` a device behind such an adapter reads like any other."""
    async with (
        SerialEquipment(tmp_path / "line", faults.echoing, framing) as line,
        source(line.path, {"m": device()}, framing=framing, echo=True) as it,
    ):
        for _ in range(2):
            batch = await it.read()
            assert_none_wrong(batch)
            assert set(qualities(batch)) == {GOOD}
        line.script = lambda request: [bytes((request.raw[0] ^ 1,)) + request.raw[1:], frames.reply(request)]
        assert GOOD not in qualities(await it.read())
        line.script = lambda request: [request.raw]
        with pytest.raises(NotConnected, match="no device answers"):
            await it.read()


@pytest.mark.fault("D5")
async def test_d5_a_line_that_never_falls_silent_ends_the_session(tmp_path: Path) -> None:
    """A stuck transmitter is an error with a reason, not a wait without end."""

    def babbling(request: Any) -> Any:  # noqa: ARG001
        for _ in range(2000):
            yield b"\x55" * 8
            yield 0.005

    async with (
        SerialEquipment(tmp_path / "line", babbling) as line,
        source(line.path, {"m": device()}) as it,
        asyncio.timeout(10),
    ):
        with pytest.raises(NotConnected, match="never falls silent"):
            for _ in range(10):
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
async def test_d6_an_exception_has_its_quality_and_the_other_blocks_keep_flowing(
    code: int, framing: Framing, tmp_path: Path
) -> None:

    def refusing(request: Any) -> Any:
        return (faults.exception(code) if request.address == 6 else faults.honest)(request)

    async with (
        SerialEquipment(tmp_path / "line", refusing, framing) as line,
        source(line.path, {"m": device(max_registers=1)}, framing=framing) as it,
    ):
        for _ in range(2):
            batch = await it.read()
            assert_none_wrong(batch)
            assert qualities(batch) == [QUALITIES[code] if a == 6 else GOOD for a in range(20)]


@pytest.mark.fault("D6")
async def test_d6_a_refused_block_is_narrowed_to_the_register_at_fault(tmp_path: Path) -> None:
    """Exception 2: split, find the bad register, remember it."""
    async with (
        SerialEquipment(tmp_path / "line", faults.without(37)) as line,
        source(line.path, {"m": device(registers=100, max_registers=125)}) as it,
    ):
        await it.read()
        batch = await it.read()
        assert_none_wrong(batch)
        assert qualities(batch) == [BAD_CONFIGURATION_ERROR if a == 37 else GOOD for a in range(100)]
        asked = len(line.requests)
        await it.read()
        assert 37 not in [request.address for request in line.requests[asked:]]


NONE = {
    "quiet_nan": ("float32", bytes.fromhex("7fc00000")),
    "loud_nan": ("float32", bytes.fromhex("7f800001")),
    "infinity": ("float32", bytes.fromhex("ff800000")),
    "absent": ("int16", bytes.fromhex("8000")),
}
SOME = {
    "smallest": ("float32", struct.pack(">f", 1e-45)),
    "total": ("uint64", (2**64 - 59).to_bytes(8, "big")),
    "below": ("int64", (-(2**63)).to_bytes(8, "big", signed=True)),
    "odd": ("int64", (2**53 + 1).to_bytes(8, "big")),
}


@pytest.mark.fault("D8", "D9")
async def test_d8_d9_what_is_no_number_is_bad_and_every_bit_of_what_is_one_is_kept(
    tmp_path: Path, record_measure
) -> None:
    """The decoder's own tests have them in full."""
    memory, tags = b"", {}
    for name, (wire, raw) in (NONE | SOME).items():
        tags[name] = {"address": len(memory) // 2, "type": wire}
        memory += raw
    tags["absent"]["not_available"] = 0x8000

    def serve(request: Any) -> Any:
        first = 2 * request.address
        return [frames.reply(request, memory[first : first + 2 * request.count])]

    async with (
        SerialEquipment(tmp_path / "line", serve) as line,
        source(line.path, {"m": device(tags=tags, max_registers=125)}) as it,
    ):
        batch = await it.read()
    found = {
        it._tags[tag].name: (value, quality)
        for part in batch.parts
        for tag, value, quality in zip(
            part.tag.tolist(), part.value.tolist(), part.quality.tolist(), strict=True
        )
    }
    assert {found[name][1] for name in NONE} == {BAD_OUT_OF_RANGE}
    assert found["smallest"] == (struct.unpack(">f", SOME["smallest"][1])[0], GOOD)
    assert found["total"] == (-59, GOOD)
    assert found["below"] == (-(2**63), GOOD)
    assert found["odd"] == (2**53 + 1, GOOD)
    record_measure(f"{len(NONE)} kinds of no number: {len(NONE)} bad", row="D8")
    record_measure(f"{len(SOME)} numbers at the ends of their types: {len(SOME)} exact", row="D9")


@pytest.mark.fault("D10")
async def test_d10_a_value_of_several_registers_is_never_put_together_from_two_replies(
    tmp_path: Path, record_measure
) -> None:
    """Every value counts up with every request, over the border of its words."""
    served: set[int] = set()

    def counting(request: Any) -> Any:
        now = 0x0000_FFF0 + request.number
        served.add(now)
        image = now.to_bytes(4, "big") * 40
        first = 2 * request.address
        return [frames.reply(request, image[first : first + 2 * request.count])]

    tags = {"v": {"address": 0, "type": "uint32", "count": 40}}
    async with (
        SerialEquipment(tmp_path / "line", counting) as line,
        source(line.path, {"m": device(tags=tags, max_registers=7)}) as it,
    ):
        last = 0
        for _ in range(8):
            batch = await it.read()
            values = [value for value, quality in content(batch) if quality == GOOD]
            assert len(values) == 40
            assert set(values) <= served
            assert min(values) > last
            last = max(values)
    assert last > 0x0001_0000
    record_measure("320 counters over the border of their words: 0 torn")
