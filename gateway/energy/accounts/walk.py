"""A counter's state on its way through readings: each is accepted, left out, or waits for the next."""

from dataclasses import replace
from fractions import Fraction
from typing import Final

import numpy as np

from gateway.energy import flags as f
from gateway.energy.accounts import hidden
from gateway.energy.accounts.hidden import rounded
from gateway.energy.accounts.state import LARGEST, SINGLE_BITS, Event, Integers, Knots, Odd, Rules, State

MOST_SCANS: Final = 3
"""Readings further apart than so many scans bound their energy, but not when it passed."""


class Walk:
    """Takes readings one by one, or a run of plain ones at once."""

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
        before = (state.time, state.raw) if len(time) == 1 else (int(time[-2]), int(raw[-2]))
        self.state = replace(
            state, time=int(time[-1]), seen=int(time[-1]), raw=int(raw[-1]), total=int(total[-1]),
            estimated=int(estimated[-1]), slack=int(slack[-1]), covered=int(covered[-1]),
            width=int(width[-1]), is_manual=False, before_time=before[0], before_raw=before[1],
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

    def knots(self) -> Knots:
        """Return what was accepted."""
        self._flush()
        if not self._blocks:
            return Knots(*np.zeros((len(Knots._fields), 0), np.int64))
        return Knots(*np.concatenate(self._blocks, axis=1))

    def _judge(self, time: int, raw: int, *, is_manual: bool) -> None:
        odd = self.state.odd
        if self._fits(time, raw):
            self._plain(time, raw, is_manual=is_manual)
        elif self._is_backstep(raw):
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

    def _gain(self, raw: int, time: int) -> int:
        """Return what the total gains from the last reading to this one."""
        state, rules = self.state, self._rules
        before, now = rules.ratio(state.time), rules.ratio(time)
        if before == now:
            return rounded(now * (raw - state.anchor_raw)) + state.anchor_total - state.total
        return hidden.on_the_line(rules, state.time, time, raw, raw - state.raw)

    def _most(self, time: int, raw: int) -> int:
        return hidden.most(self._rules, self.state.time, time, raw)

    def _fits(self, time: int, raw: int) -> bool:
        return raw >= self.state.raw and self._gain(raw, time) <= self._most(time, raw)

    def _is_backstep(self, raw: int) -> bool:
        highest = self.state.raw
        return 0 < highest - raw <= 2 * self._rules.width(highest)

    def _follows(self, odd: Odd, time: int, raw: int) -> bool:
        gain = hidden.on_the_line(self._rules, odd.time, time, raw, raw - odd.raw)
        is_above = raw >= odd.raw and gain <= hidden.most(self._rules, odd.time, time, raw)
        return is_above or 0 < odd.raw - raw <= 2 * self._rules.width(odd.raw)

    def _is_gap(self, time: int) -> bool:
        return time - self.state.time > MOST_SCANS * self._rules.scan and not self._rules.is_manual

    def _is_blind(self, time: int) -> bool:
        """Tell whether more may have happened on the way here than readings show."""
        return self._is_gap(time) or self.state.odd is not None or bool(self.state.pending)

    def _begin(self, time: int, raw: int, *, is_manual: bool) -> None:
        total = rounded(self._rules.ratio(time) * raw)
        width = hidden.width(self._rules, raw, time)
        self.state = replace(
            self.state, time=time, raw=raw, total=total, anchor_raw=raw, anchor_total=total,
            width=width, is_manual=is_manual, first=time, first_total=total, first_width=width,
        )  # fmt: skip
        self._note(0)

    def _settle_odd(self, time: int, raw: int, gain: int) -> int:
        """Leave out the odd reading there is; return how far the truth may be if it was none."""
        odd = self.state.odd
        if odd is None:
            return 0
        is_both = self._follows(odd, time, raw)
        self._leave_out(odd.time, odd.raw)
        new = Odd(time, raw, is_manual=False)
        return hidden.by_a_move(self._rules, self.state, odd, new, gain) if is_both else 0

    def _plain(self, time: int, raw: int, *, is_manual: bool) -> None:
        """Book the difference, and say what else these readings may mean."""
        rules, state = self._rules, self.state
        gain, flags = self._gain(raw, time), 0
        spare = self._most(time, raw) - gain
        slack = hidden.by_more_turns(rules, state.time, time, spare)
        is_fresh = state.is_fresh and raw > state.raw
        if self._is_blind(time) or is_fresh:
            slack = max(slack, hidden.by_beginning_again(rules, state, time, raw, gain))
        slack = max(slack, self._settle_odd(time, raw, gain))
        if slack:
            flags |= f.SUSPECT
        if rules.is_power and self._is_gap(time):
            # Power tells nothing of the time in which it was not read.
            slack, flags = slack + spare, flags | f.UNKNOWN
        by_ratio = hidden.by_the_ratio(rules, state, time, gain, raw - state.raw)
        if by_ratio:
            slack, flags = slack + by_ratio, flags | f.RATIO
            self.events.append(Event(time, f.RATIO, state.raw, raw))
        self._advance(time, raw, gain, slack, flags, is_manual=is_manual, is_turned=bool(by_ratio))
        if self.state.is_fresh and raw > rules.limit(MOST_SCANS * rules.scan):
            self.state = replace(self.state, is_fresh=False)

    def _hold(self, time: int, raw: int, *, is_manual: bool) -> None:
        """Book nothing: the highest reading stands, and is as uncertain as the fall is deep."""
        fall = rounded(self._rules.ratio(time) * (self.state.raw - raw))
        slack = fall
        if self._is_blind(time):
            slack = max(slack, hidden.by_beginning_again(self._rules, self.state, time, raw, 0))
        slack = max(slack, self._settle_odd(time, raw, 0))
        highest, flags = self.state.raw, f.BACKSTEP
        by_ratio = hidden.by_the_ratio(self._rules, self.state, time, 0, 0)
        if by_ratio:
            slack, flags = slack + by_ratio, flags | f.RATIO
            self.events.append(Event(time, f.RATIO, highest, raw))
        self._advance(
            time, highest, 0, slack, flags, is_manual=is_manual, is_turned=bool(by_ratio), fall=fall
        )

    def _move(self, time: int, raw: int, *, is_manual: bool) -> None:
        """The counter did move to where no plain energy brings it: find out how."""
        rules, state = self._rules, self.state
        limit = self._most(time, raw)
        # Had the reading before been misread, the total would be so far off, whatever is booked now.
        misread = hidden.by_the_reading_before(rules, state, time, raw)
        since_zero = rounded(rules.ratio(time) * raw)
        if raw < state.raw and rules.modulus is not None and raw < rules.modulus:
            gain = self._gain(raw + rules.modulus, time)
            if 0 <= gain <= limit:
                slack = hidden.by_more_turns(rules, state.time, time, limit - gain)
                if self._is_gap(time) or state.pending:
                    slack = max(slack, hidden.by_beginning_again(rules, state, time, raw, gain))
                slack += hidden.by_the_ratio(rules, state, time, gain, raw + rules.modulus - state.raw)
                flags, slack = f.ROLLOVER, max(slack, misread + gain if misread else 0)
                self._turn(time, raw, gain, slack, flags, is_manual=is_manual)
                return
        if raw < state.raw and since_zero <= limit:
            slack = max(limit - since_zero, since_zero, misread + since_zero if misread else 0)
            self._turn(time, raw, since_zero, slack, f.RESET, is_manual=is_manual)
            self.state = replace(self.state, is_fresh=not rules.is_manual)
            return
        self._turn(time, raw, 0, max(limit, misread), f.UNKNOWN, is_manual=is_manual)

    def _turn(self, time: int, raw: int, gain: int, slack: int, flag: int, *, is_manual: bool) -> None:
        self._event(time, flag, raw)
        self._advance(time, raw, gain, slack, flag, is_manual=is_manual, is_turned=True)

    def _swap(self, moment: int, start: int, final: int | None) -> None:
        state, rules = self.state, self._rules
        if state.odd is not None:
            self._leave_out(state.odd.time, state.odd.raw)
        # Both entered readings are right to a step of their own.
        width = hidden.width(rules, start, moment)
        width += 0 if final is None else hidden.width(rules, final, moment)
        self._event(moment, f.SWAP, start)
        limit = self._most(moment, final or 0)
        gain, raw_gain = -1, 0
        if final is not None:
            raw_gain = final - state.raw
            if 0 < -raw_gain <= 2 * rules.width(state.raw):
                raw_gain = 0
            elif raw_gain < 0 and rules.modulus is not None:
                raw_gain += rules.modulus
            gain = self._gain(state.raw + raw_gain, moment) if raw_gain >= 0 else -1
        if final is not None and 0 <= gain <= limit:
            slack = width + hidden.by_the_ratio(rules, state, moment, gain, raw_gain)
            if self._is_blind(moment) or state.is_fresh:
                slack += hidden.by_beginning_again(rules, state, moment, final, gain)
            self._advance(moment, start, gain, slack, f.SWAP, is_manual=True, is_turned=True)
            return
        misread = hidden.by_the_reading_before(rules, state, moment, final) if final is not None else 0
        slack, flags = max(limit, misread) + width, f.SWAP | f.UNKNOWN
        self._advance(moment, start, 0, slack, flags, is_manual=True, is_turned=True)

    def _event(self, time: int, flag: int, raw: int) -> None:
        self.events.append(Event(time, flag, self.state.raw, raw))

    def _leave_out(self, time: int, raw: int) -> None:
        state = self.state
        # A counter that is never understood again shall not fill the books with saying so.
        if not state.pending:
            self.events.append(Event(time, f.SUSPECT, state.raw, max(-LARGEST, min(raw, LARGEST))))
        misread = 0
        if state.time >= 0 and 0 <= raw < state.raw:
            misread = hidden.by_the_reading_before(self._rules, state, time, raw)
        self.state = replace(
            state, odd=None, pending=state.pending | f.SUSPECT,
            pending_slack=max(state.pending_slack, misread),
        )  # fmt: skip

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
        fall: int = 0,
    ) -> None:
        """Book a gain up to a time; `is_turned` begins a new count there."""
        state, rules = self.state, self._rules
        passed, is_gap = time - state.time, self._is_gap(time)
        slack += state.pending_slack
        by_hand = is_manual or state.is_manual
        if by_hand:
            flags |= f.MANUAL
        if is_gap:
            flags |= f.GAP
        if rules.is_power:
            flags |= f.POWER
        # What may be another amount is estimated, whatever the reason.
        is_estimate = not by_hand and (bool(flags & f.ESTIMATES) or slack > 0)
        is_known = not flags & f.UNKNOWN and not is_gap
        total = state.total + gain
        before = (state.time, state.raw) if not fall else (state.before_time, state.before_raw)
        self.state = replace(
            state,
            time=time,
            raw=raw,
            total=total,
            estimated=state.estimated + (gain if is_estimate else 0),
            manual=state.manual + (gain if by_hand else 0),
            slack=state.slack + slack + self._doubt,
            covered=state.covered + (passed if is_known else 0),
            width=hidden.width(rules, raw, time) + fall,
            anchor_raw=raw if is_turned else state.anchor_raw,
            anchor_total=total if is_turned else state.anchor_total,
            is_manual=is_manual,
            odd=None,
            pending=0,
            pending_slack=0,
            before_time=-1 if is_turned else before[0],
            before_raw=0 if is_turned else before[1],
            is_fresh=state.is_fresh and not is_turned,
        )
        self._note(flags | state.pending)

    def _note(self, flags: int) -> None:
        s = self.state
        self._rows.append((s.time, s.total, s.estimated, s.manual, s.slack, s.covered, s.width, flags))

    def _flush(self) -> None:
        if self._rows:
            self._blocks.append(np.array(self._rows, np.int64).T)
            self._rows = []


def _scaled(quanta: Integers, ratio: Fraction) -> Integers:
    """Return ratio × quanta, rounded half up; exact whatever the size."""
    if ratio == 1:
        return quanta
    n, d = ratio.numerator, ratio.denominator
    if len(quanta) and int(np.abs(quanta).max()) * 2 * n >= LARGEST:
        return np.array([(2 * int(q) * n + d) // (2 * d) for q in quanta.tolist()], np.int64)
    return (2 * quanta * n + d) // (2 * d)
