"""What a web server shall endure: idle sockets, heads and bodies that trickle, a storm, huge requests.

`attacker.py --port PORT --sockets N` goes on until it is ended; prints once a second what it has done, JSON.
"""

import argparse
import asyncio
import contextlib
import json
import resource
from collections import Counter
from collections.abc import Awaitable, Callable

HOST = b"Host: 127.0.0.1\r\n"
TRICKLING = 50
STORMING = 4
done: Counter[str] = Counter()


async def for_ever(kind: str, port: int, act: Callable[..., Awaitable[None]]) -> None:
    """Do it again whenever the server ends it."""
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            done["refused"] += 1
            await asyncio.sleep(0.5)
            continue
        try:
            await act(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            done[kind] += 1
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        await asyncio.sleep(0.05)


async def idle(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


async def trickle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"GET / HTTP/1.1\r\n" + HOST)
    while True:
        writer.write(b"X: y\r\n")
        await writer.drain()
        await asyncio.sleep(1)


async def dribble(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"POST /api/session HTTP/1.1\r\n" + HOST + b"Content-Length: 10000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(1)


async def storm(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"GET /api/session HTTP/1.1\r\n" + HOST + b"\r\n")
        await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.partition(b":")[2]))
        done["answers"] += 1


async def huge_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"y" * 2**20 + b"\r\n\r\n")
    await writer.drain()
    await reader.read()


async def huge_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"POST /api/session HTTP/1.1\r\n" + HOST + b"Content-Length: 1000000000\r\n\r\n")
    for _ in range(1000):
        writer.write(b"x" * 2**16)
        await writer.drain()
    await reader.read()


async def main(port: int, sockets: int) -> None:
    # The storm first: behind thousands that take every place as it becomes free it may never get in.
    acts = [(storm, STORMING), (idle, sockets), (trickle, TRICKLING), (dribble, TRICKLING)]
    acts += [(huge_head, 1), (huge_body, 1)]
    async with asyncio.TaskGroup() as tasks:
        for act, times in acts:
            for _ in range(times):
                tasks.create_task(for_ever(act.__name__, port, act))
        while True:
            await asyncio.sleep(1)
            print(json.dumps(done), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--sockets", type=int, required=True)
    arguments = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, arguments.sockets + 1000), most))
    asyncio.run(main(arguments.port, arguments.sockets))
