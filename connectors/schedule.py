"""When each device of a connection is scanned: pure arithmetic on times given from outside.

Due times are whole multiples of the device's interval in UTC, so that the scans of all gateways fall together
and a 15-minute reading lies on the quarter. A scan that took too long lets the ones it covered fall out; they
are counted, never caught up. The first scan of a session is due at the multiple just passed: at once.

Of those that are due the shorter interval goes first, so that a line which can't do all of it keeps what is
asked for often: a device has a deadline four intervals behind its due time, and the earliest deadline is
served. So who has waited four of its own intervals goes before all faster ones, and none starves; of equal
intervals who waits longest goes first. A silent device steps aside: its next due is
pushed out by its interval, or what the silence cost if that is more, doubled with every silence up to a
minute, or to 40 times what it cost if that is more: probing takes at most 2.5 % of the others' time.

The wall clock may step. No wait is longer than the interval (or back-off) and a little, and a due time that
lies further ahead is taken as a clock set back: the schedule falls into step with the new time. The little
is for a clock that is slewed: a timer then fires before the clock says so, and the next scan lies an interval
and as much ahead; taken for a clock set back, it would be the same scan again.
"""

from collections.abc import Sequence
from typing import Final

LONGEST_BACK_OFF_NS: Final = 60_000_000_000
SMALLEST_BACK_OFF: Final = 40
"""At its longest a back-off is at least this many times what one probe costs."""
_SLACK_NS: Final = 100_000_000
_SLEWED: Final = 1000
"""A clock that is corrected is slewed by half a thousandth at most."""
_STARVED: Final = 4
"""A device is overdue after so many of its intervals, and then goes before faster ones."""


class Schedule:
    """The devices of one connection, by number; all times in ns, `now` by the wall, `steady` monotonic."""

    def __init__(self, intervals: Sequence[int], now: int, steady: int) -> None:
        self._interval = tuple(intervals)
        self._patience = [_STARVED * interval for interval in intervals]
        self._places = range(len(intervals))
        self._near = min(intervals, default=0) + _SLACK_NS
        """No due time so near is that of a clock set back."""
        self._due = [now // interval * interval for interval in intervals]
        self._due_steady = [due - now + steady for due in self._due]
        """The same moments as they were planned, by the clock that never steps."""
        self._silences = [0] * len(intervals)
        self._pause = list(intervals)
        self._turn = [0] * len(intervals)
        self._turns = 0

    def renewed(
        self, intervals: Sequence[int], kept: Sequence[int | None], now: int, steady: int
    ) -> "Schedule":
        """Return the schedule of other devices; `kept` are the places these had here, None for a new one."""
        new = Schedule(intervals, now, steady)
        new._turns = self._turns
        for place, old in enumerate(kept):
            if old is not None:
                new._due[place] = self._due[old]
                new._due_steady[place] = self._due_steady[old]
                new._silences[place] = self._silences[old]
                new._pause[place] = self._pause[old]
                new._turn[place] = self._turn[old]
        return new

    def next(self, now: int) -> tuple[int, int]:
        """Return which device is scanned next and how long to wait for it, ns."""
        if max(self._due) - now > self._near:
            for device, due in enumerate(self._due):
                # All of them, or the first to fall into step would be the earliest until the others' time.
                if due - now > self._longest(device):
                    self._due[device] = (now // self._interval[device] + 1) * self._interval[device]
        # A line may have hundreds of devices, and each scan comes by here: 247 take some 30 µs.
        known = zip(self._due, self._patience, self._turn, self._places, strict=True)
        due_now = [(due + patience, turn, place) for due, patience, turn, place in known if due <= now]
        if due_now:
            device = min(due_now)[-1]
        else:
            device = min(zip(self._due, self._interval, self._turn, self._places, strict=True))[-1]
        return device, min(max(0, self._due[device] - now), self._longest(device))

    def silences(self, device: int) -> int:
        """Return how many scans in a row the device has not answered."""
        return self._silences[device]

    def all_silent(self) -> bool:
        """Tell whether no device has answered its last scan."""
        return all(self._silences)

    def answered(self, device: int, now: int, steady: int) -> int:
        """Plan the next scan of a device that answered; return how many scans fell out."""
        interval, due = self._interval[device], self._due[device]
        fell_out = max(0, (steady - self._due_steady[device]) // interval)
        self._silences[device] = 0
        # A timer may fire a little early: the multiple it was meant for is still the one that is served.
        served = now if due - now >= self._pause[device] else max(now, due)
        self._plan(device, served, interval, steady - now)
        return fell_out

    def silent(self, device: int, now: int, steady: int, spent: int) -> None:
        """Plan the next attempt at a device whose silence has cost `spent` ns."""
        interval = self._interval[device]
        longest = max(interval, LONGEST_BACK_OFF_NS, SMALLEST_BACK_OFF * spent)
        self._silences[device] += 1
        pause = min(longest, max(interval, spent) << min(self._silences[device], 40))
        self._plan(device, now + pause - interval, pause + interval, steady - now)

    def _longest(self, device: int) -> int:
        return self._pause[device] + _SLACK_NS + self._pause[device] // _SLEWED

    def _plan(self, device: int, after: int, pause: int, steady_ahead: int) -> None:
        interval = self._interval[device]
        self._due[device] = (after // interval + 1) * interval
        self._due_steady[device] = self._due[device] + steady_ahead
        self._pause[device] = pause
        self._turns += 1
        self._turn[device] = self._turns
