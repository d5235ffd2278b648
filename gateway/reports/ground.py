"""What every report stands on: a plant's meters, calendar, books, factors and prices, opened once."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from config.base import Text
from config.energy import Medium, media
from config.energy_meters import Meter, meters
from config.plant import Plant
from gateway.energy.bookkeeping.files import FOLDER
from gateway.energy.carbon.choice import Choices
from gateway.energy.figures import Answer
from gateway.energy.holidays import calendar_of_plant
from gateway.energy.periods import Calendar, Interval, Span
from gateway.energy.pricing.plan import plan_of
from gateway.energy.pricing.timetable import Plan
from gateway.energy.query import NoSuchFigure, Query
from gateway.energy.results.choices import choices_of


@dataclass(frozen=True, slots=True)
class Ground:
    """A plant's books as reports read them; opens nothing that is kept."""

    plant: Plant
    query: Query
    meters: dict[str, Meter]
    calendar: Calendar
    choices: Choices
    plan: Plan | None
    data_dir: Path
    period: Span
    interval: Interval
    equipment: Path | None = None
    """List of production equipment, CSV."""

    def subjects(self) -> Iterator[tuple[str, Medium]]:
        """Yield every place with each medium there are meters of at or below it, the site first."""
        for medium in media().values():
            places = {each.node for each in self.meters.values() if each.medium.name == medium.name}
            nodes = {place for each in places for place in _above(each)}
            for node in sorted(nodes, key=lambda path: path.split("/")):
                try:
                    self.query.made(node, medium.name)
                except NoSuchFigure:
                    continue
                yield node, medium

    def energy(self, node: str, medium: str, interval: Interval | None = None) -> Answer:
        """Return a node's figures in the report's period."""
        return self.query.energy(node, interval or self.interval, self.period.first, self.period.last, medium)


def ground_of(
    plant: Plant,
    folder: Path,
    data_dir: Path,
    *,
    period: Span,
    interval: Interval,
    equipment: Path | None = None,
) -> Ground:
    """Return what a plant's reports stand on; `folder` is the plant file's.

    Raises as `choices` and `plan_of`.
    """
    calendar = calendar_of_plant(plant)
    found = meters(plant)
    return Ground(
        plant,
        Query(data_dir / FOLDER, found, calendar),
        found,
        calendar,
        choices_of(plant, folder),
        plan_of(plant, data_dir),
        data_dir,
        period,
        interval,
        equipment,
    )


def name_of(medium: Medium) -> Text:
    """Return a medium's name in both languages."""
    return Text(zh=medium.zh, en=medium.en)


def _above(node: str) -> Iterator[str]:
    """Yield a path and every path above it."""
    parts = node.split("/")
    for count in range(1, len(parts) + 1):
        yield "/".join(parts[:count])
