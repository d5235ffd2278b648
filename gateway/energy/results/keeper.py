"""Which results are due, and one of them at a time: periods that are over, made anew when they may differ.

Days of the site for as long as late readings are booked, months of every place. A result costs some
milliseconds, so one is made behind each booking, the newest first, and nothing waits for it.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from config.energy import media
from gateway.energy.bookkeeping.files import NAME
from gateway.energy.carbon.choice import Choices
from gateway.energy.carbon.refused import Refused
from gateway.energy.periods import HOUR_NS
from gateway.energy.query import NoBooks, NoSuchFigure, Query
from gateway.energy.results.booked import NOT_CARBON, made_of
from gateway.energy.results.kept import keep
from gateway.sqlite import connect, transaction

log = logging.getLogger(__name__)
DAYS: Final = 40
MONTHS: Final = 13
_SETTLED_NS: Final = HOUR_NS
"""A day is made so long after its end: most of what comes late has come."""

_AGAIN_NS: Final = HOUR_NS

Due = tuple[str, int, int]
"""Node, first, last."""


class ResultsKeeper:
    """Makes what is due of one plant's results."""

    def __init__(self, directory: Path, query: Query, site: str, choices: Callable[[], Choices]) -> None:
        self._directory = directory
        self._query = query
        self._site = site
        self._choose = choices
        self._choices: Choices | None = None
        self._due: list[Due] = []
        self._listed: tuple[date, int, int] | None = None
        """The day, the revisions of the books, and when everything was put on the list."""

    def make_one(self, now: int, revised: int) -> bool:
        """Make the next result that is due, and tell whether one was. Blocks; raises sqlite3.Error.

        `revised` grows whenever the books change what they said of the past.
        """
        if not self._due and not self._list(now, revised):
            return False
        if self._choices is None:
            self._choices = self._choose()
        node, first, last = self._due.pop()
        try:
            made = made_of(self._query, self._choices, node, first, last)
        except (NoSuchFigure, NoBooks, Refused) as exc:
            log.debug("no result", extra={"node": node, "reason": str(exc)})
            return True
        with closing(connect(self._directory / NAME)) as db, transaction(db):
            stored = keep(db, made, now)
        for kind, revision in stored:
            if revision > 1:
                period = [f"{self._query.calendar.local(each):%Y-%m-%d}" for each in (first, last)]
                log.info(
                    "a result of carbon is another now; both are kept",
                    extra={
                        "code": "I-EN-0007", "node": node, "kind": kind, "revision": revision,
                        "from": period[0], "to": period[1],
                    },
                )  # fmt: skip
        return True

    def _list(self, now: int, revised: int) -> bool:
        """Put everything on the list when a day has passed, or an hour since which the books were revised."""
        settled = self._query.calendar.local(now - _SETTLED_NS).date()
        if self._listed is not None:
            day, revisions, at = self._listed
            if settled == day and (revised == revisions or now - at < _AGAIN_NS):
                return False
        self._listed = (settled, revised, now)
        self._due = [*self._months(settled), *self._days(settled)]
        return bool(self._due)

    def _days(self, today: date) -> Iterator[Due]:
        midnight = self._query.calendar.midnight
        for back in range(DAYS, 0, -1):
            day = today - timedelta(days=back)
            yield self._site, midnight(day), midnight(day + timedelta(days=1))

    def _months(self, today: date) -> Iterator[Due]:
        midnight = self._query.calendar.midnight
        last = today.replace(day=1)
        for _ in range(MONTHS):
            first = (last - timedelta(days=1)).replace(day=1)
            for node in self._places():
                yield node, midnight(first), midnight(last)
            last = first

    def _places(self) -> list[str]:
        """Return the site and every place at or below which something with carbon is metered."""
        counted = {name for name in media() if name not in NOT_CARBON}
        found = {self._site}
        for meter in self._query.meters.values():
            if meter.medium.name in counted:
                levels = meter.node.split("/")
                found |= {"/".join(levels[:deep]) for deep in range(1, len(levels) + 1)}
        return sorted(found)
