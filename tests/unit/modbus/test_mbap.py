"""The dialogue as bytes: what counts as an answer, and what never does."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.connections import ModbusDevice
from connectors.line.dialogue import FramingLost, Terms
from connectors.line.statistics import Statistics
from connectors.modbus.mbap import Transactions
from connectors.modbus.plan import plan_requests, values_of
from connectors.modbus.poll import QUALITY_OF_EXCEPTION, Poll
from connectors.quality import BAD_COMMUNICATION_ERROR, BAD_DEVICE_FAILURE, BAD_TIMEOUT, GOOD

S = 1_000_000_000


class HandClock:
    """Moves when told."""

    def __init__(self) -> None:
        self.time = 1_800_000_000 * S

    def now(self) -> int:
        return self.time

    def monotonic(self) -> int:
        return self.time


def poll_of(registers: int = 6, each: int = 2, unit: int = 1) -> Poll:
    device = ModbusDevice.model_validate(
        {"tags": {"v": {"address": 0, "type": "uint16", "count": registers}}, "max_registers": each}
    )
    return Poll(unit, plan_requests(device, values_of(device)))


class Dialogue:
    """A scan under way."""

    def __init__(self, poll: Poll | None = None, in_flight: int = 1, patience: int = 2) -> None:
        self.clock = HandClock()
        self.connection, self.statistics = Statistics(), Statistics()
        self.transactions = Transactions(self.clock, self.connection)
        self.poll = poll or poll_of()
        self.terms = Terms(in_flight, S, patience)

    def begin(self) -> bytes:
        slots = list(range(len(self.poll.requests)))
        return self.transactions.begin(self.poll, slots, [0] * len(slots), self.terms, self.statistics)

    def expire(self) -> bytes:
        self.clock.time = max(self.clock.time, self.transactions.deadline)
        return self.transactions.expire()


def frames(data: bytes) -> list[bytes]:
    return [data[i : i + 12] for i in range(0, len(data), 12)]


def reply(request: bytes, data: bytes | None = None) -> bytes:
    count = int.from_bytes(request[10:12], "big")
    body = data if data is not None else bytes(range(1, 2 * count + 1))
    return request[:4] + (3 + len(body)).to_bytes(2, "big") + request[6:8] + bytes((len(body),)) + body


def test_a_request_is_the_specifications_bytes() -> None:
    # Read holding registers 108 to 110 of unit 17: Application Protocol 6.3's example behind an MBAP header.
    device = ModbusDevice.model_validate({"tags": {"v": {"address": 107, "count": 3}}})
    dialogue = Dialogue(Poll(17, plan_requests(device, values_of(device))))
    assert dialogue.begin().hex(" ") == "00 01 00 00 00 06 11 03 00 6b 00 03"


def test_a_scan_asks_one_by_one_and_ends_with_all_replies() -> None:
    dialogue = Dialogue()
    data = dialogue.begin()
    for _ in range(3):
        assert len(frames(data)) == 1
        assert not dialogue.transactions.done
        data = dialogue.transactions.receive(reply(data))
    assert data == b""
    assert dialogue.transactions.done
    answers = dialogue.transactions.answers()
    assert list(answers.replies) == [b"\1\2\3\4"] * 3
    assert list(answers.status) == [GOOD] * 3


@given(st.integers(1, 8), st.randoms(use_true_random=False), st.integers(1, 40))
def test_no_more_than_allowed_are_in_flight_and_any_order_and_slicing_is_understood(
    in_flight: int, random: object, size: int
) -> None:
    dialogue = Dialogue(poll_of(24), in_flight)
    open_requests = frames(dialogue.begin())
    while not dialogue.transactions.done:
        assert len(open_requests) <= in_flight
        random.shuffle(open_requests)  # type: ignore[attr-defined]
        request = open_requests.pop()
        address = int.from_bytes(request[8:10], "big")
        whole = reply(request, address.to_bytes(4, "big"))
        for at in range(0, len(whole), size):
            open_requests += frames(dialogue.transactions.receive(whole[at : at + size]))
    answers = dialogue.transactions.answers()
    assert [int.from_bytes(data, "big") for data in answers.replies] == list(range(0, 24, 2))
    assert not any(answers.status)


@pytest.mark.fault("D3", "D4")
@pytest.mark.parametrize("where", range(2, 9))
def test_d3_d4_a_reply_with_one_wrong_byte_before_its_data_is_never_an_answer(where: int) -> None:
    dialogue = Dialogue(poll_of(2))
    wrong = bytearray(reply(dialogue.begin()))
    wrong[where] ^= 0x01
    try:
        dialogue.transactions.receive(bytes(wrong))
    except FramingLost:
        assert where in (2, 3, 4)
        return
    if where == 5:  # one byte shorter or longer: never whole, or followed by garbage
        dialogue.expire() if not dialogue.transactions._rest else None
    answers = dialogue.transactions.answers()
    assert list(answers.status) != [GOOD]
    assert list(answers.replies) == [bytes(4)]


@pytest.mark.fault("D4")
def test_d4_replies_of_other_transactions_are_dropped_and_counted() -> None:
    dialogue = Dialogue(poll_of(2))
    right = reply(dialogue.begin())
    stray = b"\x77\x77" + right[2:9] + b"\xee" * 4
    dialogue.transactions.receive(stray)
    assert not dialogue.transactions.done
    dialogue.transactions.receive(right + right)
    assert list(dialogue.transactions.answers().replies) == [b"\1\2\3\4"]
    assert dialogue.connection.unasked_replies == 2


@pytest.mark.fault("D4")
def test_d4_a_late_reply_does_not_answer_the_next_request() -> None:
    dialogue = Dialogue(poll_of(4))
    first = dialogue.begin()
    second = dialogue.expire()
    assert dialogue.transactions.receive(reply(first, b"late")) == b""
    assert not dialogue.transactions.done
    dialogue.transactions.receive(reply(second, b"good"))
    answers = dialogue.transactions.answers()
    assert list(answers.status) == [BAD_TIMEOUT, GOOD]
    assert list(answers.replies) == [bytes(4), b"good"]
    assert dialogue.connection.late_replies == 1


@pytest.mark.fault("D6")
@pytest.mark.parametrize("code", range(1, 12))
def test_d6_each_exception_has_its_quality_and_the_next_request_goes_on(code: int) -> None:
    dialogue = Dialogue(poll_of(4))
    request = dialogue.begin()
    refusal = request[:4] + bytes((0, 3, request[6], request[7] | 0x80, code))
    following = dialogue.transactions.receive(refusal)
    dialogue.transactions.receive(reply(following))
    expected = QUALITY_OF_EXCEPTION.get(code, BAD_DEVICE_FAILURE)
    assert list(dialogue.transactions.answers().status) == [expected, GOOD]
    assert dialogue.statistics.exceptions == 1


def test_an_exception_for_another_function_is_no_answer() -> None:
    dialogue = Dialogue(poll_of(2))
    request = dialogue.begin()
    dialogue.transactions.receive(request[:4] + bytes((0, 3, request[6], 0x84, 2)))
    assert list(dialogue.transactions.answers().status) == [BAD_COMMUNICATION_ERROR]


@pytest.mark.fault("D1")
def test_d1_a_silent_device_is_asked_no_more_than_its_patience_allows() -> None:
    dialogue = Dialogue(poll_of(20))
    dialogue.begin()
    assert dialogue.expire() != b""
    assert dialogue.expire() == b""
    assert dialogue.transactions.done
    assert list(dialogue.transactions.answers().status) == [BAD_TIMEOUT] * 10
    assert dialogue.statistics.requests == 2


@pytest.mark.fault("D11")
@pytest.mark.parametrize("keep", range(1, 12))
def test_d11_a_deadline_inside_a_reply_loses_the_framing(keep: int) -> None:
    dialogue = Dialogue(poll_of(2))
    dialogue.transactions.receive(reply(dialogue.begin())[:keep])
    with pytest.raises(FramingLost):
        dialogue.expire()


def test_each_request_has_its_own_deadline() -> None:
    dialogue = Dialogue(poll_of(6), in_flight=2)
    first = frames(dialogue.begin())
    began = dialogue.transactions.deadline
    dialogue.clock.time += S // 2
    dialogue.transactions.receive(reply(first[1]))
    assert dialogue.transactions.deadline == began
    dialogue.transactions.receive(reply(first[0]))
    assert dialogue.transactions.deadline == began + S // 2


def oracle(request: bytes, stream: bytes) -> bytes | None:
    """Find the data of the one right answer in a stream cut into frames, in plain words."""
    while len(stream) >= 6:
        length = int.from_bytes(stream[4:6], "big")
        if stream[2:4] != b"\0\0" or not 3 <= length <= 254 or len(stream) < 6 + length:
            return None
        whole, stream = stream[: 6 + length], stream[6 + length :]
        if whole[:2] == request[:2]:
            count = 2 * int.from_bytes(request[10:12], "big")
            right = whole[6:8] == request[6:8] and length == 3 + count and whole[8] == count
            return whole[9:] if right else None
    return None


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Bytes from plainly random to almost right."""
    pieces = draw(
        st.lists(
            st.one_of(
                st.binary(max_size=20),
                st.tuples(
                    st.sampled_from([b"\0\1", b"\0\2", b"\x10\0"]),
                    st.sampled_from([b"\0\0", b"\0\0", b"\0\7"]),
                    st.sampled_from([7, 7, 3, 5, 9, 300]),
                    st.sampled_from([1, 1, 2]),
                    st.sampled_from([3, 3, 4, 0x83]),
                    st.sampled_from([4, 4, 2, 6]),
                    st.binary(min_size=4, max_size=6),
                ).map(lambda f: f[0] + f[1] + f[2].to_bytes(2, "big") + bytes(f[3:6]) + f[6]),
            ),
            max_size=5,
        )
    )
    return b"".join(pieces)


@pytest.mark.fault("D3")
@settings(max_examples=400)
@given(streams(), st.integers(1, 50))
def test_d3_arbitrary_bytes_yield_the_right_answer_or_none(stream: bytes, size: int) -> None:
    dialogue = Dialogue(poll_of(2), patience=1)
    request = dialogue.begin()
    try:
        for at in range(0, len(stream), size):
            dialogue.transactions.receive(stream[at : at + size])
        if not dialogue.transactions.done:
            dialogue.expire()
    except FramingLost:
        return  # nothing of the scan is used
    answers = dialogue.transactions.answers()
    right = oracle(request, stream)
    if answers.status[0] == GOOD:
        assert answers.replies[0] == right
    else:
        assert right is None


def test_transaction_numbers_wrap_without_taking_an_old_reply() -> None:
    dialogue = Dialogue(poll_of(2), patience=1)
    old = dialogue.begin()
    dialogue.expire()
    for _ in range(65535):
        dialogue.transactions.receive(reply(dialogue.begin()))
    again = dialogue.begin()
    assert again[:2] == old[:2]
    dialogue.transactions.receive(reply(again, b"newe"))
    assert list(dialogue.transactions.answers().replies) == [b"newe"]
    assert dialogue.connection.late_replies == 0


def test_only_reading_functions_exist() -> None:
    device = ModbusDevice.model_validate(
        {
            "tags": {
                "a": {"table": "coil", "address": 0, "type": "bool"},
                "b": {"table": "discrete", "address": 0, "type": "bool"},
                "c": {"table": "holding", "address": 0},
                "d": {"table": "input", "address": 0},
            }
        }
    )
    poll = Poll(1, plan_requests(device, values_of(device)))
    assert [asking[1] for asking in poll.asking] == [1, 2, 3, 4]
