"""What any bytes on a line of meters must not do; the fuzzer's target, and what its corpus is replayed with.

    nice -n 19 python -m tests.fuzz.meter_line tests/cases/fuzz/meters -max_total_time=600

An input's first byte chooses DL/T 645 or CJ/T 188, the meter's address or anyone's, and how the rest is cut;
then follow pieces as of `modbus_line`. atheris is not among the project's dependencies.
"""

import inspect
import sys
from collections.abc import Iterator
from typing import Final, NamedTuple

from config.connections import Cjt188Source, Dlt645Source
from connectors import cjt188, dlt645
from connectors.cjt188.meter import frames_of as frames188
from connectors.cjt188.meter import meter as meter188
from connectors.dlt645.meter import frames_of as frames645
from connectors.dlt645.meter import meter as meter645
from connectors.line import bcd
from connectors.line.dialogue import Dialogue, FramingLost, Terms
from connectors.line.meter import Meter
from connectors.line.meter_frames import MeterFrames
from connectors.line.serial_line import SerialLine
from connectors.line.statistics import Statistics
from connectors.quality import GOOD
from tests.fuzz.modbus_line import PACE, HandClock, S, pass_by, pieces


class Kind(NamedTuple):
    """How a protocol's replies look, written down once more."""

    head: int
    """Bytes from the first 68 to the length."""
    control: int
    reply: int
    offset: int
    """Added to every byte of data."""
    named: int
    """Bytes of data that say what was asked for."""
    digits: int


DLT645: Final = Kind(head=10, control=8, reply=0x91, offset=0x33, named=4, digits=4)
CJT188: Final = Kind(head=11, control=9, reply=0x81, offset=0, named=3, digits=4)
LABELS: Final = ("000000000001", "78330011223344")


def _meter(kind: Kind, address: str) -> tuple[Meter, MeterFrames]:
    if kind is DLT645:
        tags = {"e": {"di": "00010000"}, "f": {"di": "00020000"}}
        one = {"kind": "dlt645", "port": "p", "devices": {"m": {"address": address, "tags": tags}}}
        options = Dlt645Source.model_validate(one)
        return meter645("m", options.devices["m"]), frames645(options)
    two = {"kind": "cjt188", "port": "p", "devices": {"m": {"address": address, "tags": {"e": {}}}}}
    told = Cjt188Source.model_validate(two)
    return meter188("m", told.devices["m"]), frames188(told)


METERS: Final = [
    (kind, *_meter(kind, address))
    for kind, label in zip((DLT645, CJT188), LABELS, strict=True)
    for address in (label, "any")
]


def frames_in(heard: bytes, kind: Kind, asked: bytes, address: bytes) -> Iterator[bytes]:
    """Yield the data of every right-looking answer anywhere in the bytes: nothing else may be Good."""
    for at in range(len(heard) - kind.head - 1):
        if heard[at] != 0x68 or heard[at + kind.control] != kind.reply:
            continue
        end = at + kind.head + heard[at + kind.head - 1]
        data = bytes((each - kind.offset) & 0xFF for each in heard[at + kind.head : end])
        is_whole = heard[end + 1 : end + 2] == b"\x16" and sum(heard[at:end]) & 0xFF == heard[end]
        if is_whole and data.startswith(asked) and address in (b"", heard[at + 1 : at + 1 + len(address)]):
            yield data[len(asked) :]


def check(data: bytes) -> None:
    """Raise when a line crashes, hangs, takes what is no answer, or reads digits that are not there."""
    if not data:
        return
    number = data[0] & 3
    kind, meter, frames = METERS[number]
    clock, cut, heard, poll = HandClock(), 1 + (data[0] >> 2), b"", meter.poll
    slots = range(len(poll.asking))
    line = SerialLine(frames, PACE, {}, clock, Statistics())
    line.begin(poll, slots, [0] * len(slots), Terms(1, S, 9), Statistics())
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
    address = b"" if number & 1 else poll.unit
    for slot, (status, reply) in enumerate(zip(answers.status, answers.replies, strict=True)):
        asked = poll.asking[slot][-kind.named :]
        said = frames_in(heard, kind, asked, address)
        assert status != GOOD or reply in set(said), "it takes what is no answer"
    (rows,) = meter.decoder.columns(answers)
    for slot, (value, quality) in enumerate(zip(rows.value.tolist(), rows.quality.tolist(), strict=True)):
        if quality == GOOD:
            digits = answers.replies[slot][: kind.digits][::-1].hex()
            assert value == int(digits) / 100, "it reads digits that are not there"


if __name__ == "__main__":
    import atheris

    for module in (SerialLine, Dialogue, MeterFrames, Meter, bcd, dlt645.frame.Frames, cjt188.frame.Frames):
        for name, function in list(vars(module).items()):
            if inspect.isfunction(function):
                setattr(module, name, atheris.instrument_func(function))
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()
