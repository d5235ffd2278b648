"""Modbus TCP without a socket: what to send, and what of the received bytes answers it.

A frame is 2 bytes transaction, 2 bytes protocol (0), 2 bytes length of what follows, 1 byte unit id, then
function and data (Modbus Messaging on TCP/IP 3.1.3). `Transactions` is the whole dialogue of one connection
as a pure state machine: `begin` a scan, feed what arrives to `receive`, call `expire` when `deadline` has
passed, and send whatever bytes these return.

A reply counts only when transaction, protocol, length, unit, function and byte count are those of the
request; all but the first are one comparison with bytes prepared beforehand. What is late, doubled or unasked
for is dropped and counted. When the stream can't be cut into frames, or a deadline passes inside one, nothing
that follows can be trusted: `FramingLost`, and with it everything the scan brought.

Request bytes are prepared in `Poll` from requests whose function codes are 1 to 4: there is no way to write.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from connectors.clock import Clock
from connectors.modbus.decode import Answers
from connectors.modbus.plan import Request
from connectors.modbus.statistics import Statistics
from connectors.quality import (
    BAD_COMMUNICATION_ERROR,
    BAD_CONFIGURATION_ERROR,
    BAD_DEVICE_FAILURE,
    BAD_NO_COMMUNICATION,
    BAD_NOT_SUPPORTED,
    BAD_RESOURCE_UNAVAILABLE,
    BAD_TIMEOUT,
    GOOD,
)

QUALITY_OF_EXCEPTION: Final = {
    1: BAD_NOT_SUPPORTED,
    2: BAD_CONFIGURATION_ERROR,
    3: BAD_CONFIGURATION_ERROR,
    4: BAD_DEVICE_FAILURE,
    5: BAD_RESOURCE_UNAVAILABLE,
    6: BAD_RESOURCE_UNAVAILABLE,
    10: BAD_NO_COMMUNICATION,
    11: BAD_NO_COMMUNICATION,
}
"""Exception codes (Application Protocol 7); any other is a device failure."""
ABSENT: Final = (BAD_TIMEOUT, BAD_NO_COMMUNICATION)
"""Nobody answers, or a gateway says so in the device's place (exceptions 10, 11)."""
PENDING: Final = -1
"""Status of a request that is not decided yet."""

_HEADER: Final = 6
_SHORTEST, _LONGEST = 3, 254
"""Unit, function and exception code; unit and the largest PDU (253)."""
_DATA: Final = 9
"""Transaction to byte count: where a reply's data begin."""


class FramingLost(Exception):
    """The received bytes are not Modbus TCP, or end inside a frame."""


class Poll:
    """The prepared bytes of one device's requests."""

    def __init__(self, unit_id: int, requests: Sequence[Request]) -> None:
        self.requests = tuple(requests)
        self.asking = tuple(
            bytes((0, 0, 0, 6, unit_id, request.function))
            + request.address.to_bytes(2, "big")
            + request.count.to_bytes(2, "big")
            for request in requests
        )
        """A request without its transaction number."""
        self.correct = tuple(
            (3 + request.payload).to_bytes(4, "big") + bytes((unit_id, request.function, request.payload))
            for request in requests
        )
        """What must follow the transaction number in a reply with data."""
        self.refused = tuple(bytes((0, 0, 0, 3, unit_id, request.function | 0x80)) for request in requests)
        """What follows it in an exception reply."""
        self.blank = tuple(bytes(request.payload) for request in requests)
        """Stands for data that did not come."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How a device wants to be asked."""

    in_flight: int
    """Requests outstanding at once."""
    timeout: int
    """Longest wait for each reply, ns."""
    patience: int
    """After this many requests in a row to which nobody answered the rest of the scan is not asked."""


class Transactions:
    """The dialogue of one connection: one scan at a time, several requests outstanding."""

    def __init__(self, clock: Clock, statistics: Statistics) -> None:
        """Remember the clock and the connection's own counters."""
        self.deadline = 0
        """When the oldest outstanding request is given up, monotonic ns; meaningless while none is."""
        self._clock = clock
        self._strays = self._statistics = statistics
        self._transaction = 0
        self._outstanding: dict[int, int] = {}  # transaction → place in the poll, oldest first
        self._given_up: set[int] = set()
        self._rest = b""
        self._poll = Poll(0, ())
        self._slots: Sequence[int] = ()
        self._next = 0
        self._terms = Terms(1, 0, 1)
        self._missed = 0
        self._replies: list[bytes] = []
        self._status: list[int] = []
        self._times: list[int] = []
        self._deadlines: list[int] = []

    @property
    def done(self) -> bool:
        """Tell whether every request of the scan is answered or given up."""
        return not self._outstanding and self._next == len(self._slots)

    @property
    def waiting(self) -> bool:
        """Tell whether a reply is outstanding, so that `deadline` means something."""
        return bool(self._outstanding)

    def begin(
        self,
        poll: Poll,
        slots: Sequence[int],
        status: Sequence[int],
        terms: Terms,
        statistics: Statistics,
    ) -> bytes:
        """Start a scan and return the first bytes to send.

        `slots` are the requests to ask, in this order; `status` is what the others keep; `statistics` are the
        device's counters.
        """
        self._poll, self._slots, self._next = poll, slots, 0
        self._terms, self._statistics, self._missed = terms, statistics, 0
        self._replies = list(poll.blank)
        self._status = list(status)
        for slot in slots:
            self._status[slot] = PENDING
        self._times = [self._clock.now()] * len(poll.blank)
        self._deadlines = [0] * len(poll.blank)
        return self._ask()

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
            if slot is None:
                self._drop(data[at] << 8 | data[at + 1])
            elif data[at + 2 : at + _DATA] == self._poll.correct[slot]:
                self._statistics.replies += 1
                self._missed = 0
                self._replies[slot] = data[at + _DATA : stop]
                self._status[slot] = GOOD
                self._times[slot] = now
            else:
                self._refuse(slot, data[at + 2 : stop], now)
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

    def abandon(self) -> None:
        """Leave the scan: replies still to come are late ones."""
        self._given_up.update(self._outstanding)
        self._outstanding.clear()
        self._slots, self._next = (), 0

    def answers(self) -> Answers:
        """Return what the finished scan brought."""
        return Answers(self._replies, self._status, self._times)

    def _ask(self) -> bytes:
        room = min(self._terms.in_flight - len(self._outstanding), len(self._slots) - self._next)
        frames: list[bytes] = []
        if room > 0:
            deadline = self._clock.monotonic() + self._terms.timeout
            for slot in self._slots[self._next : self._next + room]:
                self._transaction = transaction = (self._transaction + 1) & 0xFFFF
                self._given_up.discard(transaction)
                self._outstanding[transaction] = slot
                self._deadlines[slot] = deadline
                frames.append(transaction.to_bytes(2, "big") + self._poll.asking[slot])
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

    def _refuse(self, slot: int, frame: bytes, now: int) -> None:
        if len(frame) == _SHORTEST + 4 and frame[:-1] == self._poll.refused[slot]:
            self._statistics.exceptions += 1
            self._fail(slot, QUALITY_OF_EXCEPTION.get(frame[-1], BAD_DEVICE_FAILURE), now)
        else:
            self._statistics.rejected_replies += 1
            self._fail(slot, BAD_COMMUNICATION_ERROR, now)

    def _fail(self, slot: int, quality: int, now: int) -> None:
        self._status[slot] = quality
        self._times[slot] = now
        if quality not in ABSENT:
            self._missed = 0
            return
        self._missed += 1
        if self._missed >= self._terms.patience:
            for left in self._slots[self._next :]:
                self._status[left] = quality
                self._times[left] = now
            self._next = len(self._slots)
