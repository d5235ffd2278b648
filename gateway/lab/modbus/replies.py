"""Every way a Modbus device answers wrongly: a function per fault, and their names for scenarios.

A script is called with each request and returns steps: bytes to send, a float to wait (seconds), CUT, which
ends the connection or takes the line away, or Away, which does so for a while.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.lab import told
from gateway.lab.modbus.frames import Request, frame, reply, tcp_frame
from gateway.lab.scenario import Fault, Moment, Scenario
from gateway.lab.told import Told

CUT: Final = None
READING: Final = (1, 2, 3, 4)


@dataclass(frozen=True, slots=True)
class Away:
    """The equipment is gone for so long and then there again: every connection of it, or the line."""

    seconds: float


Step = bytes | float | Away | None
Steps = Iterable[Step]
Script = Callable[[Request], Steps]


def honest(request: Request) -> Steps:
    """Answer as a device in order: it can be read and nothing else."""
    return [reply(request)] if request.function in READING else exception(1)(request)


def silent(request: Request) -> Steps:  # noqa: ARG001
    """Answer nothing."""
    return []


def cut(request: Request) -> Steps:  # noqa: ARG001
    """End the connection, or take the line away."""
    return [CUT]


def restarting(seconds: float) -> Script:
    """Begin anew: gone for so long."""
    return lambda request: [Away(seconds)]  # noqa: ARG005


def late(seconds: float) -> Script:
    """Answer rightly, so much later; on a line the device hears its next request only then."""
    return lambda request: [seconds, reply(request)]


def wrong_unit(request: Request) -> Steps:
    """Answer in another device's name, with other registers."""
    return [reply(request, request.data(1), unit=request.unit ^ 1)]


def wrong_function(request: Request) -> Steps:
    """Answer with another function code, and other registers."""
    return [reply(request, request.data(1), function=request.function ^ 7)]


def wrong_transaction(request: Request) -> Steps:
    """Answer another transaction (TCP), with other registers."""
    data = request.data(1)
    content = bytes((request.unit, request.function, len(data))) + data
    return [tcp_frame(request.transaction ^ 0x5000, content)]


def wrong_protocol(request: Request) -> Steps:
    """Answer with a protocol number that is not Modbus's (TCP)."""
    data = request.data(1)
    content = bytes((request.unit, request.function, len(data))) + data
    return [tcp_frame(request.transaction, content, protocol=7)]


def short(request: Request) -> Steps:
    """A whole frame with one register too few, and saying so."""
    return [reply(request, request.data()[:-2])]


def long(request: Request) -> Steps:
    """A whole frame with one register too many, and saying so."""
    return [reply(request, request.data() + b"\x7f\xff")]


def lying_byte_count(request: Request) -> Steps:
    """A byte count that is not that of the data behind it."""
    data = request.data()
    if request.framing == "tcp":
        return [reply(request, data, size=len(data) - 2)]
    # The count a client waits for, before more than it says, the check right for all of it.
    return [reply(request, data + b"\x7f\xff", size=len(data))]


def impossible_length(request: Request) -> Steps:
    """A head that announces more than any reply can have (TCP)."""
    return [tcp_frame(request.transaction, bytes((request.unit, 3)), length=3000)]


def wrong_check(request: Request) -> Steps:
    """A right frame with another check (serial), and other registers."""
    right = bytearray(reply(request, request.data(1)))
    if request.framing == "ascii":
        right[-4] = ord("1" if right[-4] == ord("0") else "0")
    else:
        right[-1] ^= 0x40
    return [bytes(right)]


def flipped(bit: int) -> Script:
    """One bit of the reply is another."""

    def script(request: Request) -> Steps:
        whole = bytearray(reply(request))
        place = bit % (8 * len(whole))
        whole[place // 8] ^= 1 << place % 8
        return [bytes(whole)]

    return script


def noise_before(noise: bytes) -> Script:
    """Bytes of nobody before the reply."""
    return lambda request: [noise + reply(request)]


def noise_behind(noise: bytes) -> Script:
    """Bytes of nobody behind the reply."""
    return lambda request: [reply(request) + noise]


def instead(data: bytes) -> Script:
    """These bytes and no reply."""
    return lambda request: [data]  # noqa: ARG005


def half(request: Request) -> Steps:
    """The first half of the reply, never the rest."""
    whole = reply(request)
    return [whole[: len(whole) // 2]]


def twice(request: Request) -> Steps:
    """The reply, and once more."""
    return [reply(request) * 2]


def echoing(request: Request) -> Steps:
    """The request itself, then the reply, as behind an RS-485 adapter that hears itself."""
    return [request.raw, reply(request)]


def in_slices(size: int, pause_s: float) -> Script:
    """The reply in pieces with pauses between."""

    def script(request: Request) -> Steps:
        whole = reply(request)
        for at in range(0, len(whole), size):
            yield whole[at : at + size]
            yield pause_s

    return script


def babbling(seconds: float) -> Script:
    """Bytes without end, or for so long: a stuck transmitter."""

    def script(request: Request) -> Steps:  # noqa: ARG001
        for _ in range(int(seconds / 0.005)):
            yield b"\x55" * 8
            yield 0.005

    return script


def torn(seconds: float) -> Script:
    """Every second register as it was when asked, the others as they are so much later."""

    def script(request: Request) -> Steps:
        before = request.data()
        yield seconds
        now = request.data()
        if request.function in (1, 2):
            yield reply(request, now)
        else:
            yield reply(
                request, b"".join((before, now)[i // 2 % 2][i : i + 2] for i in range(0, len(now), 2))
            )

    return script


def exception(code: int) -> Script:
    """Refuse with an exception."""
    return lambda request: [frame(request, bytes((request.unit, request.function | 0x80, code)))]


def without(*missing: int) -> Script:
    """A device that lacks some addresses: exception 2 for whoever asks over them."""

    def script(request: Request) -> Steps:
        asked = range(request.address, request.address + request.count)
        return exception(2)(request) if any(address in asked for address in missing) else honest(request)

    return script


def deaf_at_first(seconds: float) -> Script:
    """A device that does not hear what is asked so soon after the connection."""
    return lambda request: (silent if request.connected_s < seconds else honest)(request)


def needs_rest(seconds: float) -> Script:
    """A device that does not hear what is asked so soon after its last answer."""
    answered: dict[int, float] = {}

    def script(request: Request) -> Steps:
        if request.asked - answered.get(request.unit, 0.0) >= seconds:
            yield from honest(request)
            answered[request.unit] = time.monotonic()

    return script


def from_zero_only(request: Request) -> Steps:
    """A device that answers coils and inputs only from its first address on, else with exception 2."""
    is_other = request.function in (1, 2) and request.address > 0
    return (exception(2) if is_other else honest)(request)


def at_most(registers: int) -> Script:
    """A device that refuses requests for more than one field: exception 3 beyond so many registers."""
    return lambda request: (exception(3) if request.count > registers else honest)(request)


FAULTS: Final[Mapping[str, Callable[[Told], Script]]] = {
    "delay": told.seconds(0.2, late),
    "late_reply": told.seconds(1.3, late),
    "drop": told.plain(silent),
    "wrong_unit": told.plain(wrong_unit),
    "wrong_function": told.plain(wrong_function),
    "wrong_transaction": told.plain(wrong_transaction),
    "wrong_protocol": told.plain(wrong_protocol),
    "short": told.plain(short),
    "long": told.plain(long),
    "lying_byte_count": told.plain(lying_byte_count),
    "impossible_length": told.plain(impossible_length),
    "wrong_check": told.plain(wrong_check),
    "flipped_bit": told.number(0, flipped),
    "noise_before": told.plain(noise_before(b"\xff\x00\x80")),
    "noise_behind": told.plain(noise_behind(b"\x00")),
    "text": told.plain(instead(b" Busy ")),
    "web_page": told.plain(instead(b"HTTP/1.1 400 Bad Request\r\n\r\n")),
    "flood": told.plain(instead(bytes(range(256)) + bytes(44))),
    "half_frame": told.plain(half),
    "duplicate": told.plain(twice),
    "echo": told.plain(echoing),
    "slow_bytes": told.seconds(0.02, lambda pause: in_slices(1, pause)),
    "babble": told.seconds(10.0, babbling),
    "torn": told.seconds(0.3, torn),
    "exception": told.number(4, exception, most=255),
    "missing_address": told.number(0, without, most=65_535),
    "deaf_at_first": told.seconds(1.0, deaf_at_first),
    "needs_rest": told.seconds(0.1, needs_rest),
    "at_most": told.number(2, at_most, least=1),
    "from_zero_only": told.plain(from_zero_only),
    "cut": told.plain(cut),
    "restart": told.seconds(5.0, restarting),
}
"""By the name a scenario calls it; what a fault is told replaces its default."""


def scripted(scenario: Scenario, otherwise: Script = honest) -> Script:
    """Return the script of a scenario; time counts from now."""
    began = time.monotonic()
    scripts = {fault: FAULTS[fault.fault](fault.value) for fault in scenario.faults}

    def script(request: Request) -> Steps:
        asked = range(request.address, request.address + request.count)
        moment = Moment(request.number + 1, time.monotonic() - began, request.unit, asked)
        fault = scenario.at(moment)
        return (otherwise if fault is None else scripts[fault])(request)

    return script


def faulty(*faults: str | Fault, seed: int = 0, otherwise: Script = honest) -> Script:
    """Return the script of faults written as on a command line."""
    made = [Fault.read(each) if isinstance(each, str) else each for each in faults]
    return scripted(Scenario.of(made, FAULTS, seed), otherwise)
