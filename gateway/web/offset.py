"""How far the plant's clocks are from UTC, and for how long: what a page needs to write most times itself."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from gateway.web.models import Offset

_HOUR_NS: Final = 3_600 * 10**9
_FAR: Final = 400
"""Days: the longest stretch a page shows."""
_DAY: Final = timedelta(days=1)


def offset_at(zone: str, now: int) -> Offset:
    """Return the offset at a moment (ns since 1970 UTC), and a stretch around it in which no other holds."""
    return _around(zone, now // _HOUR_NS)


@lru_cache(maxsize=4)
def _around(zone: str, hour: int) -> Offset:
    there, now = ZoneInfo(zone), datetime.fromtimestamp(hour * 3_600, UTC)
    held = now.astimezone(there).utcoffset() or timedelta()

    def end(step: timedelta) -> datetime:
        """Return the last day on which it holds: nobody changes a clock and back again within one."""
        at = now
        for _ in range(_FAR):
            if (at + step).astimezone(there).utcoffset() != held:
                break
            at += step
        return at

    since, until = (int(end(step).timestamp()) * 1_000 for step in (-_DAY, _DAY))
    return Offset(ms=int(held.total_seconds()) * 1_000, since=since, until=until)
