"""Modbus TCP without a socket: what to send, and what of the received bytes answers it.

A frame is 2 bytes transaction, 2 bytes protocol (0), 2 bytes length of what follows, 1 byte unit id, then
function and data (Modbus Messaging on TCP/IP 3.1.3). `Transactions` is the whole dialogue of one connection
as a pure state machine: `begin` a scan, feed what arrives to `receive`, call `expire` when `deadline` has
passed, and send whatever bytes these return.

A reply counts only when transaction, protocol, length, unit, function and byte count are those of the
request; all but the first are one comparison with bytes prepared beforehand. What is late, doubled or unasked
for is dropped and counted. When the stream can't be cut into frames, or a deadline passes inside one, nothing
that follows can be trusted: `FramingLost`, and with it everything the scan brought.
"""

from collections.abc import Sequence
from typing import Final

from connectors.clock import Clock
from connectors.line.dialogue import Dialogue, FramingLost, Poll, Terms
from connectors.line.statistics import Statistics
from connectors.quality import BAD_TIMEOUT

_HEADER: Final = 6
_ASKING: Final = bytes((0, 0, 0, 6))
"""Protocol and length of every request, between transaction and unit."""
_SHORTEST, _LONGEST = 3, 254
"""Unit, function and exception code; unit and the largest PDU (253)."""
_DATA: Final = 9
"""Transaction to byte count: where a reply's data begin."""


class Transactions(Dialogue):
    """The dialogue of one connection with transaction numbers: several requests may be outstanding."""

    def __init__(self, clock: Clock, statistics: Statistics, pause: int = 0) -> None:
        """Remember the clock, the connection's own counters and the rest behind a reply, ns."""
        super().__init__(clock, statistics)
        self._pause = pause
        self._rested = 0
        """When the rest behind the last reply is over, monotonic ns."""
        self._resting = False
        self._transaction = 0
        self._outstanding: dict[int, int] = {}  # transaction → place in the poll, oldest first
        self._given_up: set[int] = set()
        self._rest = b""
        self._deadlines: list[int] = []

    @property
    def done(self) -> bool:
        """Tell whether every request of the scan is answered or given up."""
        return not self._outstanding and self._next == len(self._slots)

    @property
    def waiting(self) -> bool:
        """Tell whether a reply is outstanding or a rest is kept, so that `deadline` means something."""
        return bool(self._outstanding) or self._resting

    def begin(
        self,
        poll: Poll,
        slots: Sequence[int],
        status: Sequence[int],
        terms: Terms,
        statistics: Statistics,
    ) -> bytes:
        """Start a scan and return the first bytes to send; see `Dialogue.begin`."""
        self._deadlines = [0] * len(poll.blank)
        return super().begin(poll, slots, status, terms, statistics)

    def receive(self, data: bytes) -> bytes:
        """Take what arrived; return what to send next, often nothing. Raise FramingLost on garbage."""
        if self._rest:
            data = self._rest + data
        at, end, now = 0, len(data), self._clock.now()
        while end - at >= _HEADER:
            length = data[at + 4] << 8 | data[at + 5]
            if data[at + 2] or data[at + 3] or not _SHORTEST <= length <= _LONGEST:
                raise FramingLost(f"received {data[at : at + 16].hex(' ')}, which is not Modbus TCP")
            stop = at + _HEADER + length
            if stop > end:
                break
            slot = self._outstanding.pop(data[at] << 8 | data[at + 1], None)
            if self._pause:
                self._rested = self._clock.monotonic() + self._pause
            if slot is None:
                self._drop(data[at] << 8 | data[at + 1])
            elif (
                length == self._poll.lengths[slot]
                and data[at + _HEADER : at + _DATA] == self._poll.correct[slot]
            ):
                self._accept(slot, data[at + _DATA : stop], now)
            elif length == _SHORTEST and data[at + _HEADER : stop - 1] == self._poll.refused[slot]:
                self._refuse(slot, data[stop - 1], now)
            else:
                self._reject(slot, now)
            at = stop
        self._rest = data[at:]
        return self._ask()

    def expire(self) -> bytes:
        """Give up what is overdue; return what to send next. Raise FramingLost inside a frame."""
        now = self._clock.monotonic()
        for transaction, slot in list(self._outstanding.items()):
            if self._deadlines[slot] > now:
                break
            if self._rest:
                raise FramingLost("stopped in the middle of a reply")
            del self._outstanding[transaction]
            self._given_up.add(transaction)
            self._statistics.timeouts += 1
            self._fail(slot, BAD_TIMEOUT, self._clock.now())
        return self._ask()

    def opened(self) -> None:
        """Nothing to begin: what an earlier connection asked for bears numbers of its own."""

    def sent(self) -> None:
        """Nothing to note: a reply names its request, however late either was."""

    def abandon(self) -> None:
        """Leave the scan: replies still to come are late ones."""
        self._given_up.update(self._outstanding)
        self._outstanding.clear()
        self._slots, self._next, self._resting = (), 0, False

    def _ask(self) -> bytes:
        room = min(self._terms.in_flight - len(self._outstanding), len(self._slots) - self._next)
        frames: list[bytes] = []
        self._resting = room > 0 and self._pause > 0 and self._clock.monotonic() < self._rested
        if self._resting:
            self.deadline = self._rested
            return b""
        if room > 0:
            deadline = self._clock.monotonic() + self._terms.timeout
            for slot in self._slots[self._next : self._next + room]:
                self._transaction = transaction = (self._transaction + 1) & 0xFFFF
                self._given_up.discard(transaction)
                self._outstanding[transaction] = slot
                self._deadlines[slot] = deadline
                frames.append(transaction.to_bytes(2, "big") + _ASKING + self._poll.asking[slot])
            self._next += room
            self._statistics.requests += room
        if self._outstanding:
            self.deadline = self._deadlines[next(iter(self._outstanding.values()))]
        return b"".join(frames)

    def _drop(self, transaction: int) -> None:
        if transaction in self._given_up:
            self._given_up.remove(transaction)
            self._strays.late_replies += 1
        else:
            self._strays.unasked_replies += 1
