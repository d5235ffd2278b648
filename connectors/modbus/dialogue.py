"""What every way of asking devices has in common: prepared requests, terms, the account of one scan."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

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
USELESS: Final = (*ABSENT, BAD_COMMUNICATION_ERROR)
"""A device that answers nothing but this is as good as silent: asking it costs the others their time."""
PENDING: Final = -1
"""Status of a request that is not decided yet."""


class FramingLost(Exception):
    """What is received can't be trusted any more: the session ends, and with it all the scan brought.

    `needs_a_person` is set where only another setting helps.
    """

    def __init__(self, reason: str, *, needs_a_person: bool = False) -> None:
        super().__init__(reason)
        self.needs_a_person = needs_a_person


class Poll:
    """The prepared bytes of one device's requests.

    Function codes are 1 to 4: there is no way to write.
    """

    def __init__(self, unit_id: int, requests: Sequence[Request]) -> None:
        self.unit_id = unit_id
        self.requests = tuple(requests)
        self.asking = tuple(
            bytes((unit_id, request.function))
            + request.address.to_bytes(2, "big")
            + request.count.to_bytes(2, "big")
            for request in requests
        )
        """Unit, function, address and count, as every framing carries them."""
        self.correct = tuple(bytes((unit_id, request.function, request.payload)) for request in requests)
        """What a reply with data begins with: unit, function, byte count."""
        self.lengths = tuple(3 + request.payload for request in requests)
        """Bytes of that reply from the unit on."""
        self.refused = tuple(bytes((unit_id, request.function | 0x80)) for request in requests)
        """What an exception reply begins with; one byte follows, the code."""
        self.blank = tuple(bytes(request.payload) for request in requests)
        """Stands for data that did not come."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How a device wants to be asked."""

    in_flight: int
    """Requests outstanding at once; a serial line knows only one."""
    timeout: int
    """Longest wait for each reply, ns."""
    patience: int
    """After this many requests in a row to which nobody answered the rest of the scan is not asked."""


class Dialogue(ABC):
    """The account of one connection: one scan at a time, from its first request to its last reply.

    `begin` a scan, feed what arrives to `receive`, call `expire` when `deadline` has passed, and send
    whatever bytes these return. No I/O and no waiting in here.
    """

    is_numbered: ClassVar[bool] = True
    """Whether a reply names its request; where it does not, it matters when each came and left."""
    _TRYING: ClassVar[tuple[int, ...]] = ABSENT
    """What uses up the patience of the terms."""

    def __init__(self, clock: Clock, statistics: Statistics) -> None:
        """Remember the clock and the connection's own counters."""
        self.deadline = 0
        """When `expire` wants to be called, monotonic ns; meaningless unless `waiting`."""
        self.unread: Callable[[], bool] = lambda: False
        """Tells whether bytes have come that `receive` was not given yet; set by who owns the connection."""
        self._clock = clock
        self._strays = self._statistics = statistics
        self._poll = Poll(0, ())
        self._slots: Sequence[int] = ()
        self._next = 0
        self._terms = Terms(1, 0, 1)
        self._missed = 0
        self._replies: list[bytes] = []
        self._status: list[int] = []
        self._times: list[int] = []

    @property
    @abstractmethod
    def done(self) -> bool:
        """Tell whether every request of the scan is answered or given up."""

    @property
    @abstractmethod
    def waiting(self) -> bool:
        """Tell whether `deadline` means something."""

    @abstractmethod
    def receive(self, data: bytes) -> bytes:
        """Take what arrived; return what to send next, often nothing. Raise FramingLost on garbage."""

    @abstractmethod
    def expire(self) -> bytes:
        """Do what is due by now; return what to send next. Raise FramingLost on garbage."""

    @abstractmethod
    def opened(self) -> None:
        """Take note that the connection is there, from now on."""

    @abstractmethod
    def sent(self) -> None:
        """Take note that what was returned last has left only now."""

    @abstractmethod
    def abandon(self) -> None:
        """Leave the scan: replies still to come are late ones."""

    @abstractmethod
    def _ask(self) -> bytes:
        """Return the bytes of what may be asked now."""

    def begin(
        self,
        poll: Poll,
        slots: Sequence[int],
        status: Sequence[int],
        terms: Terms,
        statistics: Statistics,
    ) -> bytes:
        """Start a scan and return the first bytes to send, if any may be sent yet.

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
        return self._ask()

    def answers(self) -> Answers:
        """Return what the finished scan brought."""
        return Answers(self._replies, self._status, self._times)

    def _accept(self, slot: int, data: bytes, now: int) -> None:
        self._statistics.replies += 1
        self._missed = 0
        self._replies[slot] = data
        self._status[slot] = GOOD
        self._times[slot] = now

    def _refuse(self, slot: int, code: int, now: int) -> None:
        self._statistics.exceptions += 1
        self._fail(slot, QUALITY_OF_EXCEPTION.get(code, BAD_DEVICE_FAILURE), now)

    def _reject(self, slot: int, now: int) -> None:
        self._statistics.rejected_replies += 1
        self._fail(slot, BAD_COMMUNICATION_ERROR, now)

    def _fail(self, slot: int, quality: int, now: int) -> None:
        self._status[slot] = quality
        self._times[slot] = now
        if quality not in self._TRYING:
            self._missed = 0
            return
        self._missed += 1
        if self._missed >= self._terms.patience:
            for left in self._slots[self._next :]:
                self._status[left] = quality
                self._times[left] = now
            self._next = len(self._slots)
