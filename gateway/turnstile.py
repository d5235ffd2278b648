"""How much is worked on between two looks of the event loop at everything else.

Lines that are due together answer together: two hundred of them are 0.1 s of work in one round, and whatever
else waits — a session's keep-alive, the page, another source — waits that long.
"""

import asyncio
from collections import deque
from typing import Final

_AT_ONCE: Final = 32
"""Some 10 ms of small batches."""


class Turnstile:
    """Lets so many through in a round of the loop; who comes later goes first in the next."""

    def __init__(self, at_once: int = _AT_ONCE) -> None:
        self._at_once = at_once
        self._left = at_once
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._is_turning = False

    async def __call__(self) -> None:
        """Pass at once, or wait for a round that has room."""
        free = self._left > 0 and not self._waiting
        self._left -= free
        # Not each time: a round of the loop for one who comes alone is a tenth of a small scan's work.
        if not self._is_turning and self._left <= self._at_once // 2:
            self._is_turning = True
            asyncio.get_running_loop().call_soon(self._turn)
        if not free:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn

    def _turn(self) -> None:
        self._left = self._at_once
        while self._waiting and self._left > 0:
            turn = self._waiting.popleft()
            if not turn.done():  # its task may have been cancelled
                turn.set_result(None)
                self._left -= 1
        if self._left <= self._at_once // 2:
            asyncio.get_running_loop().call_soon(self._turn)
        else:
            self._is_turning = False
