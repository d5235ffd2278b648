"""What the page's process makes of a gateway that answers badly."""

import asyncio
from pathlib import Path

import pytest

from gateway.web.view import View


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{",
        b"no HTTP\r\n\r\n",
        b"HTTP/1.1 500 No\r\n\r\n",
    ],
    ids=["nothing", "half", "noise", "error"],
)
async def test_a_gateway_that_ends_within_its_answer_does_not_answer(tmp_path: Path, said: bytes) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        view = View(tmp_path, server.sockets[0].getsockname()[1])
        view.answers = True
        await view.fresh()
        assert not view.answers
