"""The routes of administrators and auditors: users, tokens, and the log of what everybody did."""

import asyncio
from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Final

import orjson
from fastapi import FastAPI, Query, Request
from fastapi.responses import StreamingResponse

from gateway.security import House
from gateway.security.audit import entries, verify
from gateway.security.tokens import add_token, remove_token, tokens
from gateway.security.users import add_user, set_enabled, set_password, set_role, users
from gateway.web.access.gate import by
from gateway.web.access.models import (
    AuditEntry,
    AuditPage,
    AuditVerdict,
    Enabled,
    Given,
    NewRole,
    NewToken,
    NewUser,
    TokenMade,
    TokenTold,
    UserTold,
)
from gateway.web.access.refusals import REFUSALS
from gateway.web.models import LARGEST, Whole

MOST_ENTRIES: Final = 200
_MS: Final = 1_000_000


def add_people(app: FastAPI, house: House) -> None:
    """Add the routes."""
    _add_users(app, house)
    _add_tokens(app, house)
    _add_audit(app, house)


def _add_users(app: FastAPI, house: House) -> None:
    @app.get("/api/users", responses=REFUSALS)
    async def read_users() -> list[UserTold]:
        return _users(house)

    @app.post("/api/users", responses=REFUSALS)
    async def make_user(request: Request, asked: NewUser) -> list[UserTold]:
        await asyncio.to_thread(add_user, house, asked.name, asked.role, asked.password, by(request))
        return _users(house)

    @app.post("/api/users/{name}/role", responses=REFUSALS)
    async def give_role(request: Request, name: str, asked: NewRole) -> list[UserTold]:
        await asyncio.to_thread(set_role, house, name, asked.role, by(request))
        return _users(house)

    @app.post("/api/users/{name}/enabled", responses=REFUSALS)
    async def let_in_or_shut_out(request: Request, name: str, asked: Enabled) -> list[UserTold]:
        await asyncio.to_thread(set_enabled, house, name, by(request), enabled=asked.enabled)
        return _users(house)

    @app.post("/api/users/{name}/password", responses=REFUSALS)
    async def give_password(request: Request, name: str, asked: Given) -> list[UserTold]:
        await asyncio.to_thread(set_password, house, name, asked.password, by(request))
        return _users(house)


def _add_tokens(app: FastAPI, house: House) -> None:
    @app.get("/api/tokens", responses=REFUSALS)
    async def read_tokens() -> list[TokenTold]:
        return _tokens(house)

    @app.post("/api/tokens", responses=REFUSALS)
    async def make_token(request: Request, asked: NewToken) -> TokenMade:
        made = await asyncio.to_thread(add_token, house, asked.name, asked.scopes, by(request), asked.days)
        return TokenMade(secret=made)

    @app.delete("/api/tokens/{name}", responses=REFUSALS)
    async def take_token(request: Request, name: str) -> list[TokenTold]:
        await asyncio.to_thread(remove_token, house, name, by(request))
        return _tokens(house)


def _add_audit(app: FastAPI, house: House) -> None:
    @app.get("/api/audit", responses=REFUSALS)
    async def read_audit(
        below: Whole = LARGEST,
        start: Annotated[int, Query(ge=0, le=2**43)] = 0,
        end: Annotated[int, Query(ge=0, le=2**43)] = 2**43,
        limit: Annotated[int, Query(ge=1, le=MOST_ENTRIES)] = 50,
    ) -> AuditPage:
        def found() -> AuditPage:
            chosen = entries(
                house.directory, start=start * _MS, end=end * _MS, below=below, newest_first=True
            )
            rows = list(islice(chosen, limit + 1))
            return AuditPage(
                entries=[
                    AuditEntry(
                        number=each.number,
                        at=each.at // _MS,
                        who=each.who,
                        address=each.address,
                        what=each.what,
                        about=each.about,
                    )
                    for each in rows[:limit]
                ],
                more=len(rows) > limit,
            )

        return await asyncio.to_thread(found)

    @app.get("/api/audit/verdict", responses=REFUSALS)
    async def read_verdict() -> AuditVerdict:
        found = await asyncio.to_thread(verify, house.directory)
        return AuditVerdict(
            first=found.first, last=found.last, head=found.head, wrong=list(found.wrong[:100])
        )

    @app.get("/api/audit/file", responses=REFUSALS, response_class=StreamingResponse)
    async def read_audit_file() -> StreamingResponse:
        def lines() -> Iterator[bytes]:
            for each in entries(house.directory):
                yield orjson.dumps(each.as_dict()) + b"\n"

        return StreamingResponse(
            lines(),
            media_type="application/x-ndjson",
            headers={"Content-Disposition": 'attachment; filename="wanglian-audit.jsonl"'},
        )


def _users(house: House) -> list[UserTold]:
    return [
        UserTold(
            name=each.name,
            role=each.role,
            enabled=each.enabled,
            must_change=each.must_change,
            made=each.made // _MS,
            changed=each.changed // _MS,
            seen=None if each.seen is None else each.seen // _MS,
        )
        for each in users(house)
    ]


def _tokens(house: House) -> list[TokenTold]:
    return [
        TokenTold(
            name=each.name,
            scopes=[scope.value for scope in each.scopes],
            made=each.made // _MS,
            made_by=each.made_by,
            expires=each.expires // _MS,
            used=None if each.used is None else each.used // _MS,
        )
        for each in tokens(house)
    ]
