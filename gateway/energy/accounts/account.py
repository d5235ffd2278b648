"""One meter's account: from where it stood and some readings to new boundaries and where it stands now.

Pure: what comes out depends on the readings in time's order alone, however they are cut into calls.
"""

import json
from dataclasses import dataclass, field, fields, replace
from typing import Final, NamedTuple

import numpy as np

from gateway.energy.accounts.counter import judge
from gateway.energy.accounts.demand import Minutes, Sliding, after, minutes_of, peaks
from gateway.energy.accounts.intervals import Boundaries, boundaries, flags_left_open, grid
from gateway.energy.accounts.readings import Readings
from gateway.energy.accounts.state import Event, Integers, Knots, Odd, Rules, State
from gateway.energy.accounts.walk import MOST_SCANS

_MW_NS_TO_QUANTA: Final = 3_600_000_000_000
"""ns in an hour: mW × ns / this is mWh."""


ENDS: Final = np.dtype(
    [
        (name, "<i8")
        for name in (
            "time", "total", "estimated", "manual", "slack", "covered", "width", "open_flags",
            "first", "first_total", "first_width",
        )
    ]
)  # fmt: skip
"""What a figure needs of an account's ends: its newest reading and its first."""


@dataclass(frozen=True, slots=True)
class Integral:
    """Power added up so far."""

    time: int = -1
    power: int = 0
    """Quanta an hour."""
    total: int = 0
    """Quanta."""


@dataclass(frozen=True, slots=True)
class Stand:
    """Where an account stands behind its newest reading."""

    state: State = field(default_factory=State)
    sliding: Sliding = field(default_factory=Sliding)
    integral: Integral = field(default_factory=Integral)

    def ends(self) -> bytes:
        """Return the first and the newest reading as an ENDS record, for those who only ask."""
        return np.array([tuple(getattr(self.state, name) for name in ENDS.names or ())], ENDS).tobytes()

    def to_text(self) -> str:
        """Return it as JSON: whole numbers only, in the order of the fields."""
        s, m, i = self.state, self.sliding, self.integral
        said = [
            [getattr(s, name) for name in _STATE],
            [m.minute, m.totals, m.peak],
            [i.time, i.power, i.total],
        ]
        return json.dumps(said, separators=(",", ":"))


_STATE: Final = tuple(each.name for each in fields(State))
_ODD: Final = _STATE.index("odd")


def stand_from(text: str) -> Stand:
    """Return the stand of `to_text`."""
    state, (minute, totals, peak), integral = json.loads(text)
    state[_ODD] = None if state[_ODD] is None else Odd(*state[_ODD])
    return Stand(State(*state), Sliding(minute, tuple(totals), peak), Integral(*integral))


class Booking(NamedTuple):
    """What came of some readings."""

    stand: Stand
    boundaries: Boundaries
    events: list[Event]
    snapshots: list[Stand]
    """The stand before the first reading at or after each cut."""
    knots: Knots


def book(
    rules: Rules, stand: Stand, readings: Readings, *, step: int, cuts: Integers, has_peaks: bool
) -> Booking:
    """Book readings that all lie behind `stand.state.seen`; boundaries fall on whole multiples of `step`.

    `cuts` are ascending, none behind the newest reading. With `has_peaks` windows of a quarter of an hour are
    followed by the minute.
    """
    raw, doubt, integrals = readings.raw, None, None
    if rules.is_power:
        raw, doubt, integrals = _integrated(rules, stand.integral, readings)
    judged = judge(rules, stand.state, readings.time, raw, manual=readings.manual, cuts=cuts, doubt=doubt)
    knots = judged.knots
    if not len(knots.time):
        return Booking(
            replace(stand, state=judged.state), boundaries(knots, readings.time[:0]), judged.events,
            [replace(stand, state=each) for each in judged.snapshots], knots,
        )  # fmt: skip
    is_first = stand.state.time < 0
    begun = int(knots.time[0]) - is_first
    found = boundaries(knots, grid(begun, int(knots.time[-1]), step), stand.state.open_flags)
    minutes = minutes_of(stand.sliding, knots) if has_peaks else None
    if minutes is not None:
        found = found._replace(peak=peaks(stand.sliding, minutes, found.time))

    def closed(state: State) -> Stand:
        """Return the whole stand for a state within these knots."""
        if state.time < 0:
            return replace(stand, state=state)
        boundary = state.time // step * step
        boundary = boundary if boundary > begun else -1
        upto = int(np.searchsorted(knots.time, state.time, "right"))
        open_flags = flags_left_open(
            Knots(*(column[:upto] for column in knots)), boundary, stand.state.open_flags
        )
        return Stand(
            replace(state, open_flags=open_flags),
            _slid(stand.sliding, minutes, state, boundary),
            stand.integral if integrals is None else _integral_at(stand.integral, integrals, state),
        )

    return Booking(
        closed(judged.state), found, judged.events, [closed(each) for each in judged.snapshots], knots
    )


def _slid(before: Sliding, minutes: Minutes | None, state: State, boundary: int) -> Sliding:
    return before if minutes is None else after(before, minutes, state.time, boundary)


def _integrated(
    rules: Rules, before: Integral, readings: Readings
) -> tuple[Integers, Integers, tuple[Integers, Integers, Integers]]:
    """Return power (quanta an hour) added up by trapezes, and how far each trapeze may be from the truth."""
    time, power = readings.time, np.maximum(readings.raw, 0)
    is_first = before.time < 0
    passed = np.diff(time, prepend=time[0] if is_first else before.time)
    was = np.append(power[0] if is_first else before.power, power[:-1])
    is_near = passed <= MOST_SCANS * rules.scan
    gain, doubt = np.zeros(len(time), np.int64), np.zeros(len(time), np.int64)
    for i in np.flatnonzero(is_near).tolist():
        a, b, ns = int(was[i]), int(power[i]), int(passed[i])
        gain[i] = ((a + b) * ns + _MW_NS_TO_QUANTA) // (2 * _MW_NS_TO_QUANTA)
        doubt[i] = abs(a - b) * ns // (2 * _MW_NS_TO_QUANTA) + 1
    total = before.total + np.cumsum(gain)
    return total, doubt, (time, power, total)


def _integral_at(before: Integral, integrals: tuple[Integers, Integers, Integers], state: State) -> Integral:
    time, power, total = integrals
    at = int(np.searchsorted(time, state.seen, "right")) - 1
    return before if at < 0 else Integral(int(time[at]), int(power[at]), int(total[at]))
