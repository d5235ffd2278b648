"""Every way a meter answers wrongly, by the name a scenario calls it.

What must not be taken for the meter's reading has other digits: 77 in every place, so that whoever takes it
shows it.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.lab import told
from gateway.lab.meters.line import CUT, Asked, Replies, Script, frame188, frame645, honest, reply
from gateway.lab.scenario import Moment, Scenario
from gateway.lab.told import Told

_NOISE: Final = b"\xff\x00\x80"


def silent(asked: Asked) -> Replies:  # noqa: ARG001
    """Answer nothing."""
    return []


@dataclass(frozen=True, slots=True)
class Restarting:
    """Begin anew: the meter hears nothing for so long; others on its line do not notice."""

    seconds: float

    def __call__(self, asked: Asked) -> Replies:
        """Answer nothing."""
        return silent(asked)


def late(seconds: float) -> Script:
    """Answer rightly, so much later; the meter hears its next request only then."""
    return lambda asked: [(seconds, reply(asked))]


def wrong_address(asked: Asked) -> Replies:
    """Answer in another meter's name."""
    other = f"{(int(asked.address) + 1) % 10 ** len(asked.address):0{len(asked.address)}d}"
    return [(0.0, reply(asked, address=other, data=_other(asked)))]


def wrong_identifier(asked: Asked) -> Replies:
    """Answer what was not asked for."""
    name = bytearray.fromhex(asked.identifier)[::-1]
    name[0] ^= 0x01
    return [(0.0, _frame(asked, bytes(name), _other(asked)))]


def wrong_control(asked: Asked) -> Replies:
    """The answer to a writing, with the data of a reading."""
    name = bytes.fromhex(asked.identifier)[::-1]
    return [(0.0, _frame(asked, name, _other(asked), {"dlt645": 0x94, "cjt188": 0x84}[asked.speech]))]


def short(asked: Asked) -> Replies:
    """A whole frame with a byte too few, and saying so."""
    return [(0.0, reply(asked, data=_other(asked)[:-1]))]


def long(asked: Asked) -> Replies:
    """A whole frame with a byte too many, and saying so."""
    return [(0.0, reply(asked, data=_other(asked) + b"\x77"))]


def lying_length(asked: Asked) -> Replies:
    """A length that is not that of the data behind it, the sum right."""
    whole = bytearray(reply(asked, data=_other(asked), wake=0))
    whole[9 if asked.speech == "dlt645" else 10] += 1
    whole[-2] = sum(whole[:-2]) % 256
    return [(0.0, bytes(whole))]


def wrong_sum(asked: Asked) -> Replies:
    """A right frame with another sum."""
    whole = bytearray(reply(asked, data=_other(asked)))
    whole[-2] ^= 0x40
    return [(0.0, bytes(whole))]


def flipped(bit: int) -> Script:
    """One bit of the reply is another."""

    def script(asked: Asked) -> Replies:
        whole = bytearray(reply(asked, wake=0))
        whole[bit // 8 % len(whole)] ^= 1 << bit % 8
        return [(0.0, bytes(whole))]

    return script


def noise_before(asked: Asked) -> Replies:
    """Bytes of nobody before the reply."""
    return [(0.0, _NOISE + reply(asked))]


def noise_behind(asked: Asked) -> Replies:
    """Bytes of nobody behind the reply."""
    return [(0.0, reply(asked) + _NOISE)]


def flood(asked: Asked) -> Replies:  # noqa: ARG001
    """Bytes of nobody and no reply."""
    return [(0.0, bytes(range(256)) + bytes(44))]


def half(asked: Asked) -> Replies:
    """The first half of the reply, never the rest."""
    whole = reply(asked)
    return [(0.0, whole[: len(whole) // 2])]


def cut(sent: int) -> Script:
    """So many bytes of the reply, then the connection ends, or the line is pulled out and put back."""
    return lambda asked: [(0.0, reply(asked)[:sent]), (0.0, CUT)]


def slow(pause_s: float) -> Script:
    """The reply a byte at a time."""
    return lambda asked: [(pause_s, bytes((each,))) for each in reply(asked)]


def twice(asked: Asked) -> Replies:
    """The reply, and once more."""
    return [(0.0, reply(asked) * 2)]


def echoing(asked: Asked) -> Replies:
    """The request itself, then the reply, as behind an RS-485 adapter that hears itself."""
    return [(0.0, asked.raw), (0.0, reply(asked))]


def refusing(code: int) -> Script:
    """Refuse: D1 and an error of DL/T 645 (2: no such data), or C1 and a status of CJ/T 188."""

    def script(asked: Asked) -> Replies:
        if asked.speech == "dlt645":
            return [(0.0, frame645(asked.address, 0xD1, bytes((code,))))]
        return [(0.0, frame188(asked.address, 0xC1, bytes((asked.serial, 0x00, code))))]

    return script


def no_digits(asked: Asked) -> Replies:
    """A right frame whose digits are none."""
    return [(0.0, reply(asked, data=b"\xff" * len(asked.data or b"\0")))]


def _other(asked: Asked) -> bytes:
    """Return digits no meter has, as many; the unit bytes of CJ/T 188 stay right."""
    data = asked.data or bytes(4)
    if asked.speech == "dlt645":
        return b"\x77" * len(data)
    return bytes(each if i % 5 == 4 else 0x77 for i, each in enumerate(data))


def _frame(asked: Asked, name: bytes, data: bytes, control: int | None = None) -> bytes:
    if asked.speech == "dlt645":
        return frame645(asked.address, control or 0x91, name + data)
    return frame188(asked.address, control or 0x81, name + bytes((asked.serial,)) + data)


FAULTS: Final[Mapping[str, Callable[[Told], Script]]] = {
    "delay": told.seconds(0.2, late),
    "late_reply": told.seconds(1.8, late),
    "drop": told.plain(silent),
    "cut": told.number(10, cut, most=300),
    "restart": told.seconds(5.0, Restarting),
    "wrong_address": told.plain(wrong_address),
    "wrong_identifier": told.plain(wrong_identifier),
    "wrong_control": told.plain(wrong_control),
    "short": told.plain(short),
    "long": told.plain(long),
    "lying_length": told.plain(lying_length),
    "wrong_sum": told.plain(wrong_sum),
    "flipped_bit": told.number(0, flipped),
    "noise_before": told.plain(noise_before),
    "noise_behind": told.plain(noise_behind),
    "flood": told.plain(flood),
    "half_frame": told.plain(half),
    "slow_bytes": told.seconds(0.02, slow),
    "duplicate": told.plain(twice),
    "echo": told.plain(echoing),
    "error": told.number(2, refusing, most=255),
    "no_digits": told.plain(no_digits),
}
"""By the name a scenario calls it; what a fault is told replaces its default."""


def scripted(scenario: Scenario) -> Script:
    """Return the script of a scenario; time counts from now, `unit` is the place on the line, from 1."""
    began = time.monotonic()
    scripts = {fault: FAULTS[fault.fault](fault.value) for fault in scenario.faults}
    back: dict[str, float] = {}
    """When a meter that begins anew hears again, by its address."""

    def script(asked: Asked) -> Replies:
        identifier = int(asked.identifier, 16)
        elapsed = time.monotonic() - began
        if elapsed < back.get(asked.address, 0.0):
            return silent(asked)
        moment = Moment(asked.number + 1, elapsed, asked.place, range(identifier, identifier + 1))
        fault = scenario.at(moment)
        answer = honest if fault is None else scripts[fault]
        if isinstance(answer, Restarting):
            back[asked.address] = elapsed + answer.seconds
        return answer(asked)

    return script
