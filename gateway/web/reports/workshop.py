"""Makes and checks reports, one at a time, in a thread."""

import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn

from config.problems import Phrase
from connectors import SystemClock
from gateway.reports.refused import Refused
from gateway.security import House
from gateway.security.house import By
from gateway.sqlite import NewerFormat
from gateway.web.energy_books import Books, NoEnergy
from gateway.web.refused import PageRefused
from gateway.web.reports.archive import Archive, Full, Kept, Ordered
from gateway.web.reports.models import ReportJob, ReportOrder, ReportVerdict

if TYPE_CHECKING:
    from gateway.reports.desk import Desk

MOST_UNPACKED: Final = 32 * 2**20
"""Of a workbook from elsewhere: what it holds lies in memory many times over."""
CHECKED_WITHIN_S: Final = 120.0
_MS: Final = 1_000_000


@dataclass
class _Job:
    """One report while it is made, and after."""

    number: int
    name: str
    may_delete: bool = False
    """Whether who ordered it may push out others'."""
    state: Literal["gathering", "writing", "done", "failed"] = "gathering"
    rows: int = 0
    total: int | None = None
    hash: str = ""
    reason: Phrase | None = None

    def told(self) -> ReportJob:
        """Return what the browser is told."""
        why = self.reason
        return ReportJob(
            number=self.number,
            name=self.name,
            state=self.state,
            rows=self.rows,
            total=self.total,
            hash=self.hash,
            code=why.key if why else "",
            en=why.text("en") if why else "",
            zh=why.text("zh") if why else "",
        )


class Workshop:
    """The reports of one gateway; whoever asks while another is made or checked is told to come again."""

    def __init__(self, books: Books, house: House, archive: Archive) -> None:
        self._books = books
        self._house = house
        self.archive = archive
        self._busy = threading.Lock()
        self._job: _Job | None = None

    def begin(self, asked: ReportOrder, who: By, *, may_delete: bool) -> ReportJob:
        """Return a job that has begun. Raises PageRefused."""
        site = self._plant().gateway.site
        shown = "".join(each if each.isalnum() or each in "-." else "_" for each in asked.period)
        name = f"{site}-{asked.kind}-{shown}.{asked.ending}"
        how = (asked.kind, asked.period, asked.interval or "", asked.language, asked.ending)
        order = Ordered(name, *how, who.name)
        self._take()
        try:
            about = {"kind": asked.kind, "period": asked.period, "name": name}
            self._house.audit.append(who.name, who.address, "report.ordered", about)
            job = self._job = _Job(
                self.archive.begin(order, may_delete=may_delete), name, may_delete=may_delete
            )
            threading.Thread(target=self._make, args=(job, order, who), name="report", daemon=True).start()
        except Full as exc:
            self._busy.release()
            raise PageRefused(409, "E-RP-0017") from exc
        except OSError as exc:
            self._busy.release()
            raise PageRefused(503, "E-RP-0006", file=self.archive.folder.name, reason=exc.strerror) from exc
        except BaseException:
            self._busy.release()
            raise
        return job.told()

    def making(self) -> ReportJob | None:
        """Return the job that runs."""
        job = self._job
        return job.told() if job is not None and job.state in ("gathering", "writing") else None

    def job(self, number: int) -> ReportJob:
        """Return how far a report is. Raises PageRefused for one that is not kept."""
        job = self._job
        if job is not None and job.number == number and job.state != "done":
            return job.told()
        kept = self.kept(number)
        return _Job(
            number, kept.order.name, state="done", rows=kept.rows, total=kept.rows, hash=kept.hash
        ).told()

    def kept(self, number: int) -> Kept:
        """Return a report that was made. Raises PageRefused for one that is not kept."""
        found = self.archive.one(number)
        if found is None:
            job = self._job
            is_coming = job is not None and job.number == number and job.state != "done"
            raise PageRefused(404, "E-RP-0014" if is_coming else "E-RP-0013")
        return found

    def delete(self, number: int, who: By) -> None:
        """Delete a report. Raises PageRefused for one that is not kept."""
        kept = self.kept(number)
        about = {"number": number, "name": kept.order.name, "hash": kept.hash}
        self._house.audit.append(who.name, who.address, "report.deleted", about)
        self.archive.drop(number)

    def check(self, number: int) -> ReportVerdict:
        """Compare a kept report with its content and the books. Raises PageRefused."""
        kept = self.kept(number)
        return self._verdict(self.archive.file(kept), kept.order.name)

    def check_other(self, file: Path) -> ReportVerdict:
        """Compare a file from elsewhere with its content and the books. Raises PageRefused."""
        return self._verdict(file, file.name, MOST_UNPACKED)

    def _verdict(self, file: Path, name: str, most: int | None = None) -> ReportVerdict:
        from gateway.reports.verify import unpacked  # noqa: PLC0415

        patience = _Patience(name, None if most is None else CHECKED_WITHIN_S)
        self._take()
        try:
            if most is not None and unpacked(file) > most:
                patience.end()
            found = self._desk().verify(file, None, patience.progress)
        except Refused as exc:
            raise PageRefused(422, exc.code, **exc.args_of_text | {"file": name}) from exc
        except (OSError, ValueError) as exc:
            raise PageRefused(503, "E-RP-0008", reason=exc) from exc
        finally:
            self._busy.release()
        return ReportVerdict(
            name=name,
            kind=found.head.kind,
            period=found.head.period,
            made=found.made.at // _MS,
            hash=found.hash,
            today=found.today,
            changed=list(found.changed),
            kept=[each.number for each in self.archive.all() if each.hash == found.hash],
        )

    def _take(self) -> None:
        if not self._busy.acquire(blocking=False):
            raise PageRefused(503, "E-RP-0012")

    def _plant(self) -> Any:
        try:
            return self._books.accounts().plant
        except NoEnergy as exc:
            raise PageRefused(503, exc.said.key, **exc.said.args) from exc

    def _desk(self) -> "Desk":
        # What a page needs that nobody asks a report of costs no memory.
        from gateway.reports.desk import Desk  # noqa: PLC0415

        return Desk(self._plant(), self._books.folder, self._books.directory, SystemClock())

    def _make(self, job: _Job, order: Ordered, who: By) -> None:
        from gateway.reports.desk import Order  # noqa: PLC0415

        @contextmanager
        def progress(step: str, total: int | None) -> Iterator[Callable[[], None]]:
            job.state = "writing" if step == "report.writing" else "gathering"
            job.rows, job.total = 0, total

            def tick() -> None:
                job.rows += 1

            yield tick

        wanted = Order(order.kind, order.period, order.interval or None, order.wording)  # type: ignore[arg-type]
        try:
            done = self._desk().make(wanted, self.archive.place(job.number, order.ending), None, progress)
            about = {"number": job.number, "name": order.name, "hash": done.hash}
            self._house.audit.append(who.name, who.address, "report.made", about)
            self.archive.finish(job.number, done.rows, done.hash, may_delete=job.may_delete)
            job.hash, job.state = done.hash, "done"
        except Refused as exc:
            job.reason = Phrase(exc.code, exc.args_of_text)
        except PageRefused as exc:
            job.reason = exc.said
        except (OSError, sqlite3.Error, NewerFormat, ValueError) as exc:
            job.reason = Phrase("E-RP-0008", {"reason": exc})
        finally:
            if job.state != "done":
                job.state = "failed"
            self._busy.release()


class _Patience:
    """Ends a check that takes too long, at the next row: a file may be made so that it takes for ever."""

    def __init__(self, name: str, within_s: float | None) -> None:
        self._name = name
        self._until = None if within_s is None else time.monotonic() + within_s

    @contextmanager
    def progress(self, _step: str, _total: int | None) -> Iterator[Callable[[], None]]:
        yield self._tick

    def end(self) -> NoReturn:
        raise Refused("E-RP-0016", file=self._name)

    def _tick(self) -> None:
        if self._until is not None and time.monotonic() > self._until:
            self.end()


@contextmanager
def received(name: str) -> Iterator[Path]:
    """Yield where a file from elsewhere may lie while it is looked at."""
    with tempfile.TemporaryDirectory(prefix="wanglian-report-") as folder:
        yield Path(folder) / name
