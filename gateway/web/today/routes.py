"""The routes under /api/today: answered from what was read lately; nothing is read while nobody asks."""

import time
from collections.abc import Callable
from typing import Final, NamedTuple, TypeVar

from fastapi import FastAPI
from fastapi.responses import Response

from gateway.energy.query import NoBooks, NoSuchFigure
from gateway.web.energy import MISTAKES, Desk, shown
from gateway.web.energy_books import Accounts
from gateway.web.energy_models import EnergyFigures, Wanted
from gateway.web.energy_tree import example_of
from gateway.web.today.carbon import carbon_of
from gateway.web.today.days import BACK, Days, NotYet
from gateway.web.today.figures import MS, cost_of, energy_of, nothing, power_of
from gateway.web.today.models import (
    FigureName,
    Today,
    TodayConsumer,
    TodayCurve,
    TodayDemand,
    TodayFigure,
    TodayOwn,
)
from gateway.web.today.own import own_of
from gateway.web.today.supply import consumers_of, demands_of

T = TypeVar("T")
AGAIN_S: Final = 10.0
"""An answer is kept so long, whoever asks; one in which something is missing is made anew."""
NO_METER: Final = Wanted(
    choice="energy.meters",
    en="No electricity is metered. A counter named e_import becomes a meter by itself; write others"
    " under energy.meters.",
    zh="还没有电表。名为 e_import 的累计量会自动成为电表，其余的请写在 energy.meters 下。",
)
_FIGURES: Final[tuple[tuple[tuple[FigureName, ...], Callable[[Days], list[TodayFigure]]], ...]] = (
    (("power",), lambda days: [power_of(days)]),
    (("energy",), lambda days: [energy_of(days)]),
    (("cost",), lambda days: [cost_of(days)]),
    (("coal", "co2"), carbon_of),
)


class _Kept(NamedTuple):
    at: float
    accounts: Accounts
    day: int
    body: bytes


class TodayDesk:
    """Keeps the newest answers."""

    def __init__(self, desk: Desk, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._desk = desk
        self._monotonic = monotonic
        self._days: Days | None = None
        self._kept: dict[str, _Kept] = {}

    async def today(self) -> bytes:
        """Return the day so far, as `Today` in JSON, made now or lately. Raises PageRefused."""
        return await self._desk.ask(lambda: self._newest("today", today_of))

    async def curve(self) -> bytes:
        """Return its load, as `TodayCurve`."""
        return await self._desk.ask(lambda: self._newest("curve", curve_of))

    def _newest(self, name: str, make: Callable[[Days], Today | TodayCurve]) -> bytes:
        accounts = self._desk.books.accounts()
        if self._days is None or self._days.accounts is not accounts:
            self._days = Days(accounts, self._monotonic)
        day, now, kept = self._days.day().first, self._monotonic(), self._kept.get(name)
        if kept and kept.accounts is accounts and kept.day == day and now - kept.at < AGAIN_S:
            return kept.body
        self._days.begin()
        answer = make(self._days)
        body = answer.model_dump_json().encode()
        if not answer.is_pending:
            self._kept[name] = _Kept(self._monotonic(), accounts, day, body)
        return body


class _Sheet:
    """An answer under way: parts that can't be had say why."""

    def __init__(self, days: Days) -> None:
        self.days = days
        self.is_pending = False
        self.is_booked = True
        self.has_meters = days.accounts.plant.energy.enabled and bool(days.accounts.query.meters)

    def figures(self) -> list[TodayFigure]:
        """Return the figures; what was never read is left out."""
        found: list[TodayFigure] = []
        for names, make in _FIGURES if self.has_meters else ():
            empty = [nothing(self.days, name) for name in names]
            try:
                found += make(self.days)
            except NotYet:
                self.is_pending = True
            except NoBooks:
                self.is_booked = False
                found += empty
            except NoSuchFigure:
                found += [each.model_copy(update={"wanted": [NO_METER]}) for each in empty]
        return found

    def part(self, make: Callable[[Days], T], empty: T) -> T:
        """Return a part, or what stands for none."""
        try:
            return make(self.days) if self.has_meters and self.is_booked else empty
        except NotYet:
            self.is_pending = True
        except NoBooks:
            self.is_booked = False
        except NoSuchFigure:
            pass  # the figures say so
        return empty


def today_of(days: Days) -> Today:
    """Return the day so far."""
    sheet, day = _Sheet(days), days.day()
    figures = sheet.figures()
    own: TodayOwn | None = sheet.part(own_of, None)
    consumers, metered = sheet.part(consumers_of, (list[TodayConsumer](), 0))
    return Today(
        site=days.site,
        start=day.first // MS,
        end=day.last // MS,
        figures=figures,
        own=own,
        demands=sheet.part(demands_of, list[TodayDemand]()),
        consumers=consumers,
        metered=metered,
        has_meters=sheet.has_meters,
        is_booked=sheet.is_booked,
        is_pending=sheet.is_pending,
        example=example_of(days.accounts),
    )


def curve_of(days: Days) -> TodayCurve:
    """Return the day's load so far, and all of yesterday's."""
    sheet = _Sheet(days)

    def of(back: int) -> Callable[[Days], EnergyFigures | None]:
        return lambda days: shown(days.accounts, days.asked(days.day(back)), "load", days.load(back))

    today = sheet.part(of(0), None)
    return TodayCurve(
        today=today, yesterday=sheet.part(of(BACK["yesterday"]), None), is_pending=sheet.is_pending
    )


def add_today(app: FastAPI, today: TodayDesk) -> None:
    """Add the routes."""

    @app.get("/api/today", responses=MISTAKES | {200: {"model": Today}}, response_class=Response)
    async def read_today() -> Response:
        return Response(await today.today(), media_type="application/json")

    @app.get("/api/today/curve", responses=MISTAKES | {200: {"model": TodayCurve}}, response_class=Response)
    async def read_curve() -> Response:
        return Response(await today.curve(), media_type="application/json")
