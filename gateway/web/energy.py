"""The routes under /api/energy: what there is, figures of one subject, many meters, flows, evidence."""

import asyncio
import sqlite3
from collections.abc import Callable
from typing import Annotated, Any, Final, TypeVar

import orjson
from fastapi import FastAPI, Query
from fastapi.responses import Response

from gateway.energy.carbon.refused import Refused
from gateway.energy.evidence import evidence
from gateway.energy.flows import flows_of
from gateway.energy.periods import DAY_NS, MINUTE_NS, Span
from gateway.energy.pricing.booked import MEDIUM, priced
from gateway.energy.pricing.told import told as told_of
from gateway.energy.query import NoBooks, NoSuchFigure
from gateway.energy.virtual import Made
from gateway.sqlite import NewerFormat
from gateway.web.energy_books import Accounts, Books, NoEnergy, begun, whole_days
from gateway.web.energy_carbon import NOT_COUNTED, carbon
from gateway.web.energy_cost import bands, costs
from gateway.web.energy_figures import Asked, Found, TooMany, amounts, demand, load, rows, undecided
from gateway.web.energy_models import (
    EnergyFigures,
    EnergyFlows,
    EnergyPlant,
    EnergyTable,
    Every,
    Metric,
)
from gateway.web.energy_table import MOST_CELLS, table_of
from gateway.web.energy_tree import flow_told, plant_told
from gateway.web.models import Mistake
from gateway.web.refused import PageRefused

T = TypeVar("T")
LONGEST_MS: Final = 3_700 * 86_400_000
_LAST_MS: Final = 4_102_444_800_000
_MS: Final = 1_000_000
_AROUND_NS: Final = 10 * MINUTE_NS
"""Of evidence: the readings that decide a boundary lie near it."""
MISTAKES: Final[dict[int | str, dict[str, Any]]] = {
    404: {"model": Mistake}, 422: {"model": Mistake}, 503: {"model": Mistake},
}  # fmt: skip
Subject = Annotated[str, Query(min_length=1, max_length=400)]
Medium = Annotated[str, Query(max_length=60, pattern=r"^\w+$")]
Moment = Annotated[int, Query(ge=0, le=_LAST_MS)]


class Desk:
    """Answers one browser at a time, in a thread: many that ask at once wait, and memory stays bounded."""

    def __init__(self, books: Books) -> None:
        self.books = books
        self._asking = asyncio.Semaphore(1)

    async def ask(self, question: Callable[[], T]) -> T:
        """Return what a question brings; what can't be answered becomes 404, 422 or 503 with its reason."""
        async with self._asking:
            try:
                return await asyncio.to_thread(question)
            except NoSuchFigure as exc:
                raise PageRefused(404, exc.said.key, **exc.said.args) from exc
            except NoBooks as exc:
                raise PageRefused(404, "E-PG-0035") from exc
            except NoEnergy as exc:
                raise PageRefused(503, exc.said.key, **exc.said.args) from exc
            except TooMany as exc:
                raise PageRefused(422, "E-PG-0036") from exc
            except Refused as exc:
                raise PageRefused(422, exc.code, **exc.args_of_text) from exc
            except (NewerFormat, sqlite3.Error, OSError) as exc:
                raise PageRefused(503, "E-PG-0037", reason=exc) from exc


def in_order(start: int, end: int) -> tuple[int, int]:
    """Return a period in ns; 422 when it has no length or is longer than any books."""
    if not start < end <= start + LONGEST_MS:
        raise PageRefused(422, "E-PG-0020", days=LONGEST_MS // 86_400_000)
    return start * _MS, end * _MS


def add_energy(app: FastAPI, desk: Desk) -> None:
    """Add the routes."""

    @app.get("/api/energy", responses=MISTAKES)
    async def read_plant() -> EnergyPlant:
        return await desk.ask(lambda: plant_told(desk.books.accounts()))

    @app.get("/api/energy/figures", responses=MISTAKES)
    async def read_figures(
        subject: Subject,
        start: Moment,
        end: Moment,
        *,
        interval: Every = "60min",
        metric: Metric = "energy",
        medium: Medium = "electricity",
    ) -> EnergyFigures:
        asked = Asked(subject, medium, interval, *in_order(start, end))
        return await desk.ask(lambda: figures(desk.books, asked, metric))

    @app.get("/api/energy/table", responses=MISTAKES | {200: {"model": EnergyTable}}, response_class=Response)
    async def read_table(
        start: Moment,
        end: Moment,
        *,
        interval: Every = "day",
        medium: Medium = "electricity",
    ) -> Response:
        first, last = in_order(start, end)

        def made() -> bytes:
            return orjson.dumps(
                table_of(desk.books.accounts(), medium, interval, first, last),
                option=orjson.OPT_SERIALIZE_NUMPY,
            )

        return Response(await desk.ask(made), media_type="application/json")

    @app.get("/api/energy/flows", responses=MISTAKES)
    async def read_flows(
        start: Moment,
        end: Moment,
        medium: Medium = "electricity",
        subject: Annotated[str, Query(max_length=400)] = "",
    ) -> EnergyFlows:
        first, last = in_order(start, end)

        def made() -> EnergyFlows:
            accounts = desk.books.accounts()
            begin, stop = whole_days(accounts, first, last)
            return flow_told(flows_of(accounts.query, medium, begin, stop, subject))

        return await desk.ask(made)

    @app.get("/api/energy/evidence", responses=MISTAKES)
    async def read_evidence(
        subject: Subject, start: Moment, end: Moment, medium: Medium = "electricity"
    ) -> Response:
        first, last = in_order(start, end)
        accounts = await desk.ask(desk.books.accounts)
        query = accounts.query
        if first % query.calendar.grid or last % query.calendar.grid:
            raise PageRefused(422, "E-PG-0038")
        around = None if last - first <= DAY_NS // 4 else _AROUND_NS

        period = Span(first, last)
        told = await desk.ask(lambda: evidence_of(accounts, subject, period, medium, around))
        name = "".join(each if each.isalnum() and each.isascii() else "_" for each in subject)
        return Response(
            orjson.dumps(told, option=orjson.OPT_INDENT_2),
            media_type="application/json",
            headers={"Content-Disposition": f'inline; filename="evidence_{name}_{start}_{end}.json"'},
        )


def evidence_of(
    accounts: Accounts, subject: str, span: Span, medium: str, around: int | None
) -> dict[str, Any]:
    """Return what is behind a figure, and behind what it costs."""
    query, plan = accounts.query, accounts.tariff
    found = evidence(query, subject, span.first, span.last, medium, around=around)
    if plan is not None and found["figure"]["medium"] == MEDIUM:
        is_billed = subject == accounts.plant.gateway.site
        found["cost"] = told_of(priced(query, plan, subject, span.first, span.last, is_billed=is_billed))
    return found


def figures(books: Books, asked: Asked, metric: Metric) -> EnergyFigures:
    """Return the answer to one question. Raises as `Query.energy`, TooMany, NoEnergy."""
    accounts = books.accounts()
    found: Found
    match metric:
        case "energy":
            found = amounts(accounts, asked)
        case "load":
            found = load(accounts, asked)
        case "demand":
            found = demand(accounts, asked)
        case "cost":
            found = costs(accounts, asked)
        case _:
            medium = _medium(accounts, asked)
            if medium in NOT_COUNTED:
                raise NoSuchFigure("E-EN-0012", medium=medium)
            found = carbon(accounts, asked, metric)
    return shown(accounts, asked, metric, found)


def shown(accounts: Accounts, asked: Asked, metric: Metric, found: Found) -> EnergyFigures:
    """Return what was found for the browser."""
    meter = accounts.query.meters.get(asked.subject)
    made, total = rows(accounts, found)
    end = max((each.span.last for each in found.answer.figures), default=asked.first)
    contract = None if meter is None else meter.options.contract
    return EnergyFigures(
        subject=asked.subject,
        medium=found.answer.medium,
        metric=metric,
        interval=asked.interval,
        unit=found.unit,
        adds=found.adds,
        rows=made,
        total=total,
        unknown=sum(each.value is None for each in made),
        made=_terms(found.answer.made),
        bands=bands(accounts, asked.first, max(end, begun(accounts, asked.last), asked.last))
        if _medium(accounts, asked).startswith("electricity")
        else [],
        band_costs=found.band_costs,
        charges=found.charges,
        wanted=found.wanted + undecided(accounts, asked),
        notes=found.notes,
        factors=found.factors,
        contract=contract,
    )


def _medium(accounts: Accounts, asked: Asked) -> str:
    meter = accounts.query.meters.get(asked.subject)
    return meter.medium.name if meter else asked.medium


def _terms(made: Made) -> list[str]:
    return [meter.name if times == 1 else f"{times} × {meter.name}" for meter, times in made.terms]


__all__ = ["MISTAKES", "MOST_CELLS", "Desk", "add_energy", "figures", "in_order", "shown"]
