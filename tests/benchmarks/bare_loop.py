"""The bare loop: everything W1 must do and nothing it should do. The floor for the highest rate.

Pipelined Modbus exchange → one numpy gather → append to a file, synced twice a second → MQTT QoS 1 JSON.
No check of any reply, no quality, no timestamp per row, no cursor, no retry, no configuration. One process,
uvloop where there is one. Prints values acknowledged by the broker per second, once a second.

    python -m tests.benchmarks.bare_loop --ports 5001,5002 --broker 1883 --in-flight 8 --out FILE
"""

import argparse
import asyncio
import os
import struct
import threading
import time
from pathlib import Path

import numpy as np
import orjson

from tests.benchmarks.bare_modbus import Bare, plan


class Keeping(Bare):
    """The bare exchange, keeping the registers."""

    def __init__(self, requests: list[bytes], sizes: list[int], in_flight: int) -> None:
        super().__init__(requests, sizes, in_flight)
        self.kept: list[bytes] = []

    def data_received(self, data: bytes) -> None:
        self.kept.append(data)
        super().data_received(data)


class Publisher(asyncio.Protocol):
    """MQTT 3.1.1, QoS 1, by hand: CONNECT, PUBLISH, counted PUBACKs."""

    WINDOW = 20

    def __init__(self) -> None:
        self.acknowledged = self.sent = 0
        self.room = asyncio.Event()
        self.room.set()
        self._left = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        name = b"bare"
        body = b"\x00\x04MQTT\x04\x02\x00\x3c" + struct.pack(">H", len(name)) + name
        self.transport.write(bytes([0x10, len(body)]) + body)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        # CONNACK and PUBACK are both four bytes.
        self._left += len(data)
        packets, self._left = divmod(self._left, 4)
        self.acknowledged += packets
        if self.sent - self.acknowledged < self.WINDOW:
            self.room.set()

    def publish(self, topic: bytes, payload: bytes) -> None:
        self.sent += 1
        body = struct.pack(">H", len(topic)) + topic + struct.pack(">H", self.sent % 65535 + 1)
        length, head = len(body) + len(payload), bytearray(b"\x32")
        while length:
            length, digit = divmod(length, 128)
            head.append(digit | (0x80 if length else 0))
        self.transport.write(bytes(head) + body + payload)  # type: ignore[attr-defined]
        if self.sent - self.acknowledged >= self.WINDOW:
            self.room.clear()


def gather(values: int) -> np.ndarray:
    """Return where each value's bytes lie in the concatenated replies, least significant first."""
    places, at, left = [], 0, 2 * values
    while left:
        count = min(124, left)
        data = at + 9 + np.arange(0, 2 * count, 4)
        places.append((data[:, None] + np.array([3, 2, 1, 0])).ravel())
        at, left = at + 9 + 2 * count, left - count
    return np.concatenate(places)


async def one(port: int, options: argparse.Namespace, publisher: Publisher, log: int) -> None:
    requests, sizes = plan(options.values)
    loop = asyncio.get_running_loop()
    _, bare = await loop.create_connection(
        lambda: Keeping(requests, sizes, options.in_flight), "127.0.0.1", port
    )
    where, names = gather(options.values), [f"v_{i}" for i in range(options.values)]
    topic = b"wanglian/bare/%d" % port
    while True:
        bare.kept.clear()
        await bare.scan()
        registers = np.frombuffer(b"".join(bare.kept), np.uint8).take(where)
        values = registers.view("<f4").astype(np.float64)
        os.write(log, values.tobytes())
        payload = orjson.dumps({"t": time.time_ns(), "v": dict(zip(names, values.tolist(), strict=True))})
        publisher.publish(topic, payload)
        await publisher.room.wait()


async def main(options: argparse.Namespace) -> None:
    loop = asyncio.get_running_loop()
    _, publisher = await loop.create_connection(Publisher, "127.0.0.1", options.broker)
    log = os.open(options.out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)

    def sync() -> None:
        while True:
            time.sleep(0.5)
            os.fdatasync(log)

    threading.Thread(target=sync, daemon=True).start()
    async with asyncio.TaskGroup() as tasks:
        for port in options.ports.split(","):
            tasks.create_task(one(int(port), options, publisher, log))
        before = publisher.acknowledged
        while True:
            await asyncio.sleep(1)
            print((publisher.acknowledged - before) * options.values, flush=True)
            before = publisher.acknowledged


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--ports", required=True)
    parser.add_argument("--broker", type=int, required=True)
    parser.add_argument("--values", type=int, default=1000)
    parser.add_argument("--in-flight", type=int, default=8)
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    try:
        import uvloop
    except ImportError:
        asyncio.run(main(arguments()))
    else:
        uvloop.run(main(arguments()))
