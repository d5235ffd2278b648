"""Shifts: none begins before another has ended, and breaks lie within them."""

from collections.abc import Iterator

from config.energy import WEEKDAYS, EnergyOptions, Shift
from config.problems import Problem
from config.reading.document import Document

_DAY = 1440
_WEEK = 7 * _DAY


def check_shifts(energy: EnergyOptions, document: Document) -> Iterator[Problem]:
    """Yield shifts that overlap another, and breaks outside their shift."""
    before: list[tuple[str, Shift]] = []
    for name, shift in energy.shifts.items():
        path = ("energy", "shifts", name)
        other = next((each for each, theirs in before if _meet(shift, theirs)), None)
        if other is not None:
            yield document.problem("E-CF-1329", path, at_key=True, other=other)
        before.append((name, shift))
        for i, pause in enumerate(shift.breaks):
            begins, ends = (pause.from_ - shift.from_) % _DAY, (pause.to - shift.from_) % _DAY or _DAY
            if not begins < ends <= shift.minutes:
                yield document.problem("E-CF-1330", (*path, "breaks", i), at_key=True)


def _meet(one: Shift, other: Shift) -> bool:
    """Tell whether two shifts share a minute in some week."""
    for a in _begins(one):
        for b in _begins(other):
            apart = (b - a) % _WEEK
            if apart < one.minutes or _WEEK - apart < other.minutes:
                return True
    return False


def _begins(shift: Shift) -> list[int]:
    return [WEEKDAYS.index(day) * _DAY + shift.from_ for day in shift.days]
