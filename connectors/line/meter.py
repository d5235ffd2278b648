"""A meter that is asked for one thing after the other: its requests, what it refuses, what becomes rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from config.tags import TagOptions
from connectors.batch import Columns
from connectors.describe import describe, device_path
from connectors.line.dialogue import USELESS, Answers
from connectors.line.source import DeviceTerms
from connectors.line.statistics import Statistics
from connectors.quality import (
    BAD_CONFIGURATION_ERROR,
    BAD_DEVICE_FAILURE,
    BAD_OUT_OF_RANGE,
    BAD_TIMEOUT,
    GOOD,
)
from connectors.tags import Kind, Tag

_ASK_AGAIN: Final = 60
"""Scans after which what was refused is asked for once more: the meter may have been set up."""


class MeterOptions(DeviceTerms, Protocol):
    """What a meter's options say."""

    @property
    def at(self) -> str:
        """Area and line."""
        ...

    @property
    def reply(self) -> int:
        """What it takes before it answers, ns."""
        ...


class Wanted(NamedTuple):
    """One value of a meter."""

    name: str
    options: TagOptions
    slot: int
    """Which request brings it."""
    read: Callable[[bytes], float | None]
    """From a reply's data to the number; None where there is none in them."""
    read_as: int
    """Changes with what is asked of whom and how it is read."""


@dataclass(slots=True)
class MeterPoll:
    """Implements `dialogue.Poll`: a reply names what was asked for."""

    unit: bytes
    asking: tuple[bytes, ...]
    correct: tuple[bytes, ...]
    lengths: tuple[int, ...]
    refused: tuple[bytes, ...]
    blank: tuple[bytes, ...]
    no_such_data: int = 0
    """Bit of a refusal's reason that says so."""

    def apart(self, slots: Sequence[int]) -> list[int]:
        """Return the slots as they are: no reply could be taken for another's."""
        return list(slots)

    def quality(self, reason: int) -> int:
        """Return the quality of what was refused for this reason."""
        return BAD_CONFIGURATION_ERROR if reason & self.no_such_data else BAD_DEVICE_FAILURE


class Rows:
    """From what a scan brought to rows: one part of numbers."""

    def __init__(self, values: Sequence[Wanted], numbers: NDArray[np.int32]) -> None:
        self._values = values
        self._numbers = numbers

    def columns(self, answers: Answers) -> tuple[Columns, ...]:
        """Return a row a value. A loop over rows: a meter has thirty, and a line of them a request each."""
        value = np.zeros(len(self._values))
        quality = np.zeros(len(self._values), np.uint32)
        for row, wanted in enumerate(self._values):
            quality[row] = answers.status[wanted.slot]
            if not quality[row]:
                found = wanted.read(answers.replies[wanted.slot])
                if found is None:
                    quality[row] = BAD_OUT_OF_RANGE
                else:
                    value[row] = found
        time = np.array([answers.times[wanted.slot] for wanted in self._values], np.int64)
        return (Columns(self._numbers, time, value, quality),)


class Meter:
    """Implements `source.Device`."""

    in_flight = 1
    improvable = False

    def __init__(self, name: str, options: MeterOptions, poll: MeterPoll, values: Sequence[Wanted]) -> None:
        self.name = name
        self.options = options
        self.statistics = Statistics()
        self.answered = True
        self.unheard = False
        self.poll = poll
        self._values = values
        self._refused: set[int] = set()
        self.decoder = Rows(values, np.arange(len(values), dtype=np.int32))

    def tags(self, source: str, site: str) -> list[Tag]:
        """Return the meter's tags."""
        path = device_path(site, self.options.at, self.name)
        return [
            describe(source, f"{path}/{each.name}", Kind.FLOAT64, each.options, read_as=each.read_as)
            for each in self._values
        ]

    def numbered(self, numbers: NDArray[np.int32]) -> None:
        """Take the numbers of these tags, (n,), before the first scan."""
        self.decoder = Rows(self._values, numbers)

    def asked(self, first: int) -> tuple[list[int], list[int]]:
        """Return the requests to ask, a silent meter's in another order each time; what it refuses rests."""
        count = len(self.poll.asking)
        slots = list(range(count))
        if self._refused and self.statistics.scans % _ASK_AGAIN:
            slots = [slot for slot in slots if slot not in self._refused] or slots
        turn = first % len(slots)
        return slots[turn:] + slots[:turn], [BAD_CONFIGURATION_ERROR] * count

    def doubtful(self, slots: Sequence[int], answers: Answers) -> list[int]:  # noqa: ARG002  the protocol's
        """Return none: a meter sends a number whole."""
        return []

    def learn(self, slots: Sequence[int], answers: Answers) -> list[str]:
        """Take in how a scan went; return the values that turned out to be refused, by name."""
        self.statistics.scans += 1
        status = [answers.status[slot] for slot in slots]
        self.answered = any(each not in USELESS for each in status)
        self.unheard = all(each == BAD_TIMEOUT for each in status)
        fresh = {
            slot
            for slot in slots
            if answers.status[slot] == BAD_CONFIGURATION_ERROR and slot not in self._refused
        }
        self._refused |= fresh
        self._refused -= {slot for slot in slots if answers.status[slot] == GOOD}
        return [each.name for each in self._values if each.slot in fresh]
