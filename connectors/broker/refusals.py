"""How a source tells of messages that yield nothing: all are counted, few are shown."""

import logging
from typing import Any, Final

from connectors.clock import Clock

SAMPLE_BYTES: Final = 1024
"""Of a refused message, in the log."""
_LOG_EVERY_NS: Final = 60_000_000_000

log = logging.getLogger(__name__)


class Refusals:
    """Counts every message that is not taken, and tells of one a minute for each reason."""

    def __init__(self, statistics: Any, clock: Clock) -> None:
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
