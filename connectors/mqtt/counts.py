"""What a source counts, and how it tells of messages that yield nothing."""

import logging
from dataclasses import dataclass
from typing import Final

from connectors.clock import Clock

SAMPLE_BYTES: Final = 1024
"""Of a refused message, in the log."""
_LOG_EVERY_NS: Final = 60_000_000_000

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Statistics:
    """Counts of a session."""

    messages: int = 0
    bytes: int = 0
    acks: int = 0
    retained: int = 0
    repeated: int = 0
    """Repeats by the broker of what is in the store already."""
    duplicates: int = 0
    """Messages whose id was seen before on their topic."""
    missed: int = 0
    """Numbers left out between the ids of a topic."""
    reordered: int = 0
    """Messages whose number is lower than one before."""
    malformed: int = 0
    too_large: int = 0
    unmatched: int = 0
    """Messages whose topic no entry wants."""
    unnameable: int = 0
    """Messages whose topic makes no name."""
    clashing: int = 0
    """Messages whose tags belong to another topic or source."""
    over_limit: int = 0
    """Messages that would make more than `max_tags`."""
    values_missing: int = 0
    """Values that were not in their message."""


class Refusals:
    """Counts every message that is not taken, and tells of one a minute for each reason."""

    def __init__(self, statistics: Statistics, clock: Clock) -> None:
        self._statistics = statistics
        self._clock = clock
        self._quiet_until: dict[str, int] = {}

    def tell(self, reason: str, topic: str, payload: bytes | bytearray, detail: str = "") -> None:
        """Count under the counter named `reason`; log the message's beginning where it is time to."""
        setattr(self._statistics, reason, getattr(self._statistics, reason) + 1)
        now = self._clock.monotonic()
        if now >= self._quiet_until.get(reason, now):
            self._quiet_until[reason] = now + _LOG_EVERY_NS
            shown = payload[:SAMPLE_BYTES].decode("utf-8", "backslashreplace")
            sample = shown.encode()[:SAMPLE_BYTES].decode("utf-8", "ignore")
            extra = {"topic": topic[:SAMPLE_BYTES], "reason": detail or reason, "sample": sample}
            log.warning("message refused", extra=extra)
