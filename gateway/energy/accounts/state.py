"""What counters are judged by and where an account of one stands: whole numbers, nothing else."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from config.energy_meters import QUANTA, Meter

LARGEST: Final = 2**61
"""No total, and no reading, is above this."""
NS_A_MS: Final = 1_000_000
SINGLE_BITS: Final = 23
"""A float32 has so many bits behind its first."""

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Rules:
    """What is known of a counter, in whole numbers."""

    step: int = QUANTA
    """Quanta in one step of the register."""
    modulus: int | None = None
    """Quanta at which it begins again at 0."""
    per_second: int = 1
    """1.5 × maximum: quanta a second, behind the transformers."""
    scan: int = 1_000_000_000
    is_single: bool = False
    is_manual: bool = False
    """Read by people: every reading counts at once, and no two are too far apart."""
    is_power: bool = False
    is_assumed: bool = False
    """The maximum was not told: what may have passed unseen has no bound worth saying."""
    ratios: tuple[tuple[int, Fraction], ...] = ()
    swaps: tuple[tuple[int, int, int | None], ...] = ()

    @property
    def longest_ms(self) -> int:
        """Return the longest time for which a limit fits 61 bits."""
        return (LARGEST - self.step) // max(1, self.per_second)

    def limit(self, ns: int, width: int = 0) -> int:
        """Return the most quanta two readings so far apart may differ by, for a reading right to `width`."""
        ms = min(-(-ns // NS_A_MS), self.longest_ms)
        return self.per_second * ms // 1000 + max(self.step, width)

    def ratio(self, time: int) -> Fraction:
        """Return the ratio in force."""
        ratio = Fraction(1)
        for since, each in self.ratios:
            if since <= time:
                ratio = each
        return ratio

    def width(self, raw: int) -> int:
        """Return how far a reading may be from the truth, in its own quanta."""
        return max(self.step, (raw >> SINGLE_BITS) + 1) if self.is_single else self.step


class Odd(NamedTuple):
    """A reading that waits for the next."""

    time: int
    raw: int
    is_manual: bool


@dataclass(frozen=True, slots=True)
class State:
    """Everything the books need to go on behind the last reading; `time` is -1 before the first."""

    time: int = -1
    """Of the last accepted reading, ns."""
    raw: int = 0
    """The counter's highest, in quanta as read."""
    total: int = 0
    estimated: int = 0
    manual: int = 0
    slack: int = 0
    """How far the total may be from the truth by what is not known, ever."""
    covered: int = 0
    """ns between readings that lie close enough together."""
    width: int = 0
    anchor_raw: int = 0
    anchor_total: int = 0
    """total = anchor_total + ratio × (raw − anchor_raw), rounded: a ratio is never rounded twice."""
    is_manual: bool = False
    odd: Odd | None = None
    seen: int = -1
    """Time of the newest reading given, accepted or not."""
    open_flags: int = 0
    """Of the stretches since the last boundary."""
    pending: int = 0
    """Flags for the next stretch: a reading before it was left out."""
    first: int = -1
    """Time of the first reading accepted."""
    first_total: int = 0
    first_width: int = 0
    before_time: int = -1
    """Of the reading accepted before the last, ns; -1 where the counter did not plainly come from it."""
    before_raw: int = 0
    is_fresh: bool = False
    """It began again, and is not yet above what can pass between two readings."""
    pending_slack: int = 0
    """Of a reading that was left out: how far the last one may have been above the truth."""


class Knots(NamedTuple):
    """Accepted readings, (n,) each, in time's order; the first is where the state stood before.

    `flags` of knot i are those of the stretch from knot i-1 to it. All int64, in quanta and ns.
    """

    time: Integers
    total: Integers
    estimated: Integers
    manual: Integers
    slack: Integers
    covered: Integers
    width: Integers
    flags: Integers


class Event(NamedTuple):
    """Something that happened to a counter and belongs into the books."""

    time: int
    flag: int
    before: int
    """Quanta as read."""
    after: int


class Judged(NamedTuple):
    """What came of some readings."""

    state: State
    knots: Knots
    events: list[Event]
    snapshots: list[State]
    """The state before the first reading at or after each of the wanted times."""


def rules_of(meter: Meter) -> Rules:
    """Return the rules a meter of the plant file is judged by."""
    per_second = Fraction(meter.maximum) * 3 / 2 / 3600 / meter.quantum
    return Rules(
        modulus=meter.rollover,
        per_second=-(-per_second.numerator // per_second.denominator),
        scan=meter.scan,
        is_single=meter.is_single,
        is_manual=meter.kind == "manual",
        is_power=meter.kind == "power",
        is_assumed=meter.is_maximum_assumed,
        ratios=meter.ratios,
        swaps=meter.swaps,
    )
