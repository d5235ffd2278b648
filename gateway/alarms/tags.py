"""Alarms as tags of the gateway's own, so that every sink and the history get them like any other value.

site/_alarms/gateway/<kind>/active      how many alarms of a kind stand and are not shelved
site/_alarms/gateway/all/unacknowledged  how many of all nobody has acknowledged
site/_alarms/gateway/log/event           each event, as JSON text
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from connectors import Batch, Columns, Kind, Tag, TagTable
from gateway.alarms.condition import KINDS
from gateway.alarms.table import Event
from gateway.alarms.words import as_dict

SOURCE: Final = "gateway/alarms"
"""Under this name the rows are stored; no plant file can give it to a source."""
AREA: Final = "_alarms"
_EVENT: Final = "log/event"
_UNACKNOWLEDGED: Final = "all/unacknowledged"
_APART_NS: Final = 1_000_000
"""Two rows of one tag never have the same time, not even in ms."""


class AlarmTags:
    """The tags, announced with the first event: a plant without alarms has none of them."""

    def __init__(self, tags: TagTable, site: str, *, is_known: bool) -> None:
        self._tags = tags
        self._site = site
        self._number: dict[str, int] = {}
        self._counts: dict[str, int] = {}
        self._last = 0
        if is_known:
            self._announce()

    def _announce(self) -> None:
        names = [*(f"{kind}/active" for kind in KINDS), _UNACKNOWLEDGED, _EVENT]
        paths = [f"{self._site}/{AREA}/gateway/{name}" for name in names]
        numbers = self._tags.announce([_tag(path, name) for path, name in zip(paths, names, strict=True)])
        self._tags.keep_only(SOURCE, numbers)
        self._number = dict(zip(names, numbers.tolist(), strict=True))

    def batch(self, events: Sequence[Event], counts: Mapping[str, int], now: int) -> Batch | None:
        """Return what is new since the last call as it is stored; None when nothing is."""
        wanted = {f"{kind}/active": counts.get(kind, 0) for kind in KINDS}
        wanted[_UNACKNOWLEDGED] = counts.get("unacknowledged", 0)
        if not events and not self._counts and not any(wanted.values()):
            return None
        if not self._number:
            self._announce()
        changed = {name: count for name, count in wanted.items() if self._counts.get(name) != count}
        self._counts = wanted
        parts = []
        if changed:
            numbers = np.array([self._number[name] for name in changed], np.int32)
            value = np.array(list(changed.values()), np.float64)
            parts.append(_columns(numbers, np.full(len(changed), now, np.int64), value))
        if events:
            times = []
            for each in events:
                self._last = max(each.at, self._last + _APART_NS)
                times.append(self._last)
            text = np.array([orjson.dumps(as_dict(each)).decode() for each in events], object)
            numbers = np.full(len(events), self._number[_EVENT], np.int32)
            parts.append(_columns(numbers, np.array(times, np.int64), text))
        return Batch(tuple(parts), now) if parts else None

    def forget(self) -> None:
        """Say every count again: what was given last is not stored."""
        self._counts = {}


def _columns(number: NDArray[np.int32], time: NDArray[np.int64], value: NDArray[Any]) -> Columns:
    return Columns(number, time, value, np.zeros(len(number), np.uint32))


def _tag(path: str, name: str) -> Tag:
    kind = Kind.TEXT if name == _EVENT else Kind.INT32
    return Tag(path, kind, "C62", SOURCE, tag_class="state")
