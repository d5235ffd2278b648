"""When each device of a connection is scanned: pure arithmetic on times given from outside.

Due times are whole multiples of the device's interval in UTC, so that the scans of all gateways fall together
and a 15-minute reading lies on the quarter. A scan that took too long lets the ones it covered fall out; they
are counted, never caught up. The first scan of a session is due at the multiple just passed: at once.

Of those that are due the shorter interval goes first, so that a line which can't do all of it keeps what is
asked for often: a device has a deadline four intervals behind its due time, and the earliest deadline is
served. So who has waited four of its own intervals goes before all faster ones, and none starves; of equal
intervals who waits longest goes first.

A device is in doubt before its first answer and once it was silent twice; where two fall silent in a row,
all are until they answer. Those in doubt go behind the others: one is tried when no other is due, or by a
deadline like theirs that counts from when it may be tried. Who was not silent yet goes first, of these the
shorter interval, then who answered last; then who was silent once; then who waits longest.

A first try is followed by the scans due meanwhile. Every further one nobody answers is paid for by all in
doubt together: for forty times as long as it kept the others waiting, less what was not used of the last
minute, none of them is tried. So waiting for silent devices takes at most 2.5 % of the others' time, however
many they are, and a try that fits between two scans takes none. For itself alone a silent device's next due
is pushed out by its interval, or what the silence cost if that is more, doubled with every silence up to a
minute.

The wall clock may step. No wait is longer than the interval (or back-off) and a little, and a due time that
lies further ahead is taken as a clock set back: the schedule falls into step with the new time. The little
is for a clock that is slewed: a timer then fires before the clock says so, and the next scan lies an interval
and as much ahead; taken for a clock set back, it would be the same scan again.
"""

from collections.abc import Sequence
from typing import Final

LONGEST_BACK_OFF_NS: Final = 60_000_000_000
_PAID: Final = 40
"""So many times what a silent device's try kept the others waiting nobody in doubt is tried."""
_SAVED_NS: Final = 60_000_000_000
"""What was not used of so long may be used at once: who was away for a moment is had again soon."""
_SLACK_NS: Final = 100_000_000
_SLEWED: Final = 1000
"""A clock that is corrected is slewed by half a thousandth at most."""
_NEVER: Final = 1 << 63
_STARVED: Final = 4
"""A device is overdue after so many of its intervals, and then goes before faster ones."""


class Schedule:
    """The devices of one connection, by number; all times in ns, `now` by the wall, `steady` monotonic."""

    def __init__(self, intervals: Sequence[int], now: int, steady: int, trusted: Sequence[bool] = ()) -> None:
        """Begin; `trusted` are those that are known to answer, none when empty."""
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
        self._doubted = {place for place in self._places if not (trusted and trusted[place])}
        self._fell_silent = False
        """Whether the last device that was trusted did not answer."""
        self._paid = now - _SAVED_NS
        """When the tries so far are paid for."""
        self._opens = now
        """From when on the next one in doubt may be tried."""
        self._shut = 0
        """That lies no further ahead, or the clock was set back."""

    def renewed(
        self, intervals: Sequence[int], kept: Sequence[int | None], now: int, steady: int
    ) -> "Schedule":
        """Return the schedule of other devices; `kept` are the places these had here, None for a new one."""
        new = Schedule(intervals, now, steady)
        new._turns = self._turns
        new._fell_silent, new._paid = self._fell_silent, self._paid
        new._opens, new._shut = self._opens, self._shut
        for place, old in enumerate(kept):
            if old is not None:
                new._due[place] = self._due[old]
                new._due_steady[place] = self._due_steady[old]
                new._silences[place] = self._silences[old]
                new._pause[place] = self._pause[old]
                new._turn[place] = self._turn[old]
                if old not in self._doubted:
                    new._doubted.discard(place)
        return new

    def next(self, now: int) -> tuple[int, int]:
        """Return which device is scanned next and how long to wait for it, ns."""
        self._fall_into_step(now)
        # A line may have hundreds of devices, and each scan comes by here: 247 take some 30 µs.
        known = zip(self._due, self._patience, self._turn, self._places, strict=True)
        doubted = self._doubted
        due_now = [
            (due + patience, turn, place)
            for due, patience, turn, place in known
            if due <= now and place not in doubted
        ]
        if due_now and not (doubted and self._opens <= now):
            return min(due_now)[-1], 0
        tried, probe = self._next_in_doubt(now) if doubted else (_NEVER, -1)
        if due_now:
            deadline, _, device = min(due_now)
            waits_since = max(self._due[probe], self._opens)
            is_before = tried <= now and waits_since + self._patience[probe] < deadline
            return (probe if is_before else device), 0
        trusted = self._next_trusted()
        if trusted is None or tried < self._due[trusted]:
            return probe, max(0, tried - now)
        return trusted, self._due[trusted] - now

    def silences(self, device: int) -> int:
        """Return how many scans in a row the device has not answered."""
        return self._silences[device]

    def is_in_doubt(self, device: int) -> bool:
        """Tell whether others that answer would wait for the device, which may not be there."""
        return device in self._doubted and (self._fell_silent or self._is_any_trusted())

    def trusted(self) -> list[bool]:
        """Return of each device whether it is known to answer."""
        return [place not in self._doubted for place in self._places]

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
        self._fell_silent = False
        self._doubted.discard(device)
        return fell_out

    def silent(self, device: int, now: int, steady: int, spent: int) -> None:
        """Plan the next attempt at a device whose silence has cost `spent` ns, until the line was free."""
        interval = self._interval[device]
        if device in self._doubted:
            self._pay(device, now, spent)
        elif self._silences[device]:
            self._doubted.add(device)
        elif self._fell_silent:
            self._doubted.update(self._places)
        else:
            self._fell_silent = True
        self._silences[device] += 1
        longest = max(interval, LONGEST_BACK_OFF_NS)
        pause = min(longest, max(interval, spent) << min(self._silences[device], 40))
        self._plan(device, now + pause - interval, pause + interval, steady - now)

    def _pay(self, device: int, now: int, spent: int) -> None:
        """Let the others have their time before the next one in doubt is tried."""
        waited = self._next_trusted()
        if waited is None:
            return
        if self._silences[device]:
            kept = min(spent, max(0, now - self._due[waited]))
            self._paid = max(self._paid, now - _SAVED_NS) + _PAID * kept
        self._opens = max(now, self._paid)
        if self._opens - now > self._interval[waited]:
            # Until it is due again: behind a scan a try delays the next one least.
            self._opens += -self._opens % self._interval[waited]
        self._shut = self._opens - now + spent  # the line may be free only later than it is now

    def _next_trusted(self) -> int | None:
        known = zip(self._due, self._interval, self._turn, self._places, strict=True)
        if self._doubted:  # seldom: a look at each costs as much again
            return min((each for each in known if each[-1] not in self._doubted), default=(None,))[-1]
        return min(known)[-1]

    def _next_in_doubt(self, now: int) -> tuple[int, int]:
        """Return from when on which device in doubt may be tried."""
        sooner = max(now, self._opens) if self._is_any_trusted() else now

        def order(place: int) -> tuple[int, ...]:
            due, turn = self._due[place], self._turn[place]
            silences = min(self._silences[place], 2)
            first, then = (due, turn) if silences else (self._interval[place], -turn)
            return max(due, sooner), silences, first, then, place

        place = min(self._doubted, key=order)
        return max(self._due[place], sooner), place

    def _is_any_trusted(self) -> bool:
        return len(self._doubted) < len(self._places)

    def _fall_into_step(self, now: int) -> None:
        if self._opens - now > self._shut + _SLACK_NS:
            self._paid = self._opens = now
        if max(self._due) - now > self._near:
            for device, due in enumerate(self._due):
                # All of them, or the first to fall into step would be the earliest until the others' time.
                if due - now > self._pause[device] + _SLACK_NS + self._pause[device] // _SLEWED:
                    self._due[device] = (now // self._interval[device] + 1) * self._interval[device]

    def _plan(self, device: int, after: int, pause: int, steady_ahead: int) -> None:
        interval = self._interval[device]
        self._due[device] = (after // interval + 1) * interval
        self._due_steady[device] = self._due[device] + steady_ahead
        self._pause[device] = pause
        self._turns += 1
        self._turn[device] = self._turns
