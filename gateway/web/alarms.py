"""The Alarms view's routes: the table, and what an engineer does with an alarm."""

import asyncio
import sqlite3
from functools import partial
from typing import Annotated, Final

from fastapi import FastAPI, Path, Query, Request

from config.base import parse_duration
from gateway.alarms.condition import AlarmKind
from gateway.alarms.table import ALARMS, Alarm, Which, read
from gateway.alarms.words import sentence
from gateway.control import NoGateway, ask
from gateway.security import House
from gateway.security.audit import Act
from gateway.sqlite import NewerFormat
from gateway.web.access.gate import by
from gateway.web.access.refusals import REFUSALS
from gateway.web.alarms_models import AlarmPage, AlarmRow, Done, ToAcknowledge, ToShelve
from gateway.web.models import Mistake, Whole
from gateway.web.refused import PageRefused
from gateway.web.rows import ms
from gateway.web.view import View

MOST_ALARMS: Final = 200
Number = Annotated[Whole, Path(ge=1)]
_ANSWERS: Final = REFUSALS | {404: {"model": Mistake}, 503: {"model": Mistake}}


def add_alarms(app: FastAPI, house: House, view: View) -> None:
    """Add the routes below /api/alarms."""

    @app.get("/api/alarms", responses={503: {"model": Mistake}})
    async def read_alarms(
        state: Which = "all",
        offset: Whole = 0,
        limit: Annotated[int, Query(ge=1, le=MOST_ALARMS)] = 100,
        kind: AlarmKind | None = None,
        subject: Annotated[str, Query(max_length=200)] = "",
    ) -> AlarmPage:
        look = partial(read, view.directory / ALARMS, state, offset, limit, kind=kind, subject=subject)
        try:
            total, found = await asyncio.to_thread(look)
        except (sqlite3.Error, NewerFormat, OSError) as exc:
            raise PageRefused(503, "E-PG-0023") from exc
        return AlarmPage(total=total, offset=offset, alarms=[alarm_row(each) for each in found])

    act = partial(_act, house, view)

    @app.post("/api/alarms/{number}/acknowledge", responses=_ANSWERS)
    async def acknowledge(request: Request, number: Number, asked: ToAcknowledge) -> Done:
        await act(request, number, "alarm.acknowledged", act="acknowledge", note=asked.note)
        return Done(number=number)

    @app.post("/api/alarms/{number}/shelve", responses=_ANSWERS)
    async def shelve(request: Request, number: Number, asked: ToShelve) -> Done:
        length = parse_duration(asked.length)
        await act(request, number, "alarm.shelved", act="shelve", note=asked.note, for_ns=length)
        return Done(number=number)

    @app.post("/api/alarms/{number}/unshelve", responses=_ANSWERS)
    async def unshelve(request: Request, number: Number) -> Done:
        await act(request, number, "alarm.unshelved", act="shelve", for_ns=0)
        return Done(number=number)


def alarm_row(alarm: Alarm) -> AlarmRow:
    """Return an alarm as the page shows it."""
    state = "cleared" if alarm.cleared else "acknowledged" if alarm.acknowledged else "active"
    return AlarmRow(
        number=alarm.id,
        kind=alarm.kind,
        subject=alarm.subject,
        severity=alarm.severity,
        state=state,
        text=sentence(alarm, "en"),
        text_zh=sentence(alarm, "zh"),
        began=alarm.began // 1_000_000,
        cleared=ms(alarm.cleared),
        acknowledged=ms(alarm.acknowledged),
        who=alarm.who,
        note=alarm.note,
        shelved_until=ms(alarm.shelved_until),
        shelved_by=alarm.shelved_by,
    )


async def _act(house: House, view: View, request: Request, number: int, what: Act, **how: object) -> None:
    def do() -> dict[str, object]:
        who = by(request)
        house.audit.append(who.name, who.address, what, {"alarm": number, **how})
        return ask(view.directory, "alarm", number=number, who=who.name, **how)

    try:
        answer = await asyncio.to_thread(do)
    except NoGateway as exc:
        raise PageRefused(503, "E-PG-0018") from exc
    if "failed" in answer:
        raise PageRefused(503, "E-PG-0024")
    if answer["number"] is None:
        raise PageRefused(404, "E-PG-0025", number=number)
