"""What the books say of today and of earlier days, read no oftener than it changes and a machine can bear.

A day that is over and known is read once in ten minutes, for late readings still change it; today, and a day
with holes, once in twenty seconds; nothing so often that reading takes more than a twentieth of the time. An
answer that has read for a second goes out with what there is; what was never read is missing in it (`NotYet`)
and comes with the next.
"""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, Literal, TypeVar

from config.energy import media
from gateway.energy.figures import Answer, Peak
from gateway.energy.periods import DAY_NS, Span
from gateway.energy.query import NoSuchFigure
from gateway.energy.results.booked import NOT_CARBON, Made, made_of
from gateway.web.energy_books import Accounts
from gateway.web.energy_cost import costs_of
from gateway.web.energy_figures import Asked, Found, amounts_of, energy, load_of

T = TypeVar("T")
MEDIUM: Final = "electricity"
Earlier = Literal["yesterday", "weekday"]
BACK: Final[dict[Earlier, int]] = {"yesterday": 1, "weekday": 7}
_OVER_S: Final = 600.0
_TODAY_S: Final = 20.0
_SHARE: Final = 20
_BUDGET_S: Final = 1.0
_LONGEST_BILL_NS: Final = 32 * DAY_NS


class NotYet(Exception):
    """It was never read, and this answer has read for long enough."""


class Days:
    """The days of one plant file's books."""

    def __init__(self, accounts: Accounts, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.accounts = accounts
        self.site = accounts.plant.gateway.site
        self._monotonic = monotonic
        self._until = 0.0
        self._kept: dict[tuple[str, Span], tuple[float, float, Any]] = {}

    def begin(self) -> None:
        """Begin an answer: it may read for a second."""
        self._until = self._monotonic() + _BUDGET_S
        first = self.day(max(BACK.values()) + 1).first
        self._kept = {key: each for key, each in self._kept.items() if key[1].first > first}

    def day(self, back: int = 0) -> Span:
        """Return the local day so many before today."""
        calendar = self.accounts.query.calendar
        day = calendar.local(self.accounts.now()).date() - timedelta(days=back)
        return Span(calendar.midnight(day), calendar.midnight(day + timedelta(days=1)))

    def quarters(self, back: int = 0, medium: str = MEDIUM) -> Answer:
        """Return what the site took by quarters of an hour.

        All of these raise as `Query.energy`, and NotYet.
        """
        return self._of(medium, back, lambda day: energy(self.accounts, self.asked(day, medium)))

    def load(self, back: int = 0) -> Found:
        """Return its mean power."""
        return load_of(self.quarters(back))

    def energy(self, back: int = 0) -> Found:
        """Return its energy."""
        return amounts_of(self.quarters(back))

    def energy_behind(self, meter: str) -> Found:
        """Return the energy of today behind one meter."""
        return amounts_of(
            self._of(f"behind/{meter}", 0, lambda day: energy(self.accounts, self.asked(day, subject=meter)))
        )

    def cost(self, back: int = 0) -> Found:
        """Return what that costs."""
        found = self.quarters(back)
        return self._of("cost", back, lambda day: costs_of(self.accounts, self.asked(day), found))

    def media(self, back: int = 0) -> dict[str, Answer]:
        """Return the quarters of an hour of every metered medium that has carbon."""
        found = {}
        for name in media():
            if name not in NOT_CARBON:
                try:
                    found[name] = self.quarters(back, name)
                except NoSuchFigure:
                    continue
        return found

    def peak(self, subject: str) -> tuple[Span, Peak]:
        """Return the running billing period, and the highest demand of it so far."""
        query, now = self.accounts.query, self.accounts.now()
        bill = query.calendar.spans("billing", now - _LONGEST_BILL_NS, now)[-1]
        found = self._of(
            f"peak/{subject}", 0, lambda _: query.demand(subject, "billing", bill.first, now)[-1]
        )  # fmt: skip
        return bill, found

    def made(self) -> Made:
        """Return standard coal and carbon of today. Raises Refused too."""
        accounts = self.accounts
        return self._of("made", 0, lambda day: made_of(accounts.query, accounts.choices, self.site, *day[:2]))

    def asked(self, day: Span, medium: str = MEDIUM, subject: str = "") -> Asked:
        """Return the question for a meter's quarters of a day, or the site's."""
        return Asked(subject or self.site, medium, "15min", day.first, day.last)

    def _of(self, what: str, back: int, read: Callable[[Span], T]) -> T:
        day, now = self.day(back), self._monotonic()
        kept = self._kept.get((what, day))
        if kept is not None:
            at, took, found = kept
            known: T = found
            long = _OVER_S if back and _is_whole(found) else _TODAY_S
            if now - at < max(long, _SHARE * took) or now >= self._until:
                return known
        elif now >= self._until:
            raise NotYet
        new = read(day)
        end = self._monotonic()
        self._kept[what, day] = end, end - now, new
        return new


def _is_whole(found: object) -> bool:
    """Tell whether every quarter of a day is known; a backlog may still fill what is not."""
    if isinstance(found, Answer):
        return all(each.is_whole for each in found.figures)
    return isinstance(found, Found) and all(each.is_whole for each in found.answer.figures)
