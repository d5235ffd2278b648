"""The routes under /api/reports: a report is ordered, watched while it is made, and fetched."""

import asyncio
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from fastapi import FastAPI, Query
from fastapi.responses import FileResponse

from connectors import SystemClock
from gateway.reports.refused import Refused
from gateway.sqlite import NewerFormat
from gateway.web.energy import MISTAKES, Desk
from gateway.web.energy_books import Books, NoEnergy
from gateway.web.energy_models import ReportJob
from gateway.web.refused import PageRefused

Ending = Literal["xlsx", "pdf"]
Kind = Literal["ledger", "carbon", "networking"]
Wording = Literal["zh", "en", "both"]
Interval = Literal["15min", "60min", "day", "week", "month", "shift", "billing"]
FOLDER: Final = "reports"
KEPT: Final = 4
"""Finished reports that can still be fetched."""
_TYPES: Final = {
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pdf": "application/pdf",
}


@dataclass
class _Job:
    """One report while it is made, and after."""

    number: int
    name: str
    file: Path
    state: Literal["gathering", "writing", "done", "failed"] = "gathering"
    rows: int = 0
    total: int | None = None
    hash: str = ""
    reason: dict[str, str] = field(default_factory=dict)

    def told(self) -> ReportJob:
        """Return what the browser is told."""
        return ReportJob(
            number=self.number,
            name=self.name,
            state=self.state,
            rows=self.rows,
            total=self.total,
            hash=self.hash,
            en=self.reason.get("en", ""),
            zh=self.reason.get("zh", ""),
        )


class Workshop:
    """Makes one report at a time, in a thread; the last few lie in the data directory."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._lock = threading.Lock()
        self._folder = books.directory / FOLDER
        self._jobs: dict[int, _Job] = {}
        self._number = 0

    def begin(
        self, kind: Kind, period: str, interval: Interval | None, wording: Wording, ending: Ending
    ) -> _Job:
        """Return a job that has begun. Raises NoEnergy, and 503 while another is made."""
        accounts = self._books.accounts()
        with self._lock:
            if any(each.state in ("gathering", "writing") for each in self._jobs.values()):
                raise PageRefused(503, "E-RP-0012")
            if not self._jobs:  # what an earlier process left can't be asked for any more
                shutil.rmtree(self._folder, ignore_errors=True)
                try:
                    self._folder.mkdir(mode=0o700)
                except OSError as exc:
                    raise PageRefused(503, "E-RP-0006", file=FOLDER, reason=exc) from exc
            self._number += 1
            shown = "".join(each if each.isalnum() or each in "-." else "_" for each in period)
            name = f"{accounts.plant.gateway.site}-{kind}-{shown}.{ending}"
            job = _Job(self._number, name, self._folder / f"{self._number}.{ending}")
            self._jobs[job.number] = job
            for old in [*self._jobs][:-KEPT]:
                self._jobs.pop(old).file.unlink(missing_ok=True)
        order = (kind, period, interval, wording)
        threading.Thread(target=self._make, args=(job, order), name="report", daemon=True).start()
        return job

    def job(self, number: int) -> _Job:
        """Return a job. Raises 404 for one that is not kept any more."""
        found = self._jobs.get(number)
        if found is None:
            raise PageRefused(404, "E-RP-0013")
        return found

    def _make(self, job: _Job, order: tuple[Any, ...]) -> None:
        # What a page needs that nobody asks a report of costs no memory.
        from gateway.reports.desk import Desk as ReportDesk  # noqa: PLC0415
        from gateway.reports.desk import Order  # noqa: PLC0415

        @contextmanager
        def progress(step: str, total: int | None) -> Iterator[Callable[[], None]]:
            job.state = "writing" if step == "report.writing" else "gathering"
            job.rows, job.total = 0, total

            def tick() -> None:
                job.rows += 1

            yield tick

        try:
            plant, folder = self._books.accounts().plant, self._books.folder
            desk = ReportDesk(plant, folder, self._books.directory, SystemClock())
            job.hash = desk.make(Order(*order), job.file, None, progress).hash
        except Refused as exc:
            job.reason = {"en": exc.text("en"), "zh": exc.text("zh")}
            job.state = "failed"
        except (OSError, sqlite3.Error, NewerFormat, ValueError) as exc:
            job.reason = dict.fromkeys(("en", "zh"), str(exc))
            job.state = "failed"
        else:
            job.state = "done"
        finally:
            if job.state in ("gathering", "writing"):
                job.state = "failed"


def add_reports(app: FastAPI, desk: Desk) -> None:
    """Add the routes."""
    workshop = Workshop(desk.books)

    @app.get("/api/reports/order", responses=MISTAKES)
    async def order_report(
        kind: Kind,
        period: Annotated[str, Query(min_length=4, max_length=60)],
        *,
        interval: Interval | None = None,
        language: Wording = "zh",
        ending: Ending = "xlsx",
    ) -> ReportJob:
        try:
            job = await asyncio.to_thread(workshop.begin, kind, period, interval, language, ending)
        except NoEnergy as exc:
            raise PageRefused(503, exc.said.key, **exc.said.args) from exc
        return job.told()

    @app.get("/api/reports/{number}", responses=MISTAKES)
    async def read_report(number: int) -> ReportJob:
        return workshop.job(number).told()

    @app.get("/api/reports/{number}/file", responses=MISTAKES, response_class=FileResponse)
    async def read_report_file(number: int) -> FileResponse:
        job = workshop.job(number)
        if job.state != "done":
            raise PageRefused(404, "E-RP-0014")
        kind = _TYPES[job.file.suffix.removeprefix(".")]
        return FileResponse(job.file, media_type=kind, filename=job.name)
