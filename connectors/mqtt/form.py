"""What is said to a broker, and what its answers mean: the seam between the sink and each form of message.

A form is pure: it does no I/O and waits for nothing. The sink asks, sends, and tells it what came back:

    sign_in, will ─► connect, subscribe ─► begin ─► due, messages ─► … ─► end
                                             ▲           │
                                           heard ◄───────┘  what the peer says on `subscriptions`

A message counts as accepted when the broker acknowledges it and, where it names a `reply`, when `heard` has
reported that reply as well; the sink's ack deadline runs for both. Data flow once every reply to what `begin`
said, and to what followed from it, is there. Any method may raise NotConnected, which ends the session.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from config.base import Secret
from connectors.broker.wire import Will
from connectors.contract import Delivery, GapNews

SEVERAL: Final = -1
"""In place of a delivery's index: the rows are those of several, each ``index << 32 | stored row number``."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How many bytes a payload may have, for a session."""

    of_one: Callable[[str], int]
    """By topic: what is larger and can't be split can never be sent."""
    split: int = 1 << 62
    """What is larger is split where that can be: a broker has refused such a size."""

    def __call__(self, topic: str) -> int:
        """Return how many bytes what can be split may have on this topic."""
        return min(self.of_one(topic), self.split)


@dataclass(frozen=True, slots=True)
class Message:
    """What is published."""

    topic: str
    payload: bytes
    rows: NDArray[np.int32] | NDArray[np.int64] | None = None
    """Stored row numbers it carries, of one delivery, or of `SEVERAL`; None: it is told beside the data."""
    refusal: str = ""
    """Why it can never be sent, and isn't: its rows go to quarantine."""
    retain: bool = False
    reply: str = ""
    """By what the peer's answer will be known, unlike any other in the session; empty: it does not answer."""
    qos: Literal[0, 1] = 1
    """0 only where the peer takes nothing else, and answers."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """How a platform knows the gateway; made anew for each session, since it may hold the time."""

    username: str
    password: Secret | None = None
    client_id: str | None = None
    """None is as the plant file says."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the peer says to one message."""

    reply: str
    refusal: str = ""
    """Why these bytes can never be accepted; empty when they are."""
    rows: NDArray[np.int32] | NDArray[np.int64] | None = None
    """Which of the message's rows are refused; None is all of them."""
    instead: Sequence[Message] = ()
    """Messages that carry the rows in doubt, sent now in its place: so what is refused is found out."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What follows from a message of the peer's."""

    answers: Sequence[Answer] = ()
    send: Sequence[Message] = ()


class Form(ABC):
    """A form of messages; one object for all sessions of a sink. Most need no more than `messages`."""

    subscriptions: Sequence[str] = ()
    """Topic filters to subscribe, QoS 1, before anything is sent."""
    rate: int | None = None
    """Messages a second the peer takes at most."""

    def sign_in(self, now: int) -> SignIn | None:  # noqa: ARG002  for heirs whose password holds the time
        """Return who to connect as, at `now` ns UTC; None is as the plant file says. It may read files."""
        return None

    def will(self) -> Will | None:
        """Return what the broker publishes should the link break."""
        return None

    def begin(self, limit: Limit) -> Iterable[Message]:  # noqa: ARG002  for heirs that split
        """Begin a session: forget the last one, and return what is sent before anything else."""
        return ()

    def due(self, now: int) -> Iterable[Message | None]:  # noqa: ARG002  for heirs that have a status
        """Return what is due beside the data at `now` ns monotonic; None lets others have their turn."""
        return ()

    def missing(self, gaps: Sequence[GapNews]) -> Iterable[Message]:  # noqa: ARG002  for heirs that tell
        """Return what tells subscribers that values are missing, and for which time."""
        return ()

    @abstractmethod
    def messages(self, delivery: Delivery) -> Iterable[Message]:
        """Return what carries a delivery: each row in one message, or in none if the form can't say it.

        What must be told before a row may lie between them, without rows.

        The same delivery makes the same messages in every session with the same limits, but for marks of
        lateness: a re-send is harmless.
        """

    def loads(self, deliveries: Sequence[Delivery]) -> Iterable[tuple[int, Message]]:
        """Return the messages of a whole write, each with the index of its delivery.

        A peer that wants few messages may get the rows of several in one: `SEVERAL`.
        """
        for index, delivery in enumerate(deliveries):
            for message in self.messages(delivery):
                yield index, message

    def heard(self, topic: str, payload: bytes) -> Heard:  # noqa: ARG002  for heirs that subscribe
        """Learn what came on one of `subscriptions`; return what follows from it."""
        return Heard()

    def end(self) -> Iterable[Message]:
        """Return what is said before a clean stop."""
        return ()

    def statistics(self) -> dict[str, int]:
        """Return counts of the form's own, since start."""
        return {}
