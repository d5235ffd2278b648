"""The routes under /api/carbon: scopes and calibres side by side, and the footprints of batches."""

from typing import Literal

import orjson
from fastapi import FastAPI
from fastapi.responses import Response

from gateway.web.carbon_report import batches_of, export, kept_of, report
from gateway.web.energy import MISTAKES, Desk, Moment, Subject, in_order
from gateway.web.energy_models import CarbonBatches, CarbonKept, CarbonReport


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

    @app.get("/api/carbon/kept", responses=MISTAKES)
    async def read_kept(node: Subject, start: Moment, end: Moment) -> CarbonKept:
        first, last = in_order(start, end)
        return await desk.ask(lambda: kept_of(desk.books, node, first, last))

    @app.get("/api/carbon/footprint", responses=MISTAKES)
    async def read_footprint(node: Subject, start: Moment, language: Literal["zh", "en"] = "zh") -> Response:
        told = await desk.ask(lambda: export(desk.books.accounts(), node, start * 1_000_000, language))
        name = "".join(each if each.isalnum() and each.isascii() else "_" for each in f"{told['batch']}")
        return Response(
            orjson.dumps(told, option=orjson.OPT_INDENT_2),
            media_type="application/json",
            headers={"Content-Disposition": f'attachment; filename="footprint_{name}_{start}.json"'},
        )
