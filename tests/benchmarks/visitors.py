"""Browsers that listen and clients that ask without a pause, as raw HTTP: what the page must bear.

python -m tests.benchmarks.visitors --port 8080 --browsers 20 --watched 50 --storming 4 --counts FILE
"""

import argparse
import asyncio
import itertools
import json
import os
import time
from pathlib import Path
from urllib.parse import quote


class Visitors:
    def __init__(self, port: int) -> None:
        self._port = port
        self.count = {"asked": 0, "events": 0, "failed": 0}

    async def get(self, path: str) -> bytes:
        """Return a body; the connection is closed by the server at its end."""
        reader, writer = await self._open(path)
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        if not head.startswith(b"HTTP/1.1 200"):
            self.count["failed"] += 1
        return body

    async def listen(self, tags: list[int]) -> None:
        """Take events until cancelled."""
        query = ",".join(map(str, tags))
        reader, _ = await self._open(f"/api/events?tags={query}&devices=true")
        while line := await reader.readline():
            self.count["events"] += line.startswith(b"event:")
        self.count["failed"] += 1

    async def storm(self, paths: list[str]) -> None:
        """Ask one thing after the other, at once."""
        now = time.time_ns() // 1_000_000
        some = "&".join(f"tags={quote(path)}" for path in paths[:20])
        asked = [
            "/api/overview",
            "/api/tags?q=m1&limit=100",
            f"/api/why?tag={quote(paths[0])}",
            f"/api/trend?{some}&start={now - 3_600_000}&end={now}&points=1000",
        ]
        for path in itertools.cycle(asked):
            await self.get(path)
            self.count["asked"] += 1

    async def _open(self, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port, limit=2**22)
        head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode())
        await writer.drain()
        return reader, writer


async def run(asked: argparse.Namespace) -> None:
    visitors = Visitors(asked.port)
    while not (rows := _rows(await visitors.get("/api/tags?limit=500"))):
        await asyncio.sleep(0.5)
    numbers, paths = [row["number"] for row in rows], [row["path"] for row in rows]
    visitors.count["failed"] = 0
    async with asyncio.TaskGroup() as group:
        for i in range(asked.browsers):
            first = i * asked.watched % max(1, len(numbers) - asked.watched)
            group.create_task(visitors.listen(numbers[first : first + asked.watched]))
        for i in range(asked.storming):
            group.create_task(visitors.storm(paths[20 * i :]))
        while True:
            made = asked.counts.with_suffix(".new")
            made.write_text(json.dumps(visitors.count))
            made.replace(asked.counts)
            await asyncio.sleep(0.2)


def _rows(body: bytes) -> list[dict[str, object]]:
    """Return the rows of an answer, which may come in chunks; none before there are any."""
    text = body[body.find(b"{") : body.rfind(b"}") + 1]
    return json.loads(text)["rows"] if text else []


if __name__ == "__main__":
    # Simulator and broker on the same core come first: what is measured is the gateway.
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    parser = argparse.ArgumentParser()
    for name in ("port", "browsers", "watched", "storming"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--counts", type=Path, required=True)
    asyncio.run(run(parser.parse_args()))
