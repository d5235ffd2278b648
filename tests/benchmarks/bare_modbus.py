"""The bare exchange: the same requests as W1, replies counted and thrown away. The floor to compare with.

python bare_modbus.py --ports 5001,5002 --values 1000 [--interval 1.0] [--in-flight 1] [--event-loop uvloop]
Without --interval it asks as fast as it can. Prints requests per second once a second. Checks nothing.
"""

import argparse
import asyncio
import struct
import time


class Bare(asyncio.Protocol):
    """One connection with a window of requests; knows a reply only by its length."""

    def __init__(self, requests: list[bytes], sizes: list[int], in_flight: int) -> None:
        self.requests, self.sizes, self.in_flight = requests, sizes, in_flight
        self.transport: asyncio.Transport
        self.done: asyncio.Future[None] | None = None
        self.sent = self.got = self.bytes = 0
        self.replies = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  uvloop's is no subclass

    def scan(self) -> asyncio.Future[None]:
        self.done = asyncio.get_running_loop().create_future()
        self.sent = self.got = self.bytes = 0
        self._send()
        return self.done

    def _send(self) -> None:
        until = min(len(self.requests), self.got + self.in_flight)
        if until > self.sent:
            self.transport.write(b"".join(self.requests[self.sent : until]))
            self.sent = until

    def data_received(self, data: bytes) -> None:
        self.bytes += len(data)
        while self.got < len(self.sizes) and self.bytes >= self.sizes[self.got]:
            self.bytes -= self.sizes[self.got]
            self.got += 1
            self.replies += 1
        if self.got == len(self.sizes):
            if self.done is not None and not self.done.done():
                self.done.set_result(None)
        else:
            self._send()


def plan(values: int) -> tuple[list[bytes], list[int]]:
    registers, requests, sizes = 2 * values, [], []
    for start in range(0, registers, 124):
        count = min(124, registers - start)
        requests.append(struct.pack(">HHHBBHH", len(requests), 0, 6, 1, 3, start, count))
        sizes.append(9 + 2 * count)
    return requests, sizes


async def one(port: int, options: argparse.Namespace, totals: list[Bare]) -> None:
    requests, sizes = plan(options.values)
    loop = asyncio.get_running_loop()
    _, bare = await loop.create_connection(
        lambda: Bare(requests, sizes, options.in_flight), "127.0.0.1", port
    )
    totals.append(bare)
    while True:
        if options.interval:
            now = time.time()
            await asyncio.sleep(options.interval - now % options.interval)
        await bare.scan()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--ports", required=True)
    parser.add_argument("--values", type=int, default=1000)
    parser.add_argument("--interval", type=float, default=0.0)
    parser.add_argument("--in-flight", type=int, default=1)
    parser.add_argument("--event-loop", choices=("uvloop", "asyncio"), default="asyncio")
    return parser.parse_args()


async def main(options: argparse.Namespace) -> None:
    totals: list[Bare] = []
    async with asyncio.TaskGroup() as tasks:
        for port in options.ports.split(","):
            tasks.create_task(one(int(port), options, totals))
        before = 0
        while True:
            await asyncio.sleep(1)
            replies = sum(bare.replies for bare in totals)
            print(replies - before, flush=True)
            before = replies


if __name__ == "__main__":
    asked = arguments()
    if asked.event_loop == "uvloop":
        import uvloop

        uvloop.run(main(asked))
    else:
        asyncio.run(main(asked))
