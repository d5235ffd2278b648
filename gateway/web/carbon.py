"""The routes under /api/carbon: scopes and calibres side by side, and the footprints of batches."""

from fastapi import FastAPI

from gateway.web.carbon_report import batches_of, report
from gateway.web.energy import MISTAKES, Desk, Moment, Subject, in_order
from gateway.web.energy_models import CarbonBatches, CarbonReport


def add_carbon(app: FastAPI, desk: Desk) -> None:
    """Add the routes."""

    @app.get("/api/carbon", responses=MISTAKES)
    async def read_carbon(node: Subject, start: Moment, end: Moment) -> CarbonReport:
        first, last = in_order(start, end)
        return await desk.ask(lambda: report(desk.books.accounts(), node, first, last))

    @app.get("/api/carbon/batches", responses=MISTAKES)
    async def read_batches(node: Subject, start: Moment, end: Moment) -> CarbonBatches:
        first, last = in_order(start, end)
        return await desk.ask(lambda: batches_of(desk.books.accounts(), node, first, last))
