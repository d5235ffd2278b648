"""The page itself, and in the same reply what its first view asks: it is drawn once and waits for nothing.

The built file goes out at once, so that a browser fetches what it names; the answers follow at its end, in an
element that no browser runs. A module script begins behind them. Who is not known gets none, nor who comes by
a link in another site's page, with whom the cookie does not come along: then the page asks by itself.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Final

from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse, Response, StreamingResponse

from gateway.security import Right, Who
from gateway.web.access.account import Teller
from gateway.web.access.gate import NOT_OURS
from gateway.web.events import Events
from gateway.web.refused import PageRefused
from gateway.web.today.routes import TodayDesk

log = logging.getLogger(__name__)

NOT_BUILT: Final = (
    "The page is not built. In a checkout: make page (needs Node 20.19).\n页面尚未构建，请运行 make page。\n"
)
PATIENCE_S: Final = 0.5
"""So long is waited for an answer; the page asks again for what is not there."""
MOST_HEARD: Final = 256 * 1024
"""Bytes of states: thousands of devices come with the stream, beside what is drawn already."""
_END: Final = b"</body>"


class First:
    """Makes the end of the page."""

    def __init__(self, teller: Teller, events: Events, today: TodayDesk) -> None:
        self._teller = teller
        self._events = events
        self._today = today
        self._asking: dict[bytes, asyncio.Task[bytes]] = {}
        """One question for all who come meanwhile, asked to its end: the next finds it read."""

    async def of(self, page: bytes, request: Request) -> AsyncIterator[bytes]:
        """Yield the built page, and before its end what is known."""
        before, end, after = page.rpartition(_END)
        yield before
        known = await self._known(request)
        # Nothing in a value ends the element it is in.
        told = b",".join(b'"%s":%s' % each for each in known).replace(b"<", b"\\u003c")
        yield b'<script type="application/json" id="first">{%s}</script>' % told + end + after

    async def _known(self, request: Request) -> list[tuple[bytes, bytes]]:
        who: Who | None = request.state.who
        if who is None or request.headers.get("sec-fetch-site") in NOT_OURS:
            return []
        session = b"session", self._teller.told(request).model_dump_json().encode()
        if not who.may(Right.READ):
            return [session]
        heard, today = await asyncio.gather(
            self._in_time(b"heard", self._events.newest), self._in_time(b"today", self._today.today)
        )
        if len(heard) > MOST_HEARD:
            heard = b""
        return [session, *((name, body) for name, body in ((b"heard", heard), (b"today", today)) if body)]

    async def _in_time(self, name: bytes, ask: Callable[[], Awaitable[bytes]]) -> bytes:
        task = self._asking.get(name)
        if task is None:
            task = self._asking[name] = asyncio.create_task(_or_nothing(name, ask))
            task.add_done_callback(lambda _: self._asking.pop(name))
        await asyncio.wait({task}, timeout=PATIENCE_S)
        return task.result() if task.done() and not task.cancelled() else b""


async def _or_nothing(name: bytes, ask: Callable[[], Awaitable[bytes]]) -> bytes:
    try:
        return await ask()
    except PageRefused:
        return b""  # the page asks and is told why
    except Exception:
        # Half the page is out: what fails in one view must not close the others.
        log.exception("%s does not come with the page", name.decode())
        return b""


def add_page(app: FastAPI, static: Path, first: First) -> None:
    """Add the route of the page."""

    @app.get("/", include_in_schema=False)
    async def read_page(request: Request) -> Response:
        try:
            page = await asyncio.to_thread((static / "index.html").read_bytes)
        except FileNotFoundError:
            return PlainTextResponse(NOT_BUILT, 503)
        return StreamingResponse(first.of(page, request), media_type="text/html")
