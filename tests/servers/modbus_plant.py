"""A Modbus TCP plant that serves known values fast and keeps a journal of what it served.

    python tests/servers/modbus_plant.py --devices 10 --values 1000 --journal FILE
        [--port-file FILE] [--one-port] [--uvloop]

Device d (from 0) holds `values` float32, big-endian, in registers 0 … 2 * values - 1. Its version n begins at
1 and grows by one each time a request that contains register 0 is answered. Value 0 is n mod 2^24, so a scan
tells its version; value i is (n + 7919 i + 104729 d) mod 2^24, both as float32. The journal has a line
`<device> <n> <time_ns>` for every version, written when it is first served.

Ports are printed as JSON, {"ports": [...]}, one per device; any unit id is answered there. With --one-port
unit ids 1 … devices share one port and others get exception 11.
"""

import argparse
import asyncio
import json
import os
import signal
import struct
import time
from pathlib import Path
from typing import TextIO

import numpy as np

MODULUS = 1 << 24
FLUSH_S = 0.05
_REQUEST = struct.Struct(">HHHBBHH")
_ILLEGAL_FUNCTION, _ILLEGAL_ADDRESS, _ILLEGAL_VALUE, _TARGET_SILENT = 1, 2, 3, 11


def served(device: int, values: int, version: int) -> np.ndarray:
    """Return what the device's values are in this version, (values,) float32."""
    numbers = version + 7919 * np.arange(values, dtype=np.int64) + 104729 * device
    numbers[0] = version
    return (numbers % MODULUS).astype(np.float32)


class Journal:
    """Lines on disk at most a tenth of a second after they are written."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._due = False

    def note(self, device: int, version: int) -> None:
        self._file.write(f"{device} {version} {time.time_ns()}\n")
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_later(FLUSH_S, self.flush)

    def flush(self) -> None:
        self._due = False
        self._file.flush()


class PlantDevice:
    """The registers of one device as bytes, made anew for every version."""

    def __init__(self, number: int, values: int, journal: Journal | None) -> None:
        self.number = number
        self.registers = 2 * values
        self.version = 0
        self.image = b""
        self._journal = journal
        self._base = 7919 * np.arange(values, dtype=np.int64) + 104729 * number
        self._base[0] = 0

    def next_version(self) -> None:
        self.version += 1
        self.image = ((self._base + self.version) & (MODULUS - 1)).astype(">f4").tobytes()
        if self._journal is not None:
            self._journal.note(self.number, self.version)

    def answer(self, function: int, address: int, count: int) -> bytes:
        """Return function and data, or the exception."""
        if function not in (3, 4):
            return bytes((function | 0x80, _ILLEGAL_FUNCTION))
        if not 1 <= count <= 125:
            return bytes((function | 0x80, _ILLEGAL_VALUE))
        if address + count > self.registers:
            return bytes((function | 0x80, _ILLEGAL_ADDRESS))
        if address == 0 or not self.image:
            self.next_version()
        return bytes((function, 2 * count)) + self.image[2 * address : 2 * (address + count)]


class Connection(asyncio.Protocol):
    """One client; answers every whole request of a chunk in one write."""

    def __init__(self, devices: dict[int, PlantDevice], anyone: PlantDevice | None) -> None:
        self._devices = devices
        self._anyone = anyone
        self._rest = b""
        self.requests = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        data = self._rest + data if self._rest else data
        out: list[bytes] = []
        at, end = 0, len(data)
        while end - at >= 12:
            transaction, _, length, unit, function, address, count = _REQUEST.unpack_from(data, at)
            if length != 6:
                self._transport.close()
                return
            device = self._devices.get(unit, self._anyone)
            pdu = (
                bytes((function | 0x80, _TARGET_SILENT))
                if device is None
                else device.answer(function, address, count)
            )
            out.append(
                transaction.to_bytes(2, "big") + (1 + len(pdu)).to_bytes(4, "big") + bytes((unit,)) + pdu
            )
            at += 12
        self._rest = data[at:]
        if out:
            self.requests += len(out)
            self._transport.write(out[0] if len(out) == 1 else b"".join(out))


async def start(
    devices: int,
    values: int,
    journal: Journal | None = None,
    *,
    one_port: bool = False,
    host: str = "127.0.0.1",
) -> tuple[list[asyncio.Server], list[int]]:
    """Listen; return the servers and a port per device, the same one for all with `one_port`."""
    loop = asyncio.get_running_loop()
    plant = [PlantDevice(number, values, journal) for number in range(devices)]
    if one_port:
        units = {device.number + 1: device for device in plant}
        server = await loop.create_server(lambda: Connection(units, None), host, 0)
        return [server], [server.sockets[0].getsockname()[1]] * devices
    servers = [
        await loop.create_server(lambda device=device: Connection({}, device), host, 0)  # type: ignore[misc]
        for device in plant
    ]
    return servers, [server.sockets[0].getsockname()[1] for server in servers]


async def _serve(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    if os.name == "posix":
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with options.journal.open("a", encoding="ascii") as file:
        journal = Journal(file)
        servers, ports = await start(options.devices, options.values, journal, one_port=options.one_port)
        line = json.dumps({"ports": ports})
        if options.port_file is not None:
            # Renamed into place, so that whoever waits for the file finds it whole.
            temporary = options.port_file.with_suffix(".tmp")
            temporary.write_text(line, encoding="ascii")
            temporary.replace(options.port_file)
        print(line, flush=True)
        await stop.wait()
        for server in servers:
            server.close()
        journal.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description="a Modbus TCP plant with known values")
    parser.add_argument("--devices", type=int, default=10)
    parser.add_argument("--values", type=int, default=1000)
    parser.add_argument("--journal", type=Path, required=True)
    parser.add_argument("--port-file", type=Path)
    parser.add_argument("--one-port", action="store_true")
    parser.add_argument("--uvloop", action="store_true")
    options = parser.parse_args()
    if options.uvloop:
        import uvloop

        uvloop.run(_serve(options))
    else:
        asyncio.run(_serve(options))


if __name__ == "__main__":
    main()
