"""One id and who speaks under it: a second node's values must never stand among the first one's. Pure.

    one node ──a birth of another, no death heard──▶ trial ──it alone answers──▶ one node
       │                                               └────both answer──┐
       └──────────numbers said twice, again and again────────────────────┴──▶ contest
    contest ──three seconds without a sign──▶ the birth that comes then stands trial

A birth that is not the living node's may be of its next session, or of a second node. While it stands trial
births are asked for, and all that comes waits: late before lost, lost before wrong. A third birth takes its
place, and what came behind the first is lost; who says one again that stood trial before lives too. What
prolongs a contest is what begins one, and nothing else: a line that loses messages has a sequence with gaps,
and one node.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from connectors.quality import BAD_CONFIGURATION_ERROR
from connectors.sparkplug.node import MOST_KEPT, PATIENCE_NS, WINDOW, Node
from connectors.sparkplug.payload import bd_seq
from connectors.sparkplug.said import Face, Said, face_of, number_behind

SETTLE_NS: Final = 2_000_000_000
"""Two nodes that are asked at once answer within so long of each other."""
STRIKES: Final = 4
"""So many numbers that may be a second node's …"""
STRIKES_NS: Final = 30_000_000_000
"""… within so long are."""
QUIET_NS: Final = 3_000_000_000
"""A contest ends when there was no sign for so long."""


class Guard:
    """Stand before a node: let through what is sure to be its own; times by the monotonic clock in ns."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._contest = _Contest()
        self._trial: _Trial | None = None
        self._is_suspect = False
        """Whether the next birth stands trial: a contest has ended."""
        self._asked_at = -PATIENCE_NS

    @property
    def is_sure(self) -> bool:
        """Tell whether its births are known."""
        return self.node.is_sure and self._trial is None

    @property
    def is_contested(self) -> bool:
        """Tell whether two nodes have this id."""
        return self._contest.until is not None

    @property
    def waiting(self) -> int:
        """Return the bytes of messages that wait for others."""
        return self.node.waiting + (0 if self._trial is None else self._trial.size)

    def hear(self, said: Said, now: int) -> None:
        """Take a message."""
        if self.is_contested:
            self.node.statistics.contested += 1
            self._contest.watch(said, now)
        elif self._trial is not None:
            self._try(self._trial, said, now)
        elif said.kind == "NBIRTH" and self._is_to_be_tried(said, now):
            self._accuse(said, now)
        else:
            signs = self.node.signs
            self.node.hear(said, now)
            if self.node.signs != signs and self._contest.strike(now):
                self._contend(now, said.arrived)

    def asked(self, now: int) -> None:
        """Learn that births are asked for; behind a contest whoever is there answers soon."""
        self._asked_at = now
        if self._trial is not None and self._trial.before is None:
            self._trial.until = min(self._trial.until, now + SETTLE_NS)

    def next_at(self) -> int | None:
        """Return when `tick` has something to do."""
        trial = None if self._trial is None else self._trial.until
        times = (self.node.next_at(), self._contest.until, trial)
        return min((each for each in times if each is not None), default=None)

    def tick(self, now: int, wall: int) -> None:
        """Do what is due: give up waiting; `wall` is the gateway time, ns UTC."""
        self.node.tick(now, wall)
        if self._contest.until is not None and now >= self._contest.until:
            self._contest.until, self._is_suspect = None, True
            self.node.ask()
        if self._trial is not None and now >= self._trial.until:
            self.node.be_wary(now)
            self._acquit(self._trial, now, wall)

    def _is_to_be_tried(self, said: Said, now: int) -> bool:
        if self.node.is_sure or (self.node.is_alive and self.node.is_wary(now)):
            return not face_of(said.payload).is_like(self.node.face)
        return self._is_suspect and not self.node.is_alive

    def _accuse(self, said: Said, now: int) -> None:
        before = self.node.face if self.node.is_alive else None
        # A birth nobody asked for proves nothing until the others were asked too.
        is_answer = before is None and now - self._asked_at <= SETTLE_NS
        until = now + (SETTLE_NS if is_answer else PATIENCE_NS)
        self._trial = _Trial(face_of(said.payload), before, until, [said], said.size)
        self.node.ask()

    def _try(self, trial: "_Trial", said: Said, now: int) -> None:
        if said.kind == "NDEATH":
            self._on_death(trial, said, now)
        elif trial.is_third(said):
            # What came behind the birth on trial may be of others: nobody has said that birth again.
            self.node.statistics.dropped += len(trial.kept)
            earlier = (*trial.earlier, trial.face)
            until = now + PATIENCE_NS
            self._trial = _Trial(face_of(said.payload), trial.before, until, [said], said.size, earlier)
            self.node.ask()
        elif not trial.is_one_node(said, now):
            self._contend(now, said.arrived)
        elif len(trial.kept) < MOST_KEPT and self.node.has_room(said.size):
            trial.kept.append(said)
            trial.size += said.size
        else:
            self.node.statistics.dropped += 1

    def _on_death(self, trial: "_Trial", said: Said, now: int) -> None:
        """One of the two has gone: the one that was there before, or the one that came."""
        session = bd_seq(said.payload)
        if trial.before is not None and session == trial.before.session != trial.face.session:
            self.node.statistics.late_deaths += 1
            if not trial.is_unbroken:
                self.node.be_wary(now)
            self._acquit(trial, now, said.arrived)
        elif session in (None, trial.face.session):
            self._end_trial()
            if self.node.is_alive:
                # What comes now may be of the birth that was on trial, and be read by those around it.
                self.node.doubt(now, keeps=False)

    def _acquit(self, trial: "_Trial", now: int, wall: int) -> None:
        """Believe the birth, and read on from there; not where two sequences ran behind it."""
        if not trial.is_regular:
            self._contend(now, wall)
            return
        self._trial, self._is_suspect = None, False
        self.node.hear(trial.kept[0], now)
        for said in trial.kept[1:]:
            self.hear(said, now)

    def _contend(self, now: int, wall: int) -> None:
        """Take nothing until there is one node again."""
        self._end_trial()
        self._contest.begin(now)
        self.node.die(wall, BAD_CONFIGURATION_ERROR)

    def _end_trial(self) -> None:
        if self._trial is not None:
            self.node.statistics.dropped += len(self._trial.kept)
            self._trial = None


@dataclass(slots=True)
class _Trial:
    """A birth that may be a second node's, and all that came since, in order."""

    face: Face
    before: Face | None
    """The one that lived when it came; None behind a contest."""
    until: int
    kept: list[Said]
    size: int
    earlier: tuple[Face, ...] = ()
    """Those that stood trial before it; who says one again lives too."""
    is_regular: bool = True
    """Whether no number was said twice; behind a contest, whether none was missing either."""
    is_unbroken: bool = True
    """Whether none was missing."""
    _turn: int = field(init=False)

    def __post_init__(self) -> None:
        self._turn = number_behind(self.kept[0].payload)

    def is_third(self, said: Said) -> bool:
        """Tell whether this is a birth nobody has said yet, neither the one on trial nor one before it."""
        if said.kind != "NBIRTH" or self.before is None:
            return False
        face = face_of(said.payload)
        return not any(face.is_like(each) for each in (self.face, self.before, *self.earlier))

    def is_one_node(self, said: Said, now: int) -> bool:
        """Follow births and numbers; False when the other node has said that it lives too."""
        if said.kind == "NBIRTH":
            face = face_of(said.payload)
            self._turn = number_behind(said.payload)
            if not face.is_like(self.face):
                return False
            self.until = min(self.until, now + SETTLE_NS)
        elif said.payload.HasField("seq"):
            number = said.payload.seq
            self.is_unbroken &= number == self._turn
            self.is_regular &= self.is_unbroken if self.before is None else not is_behind(number, self._turn)
            self._turn = (said.payload.seq + 1) & 0xFF
        return True


class _Contest:
    """Signs of a second node, and what is watched while they are believed."""

    def __init__(self) -> None:
        self.until: int | None = None
        """When it ends; None when there is none."""
        self._strikes: deque[int] = deque(maxlen=STRIKES)
        self._turn: int | None = None
        self._face: Face | None = None

    def strike(self, now: int) -> bool:
        """Count a number that may be a second node's; True when they are enough."""
        self._strikes.append(now)
        return len(self._strikes) == STRIKES and now - self._strikes[0] <= STRIKES_NS

    def begin(self, now: int) -> None:
        """Believe the signs."""
        self.until, self._turn, self._face = now + QUIET_NS, None, None
        self._strikes.clear()

    def watch(self, said: Said, now: int) -> None:
        """Look for more of them: births of two faces, a number said twice."""
        if said.kind == "NBIRTH":
            face = face_of(said.payload)
            if self._face is not None and not face.is_like(self._face):
                self.until = now + QUIET_NS
            self._face, self._turn = face, number_behind(said.payload)
        elif said.payload.HasField("seq"):
            if self._turn is not None and is_behind(said.payload.seq, self._turn):
                self.until = now + QUIET_NS
            self._turn = (said.payload.seq + 1) & 0xFF


def is_behind(number: int, turn: int) -> bool:
    """Tell whether a number was said before."""
    return (number - turn) & 0xFF >= 256 - WINDOW
