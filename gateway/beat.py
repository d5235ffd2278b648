"""The beat: whatever looks at something once a second does it at the same moment, so that all wake once."""

from typing import Final

from connectors import Clock

_EARLY_NS: Final = 100_000_000
"""A timer may fire a little early; the beat it was meant for is not waited for twice."""


def until_beat(clock: Clock, period_s: float = 1.0) -> float:
    """Return how long it is to the next whole period of the monotonic clock, s: a tenth of it at least."""
    period = int(period_s * 1e9)
    left = period - clock.monotonic() % period
    return (left if left > min(_EARLY_NS, period // 10) else left + period) / 1e9
