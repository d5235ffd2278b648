"""What a counter went through, and what it read: true energy that is known, readings that are not perfect.

Everything is whole: time in ns, energy in quanta. Between two moments the true power is constant.
"""

from dataclasses import dataclass
from fractions import Fraction

from hypothesis import strategies as st

STEP = 1_000
SCAN_S = 60
PER_SECOND = 30_000
"""The most that truly passes, in quanta; the rules are told as much: 108 kW at 0.00001 kWh."""
NS = 1_000_000_000
START = 1_772_294_400 * NS
"""Midnight of 1 March 2026 in Shanghai."""


@dataclass(frozen=True)
class Story:
    """True totals at moments, and the readings that came."""

    moments: list[tuple[int, int]]
    """(ns, true quanta), ascending."""
    readings: list[tuple[int, int]]
    """(ns, quanta as read), ascending."""
    modulus: int | None

    def truth(self, time: int) -> Fraction:
        """Return the true total at a time within the story."""
        for (a, x), (b, y) in zip(self.moments, self.moments[1:], strict=False):
            if a <= time <= b:
                return x + Fraction((y - x) * (time - a), b - a)
        raise ValueError(time)


@st.composite
def stories(draw: st.DrawFn, *, faults: str = "lost spike zero reset", modulus: int | None = None) -> Story:
    """Draw a story of 20 to 120 scans with these faults; a misread register never comes twice in a row."""
    kinds = ["good"] * 8 + faults.split()
    time = START + draw(st.integers(0, 900)) * NS
    true = draw(st.integers(0, modulus - 1)) if modulus else draw(st.integers(10**9, 10**10))
    offset, last = 0, "good"
    moments, readings = [(time, true)], [(time, true // STEP * STEP)]
    for _ in range(draw(st.integers(20, 120))):
        passed = draw(st.sampled_from([1, 30, 60, 60, 60, 61, 60, 600, 4000]))
        time += passed * NS
        true += draw(st.integers(0, PER_SECOND)) * passed
        kind = draw(st.sampled_from(kinds))
        if kind == "reset" and offset:
            # Begun again twice, it may pass its last reading before it is read again: nobody could tell.
            kind = "good"
        if kind == "reset":
            offset = true
            true += draw(st.integers(0, PER_SECOND))
            time += NS
        moments.append((time, true))
        shown = true - offset
        shown = (shown % modulus if modulus else shown) // STEP * STEP
        # A 0 that is no fall is as good a reading as any: nobody could tell.
        if last in ("spike", "zero", "reset") or (kind == "zero" and readings[-1][1] <= 10 * STEP):
            kind = "good"
        if kind == "spike":
            readings.append((time, shown + draw(st.integers(10**12, 10**13))))
        elif kind == "zero":
            readings.append((time, 0))
        elif kind != "lost":
            readings.append((time, shown))
        last = kind
    return Story(moments, readings, modulus)
