"""Counters a device changes while it sends them: high word of one moment, low word of another.

Within one reply nobody keeps a device from renewing a value between its registers. From 0000 FFFF to
0001 0000 such a reply says 0001 FFFF or 0000 0000: a jump or a fall of 65535 that no later reading takes
back. It shows: the high word has moved, or the value fell. Then the request is asked again, until two replies
in a row agree in the high word and do not fall. A counter's high word moves once in 65536 counts, so this
costs nothing; of values that go up and down it would cost every second request, and nothing of them adds up:
they are left.
"""

from collections.abc import Callable, Sequence
from operator import itemgetter

from connectors.line.dialogue import Answers
from connectors.modbus.plan import Request
from connectors.quality import GOOD

_Significant = tuple[bytes, ...]


class Counters:
    """The counters of one device's plan, and what they last were."""

    def __init__(self, requests: Sequence[Request]) -> None:
        self._reading = {slot: read for slot, each in enumerate(requests) if (read := _reader(each))}
        self._last: dict[int, _Significant] = {}

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
                new[:2] != old[:2] or new < old for new, old in zip(now, before, strict=True)
            ):
                found.append(slot)
        return found


def _reader(request: Request) -> Callable[[bytes], _Significant] | None:
    """Return what takes the bytes of each counter of several registers out of a reply, highest first."""
    getters = []
    for value in request.values:
        tag = value.tag
        if tag.counter and not tag.is_bits and tag.registers > 1 and tag.type != "string":
            start = 2 * (value.address - request.address)
            order = sorted(range(2 * tag.registers), key=tag.byte_order.__getitem__)
            getters.append(itemgetter(*(start + place for place in order)))
    if not getters:
        return None
    return lambda data: tuple(bytes(get(data)) for get in getters)
