"""The frame of DL/T 645-2007 as bytes: an independent package agrees; nothing but reading can be asked."""

import pytest
from dlt645.protocol.protocol import DLT645Protocol
from hypothesis import given, settings
from hypothesis import strategies as st

from config.connections import Dlt645Source
from config.dlt645_identifiers import identifiers, template
from config.units import find_unit
from config.vocabulary import tag_names
from connectors.dlt645.frame import ANYONE, Frames
from connectors.dlt645.meter import frames_of, meter
from connectors.line.bcd import address, number
from connectors.line.dialogue import Answers

WRITING = (0x08, *range(0x14, 0x1C))
addresses = st.from_regex(r"\A[0-9]{12}\Z")
known = st.sampled_from(sorted(identifiers()))


def one(**tag: object) -> Dlt645Source:
    return Dlt645Source.model_validate(
        {
            "kind": "dlt645",
            "port": "COM3",
            "devices": {"m": {"address": "000000000001", "tags": {"x": {"di": "00010000", **tag}}}},
        }
    )


def test_a_request_is_what_the_facts_say() -> None:
    asking = meter("m", one().devices["m"]).poll.asking[0]
    frame = Frames().enclose(asking)
    # FE ×4, 68, address low byte first, 68, 11, 4, identifier low byte first each + 33H, sum, 16.
    assert frame.hex(" ") == "fe fe fe fe 68 01 00 00 00 00 00 68 11 04 33 33 34 33 b3 16"


@given(digits=addresses, di=known, wake=st.integers(0, 4))
def test_an_independent_package_reads_the_request_as_a_reading(digits: str, di: str, wake: int) -> None:
    frame = Frames(wake).enclose(address(digits) + address(di))
    found = DLT645Protocol.deserialize(frame)
    assert found is not None
    assert (found.ctrl_code, bytes(found.addr)[::-1].hex()) == (0x11, digits)
    assert bytes(found.data)[::-1].hex().upper() == di


@given(digits=addresses, control=st.integers(0, 255), data=st.binary(max_size=60), wake=st.integers(0, 4))
def test_what_an_independent_package_sends_is_read(digits: str, control: int, data: bytes, wake: int) -> None:
    raw = bytes(DLT645Protocol.build_frame(address(digits), control, data, wake))
    frames = Frames()
    frame = frames.bare(raw)
    assert frames.content(frame) == address(digits) + bytes((control, len(data))) + data
    assert frames.opening(frames.content(frame)[:8]) == frame[:10]
    assert frame.startswith(frames.opening(frames.content(frame)))


@pytest.mark.fault("S12")
@settings(max_examples=300)
@given(content=st.binary(max_size=40))
def test_no_content_makes_a_frame_that_writes(content: bytes) -> None:
    """Control codes 08 and 14 to 1B change a meter: there is no way to have one sent."""
    try:
        frame = Frames(0).enclose(content)
    except ValueError:
        assert len(content) != 10
        return
    assert frame[8] == 0x11
    assert frame[8] not in WRITING
    assert len(frame) == 16


@settings(max_examples=300)
@given(data=st.binary(max_size=80))
def test_garbage_is_no_content(data: bytes) -> None:
    for frames in (Frames(), Frames(anyone=True)):
        found = frames.content(data)
        frames.veiled(data), frames.bare(data)
        if found is not None:
            assert sum(data[:-2]) % 256 == data[-2]
            assert len(found) == len(data) - 4


@given(digits=addresses, at=st.integers(4, 25), flip=st.integers(1, 255))
def test_a_flipped_byte_is_noticed(digits: str, at: int, flip: int) -> None:
    frames = Frames()
    frame = bytearray(DLT645Protocol.build_frame(address(digits), 0x91, b"\x00\x00\x01\x00\x78\x56\x34\x12"))
    place = min(at, len(frame) - 1)
    frame[place] ^= flip
    assert frames.content(bytes(frame[4:])) is None


@pytest.mark.parametrize(
    ("data", "decimals", "signed", "value"),
    [
        ("78563412", 2, False, 123456.78),
        ("99999999", 2, False, 999999.99),
        ("0022", 1, False, 220.0),
        ("34 12 80", 3, True, -1.234),
        ("34 12 80", 3, False, 801.234),
        ("00 00 80", 4, True, -0.0),
        ("ffff", 1, False, None),
        ("1a00", 1, False, None),
        ("ffffff", 3, True, None),
    ],
)
def test_digits_are_a_number_or_there_is_none(
    data: str, decimals: int, signed: bool, value: float | None
) -> None:
    assert number(bytes.fromhex(data), decimals, signed=signed) == value


@given(st.integers(0, 10**8 - 1))
def test_a_number_is_the_nearest_to_what_the_meter_shows(shown: int) -> None:
    assert number(bytes.fromhex(f"{shown:08}")[::-1], 2) == float(f"{shown / 100:.2f}")


@pytest.mark.parametrize(
    ("di", "data", "shown"),
    [
        ("00000000", "56 34 12 80", -1234.56),
        ("00030000", "00 05 00 80", -5.0),
        ("00040000", "00 05 00 80", -5.0),
        ("02030000", "34 12 80", -0.1234),
        ("02050000", "34 12 80", -0.1234),
        ("02800004", "00 50 82", -2.5),
        ("02800007", "05 80", -0.5),
        ("00010000", "00 00 00 80", 800000.0),
    ],
)
def test_a_number_that_may_be_negative_has_its_sign_in_the_top_bit(di: str, data: str, shown: float) -> None:
    """Read as a digit the bit would add 800,000 kWh or 80 kW; energies of one direction have none."""
    said = meter("m", one(di=di).devices["m"]).decoder.columns(Answers([bytes.fromhex(data)], [0], [0]))
    assert said[0].value.tolist() == [shown]


def test_the_table_of_identifiers_is_whole() -> None:
    names = tag_names()
    for di, each in identifiers().items():
        assert len(di) == 8
        assert find_unit(each.unit) is not None
        assert 2 * each.bytes >= each.format.count("X")
        assert each.format.count("X") % 2 == 0
        assert each.confidence in ("high", "medium")
        assert each.zh
        assert each.en
    for name in ("single_phase", "three_phase"):
        for tag, di in template(name).items():
            unit = find_unit(identifiers()[di].unit)
            assert unit is not None
            assert names[tag].quantity == unit.quantity
            assert names[tag].is_counter == identifiers()[di].counter


def test_a_tag_takes_what_the_table_says_unless_it_says_otherwise() -> None:
    tag = one().devices["m"].tags["x"]
    assert (tag.unit.symbol, tag.format, tag.counter, tag.class_) == ("kWh", "XXXXXX.XX", True, "energy")
    other = one(unit="MWh", format="XXXXX.XXX", counter=False).devices["m"].tags["x"]
    assert (other.unit.symbol, other.format, other.counter) == ("MWh", "XXXXX.XXX", False)


def test_any_address_is_asked_only_where_it_is_written() -> None:
    options = one()
    assert meter("m", options.devices["m"]).poll.unit == bytes.fromhex("010000000000")
    device = options.devices["m"].model_copy(update={"address": "any"})
    anyone = options.model_copy(update={"devices": {"m": device}})
    assert meter("m", device).poll.unit == ANYONE
    raw = frames_of(options).bare(bytes(DLT645Protocol.build_frame(address("123456789012"), 0x91, b"")))
    assert frames_of(options).content(raw)[:6] == address("123456789012")
    assert frames_of(anyone).content(raw)[:6] == ANYONE
    assert frames_of(anyone).veiled(raw)[1:7] == ANYONE
    assert frames_of(anyone).veiled(raw[:4]) == raw[:1] + ANYONE[:3]
