"""The routes of coming and going: sign in, sign out, the first user, one's own password and sessions."""

import asyncio
from typing import Final

from fastapi import FastAPI, Request, Response

from gateway.security import House, Who
from gateway.security.sessions import (
    Session,
    change_password,
    end_session,
    of_session,
    proof,
    sessions_of,
    sign_in,
    sign_out,
)
from gateway.security.users import set_up
from gateway.web.access.gate import Cookie, by, who_asks
from gateway.web.access.models import NewPassword, SessionTold, SetUp, SignedIn, SignIn
from gateway.web.access.refusals import REFUSALS

_MS: Final = 1_000_000


class Teller:
    """Tells a page who it speaks to."""

    def __init__(self, cookie: Cookie, *, listens: bool) -> None:
        self._cookie = cookie
        self._listens = listens

    def told(self, request: Request) -> SessionTold:
        """Return who asks."""
        return self.of(request.state.who, self._cookie.read(request.headers))

    def of(self, who: Who | None, secret: str = "") -> SessionTold:
        """Return who holds this secret."""
        state = "sign_in" if who is None else "visitor" if who.role == "visitor" else "signed_in"
        return SessionTold(
            state=state,
            name=who.name if who else "",
            role=who.role if who else "",
            rights=sorted(each.value for each in who.rights) if who else [],
            must_change=bool(who and who.must_change),
            proof=proof(secret) if who and who.session else "",
            listens=self._listens,
        )


def add_account(app: FastAPI, house: House, cookie: Cookie, teller: Teller) -> None:
    """Add the routes."""

    async def let_in(request: Request, response: Response, name: str, password: str) -> SessionTold:
        before = cookie.read(request.headers)
        agent = request.headers.get("user-agent", "")
        secret = await asyncio.to_thread(
            sign_in, house, name, password, by(request), agent=agent, before=before
        )
        _give(response, cookie, secret)
        return teller.of(of_session(house, secret), secret)

    @app.get("/api/session")
    async def read_session(request: Request) -> SessionTold:
        return teller.told(request)

    @app.post("/api/session", responses=REFUSALS)
    async def begin_session(request: Request, response: Response, asked: SignIn) -> SessionTold:
        return await let_in(request, response, asked.name, asked.password)

    @app.delete("/api/session", responses=REFUSALS)
    async def close_session(request: Request, response: Response) -> SessionTold:
        await asyncio.to_thread(sign_out, house, who_asks(request), by(request))
        response.delete_cookie(
            cookie.name, path="/", secure=cookie.is_secure, httponly=True, samesite="strict"
        )
        return teller.of(None)

    @app.post("/api/setup", responses=REFUSALS)
    async def make_first_user(request: Request, response: Response, asked: SetUp) -> SessionTold:
        await asyncio.to_thread(set_up, house, asked.code, asked.name, asked.password, by(request))
        return await let_in(request, response, asked.name, asked.password)

    @app.post("/api/account/password", responses=REFUSALS)
    async def set_own_password(request: Request, response: Response, asked: NewPassword) -> SessionTold:
        who = who_asks(request)
        await asyncio.to_thread(change_password, house, who, asked.old, asked.new, by(request))
        return await let_in(request, response, who.name, asked.new)

    @app.get("/api/account/sessions", responses=REFUSALS)
    async def read_sessions(request: Request) -> list[SignedIn]:
        return [_session(each) for each in sessions_of(house, who_asks(request))]

    @app.delete("/api/account/sessions/{number}", responses=REFUSALS)
    async def close_one(request: Request, number: str) -> list[SignedIn]:
        who = who_asks(request)
        await asyncio.to_thread(end_session, house, who, number, by(request))
        return [_session(each) for each in sessions_of(house, who)]


def _give(response: Response, cookie: Cookie, secret: str) -> None:
    # Without an age the browser forgets it when it is closed; how long it is worth something is kept here.
    response.set_cookie(
        cookie.name, secret, path="/", secure=cookie.is_secure, httponly=True, samesite="strict"
    )


def _session(each: Session) -> SignedIn:
    return SignedIn(
        number=each.number,
        made=each.made // _MS,
        seen=each.seen // _MS,
        address=each.address,
        agent=each.agent,
        is_this=each.is_this,
    )
