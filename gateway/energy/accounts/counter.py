"""From a counter's readings to energy that only grows: the one place where counter faults are judged.

A reading is plain when it is not below the one before and not above what the meter can physically have
passed since: 1.5 × maximum × time, and one step of the register. Plain readings add their difference.
Everything else waits for the next reading, because one misread register must not cost an hour's energy:

    the next one fits the reading before     the odd one was misread: left out, SUSPECT
    the next one fits the odd one            the counter did move there: ROLLOVER, RESET, or UNKNOWN
    it fits neither                          it takes the odd one's place

A fall by no more than the reading is uncertain books nothing until the counter is above its highest again
(BACKSTEP). A swap is entered by a person and is exact to its two readings. What can't be known is never
invented: the total stays where it was and `slack` grows by what may have passed.

Everything is a whole number: totals in quanta (a thousandth of the register's step), times in ns. The result
depends on the readings alone, not on how they were cut into calls: the state carries everything.
"""

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from gateway.energy.accounts.state import NS_A_MS, SINGLE_BITS, Integers, Judged, Rules, State
from gateway.energy.accounts.walk import MOST_SCANS, Walk


def judge(
    rules: Rules,
    state: State,
    time: Integers,
    raw: Integers,
    *,
    manual: NDArray[np.bool_] | None = None,
    cuts: Integers | None = None,
    doubt: Integers | None = None,
) -> Judged:
    """Take Good readings, times ascending, each after `state.seen`; `raw` ≥ 0 in quanta as read.

    `manual` tells which were entered by a person. `doubt` is how far each one's difference to the one before
    may be from the truth, beside the register's step. `cuts` are ascending times for snapshots; a cut behind
    the last reading gives none.
    """
    walk = Walk(rules, state)
    n = len(time)
    cut_rows = np.searchsorted(time, cuts).tolist() if cuts is not None else []
    cut_rows = [row for row in cut_rows if row < n]
    snapshots: list[State] = []
    odd_pairs = _odd_pairs(rules, time, raw, manual)
    at, next_odd = 0, 0
    while at < n:
        while cut_rows and cut_rows[0] == at:
            snapshots.append(walk.state)
            cut_rows.pop(0)
        # A run of plain readings begins where the state stands exactly at the reading before.
        stands = (
            at > 0 and walk.state.time == time[at - 1] and walk.state.raw == raw[at - 1]
            and walk.state.odd is None
        )  # fmt: skip
        if stands and not walk.state.pending and not walk.state.is_fresh:
            while next_odd < len(odd_pairs) and odd_pairs[next_odd] < at:
                next_odd += 1
            end = int(odd_pairs[next_odd]) if next_odd < len(odd_pairs) else n
            if cut_rows:
                end = min(end, cut_rows[0])
            if end > at:
                walk.run(time[at:end], raw[at:end], None if doubt is None else doubt[at:end])
                at = end
                continue
        by_hand = bool(manual is not None and manual[at]) or rules.is_manual
        walk.take(int(time[at]), int(raw[at]), 0 if doubt is None else int(doubt[at]), is_manual=by_hand)
        at += 1
    return Judged(walk.state, walk.knots(), walk.events, snapshots)


def _odd_pairs(
    rules: Rules, time: Integers, raw: Integers, manual: NDArray[np.bool_] | None
) -> NDArray[np.intp]:
    """Return the rows that do not plainly follow the row before: they are taken one by one."""
    gain, passed = np.diff(raw), np.diff(time)
    energy = rules.per_second * np.minimum(-(-passed // NS_A_MS), rules.longest_ms) // 1000
    limit = energy + rules.step
    if rules.is_single:
        limit = energy + np.maximum(rules.step, (raw[1:] >> SINGLE_BITS) + 1)
    odd = (gain < 0) | (gain > limit)
    ratios = (Fraction(1), *(ratio for _, ratio in rules.ratios))
    largest, smallest = max(ratios), min(ratios)
    if largest > 1:
        # Looked at closely only where it could matter.
        odd |= gain > limit // -(-largest.numerator // largest.denominator)
    # The most the register itself can have counted.
    counted = limit if smallest == 1 else limit * -(-smallest.denominator // smallest.numerator)
    if not rules.is_assumed:
        # Over a gap a counter near 0 may have begun again.
        odd |= (passed > MOST_SCANS * rules.scan) & (raw[1:] <= counted)
    if rules.modulus is not None:
        odd |= counted >= rules.modulus
    for moment in (*(each[0] for each in rules.ratios), *(each[0] for each in rules.swaps)):
        odd |= (time[:-1] < moment) & (time[1:] >= moment)
    if rules.is_manual:
        odd[:] = True
    if rules.is_power:
        odd |= passed > MOST_SCANS * rules.scan
    if manual is not None:
        odd |= manual[1:] | manual[:-1]
    return np.flatnonzero(odd) + 1
