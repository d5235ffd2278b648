"""What every way of asking devices has in common: prepared requests, terms, the account of one scan."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Protocol

from connectors.clock import Clock
from connectors.line.statistics import Statistics
from connectors.quality import (
    BAD_COMMUNICATION_ERROR,
    BAD_DEVICE_FAILURE,
    BAD_NO_COMMUNICATION,
    BAD_TIMEOUT,
    GOOD,
)

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


class Poll(Protocol):
    """The prepared bytes of one device's requests, each by its slot."""

    unit: bytes
    """Who is asked: what the content of every frame from or to the device begins with."""
    asking: tuple[bytes, ...]
    """What is asked, as every framing carries it."""
    correct: tuple[bytes, ...]
    """What a reply with data begins with."""
    lengths: tuple[int, ...]
    """Bytes of that reply from its beginning on, as far as they are known before it."""
    refused: tuple[bytes, ...]
    """What a refusal begins with; one byte follows, the reason."""
    blank: tuple[bytes, ...]
    """Stands for data that did not come."""

    def apart(self, slots: Sequence[int]) -> list[int]:
        """Return the slots in an order in which as few neighbours as possible could answer for each other."""
        ...

    def quality(self, reason: int) -> int:
        """Return the quality of what was refused for this reason."""
        ...


@dataclass(frozen=True, slots=True)
class Answers:
    """What one scan brought, a place per request of the plan."""

    replies: Sequence[bytes]
    """Data of each reply; zeros of the same length where there is none."""
    status: Sequence[int]
    """Quality of each request: 0, or why it failed."""
    times: Sequence[int]
    """When each reply came or was given up, ns UTC."""

    def replaced(self, slots: Sequence[int], by: "Answers") -> "Answers":
        """Return these answers with those of `slots` taken from another scan."""
        replies, status, times = list(self.replies), list(self.status), list(self.times)
        for slot in slots:
            replies[slot], status[slot], times[slot] = by.replies[slot], by.status[slot], by.times[slot]
        return Answers(replies, status, times)


class Nobody:
    """The poll of a connection that has not asked yet."""

    unit = b""
    asking: tuple[bytes, ...] = ()
    correct: tuple[bytes, ...] = ()
    lengths: tuple[int, ...] = ()
    refused: tuple[bytes, ...] = ()
    blank: tuple[bytes, ...] = ()

    def apart(self, slots: Sequence[int]) -> list[int]:
        """Return the slots as they are."""
        return list(slots)

    def quality(self, reason: int) -> int:  # noqa: ARG002  nobody refuses
        """Return a failure."""
        return BAD_DEVICE_FAILURE


@dataclass(frozen=True, slots=True)
class Terms:
    """How a device wants to be asked."""

    in_flight: int
    """Requests outstanding at once; a serial line knows only one."""
    timeout: int
    """Longest wait for each reply, ns."""
    patience: int
    """After this many requests in a row to which nobody answered the rest of the scan is not asked."""
    alone: bool = True
    """Whether nobody else is asked on the connection: then what one does is all that is known of the line."""


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
        self._poll: Poll = Nobody()
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
    def free(self) -> int:
        """From when on the next request may be sent, monotonic ns; 0 where it is at once."""
        return 0

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
        self._fail(slot, self._poll.quality(code), now)

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
