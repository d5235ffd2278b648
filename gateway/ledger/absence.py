"""When the gateway itself stood still: stopped, asleep, held up for seconds. Every source then has a gap."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from gateway.beat import until_beat
from gateway.lateness import Lateness
from gateway.pipeline import ClockWatch

log = logging.getLogger(__name__)

_LOOK_S: Final = 0.5
STOOD_NS: Final = 5_000_000_000
"""A busy processor or a slow disk holds us up for less. Scans that fall out in less are counted as overruns,
and what devices tell by themselves still waits for us: brokers and servers give nobody up so soon."""


async def look_for_absence(
    watch: ClockWatch,
    stood: Callable[[int, int], None],
    lateness: Lateness,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Look twice a second, for ever, and tell from when to when we were away, ns UTC; note how late we come.

    So the clock is looked at as often, too, whether or not anything is read meanwhile.
    """
    clock = watch.clock
    alive = clock.monotonic()
    while True:
        wait = until_beat(clock, _LOOK_S)
        await sleep(wait)
        watch.is_unsettled()
        now, steady = clock.now(), clock.monotonic()
        away = steady - alive
        lateness.note(away / 1e9 - wait)
        if away > STOOD_NS:
            log.warning("the gateway stood still", extra={"for_s": round(away / 1e9, 1)})
            # By today's clock, should it have been set meanwhile.
            stood(now - away, now)
        alive = steady
