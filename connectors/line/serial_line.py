"""A serial line without a port: one request at a time, and silence where nothing else tells replies apart.

A frame on a serial line has no number. A reply that comes after its request was given up looks exactly like
the answer to the next request of the same shape, and nothing in it says otherwise. So the line itself must be
clean before it is used again:

    request ─┬─ reply, then silence of 3.5 characters ──────────────────────────► next request
             ├─ none until the deadline ──► quiet ──────────────────────────────► next request
             └─ something else ───────────► quiet ─┬─ bytes come: they are late ─┐
                                                   └────── quiet begins anew ◄───┘

Quiet lasts until no byte has come for as long as the latest reply of this unit id has ever taken, at least
`Pace.quiet` and the timeout; how late it was also lengthens how long its replies are waited for. A device
that has given no sign of life for several requests is different: nothing of it was ever late, and whatever
may still come carries its unit id, which answers no question asked of others. So only the device itself is
left alone that long, and the others go on.

The time that counts is the line's, not the program's. A gateway that stood still finds a quiet time over
and the late reply of it unread: before anything is sent it is seen that nothing lies there. A request made
before a stall left after it: it is late from when it left. And a quiet time whose end was noticed late is
kept as much longer: the system that should have handed on what came may have stood still as well.

A reply counts only when, after 3.5 characters of silence, exactly one frame lies there whose check is right
and whose unit, function and byte count are those of the request; or that same frame more than once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from connectors.clock import Clock
from connectors.line.dialogue import USELESS, Dialogue, FramingLost, Poll, Terms
from connectors.line.framing import Framing
from connectors.line.statistics import Statistics
from connectors.quality import BAD_TIMEOUT

_DEAD: Final = 2
"""After this many requests without a sign of life the line is not kept quiet for a device any more."""
_OWED: Final = 3
"""A reply is believed to be late up to this many times timeout and quiet."""
_PATIENT: Final = 4
"""What was learned makes a timeout longer up to this many times."""
_PROMPT: Final = 2_000_000
"""An end of the quiet time noticed later than this, ns, was noticed late."""
_BABBLE: Final = 4
"""Bytes without a quiet time between them for longer than this many: the line is of no use."""


@dataclass(frozen=True, slots=True)
class Pace:
    """The times of a line, ns."""

    character: int
    """One character on the wire; 0 where it is not known, behind a TCP server."""
    gap: int
    """Silence that ends a frame, and before every request."""
    pause: int
    """Further silence before every request."""
    quiet: int
    """Least quiet time after a reply that did not come or was none."""


@dataclass(slots=True)
class Manner:
    """What was learned of one unit id; outlives sessions."""

    lateness: int = 0
    """Longest time from a request to its reply that came too late, ns."""
    silences: int = 0
    """Requests in a row without a sign of life."""
    has_answered: bool = False
    """Once, as a device should."""


class SerialLine(Dialogue):
    """The dialogue on one serial line, RTU or ASCII."""

    is_numbered = False
    _TRYING = USELESS  # a garbled reply costs the line as much as none

    def __init__(
        self,
        framing: Framing,
        pace: Pace,
        manners: dict[bytes, Manner],
        clock: Clock,
        statistics: Statistics,
        *,
        echo: bool = False,
    ) -> None:
        """Remember; `opened` begins the quiet time every session begins with."""
        super().__init__(clock, statistics)
        self._framing = framing
        self._pace = pace
        self._manners = manners
        self._echo = echo
        self._slot: int | None = None
        self._sent = self._due = 0
        self._request = b""
        self._buffer = b""
        self._whole_at = 0  # wall time at which a reply was complete, 0 while it is not
        self._heard = self._babbling = clock.monotonic()
        self._owed: dict[bytes, list[int]] = {}  # unit → when unanswered requests were sent
        self._held: dict[bytes, int] = {}  # unit → it is not asked before
        self._latest = max((manner.lateness for manner in manners.values()), default=0)
        self._hush = max(pace.quiet, self._latest)
        self._suspect = b""  # the unit for whose sake it is quiet
        self._echoing = b""  # the first unit that returned a request
        self._is_proven = False  # the end of the quiet time was looked at
        self._quiet_until = self._ready = 0
        self.opened()

    @property
    def done(self) -> bool:
        """Tell whether every request of the scan is answered or given up."""
        return self._slot is None and self._next == len(self._slots)

    @property
    def free(self) -> int:
        """From when on the line is not kept quiet any more, monotonic ns."""
        return self._ready

    @property
    def waiting(self) -> bool:
        """Tell whether something of the scan is still to be sent, to come or to be given up."""
        return not self.done

    def opened(self) -> None:
        """Begin quiet: what was asked before this session may still be answered."""
        # The last session may have asked just now: timeout and quiet time, and neither is longer than this.
        until = self._clock.monotonic() + max(2 * self._pace.quiet, self._latest)
        self._quiet_until = self._ready = max(self._ready, until)

    def begin(
        self,
        poll: Poll,
        slots: Sequence[int],
        status: Sequence[int],
        terms: Terms,
        statistics: Statistics,
    ) -> bytes:
        """Start a scan, requests of one shape apart from each other; see `Dialogue.begin`."""
        return super().begin(poll, poll.apart(slots), status, terms, statistics)

    def receive(self, data: bytes) -> bytes:
        """Take what arrived. Raise FramingLost when the adapter echoes or the line never falls silent."""
        now = self._clock.monotonic()
        if self._slot is None:
            self._stray(now)
            return b""
        self._heard = now
        self._buffer += data
        if self._whole_at:
            self.deadline = now + self._pace.gap
            if len(self._buffer) > 2 * self._framing.size(256):
                self._garbled(self._slot, now)
        else:
            self._look(self._slot, now)
        return self._ask()

    def expire(self) -> bytes:
        """Take a reply that silence has ended, or give up one that is overdue; return what to send next."""
        now = self._clock.monotonic()
        if self._slot is not None and now >= self.deadline:
            if self._whole_at:
                self._settle(self._slot, now)
            elif self._answer():
                self._garbled(self._slot, now)
            else:
                self._give_up(self._slot, now)
        elif self._slot is None and not self._is_proven and now >= self._quiet_until:
            self._is_proven = True
            if now - self._quiet_until > _PROMPT:
                self._ready = max(self._ready, now + min(now - self._quiet_until, self._hush))
        return self._ask()

    def sent(self) -> None:
        """Take note that the request has left only now."""
        since = self._clock.monotonic() - self._sent
        self._sent += since
        self._due += since
        if self._slot is not None and not self._whole_at:
            self.deadline += since

    def abandon(self) -> None:
        """Leave the scan: a reply still to come is a late one."""
        if self._slot is not None:
            self._owe()
            self._keep_quiet(self.deadline)
            self._slot = None
        self._slots, self._next = (), 0

    def _ask(self) -> bytes:
        if self.done or self._slot is not None:
            return b""
        now, unit = self._clock.monotonic(), self._poll.unit
        ready = max(self._ready, self._held.get(unit, 0))
        if ready > now:
            self.deadline = ready
            return b""
        if self.unread():  # it came before this request, whatever it looks like
            self.deadline = now
            return b""
        slot = self._slots[self._next]
        self._next += 1
        self._slot, self._sent = slot, now
        self._buffer, self._whole_at = b"", 0
        self._request = self._framing.enclose(self._poll.asking[slot])
        characters = len(self._request) + self._framing.size(self._poll.lengths[slot])
        self._due = self.deadline = now + self._timeout() + characters * self._pace.character
        self._statistics.requests += 1
        return self._request

    def _answer(self) -> bytes:
        """Return what came behind the echo, if there is one."""
        return self._framing.bare(self._buffer[len(self._request) :] if self._echo else self._buffer)

    def _look(self, slot: int, now: int) -> None:
        """Wait on, or see that the reply is complete or can't be one any more."""
        if self._echo and not _agree(self._buffer, self._request):
            self._garbled(slot, now)
            return
        answer, framing = self._answer(), self._framing
        seen = framing.veiled(answer)
        for head, length in self._expected(slot):
            if _agree(seen, framing.opening(head)):
                if len(answer) >= framing.needed(answer, length):
                    self._whole_at = self._clock.now()
                    self.deadline = now + self._pace.gap
                return
        asked = framing.bare(self._request)
        if self._echo or not _agree(answer, asked):
            self._garbled(slot, now)
        elif len(answer) >= len(asked):
            if self._is_echo():
                raise FramingLost("returns what was sent to it: set echo: true", needs_a_person=True)
            self._garbled(slot, now)

    def _is_echo(self) -> bool:
        """Tell whether the adapter returns what is sent; not where a device has answered without.

        Of several devices the first that does so may be the only one: it ends no other one's values.
        """
        unit = self._poll.unit
        self._echoing = self._echoing or unit
        known = any(manner.has_answered for manner in self._manners.values())
        return not known and (self._terms.alone or self._echoing != unit)

    def _settle(self, slot: int, now: int) -> None:
        """Take the one frame that lies there, or reject what is none or not the answer."""
        answer, poll = self._answer(), self._poll
        for head, length in self._expected(slot):
            needed = self._framing.needed(answer, length)
            frame = answer[:needed]
            content = self._framing.content(frame)
            if content is None or len(frame) != needed or not content.startswith(head):
                continue
            times, more = divmod(len(answer), len(frame))
            if more or answer != frame * times or frame == self._request:
                break
            self._slot = None
            self._manner().silences, self._manner().has_answered = 0, True
            self._owed.pop(poll.unit, None)
            self._ready = now + self._pace.pause
            if times > 1:
                self._strays.unasked_replies += times - 1
                self._keep_quiet(now)
            if head is poll.correct[slot]:
                self._accept(slot, content[len(head) :], self._whole_at)
            else:
                self._refuse(slot, content[-1], self._whole_at)
            return
        self._garbled(slot, now)

    def _expected(self, slot: int) -> tuple[tuple[bytes, int], ...]:
        """Return how a reply with data and a refusal begin, and how many bytes of content each has."""
        poll = self._poll
        refused = poll.refused[slot]
        return (poll.correct[slot], poll.lengths[slot]), (refused, len(refused) + 1)

    def _give_up(self, slot: int, now: int) -> None:
        manner = self._manner()
        manner.silences += 1
        self._slot = None
        self._owe()
        if manner.silences <= _DEAD:
            self._keep_quiet(now)
        else:
            self._held[self._poll.unit] = now + self._quiet()
            self._ready = now + self._pace.gap + self._pace.pause
        self._statistics.timeouts += 1
        self._fail(slot, BAD_TIMEOUT, self._clock.now())

    def _garbled(self, slot: int, now: int) -> None:
        self._slot = None
        self._owe()
        answer, own = self._answer(), self._poll.unit
        seen = self._framing.veiled(answer)
        others = [unit for unit in self._owed if seen.startswith(self._framing.opening(unit))]
        if own in others or not any(self._learn(unit, now) for unit in others):
            self._manner().silences = 0
        self._keep_quiet(max(now, self._due))  # the true answer may come as late as if nothing had come
        self._reject(slot, self._clock.now())

    def _stray(self, now: int) -> None:
        """Discard bytes that answer nothing, and be quiet until no more come."""
        is_new = now - self._heard > self._pace.gap
        self._heard = now
        if now >= self._quiet_until:  # nobody was to say anything
            self._keep_quiet(now)
            self._strays.unasked_replies += 1
        elif is_new and self._learn(self._suspect, now):
            self._hush = max(self._hush, self._manners[self._suspect].lateness)
        elif is_new:
            self._strays.unasked_replies += 1
        if now - self._babbling > _BABBLE * self._hush:
            raise FramingLost("never falls silent")
        self.deadline = self._ready = self._quiet_until = max(self._ready, now + self._hush)

    def _learn(self, unit: bytes, now: int) -> bool:
        """Take what came as the late reply of a unit, if it owes one."""
        owed = self._owed.get(unit)
        if not owed:
            return False
        manner = self._manners.setdefault(unit, Manner())
        manner.lateness = max(manner.lateness, now - owed.pop(0))
        manner.silences = 0
        self._strays.late_replies += 1
        return True

    def _owe(self) -> None:
        since = self._sent - _OWED * (self._timeout() + self._quiet())
        owed = self._owed.setdefault(self._poll.unit, [])
        owed[:] = [*(sent for sent in owed if sent > since), self._sent]

    def _keep_quiet(self, since: int) -> None:
        self._babbling, self._suspect, self._hush = since, self._poll.unit, self._quiet()
        self._is_proven = False
        self._ready = self._quiet_until = max(self._ready, since + self._hush)

    def _manner(self) -> Manner:
        return self._manners.setdefault(self._poll.unit, Manner())

    def _quiet(self) -> int:
        return max(self._pace.quiet, self._terms.timeout, self._manner().lateness)

    def _timeout(self) -> int:
        timeout, manner = self._terms.timeout, self._manner()
        if manner.silences > _DEAD:
            return timeout
        return max(timeout, min(manner.lateness * 5 // 4, _PATIENT * timeout))


def _agree(found: bytes, expected: bytes) -> bool:
    """Tell whether one of the two begins with the other."""
    return found.startswith(expected) or expected.startswith(found)
