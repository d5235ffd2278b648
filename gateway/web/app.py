"""The routes: the interface under /api, the built page under everything else."""

from collections.abc import AsyncIterator
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
from fastapi import FastAPI, Query
from fastapi.responses import Response, StreamingResponse
from pydantic import Field
from starlette.middleware.gzip import GZipMiddleware
from starlette.staticfiles import StaticFiles

from config.problems import quote
from gateway.security import House
from gateway.web.access.account import Teller, add_account
from gateway.web.access.certificates import add_certificates
from gateway.web.access.gate import Cookie, Gate
from gateway.web.access.people import add_people
from gateway.web.access.refusals import EVERYWHERE, answer_refusals
from gateway.web.access.rules import must_be_ruled
from gateway.web.alarms import add_alarms
from gateway.web.carbon import add_carbon
from gateway.web.config import add_config
from gateway.web.delivery import add_delivery
from gateway.web.energy import Desk, add_energy
from gateway.web.energy_books import Books
from gateway.web.events import MOST_TAGS, Events, Full
from gateway.web.first import First, add_page
from gateway.web.guard import HERE, Guard, Place
from gateway.web.models import Mistake, Overview, TagPage, Trends, Whole, Why
from gateway.web.overview import overview
from gateway.web.quarantine import add_quarantine
from gateway.web.refused import PageRefused
from gateway.web.reports.routes import add_reports
from gateway.web.rows import Which, tag_page
from gateway.web.stream import Desk as StreamDesk
from gateway.web.stream import add_stream
from gateway.web.today.routes import TodayDesk, add_today
from gateway.web.topics import add_topics
from gateway.web.trends import LONGEST_MS, MOST_POINTS, TrendReader
from gateway.web.trends import MOST_TAGS as MOST_TREND_TAGS
from gateway.web.view import View
from gateway.web.why import why

MOST_ROWS: Final = 500
MOST_LISTED: Final = 100
"""Tags of a watch list."""
_LAST_MS: Final = 4_102_444_800_000
"""2100."""
_Path = Annotated[str, Field(max_length=400)]
_MISTAKES: Final[dict[int | str, dict[str, Any]]] = {404: {"model": Mistake}, 503: {"model": Mistake}}


def static_folder() -> Path:
    """Return where the built page lies, built or not."""
    return Path(str(resources.files("gateway.web") / "static"))


def create_app(
    view: View,
    static: Path | None = None,
    books: Books | None = None,
    directory: Path | None = None,
    plant_file: Path | None = None,
    *,
    house: House | None = None,
    place: Place = HERE,
) -> FastAPI:
    """Return the application; it looks at the gateway only when asked."""
    app = FastAPI(
        title="Wanglian",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        responses=EVERYWHERE,
    )
    events, stream = Events(view), StreamDesk(view, directory or Path())
    app.state.lasting = (events, stream)
    house = house or House(view.directory)
    cookie = Cookie.of(place.port, is_secure=place.is_secure)
    teller = Teller(cookie, listens=place.listens)
    _add_interface(app, view, events)
    _add_trend(app, view)
    add_delivery(app, view)
    desk = Desk(books or Books(Path(), None))
    add_energy(app, desk)
    add_carbon(app, desk)
    today = TodayDesk(desk)
    add_today(app, today)
    add_reports(app, house, desk.books)
    add_stream(app, stream)
    add_topics(app, directory or Path())
    add_quarantine(app, house, directory or Path())
    add_config(app, house, directory or Path(), plant_file)
    add_account(app, house, cookie, teller)
    add_people(app, house)
    add_certificates(app, house, view, directory or view.directory)
    add_alarms(app, house, view)
    answer_refusals(app)
    must_be_ruled(app)
    static = static or static_folder()
    add_page(app, static, First(teller, events, today))
    if (static / "assets").is_dir():
        app.mount("/assets", _Assets(directory=static / "assets"))
    app.add_middleware(GZipMiddleware, minimum_size=1024, compresslevel=5)
    app.add_middleware(Gate, house=house, cookie=cookie)
    app.add_middleware(Guard, hosts=place.hosts)
    return app


def _add_interface(app: FastAPI, view: View, events: Events) -> None:
    @app.get("/api/overview", responses={503: {"model": Mistake}})
    async def read_overview() -> Overview:
        await view.fresh()
        answer = overview(view)
        if answer is None:
            raise PageRefused(503, "E-PG-0017")
        return answer

    @app.get("/api/tags")
    async def read_tags(
        q: Annotated[str, Query(max_length=200)] = "",
        which: Which = "all",
        offset: Whole = 0,
        limit: Annotated[int, Query(ge=1, le=MOST_ROWS)] = 100,
        path: Annotated[list[_Path], Query(max_length=MOST_LISTED)] = [],  # noqa: B006  FastAPI copies it
    ) -> TagPage:
        await view.fresh()
        return tag_page(view, q, which, offset, limit, paths=path)

    @app.get("/api/why", responses=_MISTAKES)
    async def read_why(tag: Annotated[str, Query(max_length=400)]) -> Why:
        await view.fresh()
        number = view.catalogue.by_path.get(tag)
        if number is None:
            raise PageRefused(404, "E-PG-0019", path=quote(tag))
        answer = why(view, number)
        if answer is None:
            raise PageRefused(503, "E-PG-0017")
        return answer

    @app.get("/api/events", response_class=StreamingResponse, responses={503: {"model": Mistake}})
    async def read_events(
        tags: Annotated[str, Query(max_length=4000, pattern=r"^(\d{1,9}(,\d{1,9})*)?$")] = "",
        *,
        devices: bool = False,
    ) -> Response:
        await view.fresh()  # or a process that has just begun would know no tag to watch
        numbers = [int(each) for each in tags.split(",") if each]
        known = [each for each in dict.fromkeys(numbers) if each in view.catalogue.tags][:MOST_TAGS]
        return await _stream(events.listen(np.array(known, np.int32), devices=devices))


def _add_trend(app: FastAPI, view: View) -> None:
    reader = TrendReader(view)

    @app.get("/api/trend", responses=_MISTAKES | {200: {"model": Trends}}, response_class=Response)
    async def read_trend(
        tags: Annotated[list[_Path], Query(min_length=1, max_length=MOST_TREND_TAGS)],
        start: Annotated[int, Query(ge=0, le=_LAST_MS)],
        end: Annotated[int, Query(ge=0, le=_LAST_MS)],
        points: Annotated[int, Query(ge=2, le=MOST_POINTS)] = 1000,
    ) -> Response:
        await view.fresh()
        if not start < end <= start + LONGEST_MS:
            raise PageRefused(422, "E-PG-0020", days=LONGEST_MS // 86_400_000)
        if view.told is None:
            raise PageRefused(503, "E-PG-0017")
        if not view.keeps_history:
            raise PageRefused(404, "E-PG-0021")
        return Response(await reader.read(tags, start, end, points), media_type="application/json")


async def _stream(events: AsyncIterator[bytes]) -> Response:
    try:
        first = await anext(events)
    except Full:
        raise PageRefused(503, "E-PG-0022") from None

    async def all_of_them() -> AsyncIterator[bytes]:
        yield first
        async for each in events:
            yield each

    return StreamingResponse(all_of_them(), media_type="text/event-stream")


class _Assets(StaticFiles):
    """Files whose names carry their content's hash: they never change."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        answer = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        answer.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return answer
