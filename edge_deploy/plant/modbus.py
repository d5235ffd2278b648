"""The plant's Modbus servers (pymodbus): meters behind one TCP port, meters on a pseudo-terminal."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from pymodbus import FramerType
from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from edge_deploy.plant.clock import Clock
from edge_deploy.plant.model import Plant
from edge_deploy.plant.registers import BEHIND_TCP, ON_THE_LINE, Device

_Action = Callable[[int, int, int, int, list[int], object], Awaitable[ExcCodes | None]]
BAUD = 19_200


def _served(device: Device, plant: Plant, clock: Clock) -> SimDevice:
    async def fill(
        function: int, _first: int, _address: int, _count: int, registers: list[int], _new: object
    ) -> ExcCodes | None:
        if function != device.function:
            return ExcCodes.ILLEGAL_FUNCTION
        registers[:] = device.image(plant.at(clock.now()))
        return None

    action: _Action = fill
    block = SimData(device.first, count=device.count, values=0, datatype=DataType.REGISTERS)
    return SimDevice(device.unit, [block], action=action)


async def serve_tcp(plant: Plant, clock: Clock, port: int) -> None:
    """Answer on a port of loopback until cancelled."""
    devices = [_served(device, plant, clock) for device in BEHIND_TCP]
    server = ModbusTcpServer(devices, address=("127.0.0.1", port), ignore_missing_devices=True)
    await server.serve_forever()


async def serve_line(plant: Plant, clock: Clock, link: Path) -> None:
    """Answer on a pseudo-terminal the link points to, until cancelled; POSIX only.

    The server wants the name of a port, and so does the gateway: each has a terminal, and what is written
    into one comes out of the other.
    """
    import tty  # noqa: PLC0415  not on Windows

    servers, lines = os.openpty(), os.openpty()
    for terminal in (servers, lines):
        tty.setraw(terminal[1])
        os.set_blocking(terminal[0], False)
    loop = asyncio.get_running_loop()
    loop.add_reader(servers[0], _pass_on, servers[0], lines[0])
    loop.add_reader(lines[0], _pass_on, lines[0], servers[0])
    server = ModbusSerialServer(
        [_served(device, plant, clock) for device in ON_THE_LINE],
        framer=FramerType.RTU,
        port=os.ttyname(servers[1]),
        baudrate=BAUD,
        ignore_missing_devices=True,
    )
    await server.serve_forever(background=True)
    _point(link, os.ttyname(lines[1]))
    try:
        await asyncio.Event().wait()
    finally:
        await server.shutdown()


def _point(link: Path, terminal: str) -> None:
    link.unlink(missing_ok=True)
    link.symlink_to(terminal)


def _pass_on(source: int, target: int) -> None:
    os.write(target, os.read(source, 4096))
