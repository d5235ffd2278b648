"""Ask an ASGI application without a server: one request, the whole answer."""

import asyncio
from dataclasses import dataclass
from typing import Any

import orjson


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return orjson.loads(self.body)


def scope_of(path: str, method: str, headers: dict[str, str]) -> dict[str, Any]:
    name, _, query = path.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": name,
        "raw_path": name.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(key.encode(), value.encode()) for key, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8080),
    }


async def ask(
    app: Any,
    path: str,
    *,
    method: str = "GET",
    host: str = "127.0.0.1:8080",
    body: bytes = b"",
    client: str = "127.0.0.1",
    **headers: str,
) -> Answer:
    """Header names are given with _ for -."""
    if body:
        headers = {"content_length": str(len(body)), "content_type": "application/json"} | headers
    scope = scope_of(
        path, method, {"host": host} | {key.replace("_", "-"): value for key, value in headers.items()}
    )
    scope["client"] = (client, 1)
    said: list[dict[str, Any]] = []

    asked = iter([True])

    async def receive() -> dict[str, Any]:
        if not next(asked, False):
            await asyncio.Event().wait()  # the asker stays
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        said.append(message)

    await app(scope, receive, send)
    head = {key.decode().lower(): value.decode() for key, value in said[0]["headers"]}
    return Answer(said[0]["status"], head, b"".join(each.get("body", b"") for each in said[1:]))


async def hear(app: Any, path: str, wanted: bytes) -> bytes:
    """Return what a stream said until something wanted came; then hang up."""
    scope = scope_of(path, "GET", {"host": "127.0.0.1"})
    said = bytearray()
    enough = asyncio.Event()

    async def receive() -> dict[str, Any]:
        await enough.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        said.extend(message.get("body", b""))
        if wanted in said:
            enough.set()

    async with asyncio.timeout(10):
        await app(scope, receive, send)
    return bytes(said)
