"""How far the windows of one thinning rule are, device by device: each device has a clock of its own.

A device's windows end by its own rows. One that is silent is taken to be as late as it was of late: each
batch tells by the gateway's clock less the oldest row that was not late for its window. That is 7 s for a
clock that is 7 s behind, and 60 s for a device that sends a minute's readings at once. While nobody knows it
yet, silence proves nothing.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

GRACE_NS: Final = 5_000_000_000
"""How much later than a window's end its last rows may be stored, by the device's clock."""
ON_TIME_NS: Final = GRACE_NS // 2
"""Who is no later, or earlier, counts as on time: so most devices' windows close together."""
_FORGET: Final = 8
"""A device that comes earlier than before is believed by an eighth: batches are not all equally long."""
LEAST_NS: Final = -(2**63)
MOST_NS: Final = 2**63 - 1
FAR_NS: Final = 2**62
"""How far from the gateway's clock a row is at most taken to be: sums stay within 64 bits."""

Int64s = NDArray[np.int64]


class Progress:
    """One rule's windows of `every` ns; its columns have an entry per device number, ns UTC."""

    def __init__(self, every: int) -> None:
        self._every = every
        self._since = 0
        self._closed: Int64s = np.zeros(0, np.int64)
        self._late: Int64s = np.zeros(0, np.int64)
        self._newest: Int64s = np.zeros(0, np.int64)
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget every device: the next row is the first one seen."""
        self._since = 0
        self._closed.fill(LEAST_NS)
        self._late.fill(0)
        self._newest.fill(LEAST_NS)

    def make_room(self, devices: int) -> None:
        """Have an entry for so many devices."""
        missing = devices - len(self._closed)
        if missing > 0:
            unseen = np.full(missing, LEAST_NS)
            self._closed = np.append(self._closed, unseen)
            self._newest = np.append(self._newest, unseen)
            self._late = np.append(self._late, np.zeros(missing, np.int64))

    def see(self, device: NDArray[np.int32], time: Int64s, arrived: int) -> None:
        """Learn from the rows of one batch, (n,) each, how late their devices are; none is `FAR_NS` away."""
        if not self._since:
            on_time = time[(arrived - ON_TIME_NS <= time) & (time <= arrived)]
            self._since = int(on_time.min(initial=arrived))
        newest, oldest = self._newest, np.full(len(self._late), MOST_NS)
        np.maximum.at(newest, device, time)
        is_first = (self._closed == LEAST_NS) & (newest > LEAST_NS)
        # What a device had before anybody listened, such as a value that never changes, tells of no delay.
        tells = np.where(is_first[device], time >= self._since, ~self.is_late(device, time))
        np.minimum.at(oldest, device[tells], time[tells])
        oldest = np.where(is_first & (oldest == MOST_NS), newest, oldest)
        seen = np.flatnonzero(oldest < MOST_NS)
        late = arrived - oldest[seen]
        before = np.where(is_first[seen], late, self._late[seen])
        late = np.maximum(late, before - (before - late) // _FORGET)
        self._late[seen] = np.where(np.abs(late) <= ON_TIME_NS, 0, late)
        self._closed[is_first] = np.maximum(self._since - self._late, oldest)[is_first]
        # Of one that is heard for the first time, or comes too late, nobody knows yet how late it comes.
        unsure = np.unique(device[is_first[device] | ~tells])
        self._late[unsure] = np.maximum(self._late[unsure], GRACE_NS + 1)
        np.minimum(newest, arrived, out=newest)

    def is_late(self, device: NDArray[np.int32], time: Int64s) -> NDArray[np.bool_]:
        """Tell which rows belong to windows that are closed, (n,)."""
        is_late: NDArray[np.bool_] = (time // self._every + 1) * self._every <= self._closed[device]
        return is_late

    def is_due(self, device: NDArray[np.int32], end: int, arrived: int) -> NDArray[np.bool_]:
        """Tell for which of these devices a window has ended, (n,): by its rows, or as it is silent."""
        # One that is ahead goes by the gateway's clock.
        now = np.maximum(self._newest[device], arrived - np.maximum(self._late[device], 0))
        is_due: NDArray[np.bool_] = now >= end + GRACE_NS
        return is_due

    def is_whole(self, device: NDArray[np.int32], end: int) -> NDArray[np.bool_]:
        """Tell of which of these devices all of a window that is due is known, (n,)."""
        closed = self._closed[device]
        is_joined = (end - self._every < closed) & (closed < end)
        # A silent device had no more to say, unless its rows come late: then nobody knows.
        is_silent = self._late[device] <= GRACE_NS
        return ~is_joined & (is_silent | (self._newest[device] >= end))

    def close(self, device: NDArray[np.int32], end: int) -> None:
        """Note that a window of these devices is closed: later rows for it are late."""
        self._closed[device] = np.maximum(self._closed[device], end)

    def settle(self) -> None:
        """Note that what ended before a batch's newest rows is closed, whether it had rows or not."""
        seen = np.flatnonzero(self._newest > LEAST_NS)
        ended = (self._newest[seen] - GRACE_NS) // self._every * self._every
        self._closed[seen] = np.maximum(self._closed[seen], ended)
        self._newest.fill(LEAST_NS)

    def stored(self, tag_of: Mapping[int, int]) -> dict[str, Any]:
        """Return what must survive a crash; a device is told by the number of one of its tags."""
        closed: dict[str, list[int]] = {}
        for device in np.flatnonzero(self._closed > LEAST_NS).tolist():
            closed.setdefault(str(self._closed[device]), []).append(tag_of[device])
        late = {
            str(tag_of[device]): int(self._late[device]) for device in np.flatnonzero(self._late).tolist()
        }
        return {"since": self._since, "closed": closed, "late": late}

    def take_up(self, stored: Mapping[str, Any], device_of: NDArray[np.int32]) -> None:
        """Go on from what was stored; `device_of` gives each tag's device."""
        self._since = stored["since"]
        for closed, tags in stored["closed"].items():
            device = device_of[tags]
            self._closed[device] = np.maximum(self._closed[device], int(closed))
        for tag, late in stored["late"].items():
            self._late[device_of[int(tag)]] = late
