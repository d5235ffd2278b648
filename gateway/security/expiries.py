"""Certificates of running connections that come to their end: told 30, 14 and 3 days before, and after it.

A link may stay connected for months with a certificate that has run out; it breaks for good at the next
reconnect. So what each connection was made with is looked at every minute.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Final, Literal, cast

from connectors import Certificate, Certified, Clock
from gateway.observe import Observer

log = logging.getLogger(__name__)

STAGES: Final = (30, 14, 3, 0)
"""Days before the end at which it is told, once each."""
_DAY_NS: Final = 86_400_000_000_000
_LOOK_S: Final = 60.0

Direction = Literal["source", "sink"]


class Expiries:
    """Knows every link's certificates, and what of them was told in this run."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._running: dict[tuple[Direction, str], Callable[[], object]] = {}
        self._told: dict[tuple[Direction, str, str], tuple[int, int]] = {}

    def watch(
        self, observer: Observer, direction: Direction, name: str, running: Callable[[], object]
    ) -> None:
        """Look at a link from now on, while its connector runs."""
        self._running[direction, name] = running

        def gauges() -> dict[str, float]:
            return {f"{each.whose}_days": self._days(each) for each in _shown(running)}

        observer.ask(f"{direction}_certificate", {direction: name}, gauges, is_counter=False)

    def look(self) -> None:
        """Tell what has come to a new stage."""
        for (direction, name), running in self._running.items():
            for each in _shown(running):
                days = self._days(each)
                stage = sum(days < limit for limit in STAGES)
                ends, told = self._told.get((direction, name, each.whose), (0, 0))
                if stage and (each.ends != ends or stage > told):
                    self._told[direction, name, each.whose] = each.ends, stage
                    on = datetime.fromtimestamp(each.ends / 1e9, UTC)
                    extra = {
                        "link": name,
                        "direction": direction,
                        "whose": each.whose,
                        "ends": f"{on:%Y-%m-%d}",
                    }
                    if days < 0:
                        log.error("a certificate has expired: the next connection will fail", extra=extra)
                    else:
                        log.warning("a certificate expires soon", extra={**extra, "days": int(days)})

    def shown(self) -> Iterator[tuple[str, Certificate]]:
        """Yield every running link, as `sink/cloud`, with each of its certificates."""
        for (direction, name), running in self._running.items():
            yield from ((f"{direction}/{name}", each) for each in _shown(running))

    async def keep(self) -> None:
        """Look every minute, for ever."""
        while True:
            self.look()
            await asyncio.sleep(_LOOK_S)

    def _days(self, certificate: Certificate) -> float:
        return (certificate.ends - self._clock.now()) / _DAY_NS


def _shown(running: Callable[[], object]) -> tuple[Certificate, ...]:
    connector = running()
    kind = type(connector)
    if kind not in _CERTIFIED:
        _CERTIFIED[kind] = isinstance(connector, Certified)
    return tuple(cast("Certified", connector).certificates()) if _CERTIFIED[kind] else ()


_CERTIFIED: Final[dict[type, bool]] = {}
"""Looked at once a kind: to compare with a protocol takes as long as a small scan's decoding."""
