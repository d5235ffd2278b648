"""One device of a connection while it runs: its plan, what it has refused, whether it is there."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from config.connections import ModbusDevice
from connectors.describe import describe, device_path
from connectors.line.dialogue import USELESS, Answers
from connectors.line.statistics import Statistics
from connectors.modbus.decode import Decoder
from connectors.modbus.layout import compile_layout, kind_of
from connectors.modbus.plan import Request, halve, plan_requests, read_as, values_of
from connectors.modbus.poll import Poll
from connectors.modbus.torn import Counters, Last
from connectors.quality import BAD_CONFIGURATION_ERROR, BAD_TIMEOUT, GOOD
from connectors.tags import Tag

_ASK_AGAIN: Final = 60
"""Scans after which a refused value is tried once more: the device may have been given it."""
_CUTS: Final = 4
"""Refused requests cut at a time, so that a map that is all wrong does not flood the line."""


@dataclass(slots=True)
class Learned:
    """How a device wants to be asked, learned from its refusals; it outlives sessions."""

    options: ModbusDevice
    requests: tuple[Request, ...]
    refused: set[int] = field(default_factory=set)
    """Places of values that are refused even alone."""
    last: Last = field(default_factory=dict)


def planned(options: ModbusDevice) -> Learned:
    """Return how a device is asked of which nothing is known yet."""
    return Learned(options, plan_requests(options, values_of(options)))


class Device:
    """The plan of one device, compiled once and cut finer where the device refuses it.

    Values of another interval are a device of their own by the same name and unit id.
    """

    def __init__(self, name: str, learned: Learned) -> None:
        """Remember; what it learns goes into `learned`."""
        self.name = name
        self.options = options = learned.options
        self._learned = learned
        self.statistics = Statistics()
        self.answered = True
        """Whether the device itself said anything of use in the last scan."""
        self.unheard = False
        """Whether nobody did, not even a gateway in between."""
        self.improvable = False
        """Whether the plan was cut in the last scan while other requests are answered: ask again at once."""
        self._values = values_of(options)
        self._numbers = np.arange(len(self._values), dtype=np.int32)
        self._refused = learned.refused
        self._plan(learned.requests)

    @property
    def in_flight(self) -> int:
        """Requests it takes at once."""
        return self.options.max_in_flight

    def tags(self, source: str, site: str) -> list[Tag]:
        """Return the device's tags."""
        path = device_path(site, self.options.at, self.name)
        return [
            describe(
                source,
                f"{path}/{value.name}",
                kind_of(value.tag),
                value.tag,
                read_as=read_as(self.options.unit_id, value),
            )
            for value in self._values
        ]

    def numbered(self, numbers: NDArray[np.int32]) -> None:
        """Take the numbers of these tags, (n,), before the first scan."""
        self._numbers = numbers
        self.decoder = Decoder(self._layout, numbers)

    def asked(self, first: int) -> tuple[list[int], list[int]]:
        """Return the requests to ask, in this order, and the status all of them have until then.

        `first` turns the order: a silent device is tried with another request each time, since one may be
        the only one it never answers. Values it refuses rest for a while.
        """
        requests = self.poll.requests
        slots = list(range(len(requests)))
        if self._refused and self.statistics.scans % _ASK_AGAIN:
            slots = [slot for slot in slots if not self._rests(requests[slot])] or slots
        turn = first % len(slots)
        return slots[turn:] + slots[:turn], [BAD_CONFIGURATION_ERROR] * len(requests)

    def doubtful(self, slots: Sequence[int], answers: Answers) -> list[int]:
        """Return which of these requests are asked again at once: a counter in them may be torn."""
        return list(self.counters.doubtful(slots, answers))

    def learn(self, slots: Sequence[int], answers: Answers) -> list[str]:
        """Take in how a scan went; return the values that turned out to be refused, by name."""
        self.statistics.scans += 1
        status = [answers.status[slot] for slot in slots]
        self.answered = any(each not in USELESS for each in status)
        self.unheard = all(each == BAD_TIMEOUT for each in status)
        requests = self.poll.requests
        found: list[str] = []
        cut: set[int] = set()
        for slot in slots:
            if len(requests[slot].values) > 1:
                if answers.status[slot] == BAD_CONFIGURATION_ERROR and len(cut) < _CUTS:
                    cut.add(slot)
                continue
            value = requests[slot].values[0]
            if answers.status[slot] == GOOD:
                self._refused.discard(value.place)
            elif answers.status[slot] == BAD_CONFIGURATION_ERROR and value.place not in self._refused:
                self._refused.add(value.place)
                found.append(value.name)
        self.improvable = bool(cut) and GOOD in status
        if cut:
            finer = (halve(each) if slot in cut else (each,) for slot, each in enumerate(requests))
            self._learned.last.clear()
            self._plan(tuple(request for requests in finer for request in requests))
        return found

    def _rests(self, request: Request) -> bool:
        return len(request.values) == 1 and request.values[0].place in self._refused

    def _plan(self, requests: tuple[Request, ...]) -> None:
        self._learned.requests = requests
        self.poll = Poll(self.options.unit_id, requests)
        self.counters = Counters(requests, self._learned.last)
        self._layout = compile_layout(requests)
        self.decoder = Decoder(self._layout, self._numbers)
