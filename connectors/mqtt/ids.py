"""What a topic's messages are told apart by: a number or text of their own."""

from collections import deque
from typing import Any, Final, Protocol

from connectors.mqtt.places import Steps, follow

_WINDOW: Final = 32
"""A publisher repeats what it has in flight; few have more than this."""


class Counts(Protocol):
    """Where the finds are counted."""

    missed: int
    reordered: int


class Ids:
    """The newest ids of one topic."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._recent: deque[int | str] = deque(maxlen=_WINDOW)
        self._highest: int | None = None

    def is_duplicate(self, said: Any, counts: Counts) -> bool:
        """Tell whether the message's id was seen lately, and remember it; a message without one is new."""
        found = follow(said, self._steps)
        if isinstance(found, bool) or not isinstance(found, int | str):
            return False
        if found in self._recent:
            return True
        self._recent.append(found)
        if isinstance(found, int):
            self._follow_numbers(found, counts)
        return False

    def _follow_numbers(self, number: int, counts: Counts) -> None:
        highest = self._highest
        if highest is not None and number < highest:
            counts.reordered += 1
            # Just late, or begun anew after a restart of the sender.
            if highest - number < _WINDOW:
                return
        elif highest is not None:
            counts.missed += number - highest - 1
        self._highest = number
