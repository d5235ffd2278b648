"""The clock is a parameter: wall time stamps, monotonic time measures."""

import time
from typing import Final, Protocol

_GOES_ON: Final[int | None] = getattr(time, "CLOCK_BOOTTIME", None)
"""Linux' clock that goes on while the machine sleeps; Windows' monotonic clock does by itself."""


class Clock(Protocol):
    """Two readings, both in nanoseconds."""

    def now(self) -> int:
        """Return UTC wall time in ns since 1970; it may step."""
        ...

    def monotonic(self) -> int:
        """Return a reading that never steps back, ns from an arbitrary origin; it goes on while we sleep."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> int:
        """Return UTC wall time in ns since 1970."""
        return time.time_ns()

    def monotonic(self) -> int:
        """Return ns since the machine was started, or its monotonic clock where there is no such reading."""
        return time.monotonic_ns() if _GOES_ON is None else time.clock_gettime_ns(_GOES_ON)
