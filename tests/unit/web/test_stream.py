"""The page's process ends: who waits for rows gets an answer, who is subscribed is let go."""

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import pytest

from gateway.buffer.contract import STORE
from gateway.web.app import create_app
from gateway.web.connections import Server
from tests.faults.buffer.lab import make_store


@pytest.mark.parametrize("route", ["/api/stream/rows?after=now&wait=20", "/api/stream?after=now"])
async def test_who_follows_the_log_is_answered_to_the_end_when_the_page_ends(
    route: str, plant: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    await make_store(tmp_path / STORE, range(1, 4))
    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(create_app(plant, directory=tmp_path), listener, None)
    running = asyncio.create_task(server._serve())
    async with asyncio.timeout(15):
        while not server.started:
            await asyncio.sleep(0.01)
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        writer.write(f"GET {route} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        while not server.server_state.tasks:
            await asyncio.sleep(0.01)
        server.should_exit = True
        await running
        answer = await reader.read()
        writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    if "wait" in route:
        assert json.loads(body)["more"] is False
    else:
        assert body.endswith(b"0\r\n\r\n")
    assert "Exception" not in capfd.readouterr().err
