"""The whole exception tree a connector may raise.

    Exception
    ├── NotConnected   the peer cannot be had now; nothing was refused; try again
    └── Rejected       these rows can never be accepted; every other row of the call was
Anything else is a bug: it travels up untouched to `gateway.supervise`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


class NotConnected(Exception):
    """The link is down, or must not be used until a person acts.

    `needs_a_person` is set for authorisation, quota, an unknown topic: trying again at once is useless, so
    the supervisor waits its longest back-off and shows the reason. `retry_after_s` is the peer's own wish.
    `turned_away` is set when the peer is there and ended it itself: it is busy, or took another instead.
    """

    def __init__(
        self,
        reason: str,
        *,
        needs_a_person: bool = False,
        retry_after_s: float | None = None,
        turned_away: bool = False,
    ) -> None:
        super().__init__(reason)
        self.needs_a_person = needs_a_person
        self.retry_after_s = retry_after_s
        self.turned_away = turned_away


@dataclass(frozen=True, slots=True)
class Refusal:
    """Rows of one delivery that a platform refused for good."""

    delivery: int
    """Index into the sequence given to `Sink.write`."""
    rows: NDArray[np.int32] | None
    """Stored row numbers, or None for every row of the delivery."""
    reason: str


class Rejected(Exception):
    """These bytes cause a refusal that no retry can cure; all other rows of the call are accepted."""

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        super().__init__("; ".join(sorted({refusal.reason for refusal in refusals})))
        self.refusals = tuple(refusals)
