"""Counters a device changes while it sends them: some words of one moment, the others of another.

Within one reply nobody keeps a device from renewing a value between its registers. From 0000 FFFF to
0001 0000 such a reply says 0001 FFFF or 0000 0000: a jump or a fall of 65535 that no later reading takes
back. It shows: a word above the lowest has moved, or the value fell. Then the request is asked again, until
two replies in a row agree in all words but the lowest and do not fall. Of a float only the highest word is
compared, for the others change with every count.

What it costs: a counter's second word moves once in 65536 counts (10000 of a bcd), so a meter pays next to
nothing. One that counts more than that in a scan is asked for twice in each, the request it lies in and no
other, and never more than three times. Of values that go up and down it would cost every second request, and
nothing of them adds up: they are left.
"""

from collections.abc import Callable, Sequence
from operator import itemgetter

from connectors.line.dialogue import Answers
from connectors.modbus.plan import Request
from connectors.quality import GOOD

_Significant = tuple[tuple[bytes, bytes], ...]
"""Of each counter the bytes that seldom move, then all the others; highest first."""
Last = dict[int, _Significant]
"""What the counters of each request last were."""


class Counters:
    """The counters of one device's plan, and what they last were, in an earlier session perhaps."""

    def __init__(self, requests: Sequence[Request], last: Last) -> None:
        """Remember; `last` is of the same requests."""
        self._reading = {slot: read for slot, each in enumerate(requests) if (read := _reader(each))}
        self._last = last

    def doubtful(self, slots: Sequence[int], answers: Answers) -> list[int]:
        """Take in replies; return which of them should be asked for once more."""
        found = []
        for slot, read in self._reading.items():
            if answers.status[slot] != GOOD or slot not in slots:
                continue
            now = read(answers.replies[slot])
            before = self._last.get(slot)
            self._last[slot] = now
            if before is not None and any(
                new[0] != old[0] or new < old for new, old in zip(now, before, strict=True)
            ):
                found.append(slot)
        return found


def _reader(request: Request) -> Callable[[bytes], _Significant] | None:
    """Return what takes the bytes of each counter of several registers out of a reply, highest first."""
    takers = []
    for value in request.values:
        tag = value.tag
        if tag.counter and not tag.is_bits and tag.registers > 1 and tag.type != "string":
            start, width = 2 * (value.address - request.address), 2 * tag.registers
            order = sorted(range(width), key=tag.byte_order.__getitem__)
            calm = 2 if tag.type in ("float32", "float64") else width - 2
            takers.append((itemgetter(*(start + place for place in order)), calm))
    if not takers:
        return None

    def read(data: bytes) -> _Significant:
        whole = ((bytes(get(data)), calm) for get, calm in takers)
        return tuple((each[:calm], each[calm:]) for each, calm in whole)

    return read
