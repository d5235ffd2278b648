"""A serial line of devices that serve known values and keep a journal of what they served.

    python -m tests.servers.rtu_plant --devices 10 --values 60 --journal FILE [--link PATH] [--first D]

Unit ids 1 … devices are on one line, a pseudo-terminal; its path is printed as JSON, {"port": "/dev/pts/7"},
or the link that was asked for. Device d counts from `--first` (0), unit id u is device first + u - 1, and
registers, versions and journal are those of `modbus_plant`. Other unit ids are silent, as on any line.
"""

import argparse
import asyncio
import contextlib
import json
import os
import pty
import signal
import tty
from pathlib import Path

from tests.servers.modbus_plant import Journal, PlantDevice


def _table() -> list[int]:
    table = []
    for octet in range(256):
        value = octet
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
        table.append(value)
    return table


_OF_OCTET = _table()


def crc(data: bytes) -> bytes:
    """Return the two bytes that end an RTU frame, low byte first."""
    value = 0xFFFF
    for octet in data:
        value = value >> 8 ^ _OF_OCTET[(value ^ octet) & 0xFF]
    return value.to_bytes(2, "little")


class SerialPlant:
    """The devices of one line and the terminal they are on."""

    def __init__(self, devices: int, values: int, journal: Journal | None = None, *, first: int = 0) -> None:
        self._units = {u: PlantDevice(first + u - 1, values, journal) for u in range(1, devices + 1)}
        self._ours, self._theirs = pty.openpty()
        tty.setraw(self._theirs)
        os.set_blocking(self._ours, False)
        self._rest = b""
        self.port = os.ttyname(self._theirs)
        self.requests = 0

    def start(self) -> None:
        asyncio.get_running_loop().add_reader(self._ours, self._read)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._ours)
        os.close(self._ours)
        os.close(self._theirs)

    def _read(self) -> None:
        self._rest += os.read(self._ours, 4096)
        while len(self._rest) >= 8:
            request = self._rest[:8]
            if crc(request[:6]) != request[6:]:
                self._rest = self._rest[1:]
                continue
            self._rest = self._rest[8:]
            self.requests += 1
            device = self._units.get(request[0])
            if device is not None:
                address, count = (int.from_bytes(request[i : i + 2], "big") for i in (2, 4))
                content = request[:1] + device.answer(request[1], address, count)
                os.write(self._ours, content + crc(content))


async def _serve(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with options.journal.open("a", encoding="ascii") as file:
        journal = Journal(file)
        plant = SerialPlant(options.devices, options.values, journal, first=options.first)
        plant.start()
        port = plant.port
        if options.link is not None:
            options.link.unlink(missing_ok=True)
            options.link.symlink_to(port)
            port = str(options.link)
        print(json.dumps({"port": port}), flush=True)
        await stop.wait()
        plant.close()
        journal.flush()
        if options.link is not None:
            with contextlib.suppress(OSError):
                options.link.unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description="a serial line of Modbus RTU devices with known values")
    parser.add_argument("--devices", type=int, default=10)
    parser.add_argument("--values", type=int, default=60)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--journal", type=Path, required=True)
    parser.add_argument("--link", type=Path)
    asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
