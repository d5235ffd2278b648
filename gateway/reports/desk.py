"""Where reports of one plant are made: from a period in words to a file on disk."""

from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import NamedTuple, cast, get_args

from config.plant import Plant
from config.version import wanglian_version
from connectors import Clock
from gateway.energy.holidays import calendar_of_plant
from gateway.energy.query import NoBooks
from gateway.reports.content import Content, Head, Kind, Wording
from gateway.reports.cover import Made
from gateway.reports.ground import Ground, ground_of
from gateway.reports.make import check_ending, expected, gather, write
from gateway.reports.periods import ReportInterval, interval_of, period_of
from gateway.reports.refused import Refused
from gateway.reports.verify import verify

Progress = Callable[[str, int | None], AbstractContextManager[Callable[[], None]]]
"""Shows a step of so many rows; what it yields is called once a row."""


class Order(NamedTuple):
    """A report as it is asked for."""

    kind: Kind
    period: str
    interval: ReportInterval | None
    wording: Wording


class Done(NamedTuple):
    """A report that was written."""

    rows: int
    hash: str


class Checked(NamedTuple):
    """A report that was checked."""

    head: Head
    made: Made
    """As the file says."""
    hash: str
    today: str
    """What the books give now."""
    changed: tuple[str, ...]
    """Where the file was changed; empty: nowhere."""


class Desk:
    """A plant's reports; opens nothing before it is asked."""

    def __init__(self, plant: Plant, folder: Path, data_dir: Path, clock: Clock) -> None:
        self._plant = plant
        self._folder = folder
        self._data_dir = data_dir
        self._clock = clock

    def make(self, order: Order, target: Path, equipment: Path | None, progress: Progress) -> Done:
        """Write a report.

        Raises:
            Refused: it can't be made as asked.
            OSError, sqlite3.Error, NewerFormat: books or file can't be read or written.
        """
        check_ending(target)
        site = self._plant.energy.identifiers.site
        made = Made(self._clock.now(), wanglian_version(), str(site or ""), order.wording)
        ground = self._ground(order.period, order.interval, equipment)
        with closing(Content()) as content:
            with progress("report.gathering", expected(order.kind, ground)) as tick:
                self._gather(content, order.kind, ground, tick)
            with progress("report.writing", content.rows) as tick:
                write(content, target, made, tick)
            return Done(content.rows, content.hash)

    def verify(self, file: Path, equipment: Path | None, progress: Progress) -> Checked:
        """Compare a report with its own content, and with the books as they are now.

        Raises:
            Refused: it is no report of ours, or none of this plant's.
            OSError, sqlite3.Error, NewerFormat: books or file can't be read.
        """
        with closing(Content()) as content, closing(Content()) as today:
            with progress("report.checking", None) as tick:
                found = verify(file, content, tick)
            head = content.head()
            if head.interval not in get_args(ReportInterval):
                raise Refused("E-RP-0005", file=file.name, reason=head.interval)
            if (head.site, head.gateway) != (self._plant.gateway.site, self._plant.gateway.id):
                raise Refused("E-RP-0011", site=head.site, gateway=head.gateway)
            ground = self._ground(head.period, cast("ReportInterval", head.interval), equipment)
            with progress("report.gathering", content.rows) as tick:
                self._gather(today, head.kind, ground, tick)
            return Checked(head, found.made, content.hash, today.hash, found.changed)

    def _gather(self, content: Content, kind: Kind, ground: Ground, tick: Callable[[], None]) -> None:
        try:
            gather(content, kind, ground, tick)
        except NoBooks as error:
            raise Refused("E-RP-0007", reason=error) from error

    def _ground(self, period: str, interval: ReportInterval | None, equipment: Path | None) -> Ground:
        span = period_of(calendar_of_plant(self._plant), period)
        return ground_of(
            self._plant,
            self._folder,
            self._data_dir,
            period=span,
            interval=interval or interval_of(span),
            equipment=equipment,
        )
