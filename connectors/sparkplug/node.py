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
node counts no sessions; only a living one answers. That it is one node that speaks is `guard`'s business.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from connectors.quality import BAD_COMMUNICATION_ERROR, BAD_NO_COMMUNICATION
from connectors.sparkplug.counts import Statistics
from connectors.sparkplug.datatypes import MS
from connectors.sparkplug.payload import bd_seq
from connectors.sparkplug.readings import Readings, Table
from connectors.sparkplug.said import Face, Said, number_behind

WINDOW: Final = 32
"""So far ahead of its turn a message may come, to wait for it; further off it is another sequence."""
MOST_KEPT: Final = 1_000
"""Messages of a node in doubt."""
PATIENCE_NS: Final = 10_000_000_000
"""A node in doubt, or a device that was not born again, counts as dead after so long."""
WARY_NS: Final = 60_000_000_000


@dataclass(slots=True)
class _Doubt:
    """Since a node is in doubt: what came, and until when it may last."""

    until: int
    kept: list[Said]
    keeps: bool = True
    """False: a birth was heard and not believed, so no two births tell what an alias means here."""


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
        self.signs = 0
        """Numbers that may be a second node's: said twice; where one was seen, all but the next."""
        self._wary_until = 0
        self.statistics = statistics
        self.ask = ask
        self.has_room = has_room
        """Whether so many bytes more may wait, of all nodes together."""
        self._readings = readings
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

    def hear(self, said: Said, now: int) -> None:
        """Take a message."""
        if said.kind == "NBIRTH":
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
    def face(self) -> Face:
        """Return what the births of this session are known by."""
        own = self.tables.get("")
        return Face(self._bd_seq, {} if own is None else own.aliases)

    @property
    def waiting(self) -> int:
        """Return the bytes of messages that wait for others."""
        held = [*self._early.values(), *(() if self._doubt is None else self._doubt.kept)]
        return sum(said.size for said in (*held, *(each for kept in self._kept.values() for each in kept)))

    def next_at(self) -> int | None:
        """Return when `tick` has something to do."""
        doubt = None if self._doubt is None else self._doubt.until
        times = (self._gap_until, doubt, self._before_until)
        return min((each for each in times if each is not None), default=None)

    def tick(self, now: int, wall: int) -> None:
        """Do what is due: give up waiting; `wall` is the gateway time, ns UTC."""
        if self._gap_until is not None and now >= self._gap_until:
            self.statistics.missed += min((n - self._turn) & 0xFF for n in self._early)
            kept = [self._early[n] for n in sorted(self._early, key=lambda n: (n - self._turn) & 0xFF)]
            self.doubt(now)
            for said in kept:
                self._keep(said)
        if self._doubt is not None and now >= self._doubt.until:
            self.die(wall, BAD_COMMUNICATION_ERROR)
        if self._before_until is not None and now >= self._before_until:
            self._let_go(wall)

    def be_wary(self, now: int) -> None:
        """For a minute without a sign wait for no number and keep none: it may be a second node's."""
        self._wary_until = now + WARY_NS

    def is_wary(self, now: int) -> bool:
        """Tell whether a second node may be near."""
        return now < self._wary_until

    def doubt(self, now: int, *, keeps: bool = True) -> None:
        """Read nothing until the next birth, and ask for it; without `keeps` what comes is lost, not late."""
        if self._doubt is None:
            self._stop_waiting()
            self._doubt = _Doubt(now + PATIENCE_NS, [])
            if self.is_wary(now):
                self.be_wary(now)
        if not keeps:
            self.statistics.dropped += len(self._doubt.kept)
            self._doubt.kept.clear()
            self._doubt.keeps = False
        self.ask()

    def die(self, time: int, quality: int) -> None:
        """Say that nothing of it has a value from a time on."""
        if self._doubt is not None:
            self.statistics.dropped += len(self._doubt.kept)
        self._stop_waiting()
        for table in (*self.tables.values(), *self._before.values()):
            self._readings.gone(table.known().values(), time, quality)
        self.tables, self._before, self._before_until = {}, {}, None
        self._kept.clear()
        self.is_alive = False

    def _on_birth(self, said: Said, now: int) -> None:
        session = bd_seq(said.payload)
        if session is not None and session == self._ended:
            self._ended = None
            self.ask()
            return
        self._ended = None
        same = self.is_alive and session is not None and session == self._bd_seq
        kept = self._doubt.kept if self._doubt is not None else list(self._early.values())
        self._stop_waiting()
        # A device that is not born again has gone while nobody listened.
        self._before |= {device: table for device, table in self.tables.items() if device}
        self._kept.clear()
        for each in kept:
            if same and each.kind in ("NDATA", "DDATA"):
                self._kept.setdefault(each.device, []).append(each)
            else:
                self.statistics.dropped += 1
        own = self.tables.get("")
        self.tables = {}
        self._before_until = now + PATIENCE_NS if self._before else None
        self.is_alive, self._bd_seq = True, session
        self._turn = number_behind(said.payload)
        self._born(said, own)

    def _on_death(self, said: Said, now: int) -> None:
        session = bd_seq(said.payload)
        if not self.is_alive:
            return
        if session is not None and self._bd_seq is not None and session != self._bd_seq:
            if (self._bd_seq - session) & 0xFF <= 128:
                self.statistics.late_deaths += 1
                return
            # A session that begins after this one has ended: what we know is over, or misnumbered.
            self._ended = session
            self.doubt(now)
            return
        self._ended = session
        self.statistics.deaths += 1
        self.die(said.arrived, BAD_NO_COMMUNICATION)

    def _on_numbered(self, said: Said, now: int) -> None:
        if not self.is_alive:
            self.statistics.before_birth += 1
            self.ask()
        elif self._doubt is not None:
            if self.is_wary(now):
                self.statistics.dropped += 1
            else:
                self._keep(said)
            self.ask()
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
        elif ahead >= 256 - WINDOW or number in self._early or self.is_wary(now):
            # Said twice, or of a second node, or of a sequence whose birth was lost: it would catch up.
            self.signs += 1
            self.statistics.dropped += 1
            self.doubt(now)
        elif ahead <= WINDOW and self.has_room(said.size):
            self.statistics.reordered += 1
            self._early[number] = said
            if self._gap_until is None:
                self._gap_until = now + self._reorder
        else:
            self.statistics.missed += ahead
            self.doubt(now)
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
                self.statistics.deaths += 1
                stamp = said.payload.timestamp
                time = stamp * MS if 0 < stamp < (1 << 63) // MS else said.arrived
                self._readings.gone(table.known().values(), time, BAD_NO_COMMUNICATION)
        else:
            table = self.tables.get(said.device)
            if table is None:
                if self._readings.wants((*self.id, said.device)):
                    self.statistics.before_birth += 1
                    self.ask()
            elif not self._readings.tell(table, said.payload, said.arrived):
                self.ask()

    def _born(self, said: Said, before: Table | None) -> None:
        """Take over a birth: first what was kept for it, then what it says, then what it no longer says."""
        who = (*self.id, said.device)
        self.statistics.births += 1
        table = self._readings.table(who, said.payload)
        kept = self._kept.pop(said.device, [])
        if before is None:
            self.statistics.dropped += len(kept)
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

    def _keep(self, said: Said) -> None:
        doubt = self._doubt
        if doubt is None or not doubt.keeps or len(doubt.kept) >= MOST_KEPT or not self.has_room(said.size):
            self.statistics.dropped += 1
        else:
            doubt.kept.append(said)

    def _stop_waiting(self) -> None:
        self._early, self._gap_until, self._doubt = {}, None, None

    def _let_go(self, time: int) -> None:
        for table in self._before.values():
            self._readings.gone(table.known().values(), time, BAD_NO_COMMUNICATION)
        self.statistics.dropped += sum(map(len, self._kept.values()))
        self._before, self._before_until = {}, None
        self._kept.clear()
