"""Somebody of every kind who asks the page, without the quarter of a second a password costs."""

import asyncio
from typing import Any

from gateway.security import SCOPES, House, Role
from gateway.security.house import By
from gateway.security.sessions import open_session, proof
from gateway.security.tokens import add_token
from gateway.security.users import _insert
from gateway.web.access.gate import Cookie
from tests.asgi import scope_of

HERE = By("", "127.0.0.1")
COOKIE = Cookie.of(0, is_secure=False)
ORIGIN = {"origin": "http://127.0.0.1:8080"}


def take(house: House, name: str, role: Role, *, stored: str = "", must_change: bool = False) -> None:
    """Take somebody in; without a stored password nobody can sign in as them."""
    with house.writing() as connection:
        _insert(connection, name, role, stored, house.now(), must_change=must_change)


def as_user(house: House, name: str, cookie: Cookie = COOKIE) -> dict[str, str]:
    """Return the headers of a new session's page."""
    secret = open_session(house, name, HERE)
    return {"cookie": f"other=1; {cookie.name}={secret}", "x_proof": proof(secret), **ORIGIN}


def as_token(house: House, *scopes: str) -> dict[str, str]:
    """Return the headers of a program with a token for this."""
    assert {each.value for each in SCOPES} >= set(scopes)
    name = "-".join(scopes) or "none"
    return {"authorization": f"Bearer {add_token(house, name, scopes, HERE)}"}


async def status_of(
    app: Any, path: str, method: str, headers: dict[str, str], client: str = "127.0.0.1"
) -> int:
    """Return the status of an answer that may never end."""
    said = {"host": "127.0.0.1:8080"} | {key.replace("_", "-"): value for key, value in headers.items()}
    scope = scope_of(path, method, said)
    scope["client"] = (client, 1)
    begun: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    asked = iter([True])

    async def receive() -> dict[str, Any]:
        if not next(asked, False):
            await asyncio.Event().wait()
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start" and not begun.done():
            begun.set_result(message["status"])

    task = asyncio.create_task(app(scope, receive, send))
    await asyncio.wait({task, begun}, return_when=asyncio.FIRST_COMPLETED)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return begun.result()
