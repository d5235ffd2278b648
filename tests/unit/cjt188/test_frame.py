"""The frame of CJ/T 188 as bytes, against published ones; nothing but reading can be asked."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.connections import Cjt188Source
from connectors.cjt188.frame import ANYONE, Frames
from connectors.cjt188.meter import frames_of, meter
from connectors.line.bcd import address

# Published by a maker of converters (hftangyu.com/563.html); there the reply's sum is 08, which its bytes do
# not add up to. Other drivers' tests have the same request.
ASKED = bytes.fromhex("fefefefe 68 10 44332211003378 01 03 1f9000 80 16")
ANSWERED = bytes.fromhex(
    "fefefefe 68 10 44332211003378 81 16 1f9000 00776655 2c 00776655 2c 31012211051520 2184 13 16"
)
LABEL = "78330011223344"


def one(**device: object) -> Cjt188Source:
    tags = {"total": {}, "month": {"place": 2}, "heat": {"unit": "kWh"}, "far": {"place": 6}}
    return Cjt188Source.model_validate(
        {"kind": "cjt188", "port": "COM3", "devices": {"m": {"address": LABEL, "tags": tags, **device}}}
    )


def test_a_request_is_the_published_one() -> None:
    options = one()
    asking = meter("m", options.devices["m"]).poll.asking
    assert [frames_of(options).enclose(each) for each in asking] == [ASKED]


def test_identifiers_go_the_other_way_round_where_the_meter_wants_it() -> None:
    options = one(di_order="high_first")
    (asking,) = meter("m", options.devices["m"]).poll.asking
    assert frames_of(options).enclose(asking)[4:][11:13].hex() == "901f"


def test_the_published_reply_is_read() -> None:
    options = one()
    device, frames = meter("m", options.devices["m"]), frames_of(options)
    content = frames.content(frames.bare(ANSWERED))
    assert content is not None
    head = device.poll.correct[0]
    assert content.startswith(head)
    values = {each.name: each.read(content[len(head) :]) for each in device._values}
    # The total and the month's are 556677.00 m³; there is no kWh in it, and no sixth number.
    assert values == {"total": 556677.0, "month": 556677.0, "heat": None, "far": None}


def test_any_meter_s_reply_counts_where_any_is_written() -> None:
    options = one(address="any")
    frames = frames_of(options)
    bare = frames.bare(ANSWERED)
    content = frames.content(bare)
    assert content is not None
    assert content[1:8] == ANYONE
    for end in range(len(bare)):
        seen = frames.veiled(bare[:end])
        assert len(seen) == end
        assert seen.startswith(frames.opening(content)[:end]) or end > 10


def test_a_reply_says_itself_how_long_it_is() -> None:
    frames = Frames()
    bare = frames.bare(ANSWERED)
    assert [frames.needed(bare[:end], 0) for end in (3, 11, 30)] == [4, len(bare), len(bare)]


@pytest.mark.fault("S12")
@settings(max_examples=300)
@given(content=st.binary(max_size=40))
def test_no_content_makes_a_frame_that_writes(content: bytes) -> None:
    """04 moves a valve, 15 changes an address: there is no way to have one sent."""
    try:
        frame = Frames(0).enclose(content)
    except ValueError:
        assert len(content) != 11
        return
    assert frame[9:11] == b"\x01\x03"
    assert len(frame) == 16


@settings(max_examples=300)
@given(data=st.binary(max_size=80))
def test_garbage_is_no_content(data: bytes) -> None:
    for frames in (Frames(), Frames(anyone=True)):
        found = frames.content(data)
        frames.veiled(data), frames.bare(data), frames.needed(data, 5)
        if found is not None:
            assert sum(data[:-2]) % 256 == data[-2]


@given(at=st.integers(4, len(ANSWERED) - 1), flip=st.integers(1, 255))
def test_a_flipped_byte_is_noticed(at: int, flip: int) -> None:
    frame = bytearray(ANSWERED)
    frame[at] ^= flip
    assert Frames().content(bytes(frame[4:])) is None


def test_an_address_goes_low_byte_first() -> None:
    assert address(LABEL).hex() == "44332211003378"
