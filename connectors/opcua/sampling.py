"""What is asked of the server for one monitored item, and what it made of it: interval, queue, deadband.

A deadband is asked for in three steps until the server takes one: a share of the node's EURange as the server
works it out, the same as a number of ours, none at all. None reports more, never less.
"""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from asyncua import ua

from connectors.opcua.items import Items
from connectors.opcua.limits import Limits
from connectors.opcua.properties import EU_RANGE, read_properties
from connectors.opcua.session import Session
from connectors.opcua.statistics import Statistics

log = logging.getLogger(__name__)

_FILTER: Final = frozenset(
    {
        ua.StatusCodes.BadMonitoredItemFilterUnsupported,
        ua.StatusCodes.BadMonitoredItemFilterInvalid,
        ua.StatusCodes.BadFilterNotAllowed,
        ua.StatusCodes.BadDeadbandFilterInvalid,
    }
)
_SHORTEST_QUEUE: Final = 2
_CLOSE: Final = 0.01
"""Part of an interval two may differ by and still be the same."""


@dataclass(slots=True)
class _Revised:
    """Items the server has otherwise than they were asked for, with what was asked of the first."""

    places: list[int] = field(default_factory=list)
    first: dict[str, Any] = field(default_factory=dict)

    def add(self, place: int, **what: Any) -> None:
        self.first = self.first or what
        self.places.append(place)


class Sampling:
    """The parameters of one session's monitored items."""

    def __init__(self, items: Items, statistics: Statistics) -> None:
        self._items = items
        self._statistics = statistics
        self._spans: dict[int, float] = {}
        self._steps: dict[int, int] = {}
        """How many forms of its deadband the server has refused, by item."""
        self._intervals, self._queues, self._filters = _Revised(), _Revised(), _Revised()
        self._told: set[str] = set()

    async def learn(self, session: Session, nodes: Mapping[int, ua.NodeId], limits: Limits) -> None:
        """Read the EURange of the nodes whose deadband is a share of it."""
        wanted = {i: node for i, node in nodes.items() if self._is_share(i)}
        if wanted:
            ranges = await read_properties(session, wanted, EU_RANGE, limits)
            self._spans |= {i: span for i, each in ranges.items() if (span := _span(each)) > 0}

    def parameters(self, place: int, interval_ms: float) -> ua.MonitoringParameters:
        """Return what to ask for an item of a subscription that publishes every so often."""
        item = self._items.items[place]
        scan_ms = item.scan / 1e6
        wanted = ua.MonitoringParameters()
        wanted.ClientHandle = place
        wanted.SamplingInterval = scan_ms
        wanted.QueueSize = item.queue or max(_SHORTEST_QUEUE, 2 * math.ceil(interval_ms / scan_ms))
        wanted.DiscardOldest = True
        forms = self._forms(place)
        step = self._steps.get(place, 0)
        if step < len(forms):
            kind, size = forms[step]
            filtered = ua.DataChangeFilter()
            filtered.Trigger = ua.DataChangeTrigger.StatusValue
            filtered.DeadbandType, filtered.DeadbandValue = kind, size
            wanted.Filter = filtered
        return wanted

    def is_refused_filter(self, place: int, status: int) -> bool:
        """Tell whether only the deadband was refused; then the next form of it is asked for."""
        if status not in _FILTER or self._steps.get(place, 0) >= len(self._forms(place)):
            return False
        self._steps[place] = self._steps.get(place, 0) + 1
        return True

    def note(self, place: int, wanted: ua.MonitoringParameters, made: Any) -> None:
        """Compare what the server made of an item with what it was asked."""
        asked, got = wanted.SamplingInterval, made.RevisedSamplingInterval
        if abs(got - asked) > _CLOSE * asked:
            self._intervals.add(place, asked_ms=asked, revised_ms=got)
        if made.RevisedQueueSize < wanted.QueueSize:
            self._queues.add(place, asked=wanted.QueueSize, revised=made.RevisedQueueSize)
        if self._items.items[place].server_deadband and not isinstance(wanted.Filter, ua.DataChangeFilter):
            why = "no EURange" if self._is_share(place) and place not in self._spans else "refused"
            self._filters.add(place, reason=why)

    def tell(self) -> None:
        """Count what the server revised since the last time; say so of the first, each once a session."""
        said = (
            (self._intervals, logging.INFO, "the server samples some nodes at another interval"),
            (self._queues, logging.WARNING, "the server keeps shorter queues than asked for some nodes"),
            (self._filters, logging.WARNING, "some nodes have no deadband at the server, all changes come"),
        )
        self._statistics.revised_intervals += len(self._intervals.places)
        self._statistics.revised_queues += len(self._queues.places)
        self._statistics.refused_deadbands += len(self._filters.places)
        for revised, level, text in said:
            if revised.places and text not in self._told:
                self._told.add(text)
                first = self._items.items[revised.places[0]].path
                more = {"source": self._items.source, "tags": len(revised.places), "first": first}
                log.log(level, text, extra=more | revised.first)
        self._intervals, self._queues, self._filters = _Revised(), _Revised(), _Revised()

    def _is_share(self, place: int) -> bool:
        deadband = self._items.items[place].server_deadband
        return deadband is not None and deadband.percent

    def _forms(self, place: int) -> Sequence[tuple[ua.DeadbandType, float]]:
        deadband = self._items.items[place].server_deadband
        if deadband is None or not deadband.size:
            return ()
        if not deadband.percent:
            return ((ua.DeadbandType.Absolute, deadband.size),)
        span = self._spans.get(place)
        if span is None:
            return ()
        absolute = (ua.DeadbandType.Absolute, deadband.size / 100 * span)
        return ((ua.DeadbandType.Percent, deadband.size), absolute)


def _span(told: Any) -> float:
    """Return the width of an EURange, 0 if it is none."""
    low, high = getattr(told, "Low", None), getattr(told, "High", None)
    if not isinstance(low, float) or not isinstance(high, float):
        return 0.0
    return high - low if math.isfinite(high - low) else 0.0
