"""What platforms refused for good: looked at by everybody, sent again or deleted by engineers."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

from fastapi import FastAPI, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import Field

from connectors import Tag
from gateway.buffer.contract import STORE
from gateway.buffer.quarantine import Quarantine, lines_of
from gateway.security import House
from gateway.security.audit import Act
from gateway.sqlite import NewerFormat
from gateway.web.access.gate import by
from gateway.web.models import Answer, Mistake, Whole
from gateway.web.refused import PageRefused

T = TypeVar("T")
MOST_SHOWN: Final = 200
ROWS_AT_ONCE: Final = 5_000
_MS: Final = 1_000_000
_Sink = Annotated[str, Field(max_length=80)]
_MISTAKES: Final[dict[int | str, dict[str, Any]]] = {503: {"model": Mistake}}


class QuarantineEntry(Answer):
    """What one refusal named of one stored batch."""

    entry: int
    sink: str
    noted: int
    rows: int
    reason: str
    devices: list[str]


class QuarantineEntries(Answer):
    """The oldest, and how many there are."""

    total: int
    entries: list[QuarantineEntry]


class QuarantineChosen(Answer):
    """Entries of a sink by number; all of them when none is named."""

    sink: _Sink
    entries: Annotated[list[Whole], Field(max_length=MOST_SHOWN, default_factory=list)]


class QuarantineNamed(Answer):
    """Entries of a sink by number, at least one: nothing is deleted unseen."""

    sink: _Sink
    entries: Annotated[list[Whole], Field(min_length=1, max_length=MOST_SHOWN)]


class QuarantineDone(Answer):
    """Rows it was done to."""

    rows: int


def add_quarantine(app: FastAPI, house: House, directory: Path) -> None:
    """Add the routes below /api/quarantine."""
    store = directory / STORE

    @app.get("/api/quarantine", responses=_MISTAKES)
    async def read_quarantine(sink: Annotated[str, Query(max_length=80)] = "") -> QuarantineEntries:
        return await _call(store, lambda held: _entries(held, sink))

    @app.get("/api/quarantine/file", responses=_MISTAKES, response_class=StreamingResponse)
    async def take_away(sink: Annotated[str, Query(max_length=80)] = "") -> StreamingResponse:
        places, tags = await _call(store, lambda held: (held.places(sink or None), held.tags()))
        head = {"Content-Disposition": 'attachment; filename="quarantine.jsonl"'}
        body = _exported(store, places, tags)
        return StreamingResponse(body, media_type="application/x-ndjson", headers=head)

    @app.post("/api/quarantine/retry", responses=_MISTAKES)
    async def send_again(request: Request, asked: QuarantineChosen) -> QuarantineDone:
        await _note(house, request, "quarantine.retried", asked)
        return QuarantineDone(rows=await _call(store, lambda held: held.retry(*_chosen(asked))))

    @app.post("/api/quarantine/delete", responses=_MISTAKES)
    async def forget(request: Request, asked: QuarantineNamed) -> QuarantineDone:
        await _note(house, request, "quarantine.deleted", asked)
        return QuarantineDone(rows=await _call(store, lambda held: held.delete(*_chosen(asked))))


async def _call(store: Path, call: Callable[[Quarantine], T]) -> T:
    def work() -> T:
        with Quarantine(store) as held:
            return call(held)

    try:
        return await asyncio.to_thread(work)
    except (OSError, sqlite3.Error, NewerFormat) as exc:
        raise PageRefused(503, "E-PG-0029", reason=exc) from exc


def _exported(store: Path, places: Sequence[tuple[int, int]], tags: dict[int, Tag]) -> Iterator[bytes]:
    """Yield all there is, some rows at a time; nothing is held between, however slowly somebody listens."""
    some: list[int] = []
    size = 0
    for place, (number, rows) in enumerate(places):
        some.append(number)
        size += rows
        if size >= ROWS_AT_ONCE or place == len(places) - 1:
            with Quarantine(store) as held:
                found = [entry for each in some if (entry := held.one(each)) is not None]
            yield b"".join(line + b"\n" for entry in found for line in lines_of(entry, tags))
            some, size = [], 0


async def _note(house: House, request: Request, what: Act, asked: QuarantineChosen | QuarantineNamed) -> None:
    who = by(request)
    about = {"sink": asked.sink, "entries": asked.entries}
    await asyncio.to_thread(house.audit.append, who.name, who.address, what, about)


def _chosen(asked: QuarantineChosen | QuarantineNamed) -> tuple[str, Sequence[int] | None]:
    return asked.sink, asked.entries or None


def _entries(held: Quarantine, sink: str) -> QuarantineEntries:
    known = cache(held.tag)
    entries = []
    for each in islice(held.list(sink or None), MOST_SHOWN):
        numbers = {number for part in each.delivery.batch.parts for number in part.tag.tolist()}
        devices = {tag.device for number in numbers if (tag := known(number)) is not None}
        entries.append(
            QuarantineEntry(
                entry=each.id,
                sink=each.sink,
                noted=each.noted // _MS,
                rows=len(each.delivery.batch),
                reason=each.reason,
                devices=sorted(devices),
            )
        )
    return QuarantineEntries(total=held.count(sink or None), entries=entries)
