"""One edge node as a host must see it (specification 5): born, speaking in turn, in doubt, dead. Pure.

    unborn ──NBIRTH──▶ alive ──NDEATH of this session──▶ dead ──NBIRTH──▶ alive
       │                 │ a number missing, or the death of a session to come
       └ asks for birth  ▼
                      in doubt: asks for birth, keeps what comes ──NBIRTH──▶ alive
                         └──ten seconds──▶ dead

An alias means what the last birth said, and a birth may be among what is missing: so data that came in doubt
are read only when the births before and behind agree on their alias. A value is late then, or lost; never
another metric's.

Deaths and births are tied by `bdSeq`. The death of an earlier session says nothing of this one. A birth of a
session whose death was heard is believed only when it is said again: the death may have overtaken it, or a
node counts no sessions; only a living one answers.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from connectors.quality import BAD_COMMUNICATION_ERROR, BAD_CONFIGURATION_ERROR, BAD_NO_COMMUNICATION
from connectors.sparkplug.counts import Statistics
from connectors.sparkplug.datatypes import MS
from connectors.sparkplug.payload import bd_seq
from connectors.sparkplug.readings import Readings, Table

WINDOW: Final = 32
"""So far ahead of its turn a message may come, to wait for it; further off it is another sequence."""
MOST_KEPT: Final = 1_000
"""Messages of a node in doubt."""
PATIENCE_NS: Final = 10_000_000_000
"""A node in doubt, or a device that was not born again, counts as dead after so long."""
STRIKES: Final = 4
"""So many signs of a second node …"""
STRIKES_NS: Final = 30_000_000_000
"""… within so long are believed, until for a minute there was none."""
CONTESTED_NS: Final = 60_000_000_000


class Said(NamedTuple):
    """A message."""

    kind: str
    device: str
    payload: Any
    size: int
    arrived: int
    """Gateway time, ns UTC."""


@dataclass(slots=True)
class _Doubt:
    """Since a node is in doubt: what came, and until when it may last."""

    until: int
    kept: list[Said]


class Node:
    """Hear every message in the order they come; times by the monotonic clock in ns."""

    def __init__(
        self,
        group: str,
        node: str,
        *,
        readings: Readings,
        statistics: Statistics,
        ask: Callable[[], None],
        has_room: Callable[[int], bool],
        reorder: int,
    ) -> None:
        self.id = (group, node)
        self.tables: dict[str, Table] = {}
        """By device; the node's own under the empty name."""
        self.is_alive = False
        self.is_contested = False
        self._readings = readings
        self._statistics = statistics
        self._ask = ask
        self._has_room = has_room
        """Whether so many bytes more may wait, of all nodes together."""
        self._reorder = reorder
        self._bd_seq: int | None = None
        self._ended: int | None = None
        """The session whose death was heard last and whose birth may come behind it."""
        self._turn = 0
        self._early: dict[int, Said] = {}
        self._gap_until: int | None = None
        self._doubt: _Doubt | None = None
        self._before: dict[str, Table] = {}
        """What devices said before the node was born again."""
        self._kept: dict[str, list[Said]] = {}
        self._before_until: int | None = None
        self._sessions: deque[int | None] = deque(maxlen=4)
        self._strikes: deque[int] = deque(maxlen=STRIKES)
        self._contested_until: int | None = None

    def hear(self, said: Said, now: int) -> None:
        """Take a message."""
        if self.is_contested:
            self._watch(said, now)
        elif said.kind == "NBIRTH":
            self._on_birth(said, now)
        elif said.kind == "NDEATH":
            self._on_death(said, now)
        else:
            self._on_numbered(said, now)

    @property
    def is_sure(self) -> bool:
        """Tell whether its births are known."""
        return self.is_alive and self._doubt is None

    @property
    def waiting(self) -> int:
        """Return the bytes of messages that wait for others."""
        held = [*self._early.values(), *(() if self._doubt is None else self._doubt.kept)]
        return sum(said.size for said in (*held, *(each for kept in self._kept.values() for each in kept)))

    def next_at(self) -> int | None:
        """Return when `tick` has something to do."""
        doubt = None if self._doubt is None else self._doubt.until
        times = (self._gap_until, doubt, self._before_until, self._contested_until)
        return min((each for each in times if each is not None), default=None)

    def tick(self, now: int, wall: int) -> None:
        """Do what is due: give up waiting; `wall` is the gateway time, ns UTC."""
        if self._gap_until is not None and now >= self._gap_until:
            self._statistics.missed += min((n - self._turn) & 0xFF for n in self._early)
            kept = [self._early[n] for n in sorted(self._early, key=lambda n: (n - self._turn) & 0xFF)]
            self._begin_doubt(now)
            for said in kept:
                self._keep(said)
        if self._doubt is not None and now >= self._doubt.until:
            self._die(wall, BAD_COMMUNICATION_ERROR)
        if self._before_until is not None and now >= self._before_until:
            self._let_go(wall)
        if self._contested_until is not None and now >= self._contested_until:
            self.is_contested, self._contested_until = False, None
            self._strikes.clear()
            self._ask()

    def _on_birth(self, said: Said, now: int) -> None:
        session = bd_seq(said.payload)
        if session is not None and session == self._ended:
            self._ended = None
            self._ask()
            return
        self._ended = None
        same = self.is_alive and session is not None and session == self._bd_seq
        was_before = session is not None and session in self._sessions
        if not same and self.is_alive and was_before and self._strike(now, said):
            return
        if not same:
            self._sessions.append(self._bd_seq)
        kept = self._doubt.kept if self._doubt is not None else list(self._early.values())
        self._no_gap()
        # A device that is not born again has gone while nobody listened.
        self._before |= {device: table for device, table in self.tables.items() if device}
        self._kept.clear()
        for each in kept:
            if same and each.kind in ("NDATA", "DDATA"):
                self._kept.setdefault(each.device, []).append(each)
            else:
                self._statistics.dropped += 1
        own = self.tables.get("")
        self.tables = {}
        self._before_until = now + PATIENCE_NS if self._before else None
        self.is_alive, self._bd_seq = True, session
        self._turn = ((said.payload.seq if said.payload.HasField("seq") else 0) + 1) & 0xFF
        self._born(said, own)

    def _on_death(self, said: Said, now: int) -> None:
        session = bd_seq(said.payload)
        if not self.is_alive:
            return
        if session is not None and self._bd_seq is not None and session != self._bd_seq:
            if (self._bd_seq - session) & 0xFF <= 128:
                self._statistics.late_deaths += 1
                return
            # A session that begins after this one has ended: what we know is over, or misnumbered.
            self._ended = session
            self._begin_doubt(now)
            return
        self._ended = session
        self._statistics.deaths += 1
        self._die(said.arrived, BAD_NO_COMMUNICATION)

    def _on_numbered(self, said: Said, now: int) -> None:
        if not self.is_alive:
            self._statistics.before_birth += 1
            self._ask()
        elif self._doubt is not None:
            self._keep(said)
            self._ask()
        elif not said.payload.HasField("seq"):
            self._apply(said)
        else:
            self._in_turn(said, said.payload.seq, now)

    def _in_turn(self, said: Said, number: int, now: int) -> None:
        ahead = (number - self._turn) & 0xFF
        if ahead == 0:
            self._next(said)
            while self._turn in self._early:
                self._next(self._early.pop(self._turn))
            if not self._early:
                self._gap_until = None
            elif self._gap_until is not None:
                self._gap_until = now + self._reorder
        elif ahead >= 256 - WINDOW or number in self._early:
            # Said twice, or of a second node, or of a sequence whose birth was lost: it would catch up.
            self._statistics.dropped += 1
            if not self._strike(now, said):
                self._begin_doubt(now)
        elif ahead <= WINDOW and self._has_room(said.size):
            self._statistics.reordered += 1
            self._early[number] = said
            if self._gap_until is None:
                self._gap_until = now + self._reorder
        else:
            self._statistics.missed += ahead
            self._begin_doubt(now)
            self._keep(said)

    def _next(self, said: Said) -> None:
        self._turn = (self._turn + 1) & 0xFF
        self._apply(said)

    def _apply(self, said: Said) -> None:
        if said.kind == "DBIRTH":
            self._born(said, self._before.pop(said.device, None) or self.tables.get(said.device))
            if not self._before:
                self._before_until = None
        elif said.kind == "DDEATH":
            table = self.tables.pop(said.device, None) or self._before.pop(said.device, None)
            if table is not None:
                self._statistics.deaths += 1
                stamp = said.payload.timestamp
                time = stamp * MS if 0 < stamp < (1 << 63) // MS else said.arrived
                self._readings.gone(table.known().values(), time, BAD_NO_COMMUNICATION)
        else:
            table = self.tables.get(said.device)
            if table is None:
                if self._readings.wants((*self.id, said.device)):
                    self._statistics.before_birth += 1
                    self._ask()
            elif not self._readings.tell(table, said.payload, said.arrived):
                self._ask()

    def _born(self, said: Said, before: Table | None) -> None:
        """Take over a birth: first what was kept for it, then what it says, then what it no longer says."""
        who = (*self.id, said.device)
        self._statistics.births += 1
        table = self._readings.table(who, said.payload)
        kept = self._kept.pop(said.device, [])
        if before is None:
            self._statistics.dropped += len(kept)
        else:
            agreed = table.agreed(before)
            for each in kept:
                self._readings.tell(agreed, each.payload, each.arrived)
        self._readings.tell(table, said.payload, said.arrived)
        self.tables[said.device] = table
        if before is not None:
            now_known = {each.number for each in table.known().values()}
            left = [each for each in before.known().values() if each.number not in now_known]
            self._readings.gone(left, said.arrived, BAD_NO_COMMUNICATION)

    def _begin_doubt(self, now: int) -> None:
        if self._doubt is None:
            self._no_gap()
            self._doubt = _Doubt(now + PATIENCE_NS, [])
        self._ask()

    def _keep(self, said: Said) -> None:
        doubt = self._doubt
        if doubt is None or len(doubt.kept) >= MOST_KEPT or not self._has_room(said.size):
            self._statistics.dropped += 1
        else:
            doubt.kept.append(said)

    def _no_gap(self) -> None:
        self._early, self._gap_until, self._doubt = {}, None, None

    def _die(self, time: int, quality: int) -> None:
        if self._doubt is not None:
            self._statistics.dropped += len(self._doubt.kept)
        self._no_gap()
        for table in (*self.tables.values(), *self._before.values()):
            self._readings.gone(table.known().values(), time, quality)
        self.tables, self._before, self._before_until = {}, {}, None
        self._kept.clear()
        self.is_alive = False

    def _let_go(self, time: int) -> None:
        for table in self._before.values():
            self._readings.gone(table.known().values(), time, BAD_NO_COMMUNICATION)
        self._statistics.dropped += sum(map(len, self._kept.values()))
        self._before, self._before_until = {}, None
        self._kept.clear()

    def _strike(self, now: int, said: Said) -> bool:
        """Count a sign of a second node with this id; True when they are enough."""
        self._strikes.append(now)
        if len(self._strikes) < STRIKES or now - self._strikes[0] > STRIKES_NS:
            return False
        self._die(said.arrived, BAD_CONFIGURATION_ERROR)
        self.is_contested, self._contested_until = True, now + CONTESTED_NS
        return True

    def _watch(self, said: Said, now: int) -> None:
        """Look whether the sequence is one again; nothing is read of it."""
        self._statistics.contested += 1
        if said.payload.HasField("seq"):
            if said.payload.seq != self._turn and said.kind != "NBIRTH":
                self._contested_until = now + CONTESTED_NS
            self._turn = (said.payload.seq + 1) & 0xFF
