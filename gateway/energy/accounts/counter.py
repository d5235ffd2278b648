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

from dataclasses import replace
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gateway.energy import flags as f
from gateway.energy.accounts.state import (
    LARGEST,
    NS_A_MS,
    SINGLE_BITS,
    Event,
    Integers,
    Judged,
    Knots,
    Odd,
    Rules,
    State,
)

MOST_SCANS: Final = 3
"""Readings further apart than so many scans bound their energy, but not when it passed."""


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
    work = _Work(rules, state)
    n = len(time)
    cut_rows = np.searchsorted(time, cuts).tolist() if cuts is not None else []
    cut_rows = [row for row in cut_rows if row < n]
    snapshots: list[State] = []
    odd_pairs = _odd_pairs(rules, time, raw, manual)
    at, next_odd = 0, 0
    while at < n:
        while cut_rows and cut_rows[0] == at:
            snapshots.append(work.state)
            cut_rows.pop(0)
        # A run of plain readings begins where the state stands exactly at the reading before.
        stands = (
            at > 0 and work.state.time == time[at - 1] and work.state.raw == raw[at - 1]
            and work.state.odd is None
        )  # fmt: skip
        if stands and not work.state.pending:
            while next_odd < len(odd_pairs) and odd_pairs[next_odd] < at:
                next_odd += 1
            end = int(odd_pairs[next_odd]) if next_odd < len(odd_pairs) else n
            if cut_rows:
                end = min(end, cut_rows[0])
            if end > at:
                work.run(time[at:end], raw[at:end], None if doubt is None else doubt[at:end])
                at = end
                continue
        by_hand = bool(manual is not None and manual[at]) or rules.is_manual
        work.take(int(time[at]), int(raw[at]), 0 if doubt is None else int(doubt[at]), is_manual=by_hand)
        at += 1
    return Judged(work.state, work.knots(), work.events, snapshots)


def _odd_pairs(
    rules: Rules, time: Integers, raw: Integers, manual: NDArray[np.bool_] | None
) -> NDArray[np.intp]:
    """Return the rows that do not plainly follow the row before: they are taken one by one."""
    gain, passed = np.diff(raw), np.diff(time)
    limit = rules.per_second * np.minimum(-(-passed // NS_A_MS), rules.longest_ms) // 1000 + rules.step
    odd = (gain < 0) | (gain > limit)
    if rules.ratios:
        largest = max(ratio for _, ratio in rules.ratios)
        # Looked at closely only where it could matter.
        odd |= gain > (limit // max(1, -(-largest.numerator // largest.denominator)))
    if rules.modulus is not None:
        odd |= limit >= rules.modulus
    for moment in (*(each[0] for each in rules.ratios), *(each[0] for each in rules.swaps)):
        odd |= (time[:-1] < moment) & (time[1:] >= moment)
    if rules.is_manual:
        odd[:] = True
    if rules.is_power:
        odd |= passed > MOST_SCANS * rules.scan
    if manual is not None:
        odd |= manual[1:] | manual[:-1]
    return np.flatnonzero(odd) + 1


class _Work:
    """The state on its way through some readings."""

    def __init__(self, rules: Rules, state: State) -> None:
        self._rules = rules
        self.state = state
        self.events: list[Event] = []
        self._doubt = 0
        self._blocks: list[Integers] = []
        self._rows: list[tuple[int, ...]] = []
        if state.time >= 0:
            self._note(0)

    def run(self, time: Integers, raw: Integers, doubt: Integers | None) -> None:
        """Take plain readings at once; none of them needs a closer look."""
        rules, state = self._rules, self.state
        ratio = rules.ratio(int(time[-1]))
        total = _scaled(raw - state.anchor_raw, ratio) + state.anchor_total
        gain = np.diff(total, prepend=state.total)
        passed = np.diff(time, prepend=state.time)
        is_gap = passed > MOST_SCANS * rules.scan
        estimate = gain if rules.is_power else np.where(is_gap, gain, 0)
        estimated = state.estimated + np.cumsum(estimate)
        covered = state.covered + np.cumsum(np.where(is_gap, 0, passed))
        width = np.full(len(raw), rules.step, np.int64)
        if rules.is_single:
            width = np.maximum(width, (raw >> SINGLE_BITS) + 1)
        width = _scaled(width, ratio) if ratio != 1 else width
        flags = np.where(is_gap, f.GAP, 0) | (f.POWER if rules.is_power else 0)
        same = np.ones(len(raw), np.int64)
        slack = same * state.slack if doubt is None else state.slack + np.cumsum(doubt)
        self._flush()
        self._blocks.append(
            np.stack([time, total, estimated, same * state.manual, slack, covered, width, flags])
        )
        self.state = replace(
            state, time=int(time[-1]), seen=int(time[-1]), raw=int(raw[-1]), total=int(total[-1]),
            estimated=int(estimated[-1]), slack=int(slack[-1]), covered=int(covered[-1]),
            width=int(width[-1]), is_manual=False,
        )  # fmt: skip

    def take(self, time: int, raw: int, doubt: int, *, is_manual: bool) -> None:
        """Take one reading, whatever it is."""
        self._doubt = doubt
        self.state = replace(self.state, seen=time)
        if not 0 <= raw < LARGEST:
            self._leave_out(time, raw)
            return
        if self.state.time < 0:
            self._begin(time, raw, is_manual=is_manual)
            return
        for moment, start, final in self._rules.swaps:
            if self.state.time < moment <= time:
                self._swap(moment, start, final)
        # Of a swap entered for this very moment its start is what counts.
        if self.state.time < time:
            self._judge(time, raw, is_manual=is_manual)

    def _judge(self, time: int, raw: int, *, is_manual: bool) -> None:
        odd = self.state.odd
        if self._fits(time, raw):
            if odd is not None:
                self._doubt += self._if_it_moved(odd, time, raw)
                self._leave_out(odd.time, odd.raw)
            self._plain(time, raw, is_manual=is_manual)
        elif self._is_backstep(raw):
            if odd is not None:
                self._leave_out(odd.time, odd.raw)
            self._hold(time, raw, is_manual=is_manual)
        elif self._rules.is_manual:
            self._move(time, raw, is_manual=True)
        elif odd is not None and self._follows(odd, time, raw):
            self._move(odd.time, odd.raw, is_manual=odd.is_manual)
            if self._fits(time, raw):
                self._plain(time, raw, is_manual=is_manual)
            else:
                self._hold(time, raw, is_manual=is_manual)
        else:
            if odd is not None:
                self._leave_out(odd.time, odd.raw)
            self.state = replace(self.state, odd=Odd(time, raw, is_manual))

    def knots(self) -> Knots:
        """Return what was accepted."""
        self._flush()
        if not self._blocks:
            return Knots(*np.zeros((len(Knots._fields), 0), np.int64))
        return Knots(*np.concatenate(self._blocks, axis=1))

    def _gain(self, raw: int, time: int, base: int | None = None) -> int:
        """Return what the total gains from the base to this reading."""
        state, rules = self.state, self._rules
        base = state.raw if base is None else base
        before, now = rules.ratio(state.time), rules.ratio(time)
        if before == now:
            if base == state.raw:
                return int(_round(now * (raw - state.anchor_raw))) + state.anchor_total - state.total
            return int(_round(now * (raw - base)))
        # The reading at each change is not known: it lies on the line between the two there are.
        gain, last = Fraction(0), state.time
        for moment in (*(since for since, _ in rules.ratios if state.time < since <= time), time):
            share = Fraction(moment - last, time - state.time)
            gain += rules.ratio(last) * share * (raw - base)
            last = moment
        return int(_round(gain))

    def _fits(self, time: int, raw: int) -> bool:
        state = self.state
        return raw >= state.raw and self._gain(raw, time) <= self._rules.limit(time - state.time)

    def _is_backstep(self, raw: int) -> bool:
        highest = self.state.raw
        return 0 < highest - raw <= 2 * self._rules.width(highest)

    def _follows(self, odd: Odd, time: int, raw: int) -> bool:
        ratio = self._rules.ratio(time)
        gain = _round(ratio * (raw - odd.raw))
        is_above = raw >= odd.raw and gain <= self._rules.limit(time - odd.time)
        return is_above or 0 < odd.raw - raw <= 2 * self._rules.width(odd.raw)

    def _if_it_moved(self, odd: Odd, time: int, raw: int) -> int:
        """Return how far the truth may be off where a reading fits the odd one as well as the one before."""
        if not self._follows(odd, time, raw):
            return 0
        gain, behind = self._gain(raw, time), max(0, _round(self._rules.ratio(time) * (raw - odd.raw)))
        before = self._rules.limit(odd.time - self.state.time)
        return max(0, before + behind - gain, gain - behind)

    def _begin(self, time: int, raw: int, *, is_manual: bool) -> None:
        total = int(_round(self._rules.ratio(time) * raw))
        self.state = replace(
            self.state, time=time, raw=raw, total=total, anchor_raw=raw, anchor_total=total,
            width=self._width(raw, time), is_manual=is_manual, first=time, first_total=total,
            first_width=self._width(raw, time),
        )  # fmt: skip
        self._note(0)

    def _plain(self, time: int, raw: int, *, is_manual: bool) -> None:
        """Book the difference; mark what may have been a whole turn of the counter more."""
        rules, state = self._rules, self.state
        gain, slack, flags = self._gain(raw, time), 0, 0
        spare = rules.limit(time - state.time) - gain
        if rules.modulus is not None and not rules.is_manual:
            turn = int(_round(rules.ratio(time) * rules.modulus))
            if spare >= turn:
                slack, flags = spare // turn * turn, f.SUSPECT
        if rules.is_power and time - state.time > MOST_SCANS * rules.scan:
            # Power tells nothing of the time in which it was not read.
            slack, flags = slack + spare, flags | f.UNKNOWN
        if rules.ratio(state.time) != rules.ratio(time):
            flags |= f.RATIO
            slack += gain
            self.events.append(Event(time, f.RATIO, state.raw, raw))
        self._advance(time, raw, gain, slack, flags, is_manual=is_manual, is_turned=bool(flags & f.RATIO))

    def _hold(self, time: int, raw: int, *, is_manual: bool) -> None:
        fall = int(_round(self._rules.ratio(time) * (self.state.raw - raw)))
        self._advance(time, self.state.raw, 0, fall, f.BACKSTEP, is_manual=is_manual)

    def _move(self, time: int, raw: int, *, is_manual: bool) -> None:
        """The counter did move to where no plain energy brings it: find out how."""
        rules, state = self._rules, self.state
        limit = rules.limit(time - state.time)
        if raw < state.raw and rules.modulus is not None and raw < rules.modulus:
            gain = self._gain(raw + rules.modulus, time)
            if 0 <= gain <= limit:
                turn = int(_round(rules.ratio(time) * rules.modulus))
                slack = (limit - gain) // turn * turn
                self._event(time, f.ROLLOVER, raw)
                self._advance(time, raw, gain, slack, f.ROLLOVER, is_manual=is_manual, is_turned=True)
                return
        since_zero = int(_round(rules.ratio(time) * raw))
        if raw < state.raw and since_zero <= limit:
            self._event(time, f.RESET, raw)
            slack = max(limit - since_zero, since_zero)
            self._advance(time, raw, since_zero, slack, f.RESET, is_manual=is_manual, is_turned=True)
            return
        self._event(time, f.UNKNOWN, raw)
        self._advance(time, raw, 0, limit, f.UNKNOWN, is_manual=is_manual, is_turned=True)

    def _swap(self, moment: int, start: int, final: int | None) -> None:
        state, rules = self.state, self._rules
        if state.odd is not None:
            self._leave_out(state.odd.time, state.odd.raw)
        limit = rules.limit(moment - state.time)
        gain = -1 if final is None else self._gain(final, moment)
        if final is not None and 0 < state.raw - final <= 2 * rules.width(state.raw):
            gain = 0
        elif final is not None and rules.modulus is not None and final < state.raw:
            gain = self._gain(final + rules.modulus, moment)
        self._event(moment, f.SWAP, start)
        # Both entered readings are right to a step of their own.
        width = self._width(start, moment)
        if 0 <= gain <= limit:
            slack = width + self._width(final or 0, moment)
            self._advance(moment, start, gain, slack, f.SWAP, is_manual=True, is_turned=True)
        else:
            flags = f.SWAP | f.UNKNOWN
            self._advance(moment, start, 0, limit + width, flags, is_manual=True, is_turned=True)

    def _event(self, time: int, flag: int, raw: int) -> None:
        self.events.append(Event(time, flag, self.state.raw, raw))

    def _leave_out(self, time: int, raw: int) -> None:
        # A counter that is never understood again shall not fill the books with saying so.
        if not self.state.pending:
            self.events.append(Event(time, f.SUSPECT, self.state.raw, max(-LARGEST, min(raw, LARGEST))))
        self.state = replace(self.state, odd=None, pending=self.state.pending | f.SUSPECT)

    def _width(self, raw: int, time: int) -> int:
        return int(_round(self._rules.ratio(time) * self._rules.width(raw)))

    def _advance(
        self,
        time: int,
        raw: int,
        gain: int,
        slack: int,
        flags: int,
        *,
        is_manual: bool,
        is_turned: bool = False,
    ) -> None:
        """Book a gain up to a time; `is_turned` begins a new count there."""
        state, rules = self.state, self._rules
        passed = time - state.time
        is_gap = passed > MOST_SCANS * rules.scan and not rules.is_manual
        is_known = not flags & f.UNKNOWN
        by_hand = is_manual or state.is_manual
        if by_hand:
            flags |= f.MANUAL
        if is_gap:
            flags |= f.GAP
        if rules.is_power:
            flags |= f.POWER
        is_estimate = not by_hand and bool(flags & f.ESTIMATES)
        total = state.total + gain
        self.state = replace(
            state,
            time=time,
            raw=raw,
            total=total,
            estimated=state.estimated + (gain if is_estimate else 0),
            manual=state.manual + (gain if by_hand else 0),
            slack=state.slack + slack + self._doubt,
            covered=state.covered + (passed if is_known and not is_gap else 0),
            width=self._width(raw, time),
            anchor_raw=raw if is_turned else state.anchor_raw,
            anchor_total=total if is_turned else state.anchor_total,
            is_manual=is_manual,
            odd=None,
            pending=0,
        )
        self._note(flags | state.pending)

    def _note(self, flags: int) -> None:
        s = self.state
        self._rows.append((s.time, s.total, s.estimated, s.manual, s.slack, s.covered, s.width, flags))

    def _flush(self) -> None:
        if self._rows:
            self._blocks.append(np.array(self._rows, np.int64).T)
            self._rows = []


def _round(number: Fraction) -> int:
    """Round half up: the one rounding the books know."""
    return (2 * number.numerator + number.denominator) // (2 * number.denominator)


def _scaled(quanta: Integers, ratio: Fraction) -> Integers:
    """Return ratio × quanta, rounded half up; exact whatever the size."""
    if ratio == 1:
        return quanta
    n, d = ratio.numerator, ratio.denominator
    if len(quanta) and int(np.abs(quanta).max()) * 2 * n >= LARGEST:
        return np.array([(2 * int(q) * n + d) // (2 * d) for q in quanta.tolist()], np.int64)
    return (2 * quanta * n + d) // (2 * d)
