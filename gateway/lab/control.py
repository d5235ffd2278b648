"""A local socket by which a running proxy is told what its network does now; JSON lines both ways.

    {"set": {"latency": "200ms", "drop": "1%"}}      {"do": "reset"}      {}

The answer is the proxy's state, or {"error": …}. On loopback only: whoever can reach it can cut the line.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

from pydantic import ValidationError

from gateway.lab.proxy import Proxy
from gateway.lab.weather import Change


def state(proxy: Proxy) -> dict[str, Any]:
    """Return how a proxy stands."""
    return {
        "port": proxy.port,
        "open": proxy.open,
        "connections": proxy.connections,
        "octets": dict(proxy.octets),
        "weather": proxy.weather.model_dump(),
    }


async def obey(proxy: Proxy, line: bytes) -> dict[str, Any]:
    """Do what a line says and return the answer."""
    try:
        told = json.loads(line)
        await proxy.apply(Change.model_validate({"at": 0, **told}))
    except ValidationError as exc:
        first = exc.errors()[0]
        return {"error": f"{'.'.join(map(str, first['loc']))}: {first['msg']}"}
    except (TypeError, ValueError) as exc:
        return {"error": str(exc)}
    return state(proxy)


@contextlib.asynccontextmanager
async def controlled(proxy: Proxy, port: int = 0) -> AsyncIterator[int]:
    """Take orders for a proxy on a port of loopback while entered; return the port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                writer.write(json.dumps(await obey(proxy, line)).encode() + b"\n")
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def tell(port: int, order: dict[str, Any]) -> dict[str, Any]:
    """Send one order to a running proxy and return its answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(json.dumps(order).encode() + b"\n")
        answer: dict[str, Any] = json.loads(await reader.readline())
    finally:
        writer.close()
    return answer
