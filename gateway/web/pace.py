"""How many requests one address may make: a bucket that fills with time; this machine's own has no bottom."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from config.plant import LOOPBACK
from gateway.security.throttle import network

PER_S: Final = 100.0
AT_ONCE: Final = 500.0
"""A page that is opened asks for some twenty things."""
_REMEMBERED: Final = 2_000
"""Addresses; the one longest silent is forgotten, and then has a full bucket again."""


class Pace:
    """Counts requests by address; used by one event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def is_kept(self, address: str) -> bool:
        """Count a request; tell whether it may be answered."""
        if address in LOOPBACK:
            return True
        now, place = self._clock(), network(address)
        left, then = self._left.pop(place, (AT_ONCE, now))
        left = min(AT_ONCE, left + (now - then) * PER_S)
        is_kept = left >= 1.0
        self._left[place] = (left - 1.0 if is_kept else left, now)
        if len(self._left) > _REMEMBERED:
            self._left.popitem(last=False)
        return is_kept
