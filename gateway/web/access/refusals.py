"""What is answered when a route raises: a code and its sentence in both languages, never what was sent."""

import logging
import sqlite3
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exception_handlers import http_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from config.base import Text
from config.problems import Phrase
from gateway.security import AccessRefused
from gateway.sqlite import NewerFormat
from gateway.web.models import Mistake
from gateway.web.refused import PageRefused, told

log = logging.getLogger(__name__)

EVERYWHERE: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": Mistake} for status in (400, 401, 403, 422, 503)
}
"""What any route may answer, by what stands before it: the gate, and the reading of what was sent."""
REFUSALS: Final[dict[int | str, dict[str, Any]]] = {status: {"model": Mistake} for status in (404, 409, 429)}
"""What the routes of users, sessions and certificates answer besides."""

_STATUS: Final = {
    "E-AC-0007": 404,
    "E-AC-0010": 409,
    "E-AC-0011": 403,
    "E-AC-0020": 401,
    "E-AC-0021": 429,
    "E-AC-0022": 404,
    "E-AC-0023": 403,
    "E-AC-0034": 404,
}
"""Of codes that mean something to programs; all others are 400."""


def answer_refusals(app: FastAPI) -> None:
    """Add the handlers."""

    @app.exception_handler(PageRefused)
    async def refused(_request: Request, exc: PageRefused) -> JSONResponse:
        return JSONResponse(told(exc.said) | exc.more, exc.status)

    @app.exception_handler(AccessRefused)
    async def access_refused(_request: Request, exc: AccessRefused) -> JSONResponse:
        said = Phrase(exc.code, exc.args_of_message)
        headers = {"Retry-After": str(exc.wait_s)} if exc.wait_s else None
        return JSONResponse(told(said), _STATUS.get(exc.code, 400), headers)

    @app.exception_handler(RequestValidationError)
    async def malformed(_request: Request, exc: RequestValidationError) -> JSONResponse:
        # The library's own answer repeats what was sent, which may be a password.
        found = [(".".join(map(str, each["loc"])), each["msg"]) for each in exc.errors()[:5]]
        places = ", ".join(place for place, _ in found)
        what = Text(zh=places, en="; ".join(f"{place}: {why}" for place, why in found))
        return JSONResponse(told(Phrase("E-PG-0001", {"what": what})), 422)

    @app.exception_handler(HTTPException)
    async def unread(request: Request, exc: HTTPException) -> Response:
        if exc.status_code != 400:  # a file of the page that is not there
            return await http_exception_handler(request, exc)
        # The framework's own, of a body that is not UTF-8.
        return JSONResponse(told(Phrase("E-PG-0001", {"what": "body"})), 400)

    @app.exception_handler(sqlite3.Error)
    @app.exception_handler(NewerFormat)
    async def unreadable(_request: Request, exc: Exception) -> JSONResponse:
        log.error("a database of the page can't be used", extra={"reason": str(exc)})
        return JSONResponse(told(Phrase("E-PG-0016")), 503)
