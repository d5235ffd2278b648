"""The clock is a parameter: wall time stamps, monotonic time measures."""

import time
from typing import Protocol


class Clock(Protocol):
    """Two readings, both in nanoseconds."""

    def now(self) -> int:
        """Return UTC wall time in ns since 1970; it may step."""
        ...

    def monotonic(self) -> int:
        """Return a reading that never steps back, ns from an arbitrary origin."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> int:
        """Return UTC wall time in ns since 1970."""
        return time.time_ns()

    def monotonic(self) -> int:
        """Return the machine's monotonic clock in ns."""
        return time.monotonic_ns()
