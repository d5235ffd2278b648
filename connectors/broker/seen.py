"""The last message of each topic we published, for people who look; bounded, whatever is published."""

import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

MOST_TOPICS: Final = 2_000
MOST_BYTES: Final = 8 * 2**20
"""Of payloads, all topics together; beyond either bound the topic that was silent longest goes."""


@dataclass(slots=True)
class LastMessage:
    """What was published last on a topic, and how much before it."""

    payload: bytes
    retained: bool
    at: int
    """ns UTC"""
    count: int
    bytes: int


class Seen:
    """Written by a sink's session, read on the same event loop."""

    def __init__(self) -> None:
        self._last: OrderedDict[str, LastMessage] = OrderedDict()
        self._bytes = 0

    def note(self, topic: str, payload: bytes, *, retained: bool = False) -> None:
        """Take in what is published; half a microsecond."""
        last = self._last.pop(topic, None)
        self._bytes += len(payload) - (0 if last is None else len(last.payload))
        if last is None:
            last = LastMessage(payload, retained, 0, 0, 0)
        last.payload, last.retained, last.at = payload, retained, time.time_ns()
        last.count += 1
        last.bytes += len(payload)
        self._last[topic] = last
        while len(self._last) > MOST_TOPICS or (self._bytes > MOST_BYTES and len(self._last) > 1):
            _, gone = self._last.popitem(last=False)
            self._bytes -= len(gone.payload)

    def topics(self) -> list[tuple[str, LastMessage]]:
        """Return what is known, by topic."""
        return sorted(self._last.items())

    def get(self, topic: str) -> LastMessage | None:
        """Return the last message of a topic."""
        return self._last.get(topic)
