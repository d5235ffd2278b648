"""How late the event loop comes to what is due: everything that waits, waits behind that."""

from collections import deque
from typing import Final

_KEPT: Final = 120
"""A minute's worth of looks."""


class Lateness:
    """Of the last minute."""

    def __init__(self) -> None:
        self._late: deque[float] = deque(maxlen=_KEPT)

    def note(self, late_s: float) -> None:
        """Take in how late the loop came this time, s."""
        self._late.append(max(0.0, late_s))

    def gauges(self) -> dict[str, float]:
        """Return what 99 of 100 times were not later than, and the latest, s."""
        late = sorted(self._late) or [0.0]
        return {"late_p99_seconds": late[len(late) * 99 // 100], "late_most_seconds": late[-1]}
