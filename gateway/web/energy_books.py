"""What the page needs of the plant file to read the energy books: read when asked for and when changed."""

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from config.energy_meters import meters
from config.load import read_plant
from config.plant import Plant
from config.problems import Phrase
from gateway.energy.bookkeeping.files import FOLDER
from gateway.energy.carbon.choice import Choices
from gateway.energy.holidays import calendar_of_plant
from gateway.energy.pricing.plan import plan_of
from gateway.energy.pricing.timetable import Plan
from gateway.energy.query import Query
from gateway.energy.results.choices import choices_of


class NoEnergy(Exception):
    """There are no books to ask; `said` tells why."""

    def __init__(self, code: str, **args: object) -> None:
        super().__init__(code, args)
        self.said = Phrase(code, args)


@dataclass(frozen=True, slots=True)
class Accounts:
    """A plant's books with all that makes figures of them."""

    plant: Plant
    query: Query
    tariff: Plan | None
    choices: Choices
    now: Callable[[], int]
    """ns UTC."""


class Books:
    """The accounts of one plant file, read when they are first asked for: a large file takes seconds."""

    def __init__(
        self, directory: Path, plant_file: Path | None, now: Callable[[], int] = time.time_ns
    ) -> None:
        self.directory = directory
        self._plant_file = plant_file
        self._now = now
        self._lock = threading.Lock()
        self._accounts: Accounts | None = None
        self._read_at = (0, 0)

    @property
    def folder(self) -> Path:
        """Return the plant file's folder."""
        return Path() if self._plant_file is None else self._plant_file.resolve().parent

    def accounts(self) -> Accounts:
        """Return the accounts; blocks while the file is read. Raises NoEnergy."""
        with self._lock:
            stamp = self._stamp()
            if self._accounts is None or (stamp != self._read_at and not self._is_broken()):
                self._accounts, self._read_at = self._read(), stamp
            return self._accounts

    def _stamp(self) -> tuple[int, int]:
        if self._plant_file is None:
            return 0, 0
        with contextlib.suppress(OSError):
            found = self._plant_file.stat()
            return found.st_mtime_ns, found.st_size
        return self._read_at

    def _is_broken(self) -> bool:
        """Tell whether the gateway does not run the file either: the accounts stay as they were."""
        return self._plant_file is None or read_plant(self._plant_file).plant is None

    def _read(self) -> Accounts:
        if self._plant_file is None:
            raise NoEnergy("E-PG-0026")
        plant = read_plant(self._plant_file).plant
        if plant is None:
            raise NoEnergy("E-PG-0027")
        try:
            calendar = calendar_of_plant(plant)
            tariff = plan_of(plant, self.directory)
            chosen = choices_of(plant, self._plant_file.parent)
        except ValueError as exc:
            raise NoEnergy("E-PG-0039", reason=exc) from exc
        query = Query(self.directory / FOLDER, meters(plant), calendar)
        return Accounts(plant, query, tariff, chosen, self._now)


def begun(accounts: Accounts, last: int) -> int:
    """Return the end of what may be asked: intervals that have not begun are no gaps."""
    return min(last, accounts.now())


def whole_days(accounts: Accounts, first: int, last: int) -> tuple[int, int]:
    """Return a period widened to local midnights, no further than the end of today."""
    calendar = accounts.query.calendar
    tomorrow = calendar.midnight(calendar.local(accounts.now()).date() + timedelta(days=1))
    begin = calendar.midnight(calendar.local(first).date())
    end = calendar.local(last - 1).date() + timedelta(days=1)
    return begin, min(calendar.midnight(end), tomorrow)
