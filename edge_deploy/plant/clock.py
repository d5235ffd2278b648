"""The plant's own time: begins when it is told, runs as fast as it is told, may stand still at an end."""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Final

SECOND: Final = 1_000_000_000
HOUR: Final = 3600 * SECOND
ZONE: Final = timezone(timedelta(hours=8))
"""China's, all year."""


def parse(text: str) -> int:
    """Return ns since 1970 of a local time of the plant, ``2026-06-21T10:00``."""
    # Whole seconds: a float of today's nanoseconds is not exact.
    return int(datetime.fromisoformat(text).replace(tzinfo=ZONE).timestamp()) * SECOND


def local_second(time_ns: int) -> int:
    """Return the seconds since local midnight."""
    return (time_ns // SECOND + 8 * 3600) % 86_400


@dataclass(frozen=True, slots=True)
class Clock:
    """Turns this machine's time into the plant's, both in ns since 1970."""

    start: int
    """Plant time at the beginning."""
    began: int
    """This machine's time at the beginning; before it the plant's stands still."""
    speed: int = 1
    """Seconds of the plant in one of ours."""
    length: int | None = None
    """The plant's time stands still after so much of it, ns."""

    def at(self, wall: int) -> int:
        """Return the plant's time at a time of this machine."""
        passed = max(0, wall - self.began) * self.speed
        return self.start + (passed if self.length is None else min(passed, self.length))

    def now(self) -> int:
        """Return the plant's time now."""
        return self.at(time.time_ns())
