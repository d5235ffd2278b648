"""What any bytes on a serial line must not do; the fuzzer's target, and what its corpus is replayed with.

    nice -n 19 python -m tests.fuzz.modbus_line tests/cases/fuzz/modbus -max_total_time=600

An input's first byte chooses framing, echo and how the rest is cut; then follow pieces, each led by a byte of
waiting and a byte of length. atheris is not among the project's dependencies: install it where this is run.
"""

import inspect
import sys
from typing import Final

from pymodbus.framer import FramerAscii, FramerRTU

from connectors.line.dialogue import Dialogue, FramingLost, Terms
from connectors.line.serial_line import Pace, SerialLine
from connectors.line.statistics import Statistics
from connectors.modbus.framing import FRAMINGS, Ascii, Rtu
from connectors.modbus.plan import Request
from connectors.modbus.poll import Poll
from connectors.quality import GOOD

MS: Final = 1_000_000
S: Final = 1_000 * MS
POLL: Final = Poll(
    1, [Request("holding", (), 0, 2), Request("holding", (), 2, 2), Request("coil", (), 784, 24)]
)
PACE: Final = Pace(character=0, gap=2 * MS, pause=0, quiet=S)


class HandClock:
    """Moves when told."""

    def __init__(self) -> None:
        self.time = S

    def now(self) -> int:
        return self.time

    def monotonic(self) -> int:
        return self.time


def pieces(data: bytes) -> list[tuple[int, bytes]]:
    """Return (wait in ns, bytes) from an input."""
    found, at = [], 1
    while at + 2 <= len(data):
        wait, length = data[at], data[at + 1]
        found.append((wait * wait * MS // 16, data[at + 2 : at + 2 + length]))
        at += 2 + length
    return found


def frames_in(heard: bytes, text: bool) -> set[bytes]:
    """Return the data of every right-looking answer anywhere in the bytes: nothing else may be Good."""
    found = set()
    for content in (b"\1\3\4", b"\1\1\3"):
        head = b":" + content.hex().upper().encode() if text else content
        at = heard.find(head)
        while at >= 0:
            body = heard[at + len(head) :]
            size = content[2]
            found.add(bytes.fromhex(body[: 2 * size].decode("ascii")) if text and is_hex(body[: 2 * size])
                      else body[:size])  # fmt: skip
            at = heard.find(head, at + 1)
    return found


def is_hex(text: bytes) -> bool:
    return len(text) % 2 == 0 and all(octet in b"0123456789ABCDEF" for octet in text)


def check(data: bytes) -> None:
    """Raise when a line crashes, hangs, or takes for an answer what is none."""
    if not data:
        return
    clock, text, echo = HandClock(), bool(data[0] & 1), bool(data[0] & 2)
    line = SerialLine(FRAMINGS["ascii" if text else "rtu"], PACE, {}, clock, Statistics(), echo=echo)
    cut = 1 + (data[0] >> 2)
    heard = b""
    line.begin(POLL, range(3), [0] * 3, Terms(1, S, 9), Statistics())
    try:
        for wait, piece in pieces(data):
            pass_by(line, clock, wait)
            for at in range(0, len(piece), cut):
                line.receive(piece[at : at + cut])
            heard += piece
        pass_by(line, clock, 3600 * S)
    except FramingLost:
        return
    assert line.done, "it hangs"
    answers = line.answers()
    for status, reply in zip(answers.status, answers.replies, strict=True):
        assert status != GOOD or reply in frames_in(heard, text), "it takes what is no answer"


def pass_by(line: SerialLine, clock: HandClock, nanoseconds: int) -> None:
    until = clock.time + nanoseconds
    for _ in range(1000):
        if not line.waiting or line.deadline > until:
            clock.time = until
            return
        clock.time = max(clock.time, line.deadline)
        line.expire()
    raise AssertionError("it wants to be called for ever")


if __name__ == "__main__":
    import atheris

    for kind in (SerialLine, Dialogue, Rtu, Ascii, FramerRTU, FramerAscii):
        for name, function in list(vars(kind).items()):
            if inspect.isfunction(function):
                setattr(kind, name, atheris.instrument_func(function))
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()
