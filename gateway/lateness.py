"""How late the event loop comes to what is due: everything that waits, waits behind that."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from connectors import Clock

_EVERY_S: Final = 0.2
_KEPT: Final = 300
"""A minute's worth."""


class Lateness:
    """Of the last minute."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._late: deque[float] = deque(maxlen=_KEPT)

    async def keep(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Look five times a second, for ever."""
        while True:
            due = self._clock.monotonic() + _EVERY_S * 1e9
            await sleep(_EVERY_S)
            self._late.append(max(0.0, (self._clock.monotonic() - due) / 1e9))

    def gauges(self) -> dict[str, float]:
        """Return what 99 of 100 times were not later than, and the latest, s."""
        late = sorted(self._late) or [0.0]
        return {"late_p99_seconds": late[len(late) * 99 // 100], "late_most_seconds": late[-1]}
