"""What a stretch between two readings may hide: how far the truth may be from what is booked for it.

Where two stories explain the same readings, the likelier one is booked and `slack` reaches to the other one:

    the counter went on              or it began again at 0 and passed its last reading unread
    it turned over                   or it began again at 0, close to its end
    it began again, or was replaced  or the reading before was misread, too high, and this one is right
    the odd reading was misread      or the counter did move there, and went on from it
    the ratio changed on the line    or everything passed before the change, or all behind it
"""

from fractions import Fraction

from gateway.energy.accounts.state import Odd, Rules, State


def rounded(number: Fraction) -> int:
    """Round half up: the one rounding the books know."""
    return (2 * number.numerator + number.denominator) // (2 * number.denominator)


def width(rules: Rules, raw: int, time: int) -> int:
    """Return how far a reading may be from the truth, behind the transformers."""
    return rounded(rules.ratio(time) * rules.width(raw))


def most(rules: Rules, since: int, until: int, raw: int) -> int:
    """Return the most the counter can have gained by this reading, behind the transformers."""
    return rules.limit(until - since, width(rules, raw, until))


def on_the_line(rules: Rules, since: int, until: int, raw: int, raw_gain: int) -> int:
    """Return the energy of a gain up to `raw`, with the reading at each change of ratio on the line between.

    No more than can have passed, unless it is more by any ratio.
    """
    gain, last = Fraction(0), since
    for moment in (*(each for each, _ in rules.ratios if since < each < until), until):
        gain += rules.ratio(last) * Fraction(moment - last, until - since) * raw_gain
        last = moment
    least = rounded(min(_ratios(rules, since, until)) * raw_gain)
    return max(least, min(rounded(gain), most(rules, since, until, raw)))


def by_beginning_again(rules: Rules, state: State, time: int, raw: int, gain: int) -> int:
    """Return how far the truth may be from `gain` if the counter began again at 0 on the way to here."""
    if rules.is_manual or rules.is_power or rules.is_assumed:
        return 0
    since_zero = rounded(min(_ratios(rules, state.time, time)) * raw)
    limit = most(rules, state.time, time, raw)
    return max(limit - gain, gain - since_zero) if since_zero <= limit else 0


def by_more_turns(rules: Rules, since: int, until: int, spare: int) -> int:
    """Return how much more may have passed in whole turns of the counter, of what can have passed."""
    if rules.modulus is None or rules.is_manual or spare < 0:
        return 0
    ratios = _ratios(rules, since, until)
    turn = rounded(min(ratios) * rules.modulus)
    if spare < turn:
        return 0
    return spare if min(ratios) != max(ratios) else spare // turn * turn


def by_a_move(rules: Rules, state: State, odd: Odd, new: Odd, gain: int) -> int:
    """Return how far it may be if the counter did move to the odd reading, and went on from there."""
    behind = max(0, rounded(rules.ratio(new.time) * (new.raw - odd.raw)))
    before = rules.limit(odd.time - state.time)
    return max(0, before + behind - gain, gain - behind)


def by_the_reading_before(rules: Rules, state: State, time: int, raw: int) -> int:
    """Return how far the last reading may be from the truth if this one, not going on from it, is right.

    It must go on from the one before the last, or it is no reason to doubt the last.
    """
    if state.before_time < 0 or rules.is_manual or raw < state.before_raw - 2 * rules.width(raw):
        return 0
    ratios = _ratios(rules, state.before_time, time)
    if rounded(min(ratios) * (raw - state.before_raw)) > most(rules, state.before_time, time, raw):
        return 0
    return rounded(max(ratios) * abs(state.raw - raw))


def by_the_ratio(rules: Rules, state: State, time: int, gain: int, raw_gain: int) -> int:
    """Return how far it may be as it is not known what passed before the ratio changed; 0: it did not."""
    ratios = _ratios(rules, state.time, time)
    low, high = min(ratios), max(ratios)
    if low == high:
        return 0
    apart = max(rounded(high * raw_gain) - gain, gain - rounded(low * raw_gain))
    return apart + rounded((high - low) * rules.width(state.raw)) + 1


def _ratios(rules: Rules, since: int, until: int) -> list[Fraction]:
    """Return the ratios that were in force on the way."""
    return [rules.ratio(since), *(ratio for moment, ratio in rules.ratios if since < moment <= until)]
