"""Rows to whoever subscribes over HTTP: in pages (NDJSON) or as they come (server-sent events), resumable.

A subscriber keeps the position it has dealt with and hands it back; the page's process keeps nothing. Reading
happens in a thread, in short pieces; a slow subscriber is read for more slowly.
"""

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import orjson
from fastapi import FastAPI, Header, Query
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import Field

from gateway.stream import (
    Ends,
    KnownTags,
    Lines,
    Lost,
    Page,
    Position,
    StoredLog,
    catalogue_lines,
    place_of,
)
from gateway.stream.lines import MOST_GLOBS
from gateway.web.models import LostPlace, Mistake, StreamEnds, StreamEpoch
from gateway.web.refused import PageRefused
from gateway.web.view import View

T = TypeVar("T")
MOST_SUBSCRIBERS: Final = 20
MOST_ROWS: Final = 20_000
LONGEST_WAIT_S: Final = 30
LOOK_EVERY_S: Final = 0.25
HEARTBEAT_S: Final = 15.0
_SSE_ROWS: Final = 5_000
_Glob = Annotated[str, Field(min_length=1, max_length=400)]
_Globs = Annotated[list[_Glob], Query(max_length=MOST_GLOBS)]
_After = Annotated[str, Query(max_length=80, description="the position behind what you have; or oldest, now")]
_REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    410: {"model": LostPlace},
    422: {"model": Mistake},
    503: {"model": Mistake},
}
_WHY: Final = {
    "unknown": "no epoch of this gateway: it was set up anew, or this is another one",
    "expired": "what follows this position is deleted",
    "ahead": "this log has not come that far: another machine, or one that was restored",
}


@dataclass(frozen=True, slots=True)
class Found:
    """What follows a position, as it is sent."""

    told: list[tuple[str, str, list[bytes]]]
    """Of each batch and gap: which it is, the position behind it (a loss has none), and its lines."""
    after: Position
    more: bool


def add_stream(app: FastAPI, desk: "Desk") -> None:
    """Add the routes below /api/stream."""

    @app.get("/api/stream/position", responses={503: {"model": Mistake}})
    async def read_ends() -> StreamEnds:
        return _told(await desk.ends())

    @app.get("/api/stream/tags", responses={503: {"model": Mistake}}, response_class=Response)
    async def read_stream_tags() -> Response:
        body = b"".join(line + b"\n" for line in await desk.catalogue())
        return Response(body, media_type="application/x-ndjson")

    @app.get("/api/stream/rows", responses=_REFUSALS, response_class=Response)
    async def read_stream_rows(
        after: _After,
        select: _Globs = [],  # noqa: B006  FastAPI copies it
        limit: Annotated[int, Query(ge=1, le=MOST_ROWS)] = 5_000,
        wait: Annotated[float, Query(ge=0, le=LONGEST_WAIT_S)] = 0,
    ) -> Response:
        return await desk.page(after, select, limit, wait)

    @app.get("/api/stream", responses=_REFUSALS, response_class=StreamingResponse)
    async def read_stream(
        after: _After = "",
        select: _Globs = [],  # noqa: B006
        last_event_id: Annotated[str, Header(max_length=80)] = "",
    ) -> Response:
        # A browser repeats the address it was given and says where it is in a header of its own.
        return await desk.stream(last_event_id or after, select)


class Desk:
    """The one reader of the log, and how many are subscribed."""

    def __init__(self, view: View, directory: Path) -> None:
        self._view = view
        self._directory = directory
        self._log = StoredLog(directory)
        self._tags = KnownTags(directory)
        self._one_at_a_time = asyncio.Lock()
        self._subscribers = 0
        self._ending = False

    async def end(self) -> None:
        """Let everybody go who waits or is subscribed, within `LOOK_EVERY_S`, so that the process can end."""
        self._ending = True

    async def ends(self) -> Ends:
        """Return what is stored; 503 where nothing can be read."""
        return await self._read(self._log.ends)

    async def catalogue(self) -> list[bytes]:
        """Return a line a device."""
        gateway = await self._gateway()
        return await self._read(lambda: list(catalogue_lines(gateway, self._directory)))

    async def page(self, after: str, globs: Sequence[str], limit: int, wait_s: float) -> Response:
        """Return what follows, waiting up to so long while there is nothing."""
        until = time.monotonic() + wait_s
        lines = Lines(await self._gateway(), self._tags, globs)
        try:
            position = await self._place(after)
            found = await self._next(position, limit, lines)
            while found.after == position and not self._ending and (left := until - time.monotonic()) > 0:
                await asyncio.sleep(min(LOOK_EVERY_S, left))
                found = await self._next(position, limit, lines)
        except Lost as lost:
            return _gone(lost)
        end = orjson.dumps({"next": str(found.after), "more": found.more})
        body = [line for _, _, some in found.told for line in some]
        return Response(b"\n".join([*body, end, b""]), media_type="application/x-ndjson")

    async def stream(self, after: str, globs: Sequence[str]) -> Response:
        """Return what follows, and what comes, until the subscriber goes."""
        if self._subscribers >= MOST_SUBSCRIBERS:
            raise PageRefused(503, "E-PG-0031", most=MOST_SUBSCRIBERS)
        lines = Lines(await self._gateway(), self._tags, globs)
        try:
            position = await self._place(after or "now")
            first = await self._next(position, _SSE_ROWS, lines)
        except Lost as lost:
            return _gone(lost)
        return StreamingResponse(self._events(position, first, lines), media_type="text/event-stream")

    async def _events(self, position: Position, found: Found, lines: Lines) -> AsyncIterator[bytes]:
        self._subscribers += 1
        try:
            yield b"retry: 2000\n\n"
            spoken = time.monotonic()
            while not self._ending:
                if found.after != position:
                    yield b"".join(_events_of(found))
                    position, spoken = found.after, time.monotonic()
                elif time.monotonic() - spoken > HEARTBEAT_S:
                    spoken = time.monotonic()
                    yield b": still here\n\n"
                if not found.more:
                    await asyncio.sleep(LOOK_EVERY_S)
                try:
                    found = await self._next(position, _SSE_ROWS, lines)
                except Lost as lost:
                    yield b"event: lost\ndata: " + _lost(lost).model_dump_json().encode() + b"\n\n"
                    return
                except PageRefused:  # the store can't be read now: the subscriber comes again
                    return
        finally:
            self._subscribers -= 1

    async def _place(self, after: str) -> Position:
        if after in ("oldest", "now"):
            ends = await self.ends()
            return ends.before_all if after == "oldest" else ends.newest
        try:
            return Position.parse(after)
        except ValueError as exc:
            raise PageRefused(422, "E-PG-0032", reason=exc) from exc

    async def _next(self, position: Position, most: int, lines: Lines) -> "Found":
        def read() -> Found:
            page = self._log.read(position, most)
            return Found(list(_in_order(page, position, lines)), page.after, page.more)

        return await self._read(read)

    async def _read(self, call: Callable[[], T]) -> T:
        async with self._one_at_a_time:
            try:
                return await asyncio.to_thread(call)
            except (sqlite3.Error, OSError) as exc:
                raise PageRefused(503, "E-PG-0029", reason=exc) from exc

    async def _gateway(self) -> str:
        await self._view.fresh()
        if self._view.told is None:
            raise PageRefused(503, "E-PG-0017")
        return self._view.told.gateway


def _in_order(page: Page, after: Position, lines: Lines) -> Iterator[tuple[str, str, list[bytes]]]:
    """Yield what a page holds, gaps before the rows behind them; nothing of a batch that is not selected."""
    gaps = deque(page.gaps)
    for delivery in (*page.deliveries, None):
        while gaps and (delivery is None or place_of(gaps[0]) <= delivery.seq):
            gap = gaps.popleft()
            if gap.first_seq:
                yield "gap", "", [lines.gap(gap)]
            else:
                last = delivery is None and not gaps
                after = page.after if last else after._replace(told=gap.revision)
                yield "gap", str(after), [lines.gap(gap)]
        if delivery is not None:
            after = after.to(str(delivery.epoch), delivery.seq)
            some = lines.of(delivery)
            if some:
                yield "rows", str(after), some


def _events_of(found: Found) -> Iterator[bytes]:
    """Yield an event a stored batch, a line of data a device, or a gap; its id is the position behind."""
    told = ""
    for kind, place, lines in found.told:
        at = b"\nid: " + place.encode() if place else b""
        yield b"event: " + kind.encode() + at + b"".join(b"\ndata: " + line for line in lines) + b"\n\n"
        told = place or told
    if told != str(found.after):  # nothing that was selected, but the subscriber need not read it again
        yield b"event: position\nid: " + str(found.after).encode() + b"\ndata:\n\n"


def _gone(lost: Lost) -> JSONResponse:
    return JSONResponse(_lost(lost).model_dump(), 410)


def _lost(lost: Lost) -> LostPlace:
    return LostPlace(detail=_WHY[lost.reason], reason=lost.reason, ends=_told(lost.ends))


def _told(ends: Ends) -> StreamEnds:
    epochs = [
        StreamEpoch(
            epoch=str(each.epoch),
            started=each.started // 1_000_000,
            first_seq=each.first_seq,
            why=each.reason,
        )
        for each in ends.epochs
    ]
    return StreamEnds(oldest=str(ends.before_all), newest=str(ends.newest), epochs=epochs)
