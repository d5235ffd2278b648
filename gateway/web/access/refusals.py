"""What is answered when a route raises: a code and its sentence in both languages, never what was sent."""

import logging
import sqlite3
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from gateway.security import AccessRefused
from gateway.sqlite import NewerFormat

log = logging.getLogger(__name__)

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

    @app.exception_handler(AccessRefused)
    async def refused(_request: Request, exc: AccessRefused) -> JSONResponse:
        said = {"detail": exc.text("en"), "code": exc.code, "en": exc.text("en"), "zh": exc.text("zh")}
        headers = {"Retry-After": str(exc.wait_s)} if exc.wait_s else None
        return JSONResponse(said, _STATUS.get(exc.code, 400), headers)

    @app.exception_handler(RequestValidationError)
    async def malformed(_request: Request, exc: RequestValidationError) -> JSONResponse:
        # The library's own answer repeats what was sent, which may be a password.
        told = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in exc.errors()[:5])
        return JSONResponse({"detail": told}, 422)

    @app.exception_handler(sqlite3.Error)
    @app.exception_handler(NewerFormat)
    async def unreadable(_request: Request, exc: Exception) -> JSONResponse:
        log.error("a database of the page can't be used", extra={"reason": str(exc)})
        return JSONResponse({"detail": "a database can't be read or written; see the gateway's log"}, 503)
