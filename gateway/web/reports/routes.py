"""The routes under /api/reports: order, list, watch, fetch, delete, check."""

import asyncio
from typing import Annotated, Any, Final

from fastapi import FastAPI, Path, Request
from fastapi.responses import FileResponse

from connectors import SystemClock
from gateway.security import House, Right
from gateway.web.access.gate import by, who_asks
from gateway.web.energy_books import Books
from gateway.web.models import Mistake
from gateway.web.refused import PageRefused
from gateway.web.reports.archive import Archive, Kept
from gateway.web.reports.models import (
    ReportGone,
    ReportJob,
    ReportKept,
    ReportOrder,
    Reports,
    ReportVerdict,
)
from gateway.web.reports.workshop import Workshop, received

Number = Annotated[int, Path(ge=1, le=2**53)]
_MS: Final = 1_000_000
_MISTAKES: Final[dict[int | str, dict[str, Any]]] = {
    404: {"model": Mistake}, 409: {"model": Mistake}, 422: {"model": Mistake}, 503: {"model": Mistake},
}  # fmt: skip
_TYPES: Final = {
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pdf": "application/pdf",
}
_BEGINS: Final = {b"PK": "report.xlsx", b"%P": "report.pdf"}
_FILE: Final = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


def add_reports(app: FastAPI, house: House, books: Books) -> None:
    """Add the routes."""
    workshop = Workshop(books, house, Archive(books.directory, SystemClock()))
    archive = workshop.archive

    @app.get("/api/reports", responses=_MISTAKES)
    async def read_reports() -> Reports:
        found = await asyncio.to_thread(archive.all)
        return Reports(
            reports=[_told(each) for each in found],
            making=workshop.making(),
            bytes=sum(each.bytes for each in found),
            most=archive.most,
            most_bytes=archive.most_bytes,
        )

    @app.post("/api/reports", responses=_MISTAKES)
    async def order_report(request: Request, asked: ReportOrder) -> ReportJob:
        may = who_asks(request).may(Right.CONFIG)
        return await asyncio.to_thread(workshop.begin, asked, by(request), may_delete=may)

    @app.post("/api/reports/check", responses=_MISTAKES, openapi_extra=_FILE)
    async def check_file(request: Request) -> ReportVerdict:
        body = await request.body()
        name = _BEGINS.get(body[:2])
        if name is None:
            raise PageRefused(422, "E-RP-0004", file="–")

        def look() -> ReportVerdict:
            with received(name) as file:
                file.write_bytes(body)
                return workshop.check_other(file)

        return await asyncio.to_thread(look)

    @app.get("/api/reports/{number}", responses=_MISTAKES)
    async def read_report(number: Number) -> ReportJob:
        return await asyncio.to_thread(workshop.job, number)

    @app.delete("/api/reports/{number}", responses=_MISTAKES)
    async def delete_report(request: Request, number: Number) -> ReportGone:
        await asyncio.to_thread(workshop.delete, number, by(request))
        return ReportGone(number=number)

    @app.get("/api/reports/{number}/file", responses=_MISTAKES, response_class=FileResponse)
    async def read_report_file(number: Number) -> FileResponse:
        kept = await asyncio.to_thread(workshop.kept, number)
        return FileResponse(
            archive.file(kept), media_type=_TYPES[kept.order.ending], filename=kept.order.name
        )

    @app.get("/api/reports/{number}/verdict", responses=_MISTAKES)
    async def check_report(number: Number) -> ReportVerdict:
        return await asyncio.to_thread(workshop.check, number)


def _told(kept: Kept) -> ReportKept:
    return ReportKept(
        number=kept.number,
        name=kept.order.name,
        kind=kept.order.kind,
        period=kept.order.period,
        interval=kept.order.interval,
        language=kept.order.wording,
        ending=kept.order.ending,
        who=kept.order.who,
        made=kept.made // _MS,
        rows=kept.rows,
        bytes=kept.bytes,
        hash=kept.hash,
    )
