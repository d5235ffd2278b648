"""What a counter went through, and what it read: true energy that is known, readings that are not perfect.

Everything true is exact: time in ns, energy in quanta. Between two moments the true power is constant. The
register is right to a step; it may be misread, begin again at 0, be replaced with or without a word, turn
over, count behind other transformers, or not be read for hours.

Left out is only what no method could tell, and `docs/explanation/energy.md` says so: a misread register that
reads between its neighbours, two misread in a row, a counter that is replaced by one that goes on plausibly,
and one that began again between two scans and nevertheless is read as if it had gone on or turned over.
"""

from dataclasses import dataclass, field
from fractions import Fraction
from random import Random
from typing import NamedTuple

from hypothesis import strategies as st

from gateway.energy.accounts.state import Rules

STEP = 1_000
SCAN_S = 60
PER_SECOND = 30_000
"""The most that truly passes, in quanta: 108 kW at 0.00001 kWh."""
NS = 1_000_000_000
START = 1_772_294_400 * NS
"""Midnight of 1 March 2026 in Shanghai."""
FAULTS = ("lost", "lost", "tremble", "spike", "bits", "zero", "ones", "low", "high", "reset", "replaced")
LENGTHS = (1, 30, 60, 60, 60, 61, 60, 150, 180, 181, 600, 4000)
WIDTHS = (None, None, None, 65_536 * STEP, 10**7, 10**9, 10**10, 2**32 * STEP)


class Read(NamedTuple):
    """A reading, and what the counter had gone through since the one before."""

    time: int
    raw: int
    is_misread: bool = False
    has_begun: bool = False
    """It began again, or was replaced, since the reading before."""
    is_entered: bool = False
    """A person took it when the counter was replaced."""


@dataclass
class Story:
    """True totals at moments, and the readings that came."""

    modulus: int | None
    factor: Fraction
    """What the rules are told of the maximum, of the truth."""
    ratios: list[tuple[int, Fraction]] = field(default_factory=list)
    swaps: list[tuple[int, int, int | None]] = field(default_factory=list)
    moments: list[tuple[int, int]] = field(default_factory=list)
    """(ns, true quanta), ascending."""
    reads: list[Read] = field(default_factory=list)
    unclear: set[int] = field(default_factory=set)
    """When a misread register looked right until the next reading: of that very moment nobody knew."""
    _known: tuple[int, int] = (-1, -1)
    _rules: Rules = field(default_factory=Rules)

    @property
    def readings(self) -> list[tuple[int, int]]:
        """Return (ns, quanta as read), ascending."""
        return [(each.time, each.raw) for each in self.reads if not each.is_entered]

    @property
    def rules(self) -> Rules:
        """Return what is known of the counter."""
        known = (len(self.ratios), len(self.swaps))
        if self._known != known:
            self._known, self._rules = known, self._made()
        return self._rules

    def _made(self) -> Rules:
        return Rules(
            modulus=self.modulus,
            per_second=int(PER_SECOND * self.factor),
            scan=SCAN_S * NS,
            ratios=tuple(self.ratios),
            swaps=tuple(self.swaps),
        )

    def truth(self, time: int) -> Fraction:
        """Return the true total at a time within the story."""
        for (a, x), (b, y) in zip(self.moments, self.moments[1:], strict=False):
            if a <= time <= b:
                return x + Fraction((y - x) * (time - a), b - a)
        raise ValueError(time)


class Counter:
    """The counter on its way: what is true, what its register holds, what was read of it."""

    def __init__(self, story: Story, time: int, register: int) -> None:
        self.story = story
        self.time = time
        self.total = 0
        self.register = Fraction(register)
        self.has_begun = False
        self.is_fresh = False
        self.replaced = 0
        story.moments.append((time, 0))

    def pass_(self, seconds: int, power: int) -> None:
        """Let time pass at a power in quanta a second."""
        if seconds:
            self.register += Fraction(power * seconds) / self.story.rules.ratio(self.time)
            self.total += power * seconds
            self.time += seconds * NS
            self.story.moments.append((self.time, self.total))

    def shown(self, up: int = 0) -> int:
        """Return what the register shows, cut off, or a step `up`."""
        steps = int(self.register // STEP) + (up if self.register % STEP else 0)
        return steps * STEP if self.story.modulus is None else steps * STEP % self.story.modulus

    def begin(self, register: int) -> None:
        """Begin again, or be replaced, with this reading."""
        self.register, self.has_begun = Fraction(register), True

    def read(self, raw: int) -> None:
        """Take an honest reading, unless nobody could tell what happened before it."""
        story, rules = self.story, self.story.rules
        new = Read(self.time, raw, has_begun=self.has_begun)
        before = story.reads[-1] if story.reads else None
        if before and before.time >= self.time:
            return
        if before and before.is_misread:
            self._judge_misread(new)
            before = story.reads[-1]
        honest = [each for each in story.reads if not each.is_misread]
        if honest and self._is_unnoticed(honest[-1], new, is_warned=before is not honest[-1]):
            return
        if honest and self.has_begun:
            self.is_fresh = self._is_seen(honest[-1], new)
        if raw > rules.limit(3 * SCAN_S * NS):
            self.is_fresh = False
        story.reads.append(new)
        self.has_begun = False

    def misread(self, raw: int) -> None:
        """Take a reading the register never showed."""
        last = self.story.reads[-1]
        if not last.is_misread and raw >= 0 and last.time < self.time:
            self.story.reads.append(Read(self.time, raw, is_misread=True))

    def _limit(self, a: Read, b: Read) -> int:
        rules = self.story.rules
        return rules.limit(b.time - a.time, int(rules.ratio(b.time) * STEP) + 1)

    def _fits(self, a: Read, b: Read) -> bool:
        ratios = [self.story.rules.ratio(t) for t in (a.time, b.time)]
        return b.raw - a.raw >= -2 * STEP and min(ratios) * (b.raw - a.raw) <= self._limit(a, b)

    def _is_unnoticed(self, before: Read, new: Read, *, is_warned: bool) -> bool:
        """Tell whether the counter began again between two scans and is read as if it had not."""
        if not new.has_begun or is_warned or new.time - before.time > 3 * SCAN_S * NS:
            return False
        if self._fits(before, new):
            return not (self.is_fresh and new.raw > before.raw)
        modulus = self.story.modulus
        turned = new._replace(raw=new.raw + (modulus or 0))
        return modulus is not None and self._fits(before, turned)

    def _is_confirmed(self) -> bool:
        """Tell whether two readings in a row agree since the last fall or jump before the newest."""
        reads = self.story.reads[:-1]
        while len(reads) > 1:
            new, before = reads[-1], reads[-2 - reads[-2].is_misread]
            if not self._fits(before, new):
                return False
            if not reads[-2].is_misread:
                return True
            reads = reads[:-2]
        return True

    def _is_seen(self, before: Read, new: Read) -> bool:
        """Tell whether the counter is seen to have begun again at 0."""
        turned = new._replace(raw=new.raw + (self.story.modulus or 0))
        is_turn = self.story.modulus is not None and self._fits(before, turned)
        since_zero = self.story.rules.ratio(new.time) * new.raw
        return new.raw < before.raw - 2 * STEP and not is_turn and since_zero <= self._limit(before, new)

    def _judge_misread(self, new: Read) -> None:
        """Strike out a misread register that new readings believe, or that they find too high later."""
        story = self.story
        misread, before = story.reads[-1], story.reads[-2]
        earlier = [each for each in story.reads[:-2] if not each.is_misread]
        is_confirmed = self._is_confirmed()
        goes_on = self._fits(misread, new)
        # What stands may be a step or two above the last reading.
        is_plain = any(self._fits(before._replace(raw=before.raw + up * STEP), misread) for up in (0, 1, 2))
        # Behind a fall or a jump nobody has confirmed, one that fits what was before that.
        is_as_before = not is_confirmed and any(self._fits(each, misread) for each in earlier)
        if earlier and goes_on and not is_confirmed:
            is_below = misread.raw <= before.raw and self._is_seen(earlier[-1], before)
            is_as_before = is_as_before or not is_below
        # The one before looked right, and one more reading has not yet told that it was not.
        is_as_before = is_as_before or (len(story.reads) > 2 and story.reads[-3].time in story.unclear)
        is_believed = is_plain and (new.has_begun or new.raw > misread.raw or not self._fits(before, new))
        if is_as_before or is_believed or (goes_on and (is_plain or not self._fits(before, new))):
            story.reads.pop()
        elif is_plain:
            story.unclear.add(misread.time)


def stories(*, most: int = 120, is_entered: bool = True) -> st.SearchStrategy[Story]:
    """Draw a story of 20 to `most` scans; without `is_entered` nobody enters swaps or transformers.

    Told from a seed: drawn scan by scan, a story takes ten times as long as its books.
    """
    return st.integers(0, 2**64).map(lambda seed: told(Random(seed), most, is_entered=is_entered))


def told(chance: Random, most: int, *, is_entered: bool) -> Story:
    """Tell a story."""
    modulus = chance.choice(WIDTHS)
    story = Story(modulus, chance.choice([Fraction(1), Fraction(3, 2)]))
    time = START + chance.randint(0, 900) * NS
    begins = _edged(chance, 10**7 // STEP)
    if chance.random() < 0.5:
        begins = (modulus or 10**13) // STEP - 1 - begins
    counter = Counter(story, time, max(0, begins) * STEP % (modulus or 10**18))
    faults = [chance.choice(FAULTS) for _ in range(chance.randint(0, 5))]
    if is_entered:
        faults += chance.choice([[], ["swap"], ["ratio"], ["swap", "ratio"]])
    kinds = ["good"] * chance.randint(2, 12) + faults
    counter.read(counter.shown())
    for _ in range(chance.randint(20, most)):
        seconds, kind = chance.choice(LENGTHS), chance.choice(kinds)
        first = chance.randint(0, seconds)
        counter.pass_(first, _edged(chance, PER_SECOND))
        _happen(chance, kind, counter)
        counter.pass_(seconds - first, _edged(chance, PER_SECOND))
        if kind in ("good", "tremble", "reset", "swap", "ratio", "replaced"):
            counter.read(counter.shown(chance.randint(0, 1) if "tremble" in faults else 0))
        elif kind != "lost":
            counter.misread(_false(chance, kind, counter))
    while story.reads[-1].is_misread:
        story.reads.pop()
    return story


def _edged(chance: Random, most: int) -> int:
    """Return a number of 0 to `most`, often one of the ends, or a small one."""
    return chance.choice(
        [0, 1, most, chance.randint(0, most), chance.randint(0, most), chance.randint(0, most // 50)]
    )


def _false(chance: Random, kind: str, counter: Counter) -> int:
    """Return a value the register does not show."""
    shown, modulus = counter.shown(), counter.story.modulus or 2**32 * STEP
    match kind:
        case "spike":
            return shown + chance.randint(1, 10**10) * STEP
        case "bits":
            # Half of a register of 32 bits is from before, or wrong.
            return (shown // STEP ^ (1 << chance.randint(0, 31))) * STEP
        case "ones":
            return (modulus - 1) // STEP * STEP
        case "low":
            return chance.randint(0, shown // STEP) * STEP
        case "high":
            return shown + (1 + _edged(chance, 10**6)) * STEP
    return 0


def _happen(chance: Random, kind: str, counter: Counter) -> None:
    story = counter.story
    last = story.reads[-1]
    if kind == "reset":
        counter.begin(0)
    elif kind == "replaced" and story.modulus is None:
        # One that goes on plausibly would be taken for the old one.
        counter.replaced += 1
        apart = counter.replaced * 7 * 10**12
        counter.begin(chance.choice([0, apart, 10**15 - apart]))
    elif kind == "ratio" and len(story.ratios) < 2 and counter.time > last.time:
        ratio = chance.choice([Fraction(80), Fraction(40), Fraction(3, 2), Fraction(1, 3)])
        story.ratios.append((counter.time, ratio))
    elif kind == "swap" and len(story.swaps) < 2 and counter.time > last.time:
        if last.is_misread:
            story.reads.pop()
        is_known = chance.random() < 0.5 and not counter.has_begun
        final = counter.shown() if is_known else None
        start = chance.randint(0, 10**4) * STEP % (story.modulus or 10**18)
        story.swaps.append((counter.time, start, final))
        story.reads.append(Read(counter.time, start, is_entered=True))
        counter.register, counter.has_begun = Fraction(start), False
