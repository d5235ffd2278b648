"""What we publish: the topics, and what was said last on each, Sparkplug taken apart."""

import asyncio
from base64 import b64decode
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from fastapi import FastAPI, Query

from connectors.factory import readable
from gateway.control import NoGateway, ask
from gateway.web.models import Answer, Mistake
from gateway.web.refused import PageRefused

_MS: Final = 1_000_000
_MISTAKES: Final[dict[int | str, dict[str, Any]]] = {404: {"model": Mistake}, 503: {"model": Mistake}}


class Topic(Answer):
    """One topic, as it was published last."""

    sink: str
    topic: str
    at: int
    count: int
    """Messages since the sink began in this run."""
    bytes: int
    """Of all of them."""
    size: int
    """Of the last one."""
    retained: bool


class Topics(Answer):
    """The topics, in their order; the first 500."""

    total: int
    topics: list[Topic]


class MessageText(Answer):
    """What was said last."""

    form: Literal["json", "text", "sparkplug", "bytes"]
    text: str


def add_topics(app: FastAPI, directory: Path) -> None:
    """Add the routes below /api/topics."""

    async def asked(verb: str, **what: str) -> dict[str, Any]:
        try:
            return await asyncio.to_thread(ask, directory, verb, **what)
        except NoGateway as exc:
            raise PageRefused(503, "E-PG-0018") from exc

    @app.get("/api/topics", responses=_MISTAKES)
    async def read_topics(q: Annotated[str, Query(max_length=200)] = "") -> Topics:
        found = await asked("topics", words=q)
        told = [Topic(**{**each, "at": each["at"] // _MS}) for each in found["topics"]]
        return Topics(total=found["total"], topics=told)

    @app.get("/api/topics/message", responses=_MISTAKES)
    async def read_message(
        sink: Annotated[str, Query(max_length=80)], topic: Annotated[str, Query(max_length=1000)]
    ) -> MessageText:
        found = await asked("message", sink=sink, topic=topic)
        if not found:
            raise PageRefused(404, "E-PG-0033")
        births = [b64decode(each) for each in found["births"]]
        text, form = await asyncio.to_thread(readable, b64decode(found["payload"]), births)
        return MessageText(form=form, text=text)
