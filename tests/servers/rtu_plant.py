"""A serial line with meters that serve known values, and a journal of what they served.

    python -m tests.servers.rtu_plant --devices 4 --values 20 --journal FILE

Device d (from 0) answers as unit id d + 1 and holds what `modbus_plant` says of its device d: float32 in
registers 0 …, a version that grows with each request for register 0, the same journal. The line is one end of
a pseudo-terminal; the other is printed as JSON, {"port": "/dev/pts/5"}. It has no speed of its own.
"""

import argparse
import asyncio
import json
import os
import signal
import tty
from pathlib import Path

from tests.servers.modbus_plant import Journal, PlantDevice

SILENCE_S = 0.02
"""What is no whole request by then was cut off: its asker died."""


def crc16(data: bytes) -> bytes:
    """Return the CRC of a frame as it is sent (Modbus over Serial Line 2.5.1.2)."""
    crc = 0xFFFF
    for octet in data:
        crc ^= octet
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return crc.to_bytes(2, "little")


class SerialPlant:
    """The meters' end of the line."""

    def __init__(self, master: int, devices: dict[int, PlantDevice]) -> None:
        self._master = master
        self._devices = devices
        self._heard = b""
        self._end: asyncio.TimerHandle | None = None

    def hear(self) -> None:
        """Take what came; answer a whole request, forget half of one after a silence."""
        if self._end is not None:
            self._end.cancel()
        self._heard += os.read(self._master, 4096)
        while len(self._heard) >= 8:
            request, self._heard = self._heard[:8], self._heard[8:]
            self._answer(request)
        self._end = asyncio.get_running_loop().call_later(SILENCE_S, self._forget)

    def _forget(self) -> None:
        self._heard = b""

    def _answer(self, request: bytes) -> None:
        device = self._devices.get(request[0])
        if device is None or crc16(request[:6]) != request[6:]:
            return  # a meter is silent to what is not for it
        address, count = int.from_bytes(request[2:4], "big"), int.from_bytes(request[4:6], "big")
        frame = request[:1] + device.answer(request[1], address, count)
        os.write(self._master, frame + crc16(frame))


async def _serve(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    # The slave stays open here, or the master would see an end whenever the gateway is away.
    master, slave = os.openpty()
    tty.setraw(slave)
    with options.journal.open("a", encoding="ascii") as file:
        journal = Journal(file)
        devices = {d + 1: PlantDevice(d, options.values, journal) for d in range(options.devices)}
        loop.add_reader(master, SerialPlant(master, devices).hear)
        print(json.dumps({"port": os.ttyname(slave)}), flush=True)
        await stop.wait()
        journal.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description="a serial line with meters of known values")
    parser.add_argument("--devices", type=int, default=4)
    parser.add_argument("--values", type=int, default=20)
    parser.add_argument("--journal", type=Path, required=True)
    asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
