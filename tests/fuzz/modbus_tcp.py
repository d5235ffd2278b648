"""What no bytes on a Modbus TCP connection may do; the fuzzer's target, and what its corpus is replayed with.

    nice -n 19 python -m tests.fuzz.modbus_tcp tests/cases/fuzz/modbus_tcp -max_total_time=600

An input's first byte chooses how many requests are outstanding and how the rest is cut; then follow pieces,
each led by a byte of waiting and a byte of length. atheris is not among the project's dependencies.
"""

import inspect
import sys

from connectors.line.dialogue import Dialogue, FramingLost, Terms
from connectors.line.statistics import Statistics
from connectors.modbus.mbap import Transactions
from connectors.quality import GOOD
from tests.fuzz.modbus_line import POLL, HandClock, S, pieces


def check(data: bytes) -> None:
    """Raise when the dialogue crashes, hangs, or takes for an answer what is none."""
    if not data:
        return
    clock = HandClock()
    line = Transactions(clock, Statistics())
    cut = 1 + (data[0] >> 2)
    heard = b""
    line.begin(POLL, range(3), [0] * 3, Terms(1 + (data[0] & 3), S, 9), Statistics())
    try:
        for wait, piece in pieces(data):
            clock.time += wait
            for at in range(0, len(piece), cut):
                line.receive(piece[at : at + cut])
            heard += piece
            if line.waiting and line.deadline <= clock.time:
                line.expire()
        for _ in range(10):
            clock.time += 2 * S
            if line.waiting:
                line.expire()
    except FramingLost:
        return
    assert line.done, "it hangs"
    answers = line.answers()
    for slot, (status, reply) in enumerate(zip(answers.status, answers.replies, strict=True)):
        if status != GOOD:
            continue
        # The transaction it was asked under, protocol 0, the exact length, then unit, function, byte count.
        head = (slot + 1).to_bytes(2, "big") + b"\0\0" + (3 + len(reply)).to_bytes(2, "big")
        assert head + POLL.correct[slot] + reply in heard, "it takes what is no answer"


if __name__ == "__main__":
    import atheris

    for kind in (Transactions, Dialogue):
        for name, function in list(vars(kind).items()):
            if inspect.isfunction(function):
                setattr(kind, name, atheris.instrument_func(function))
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()
