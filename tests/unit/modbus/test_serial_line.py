"""The dialogue on a serial line as bytes and times: what counts as an answer, how long nothing is sent."""

from itertools import pairwise
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.connections import ModbusDevice, ModbusSerialSource
from connectors.line.dialogue import FramingLost, Terms
from connectors.line.serial import pace_of
from connectors.line.serial_line import Manner, Pace, SerialLine
from connectors.line.statistics import Statistics
from connectors.modbus.framing import FRAMINGS
from connectors.modbus.plan import apart, plan_requests, values_of
from connectors.modbus.poll import Poll
from connectors.quality import BAD_COMMUNICATION_ERROR, BAD_TIMEOUT, GOOD
from gateway.lab.modbus.frames import crc
from gateway.lab.modbus.frames import serial_frame as frame
from tests.conftest import FakeClock

MS = 1_000_000
S = 1_000 * MS
PACE = Pace(character=0, gap=2 * MS, pause=0, quiet=S)


def poll_of(registers: int = 6, each: int = 2, unit: int = 1) -> Poll:
    device = ModbusDevice.model_validate(
        {"tags": {"v": {"address": 0, "type": "uint16", "count": registers}}, "max_registers": each}
    )
    return Poll(unit, plan_requests(device, values_of(device)))


class Wire:
    """A line under way: sends what it may, moves the clock to when something is due."""

    def __init__(
        self, framing: Literal["rtu", "ascii"] = "rtu", pace: Pace = PACE, *, echo: bool = False
    ) -> None:
        self.clock = FakeClock()
        self.text = framing == "ascii"
        self.connection, self.statistics = Statistics(), Statistics()
        self.manners: dict[bytes, Manner] = {}
        self.line = SerialLine(FRAMINGS[framing], pace, self.manners, self.clock, self.connection, echo=echo)
        self.sent: list[tuple[int, bytes]] = []

    def begin(self, poll: Poll, patience: int = 2, timeout: int = S, *, alone: bool = True) -> None:
        slots = list(range(len(poll.requests)))
        terms = Terms(1, timeout, patience, alone)
        self._note(self.line.begin(poll, slots, [0] * len(slots), terms, self.statistics))

    def hear(self, data: bytes) -> None:
        self._note(self.line.receive(data))

    def wait(self) -> None:
        """Let the time pass until the line wants to be called."""
        self.clock.steady = max(self.clock.steady, self.line.deadline)
        self._note(self.line.expire())

    def wait_until_sent(self) -> bytes:
        before = len(self.sent)
        while len(self.sent) == before:
            self.wait()
        return self.sent[-1][1]

    def pass_by(self, nanoseconds: int) -> None:
        """Let so much time pass, the line being called whenever it wants to be."""
        until = self.clock.steady + nanoseconds
        while self.line.waiting and self.line.deadline <= until:
            self.wait()
        self.clock.steady = until

    def right(self, request: bytes, data: bytes | None = None) -> bytes:
        """Return the right reply to a request as sent."""
        content = bytes.fromhex(request[1:-4].decode()) if self.text else request[:-2]
        body = bytes(range(2 * content[5])) if data is None else data
        return frame(content[:2] + bytes((len(body),)) + body, text=self.text)

    def statuses(self) -> list[int]:
        return list(self.line.answers().status)

    def _note(self, data: bytes) -> None:
        if data:
            self.sent.append((self.clock.steady, data))


def test_a_request_is_the_specifications_bytes() -> None:
    device = ModbusDevice.model_validate({"tags": {"v": {"address": 107, "count": 3}}})
    poll = Poll(17, plan_requests(device, values_of(device)))
    for framing, expected in (("rtu", bytes.fromhex("1103006b00037687")), ("ascii", b":1103006B00037E\r\n")):
        wire = Wire(framing)  # type: ignore[arg-type]
        wire.begin(poll)
        assert wire.wait_until_sent() == expected


@pytest.mark.parametrize("framing", ["rtu", "ascii"])
def test_a_scan_asks_one_by_one_with_the_gap_between_reply_and_request(framing: Any) -> None:
    wire = Wire(framing)
    wire.begin(poll_of())
    for number in range(3):
        request = wire.sent[-1][1] if number else wire.wait_until_sent()
        wire.clock.steady += 7 * MS
        for octet in wire.right(request):
            wire.hear(bytes((octet,)))
        heard = wire.clock.steady
        wire.wait()
        if number < 2:
            assert wire.sent[-1][0] == heard + PACE.gap
    assert wire.line.done
    assert wire.statuses() == [GOOD] * 3
    assert list(wire.line.answers().replies) == [b"\0\1\2\3"] * 3


@pytest.mark.parametrize(
    ("options", "character", "gap"),
    [
        ({"baud": 9600}, 1_041_666, 3_645_831),
        ({"baud": 9600, "parity": "even"}, 1_145_833, 4_010_415),
        ({"baud": 19200, "stop_bits": 2}, 572_916, 2_005_206),
        ({"baud": 38400}, 260_416, 1_750_000),
        ({"baud": 9600, "framing": "ascii", "data_bits": 7, "parity": "odd"}, 1_041_666, 3_645_831),
    ],
)
def test_the_gap_is_three_and_a_half_characters_and_never_below_1750_microseconds_above_19200_baud(
    options: dict[str, Any], character: int, gap: int
) -> None:
    devices = {"m": {"tags": {"v": {"address": 0}}}}
    source = {"kind": "modbus_serial", "port": "p", "devices": devices, **options}
    assert pace_of(ModbusSerialSource.model_validate(source)) == Pace(character, gap, 0, S)


def test_the_time_on_the_wire_is_waited_for_beside_the_timeout() -> None:
    wire = Wire(pace=Pace(character=MS, gap=4 * MS, pause=0, quiet=S))
    wire.begin(poll_of(250, each=125))
    wire.wait_until_sent()
    assert wire.line.deadline == wire.clock.steady + S + (8 + 255) * MS


def test_a_pause_lies_between_reply_and_request() -> None:
    wire = Wire(pace=Pace(character=0, gap=2 * MS, pause=50 * MS, quiet=S))
    wire.begin(poll_of(4))
    wire.hear(wire.right(wire.wait_until_sent()))
    heard = wire.clock.steady
    wire.wait_until_sent()
    assert wire.sent[-1][0] == heard + 52 * MS


@pytest.mark.fault("D2")
def test_d2_after_a_timeout_nothing_is_sent_for_the_quiet_time_and_what_comes_is_dropped() -> None:
    """The late reply has the shape of the next one, and is not taken."""
    wire = Wire()
    wire.begin(poll_of(4))
    first = wire.wait_until_sent()
    wire.pass_by(1300 * MS)
    assert len(wire.sent) == 1
    wire.hear(wire.right(first, b"late"))
    late = wire.clock.steady
    second = wire.wait_until_sent()
    assert wire.sent[-1][0] == late + 1300 * MS, "as long as it was late"
    wire.hear(wire.right(second, b"good"))
    wire.wait()
    assert wire.statuses() == [BAD_TIMEOUT, GOOD]
    assert list(wire.line.answers().replies) == [bytes(4), b"good"]
    assert wire.connection.late_replies == 1


@pytest.mark.fault("D2")
def test_d2_how_late_a_device_is_is_learned_for_it_alone_and_kept_over_sessions() -> None:
    """Timeout and quiet time of the late one grow, those of the others do not."""
    wire = Wire()
    wire.begin(poll_of(2))
    first = wire.wait_until_sent()
    wire.pass_by(1600 * MS)
    wire.hear(wire.right(first))
    assert wire.manners[b"\x01"].lateness == 1600 * MS
    wire.begin(poll_of(2))
    wire.wait_until_sent()
    assert wire.line.deadline == wire.clock.steady + 2000 * MS
    wire.line.abandon()
    wire.begin(poll_of(2, unit=2))
    wire.wait_until_sent()
    assert wire.line.deadline == wire.clock.steady + S
    following = SerialLine(FRAMINGS["rtu"], PACE, wire.manners, wire.clock, Statistics())
    assert following.begin(poll_of(2), [0], [0], Terms(1, S, 2), Statistics()) == b""
    assert following.deadline == wire.clock.steady + 2000 * MS


@pytest.mark.fault("D2")
def test_d2_a_late_reply_that_comes_when_another_s_turn_has_begun_is_learned_for_who_was_late() -> None:
    """A device with a single request is given up with its scan; the next one's waits quietly."""
    wire = Wire()
    wire.begin(poll_of(2))
    first = wire.wait_until_sent()
    while not wire.line.done:
        wire.wait()
    given_up = wire.clock.steady
    wire.begin(poll_of(2, unit=2))
    wire.pass_by(900 * MS)
    wire.hear(wire.right(first))
    assert wire.manners[b"\x01"].lateness == 1900 * MS
    assert wire.connection.late_replies == 1
    wire.wait_until_sent()
    assert wire.sent[-1][0] == given_up + 900 * MS + 1900 * MS
    assert wire.line.deadline == wire.clock.steady + S
    assert wire.manners[b"\x02"].lateness == 0


@pytest.mark.fault("D2")
def test_d2_a_session_begins_quiet_since_what_the_last_one_asked_may_still_be_answered() -> None:
    """Closing and opening the port is no cure."""
    wire = Wire()
    wire.begin(poll_of(2))
    assert not wire.sent
    wire.clock.steady += 500 * MS
    wire.hear(wire.right(bytes.fromhex("0103000000020000"), b"old!"))
    request = wire.wait_until_sent()
    assert wire.sent[0][0] == 2 * S
    wire.hear(wire.right(request, b"new!"))
    wire.wait()
    assert list(wire.line.answers().replies) == [b"new!"]


@pytest.mark.fault("D2")
def test_d2_a_quiet_time_whose_end_is_noticed_late_is_kept_as_much_longer() -> None:
    """The machine stood still, and so may have done what hands on the bytes that came meanwhile."""
    wire = Wire()
    wire.begin(poll_of(4))
    wire.wait_until_sent()
    wire.wait()
    assert wire.line.deadline == wire.clock.steady + S
    wire.clock.steady += S + 300 * MS
    noticed = wire.clock.steady
    wire.wait_until_sent()
    assert wire.sent[-1][0] == noticed + 300 * MS


@pytest.mark.fault("D2")
def test_d2_nothing_is_sent_while_something_lies_unread() -> None:
    """It came before, whatever it looks like."""
    wire = Wire()
    wire.begin(poll_of(4))
    wire.line.unread = lambda: True
    wire.clock.steady += 10 * S
    wire.wait()
    assert not wire.sent
    wire.line.unread = lambda: False
    wire.hear(b"\x01\x03\x04")
    came = wire.clock.steady
    wire.wait_until_sent()
    assert wire.sent[-1][0] == came + S


@pytest.mark.fault("D2")
def test_d2_a_request_that_left_late_is_waited_for_from_then() -> None:
    wire = Wire()
    wire.begin(poll_of(4))
    wire.wait_until_sent()
    wire.clock.steady += 700 * MS
    wire.line.sent()
    assert wire.line.deadline == wire.clock.steady + S


@pytest.mark.fault("D2")
def test_d2_a_scan_that_is_left_keeps_the_line_quiet_until_its_reply_can_not_come_any_more() -> None:
    """A cancelled read."""
    wire = Wire()
    wire.begin(poll_of(2))
    asked = wire.wait_until_sent()
    began = wire.clock.steady
    wire.line.abandon()
    wire.begin(poll_of(2))
    wire.clock.steady += 10 * MS
    wire.hear(wire.right(asked, b"old!"))
    wire.wait_until_sent()
    assert wire.sent[-1][0] >= began + 2 * S


@pytest.mark.fault("D2", "D5")
def test_d2_a_wholly_lost_reply_costs_timeout_and_quiet_time_and_no_more() -> None:
    """No hang beyond twice the timeout."""
    wire = Wire()
    wire.begin(poll_of(4))
    wire.wait_until_sent()
    wire.wait_until_sent()
    assert wire.sent[1][0] - wire.sent[0][0] == 2 * S


@pytest.mark.fault("D1")
def test_d1_a_dead_device_is_left_alone_but_the_line_goes_on_to_others() -> None:
    """Quiet after the first two silences; then only the device itself is waited for."""
    wire = Wire()
    wire.begin(poll_of(20), patience=2)
    while not wire.line.done:
        wire.wait()
    assert len(wire.sent) == 2
    wire.begin(poll_of(20), patience=1)
    while not wire.line.done:
        wire.wait()
    given_up = wire.clock.steady
    wire.begin(poll_of(2, unit=2))
    wire.wait_until_sent()
    assert wire.sent[-1][0] == given_up + PACE.gap
    wire.line.abandon()
    wire.clock.steady += PACE.gap
    wire.line._ready = 0
    wire.begin(poll_of(2))
    wire.wait_until_sent()
    assert wire.sent[-1][0] == given_up + S


@pytest.mark.fault("D1", "D2", "D4")
def test_d1_a_late_reply_of_a_dead_device_spoils_another_s_turn_but_is_not_taken_and_is_learned() -> None:
    """It carries its own unit id."""
    wire = Wire()
    for _ in range(3):
        wire.begin(poll_of(2), patience=1)
        while not wire.line.done:
            wire.wait()
    dead = wire.sent[-1]
    wire.begin(poll_of(2, unit=2))
    wire.wait_until_sent()
    wire.hear(wire.right(dead[1], b"late"))
    assert wire.statuses() == [BAD_COMMUNICATION_ERROR]
    assert wire.manners[b"\x01"].lateness > 0
    assert wire.manners[b"\x01"].silences == 0
    assert wire.connection.late_replies == 1


@pytest.mark.fault("D5")
def test_d5_an_unconfigured_echo_is_named() -> None:
    wire = Wire()
    wire.begin(poll_of(2))
    with pytest.raises(FramingLost, match="echo: true") as caught:
        wire.hear(wire.wait_until_sent())
    assert caught.value.needs_a_person


@pytest.mark.fault("D5")
@pytest.mark.parametrize("order", [(1, 2, 1), (2, 1, 2)], ids=["last", "first"])
def test_d5_one_device_that_returns_what_it_is_asked_ends_no_other_ones_scan(order: tuple[int, ...]) -> None:
    """Unit 2 does; its line is not its adapter, which would do so for all."""
    wire = Wire()
    for unit in order:
        before = len(wire.sent)
        wire.begin(poll_of(2, unit=unit), alone=False)
        while len(wire.sent) == before:
            wire.wait()
        request = wire.sent[-1][1]
        wire.hear(request if unit == 2 else wire.right(request))
        while not wire.line.done:
            wire.wait()
        assert wire.statuses() == [BAD_COMMUNICATION_ERROR if unit == 2 else GOOD]


@pytest.mark.fault("D5")
def test_d5_an_adapter_that_returns_what_is_sent_is_named_at_the_second_device() -> None:
    wire = Wire()
    wire.begin(poll_of(2), alone=False)
    wire.hear(wire.wait_until_sent())
    while not wire.line.done:
        wire.wait()
    assert wire.statuses() == [BAD_COMMUNICATION_ERROR]
    wire.begin(poll_of(2, unit=2), alone=False)
    while len(wire.sent) < 2:
        wire.wait()
    with pytest.raises(FramingLost, match="echo: true"):
        wire.hear(wire.sent[-1][1])


@pytest.mark.fault("D5")
def test_d5_an_echo_that_looks_like_the_answer_is_no_answer() -> None:
    """24 coils from 0x03xx are asked for with the bytes that could answer it."""
    tags = {"c": {"table": "coil", "address": 0x0311, "type": "bool", "count": 24}}
    device = ModbusDevice.model_validate({"tags": tags})
    wire = Wire()
    wire.begin(Poll(1, plan_requests(device, values_of(device))))
    request = wire.wait_until_sent()
    assert request[2] == 3, "address and byte count fall together"
    wire.hear(request)
    wire.wait()
    assert wire.statuses() == [BAD_COMMUNICATION_ERROR]


def test_bytes_nobody_asked_for_are_counted_and_the_next_request_waits() -> None:
    wire = Wire()
    wire.begin(poll_of(2))
    wire.hear(wire.right(wire.wait_until_sent()))
    wire.wait()
    assert wire.line.done
    wire.clock.move(10)
    wire.hear(b"\x01\x03")
    came = wire.clock.steady
    assert wire.connection.unasked_replies == 1
    wire.begin(poll_of(2))
    wire.wait_until_sent()
    assert wire.sent[-1][0] == came + S


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=12))
def test_requests_that_could_answer_for_each_other_are_no_neighbours_where_that_can_be(shapes: str) -> None:
    tags = {
        f"v{i}": {"address": 100 * i, "type": "string", "length": 1 + "abc".index(shape)}
        for i, shape in enumerate(shapes)
    }
    device = ModbusDevice.model_validate({"tags": tags, "max_gap": 0})
    requests = plan_requests(device, values_of(device))
    order = apart(requests, range(len(requests)))
    assert sorted(order) == list(range(len(requests)))
    assert order[0] == 0
    payloads = [requests[slot].payload for slot in order]
    same = sum(a == b for a, b in pairwise(payloads))
    most = max(payloads.count(each) for each in set(payloads))
    if same:
        # Only the commonest shape is left at the end, or it had to stand back for the first.
        assert most > (len(payloads) - 1) // 2


REQUEST = bytes.fromhex("010300000002")
ALMOST = st.one_of(
    st.binary(max_size=300),
    st.just(REQUEST + crc(REQUEST)),
    st.tuples(
        st.sampled_from([1, 1, 1, 2]),
        st.sampled_from([3, 3, 3, 4, 0x83]),
        st.sampled_from([4, 4, 4, 2, 6]),
        st.binary(min_size=3, max_size=7),
        st.booleans(),
    ).map(lambda f: bytes(f[:3]) + f[3] + (crc(bytes(f[:3]) + f[3]) if f[4] else b"\0\0")),
    st.tuples(st.sampled_from([b"\1\x83", b"\1\x84", b"\2\x83"]), st.integers(0, 255)).map(
        lambda f: f[0] + bytes((f[1],)) + crc(f[0] + bytes((f[1],)))
    ),
)


def as_ascii(piece: bytes) -> bytes:
    return b":" + (piece[:-2] + bytes((-sum(piece[:-2]) & 0xFF,))).hex().upper().encode() + b"\r\n"


def oracle(heard: bytes, text: bool) -> bytes | None:
    """Return the data of the right answer if what lies between two silences is that alone."""
    if text:
        size, whole = 19, heard[:19]
        try:
            content = bytes.fromhex(whole[1:-2].decode("ascii"))
        except ValueError:
            return None
        right = whole[:1] == b":" and whole[-2:] == b"\r\n" and whole[1:-2].isalnum()
        right = right and whole.upper() == whole and sum(content) & 0xFF == 0
    else:
        size, content = 9, heard[:9]
        right = crc(content[:-2]) == content[-2:]
    if (
        not right
        or len(heard) < size
        or content[:3] != b"\1\3\4"
        or heard != heard[:size] * max(1, len(heard) // size)
    ):
        return None
    return content[3:7]


@pytest.mark.fault("D3", "D4", "D5")
@settings(max_examples=500)
@given(st.lists(ALMOST, max_size=4), st.integers(1, 300), st.booleans())
def test_d3_d4_d5_arbitrary_bytes_yield_the_right_answer_or_none_and_never_hang(
    pieces: list[bytes], size: int, text: bool
) -> None:
    """Any bytes in any chunks; then the line asks again within twice the timeout."""
    wire = Wire("ascii" if text else "rtu")
    wire.begin(poll_of(4))
    wire.wait_until_sent()
    stream = b"".join(as_ascii(piece) if text and len(piece) > 2 else piece for piece in pieces)
    try:
        for at in range(0, len(stream), size):
            wire.hear(stream[at : at + size])
    except FramingLost:
        return  # nothing of the scan is used
    last = wire.clock.steady
    request = wire.wait_until_sent()
    assert wire.clock.steady - last <= 2 * S + PACE.gap
    answers = wire.line.answers()
    if answers.status[0] == GOOD:
        assert answers.replies[0] == oracle(stream, text)
    elif stream and not wire.statistics.exceptions:
        assert oracle(stream, text) is None
    wire.hear(wire.right(request, b"next"))
    wire.wait()
    assert wire.line.answers().replies[1] == b"next"


@pytest.mark.fault("D5")
@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4000), ALMOST), max_size=12), st.integers(1, 40))
def test_d5_bytes_at_any_time_neither_crash_nor_hang_nor_are_taken(
    bursts: list[tuple[int, bytes]], size: int
) -> None:
    """Noise before, in, between and behind; only a whole right frame after a request counts."""
    wire = Wire()
    wire.begin(poll_of(6), patience=9)
    try:
        for wait_ms, piece in bursts:
            wire.pass_by(wait_ms * MS)
            for at in range(0, len(piece), size):
                wire.hear(piece[at : at + size])
        wire.pass_by(60 * S)
    except FramingLost:
        return
    assert wire.line.done
    for status, data in zip(wire.statuses(), wire.line.answers().replies, strict=True):
        if status == GOOD:
            assert b"\1\3\4" + data in b"".join(piece for _, piece in bursts)
