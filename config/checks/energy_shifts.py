"""Shifts: none begins before another has ended, and breaks lie within them."""

from collections.abc import Iterator

from config.energy import WEEKDAYS, DayType, EnergyOptions, Shift
from config.problems import Problem
from config.reading.document import Document

_DAY = 1440
_TYPES: dict[bool, tuple[DayType, ...]] = {
    False: ("workday", "holiday"),
    True: ("make_up", "weekend", "holiday"),
}
"""What a day of the week may be; at weekends, True."""
_SATURDAY = 5


def check_shifts(energy: EnergyOptions, document: Document) -> Iterator[Problem]:
    """Yield shifts that overlap another, and breaks outside their shift."""
    before: list[tuple[str, Shift]] = []
    for name, shift in energy.shifts.items():
        path = ("energy", "shifts", name)
        other = next((each for each, theirs in before if _meet(shift, theirs)), None)
        if other is not None:
            yield document.problem("E-CF-1329", path, at_key=True, other=other)
        before.append((name, shift))
        if not any(_begins(shift, weekday) for weekday in range(len(WEEKDAYS))):
            yield document.problem("E-CF-1331", path, at_key=True)
        for i, pause in enumerate(shift.breaks):
            begins, ends = (pause.from_ - shift.from_) % _DAY, (pause.to - shift.from_) % _DAY or _DAY
            if not begins < ends <= shift.minutes:
                yield document.problem("E-CF-1330", (*path, "breaks", i), at_key=True)


def _meet(one: Shift, other: Shift) -> bool:
    """Tell whether two shifts may share a minute: on one day, or on two that follow each other."""
    for weekday in range(len(WEEKDAYS)):
        for day_type in _begins(one, weekday):
            for days in (-1, 0, 1):
                types = _begins(other, (weekday + days) % len(WEEKDAYS))
                if (day_type not in types) if days == 0 else not types:
                    continue
                apart = days * _DAY + other.from_ - one.from_
                if 0 <= apart < one.minutes or 0 <= -apart < other.minutes:
                    return True
    return False


def _begins(shift: Shift, weekday: int) -> list[DayType]:
    """Return of which type such a day of the week must be for a shift to begin on it."""
    types = _TYPES[weekday >= _SATURDAY]
    return [each for each in types if shift.begins_on(WEEKDAYS[weekday], each)]
