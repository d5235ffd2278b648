"""What is known of devices and their tags: named, told, within reach. Columns by tag number. No I/O."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from connectors.batch import Columns
from connectors.quality import (
    BAD_COMMUNICATION_ERROR,
    BAD_DATA_LOST,
    BAD_NO_COMMUNICATION,
    BAD_NOT_CONNECTED,
    BAD_TIMEOUT,
    BAD_WAITING_FOR_INITIAL_DATA,
)
from connectors.sparkplug.edge.births import Metrics
from connectors.tags import TagTable

_UNREACHABLE: Final = np.array(
    [BAD_NO_COMMUNICATION, BAD_TIMEOUT, BAD_COMMUNICATION_ERROR, BAD_NOT_CONNECTED], np.uint32
)
"""What the tags of a device are worth that can't be had."""
_UNKNOWN: Final = np.array([BAD_DATA_LOST, BAD_WAITING_FOR_INITIAL_DATA], np.uint32)
"""What says nothing of whether a device can be had."""
NEVER: Final = -(1 << 62)

Past = NDArray[np.bool_] | bool
"""Which rows of a group are history to the host."""


@dataclass(slots=True)
class Device:
    """What was said of a device; times by the monotonic clock, ns."""

    id: str
    metrics: Metrics = ()
    tags: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    """Numbers of its metrics' tags."""
    is_born: bool = False
    is_alive: bool = False
    """Whether it can be had, as far as is known."""
    is_whole: bool = False
    """Whether all that is known of it can be had."""
    born: int = NEVER
    born_at: int = 0
    """The same by the gateway's clock, ns UTC."""
    lent_until: int = 0
    """Of a dead one that was born for its past; 0 is none."""

    def has(self, metrics: Metrics) -> None:
        """Learn what it has."""
        self.metrics = metrics
        self.tags = np.array([metric.number for metric in metrics], np.int32)


class Standing:
    """What this session's births have said of each tag, and what its newest row was worth."""

    def __init__(self, tags: TagTable) -> None:
        self._tags = tags
        self._named = np.zeros(64, np.bool_)
        self._told = np.zeros(64, np.int64)
        """The time of the row a birth told, ns UTC; 0 where it knew none."""
        self._unreachable = np.ones(64, np.bool_)

    def forget(self) -> None:
        """Begin anew: no tag is named."""
        self._named[:] = False

    def name(self, tags: NDArray[np.int32], last: Sequence[Columns], *, before: NDArray[np.int32]) -> None:
        """Learn that a birth has named these tags, instead of those before, and told these rows of them."""
        self._grow()
        self._named[before] = False
        self._named[tags] = True
        self._told[tags] = 0
        for part in last:
            self._told[part.tag] = part.time

    def are_named(self, tags: NDArray[np.int32]) -> bool:
        """Tell whether the host knows all of these tags."""
        self._grow()
        return bool(self._named[tags].all())

    def older(self, columns: Columns) -> NDArray[np.bool_]:
        """Tell which rows are older than what a birth has told of their tag."""
        self._grow()
        old: NDArray[np.bool_] = columns.time < self._told[columns.tag]
        return old

    def look(self, device: Device, last: Sequence[Columns]) -> None:
        """Judge a device by the newest row of each tag; one of which nothing is known can't be had."""
        self._grow()
        self._unreachable[device.tags] = True
        for part in last:
            self._reach(part)
        self._judge(device, device.tags)

    def follow(self, device: Device, columns: Sequence[Columns], past: Sequence[Past]) -> None:
        """Judge a device by rows that came, those that are history apart."""
        if all(old is True for old in past):
            return
        if device.is_whole and not any(each.quality.any() for each in columns):
            device.is_alive = True
            return
        self._grow()
        tags = [device.tags]
        for each, old in zip(columns, past, strict=True):
            rows = each if old is False else each.where(~np.broadcast_to(old, len(each)))
            self._reach(rows)
            tags.append(rows.tag)
        self._judge(device, np.concatenate(tags))

    def _reach(self, rows: Columns) -> None:
        if not rows.quality.any():
            self._unreachable[rows.tag] = False
            return
        rows = rows.where(~np.isin(rows.quality, _UNKNOWN))
        self._unreachable[rows.tag] = np.isin(rows.quality, _UNREACHABLE)

    def _judge(self, device: Device, tags: NDArray[np.int32]) -> None:
        gone = self._unreachable[tags]
        device.is_alive = not gone.all()
        device.is_whole = not gone.any()

    def _grow(self) -> None:
        more = 2 * len(self._tags) - len(self._named)
        if len(self._tags) > len(self._named):
            self._named = np.append(self._named, np.zeros(more, np.bool_))
            self._told = np.append(self._told, np.zeros(more, np.int64))
            self._unreachable = np.append(self._unreachable, np.ones(more, np.bool_))
