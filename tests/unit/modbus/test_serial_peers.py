"""Peers of other hands on a serial line: a C server on libmodbus, mbpoll reading our simulators."""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from pymodbus.framer import FramerType
from pymodbus.server import ModbusSerialServer
from pymodbus.simulator import DataType, SimData, SimDevice

from config.connections import ModbusSerialSource
from connectors import SystemClock, TagTable
from connectors.modbus import Modbus
from connectors.modbus.serial import SerialPort
from connectors.quality import BAD_CONFIGURATION_ERROR, GOOD
from gateway.lab.modbus import frames, replies
from gateway.lab.modbus import line as serial_lab
from tests.processes import ROOT, started, wait_for
from tests.servers import modbus_plant

pytestmark = pytest.mark.server

SOURCE = ROOT / "tests" / "servers" / "libmodbus_server.c"


@pytest.fixture(scope="session")
def libmodbus_server(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("libmodbus") / "server"
    flags = ("-O1", "-I/usr/include/modbus")
    subprocess.run(["gcc", *flags, "-o", program, SOURCE, "-lmodbus"], check=True)
    return program


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """Two ends of a line, each a terminal of its own."""
    ends = tmp_path / "near", tmp_path / "far"
    sides = [f"pty,raw,echo=0,link={end}" for end in ends]
    with started("socat", ["socat", *sides], tmp_path):
        wait_for(lambda: all(end.exists() for end in ends), "the pair of terminals", 10)
        yield ends


@asynccontextmanager
async def serving(*command: str | Path) -> AsyncIterator[bytes]:
    """Run a program that says when it is ready and ends with its standard input, or when it is told to."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield await process.stdout.readline()
    finally:
        process.stdin.close()
        if command[0] == sys.executable:
            process.terminate()
        await process.wait()


async def read(
    port: Path | str, tags: dict[str, Any], framing: Literal["rtu", "ascii"] = "rtu", **options: Any
) -> dict[str, tuple[Any, int]]:
    """Scan one device twice and return (value, quality) by tag name of the second scan."""
    plant = {
        "kind": "modbus_serial",
        "port": str(port),
        "framing": framing,
        "baud": 115200,
        "quiet": "50ms",
        "devices": {"m": {"scan": "10ms", "tags": tags, **options}},
    }
    read_options = ModbusSerialSource.model_validate(plant)
    line = SerialPort(read_options)
    source = Modbus("line", read_options, line, site="s", tags=TagTable(), clock=SystemClock())
    async with source:
        await source.read()
        batch = await source.read()
    return {
        source._tags[int(tag)].name: (value, int(quality))
        for part in batch.parts
        for tag, value, quality in zip(part.tag, part.value.tolist(), part.quality, strict=True)
    }


async def test_libmodbus_serves_every_table_over_a_pair_of_terminals(
    libmodbus_server: Path, pair: tuple[Path, Path]
) -> None:
    tags = {
        "holding": {"address": 0, "type": "uint16", "count": 300},
        "input": {"table": "input", "address": 0, "type": "uint16", "count": 30},
        "coil": {"table": "coil", "address": 0, "type": "bool", "count": 2100},
        "discrete": {"table": "discrete", "address": 0, "type": "bool", "count": 30},
        "float": {"address": 404, "type": "float32", "order": "BADC"},
        "long": {"address": 412, "type": "int64"},
        "beyond": {"address": 1000},
    }
    async with serving(libmodbus_server, pair[1], "7"):
        found = await read(pair[0], tags, unit_id=7)
    assert found.pop("beyond")[1] == BAD_CONFIGURATION_ERROR
    assert found.pop("float") == (123456.0, GOOD)
    assert found.pop("long") == (-1234567890123456789, GOOD)
    assert {quality for _, quality in found.values()} == {GOOD}
    assert [found[f"holding_{a}"][0] for a in range(300)] == [37 * a % 65536 for a in range(300)]
    assert [found[f"input_{a}"][0] for a in range(30)] == [41 * a for a in range(30)]
    assert [found[f"coil_{a}"][0] for a in range(2100)] == [float(a % 3 == 0) for a in range(2100)]
    assert [found[f"discrete_{a}"][0] for a in range(30)] == [float(a % 5 == 0) for a in range(30)]


@pytest.mark.parametrize("framing", ["rtu", "ascii"])
async def test_pymodbus_serves_what_we_read(
    framing: Literal["rtu", "ascii"], pair: tuple[Path, Path]
) -> None:
    blocks = [
        SimData(0, values=[11, 22, 33], datatype=DataType.UINT16),
        SimData(3, values=-5, datatype=DataType.INT32),
        SimData(5, values=1.25, datatype=DataType.FLOAT32),
    ]
    server = ModbusSerialServer(
        SimDevice(1, simdata=blocks), framer=FramerType(framing), port=str(pair[1]), baudrate=115200
    )
    await server.serve_forever(background=True)
    try:
        tags = {
            "v": {"address": 0, "type": "uint16", "count": 3},
            "i": {"address": 3, "type": "int32"},
            "f": {"address": 5, "type": "float32"},
        }
        found = await read(pair[0], tags, framing)
    finally:
        await server.shutdown()
    values = {"v_0": 11, "v_1": 22, "v_2": 33, "i": -5, "f": 1.25}
    assert found == {name: (value, GOOD) for name, value in values.items()}


async def mbpoll(port: Path | str, *options: str) -> list[float]:
    process = await asyncio.create_subprocess_exec(
        *("mbpoll", "-m", "rtu", "-b", "115200", "-P", "none", "-1", *options, str(port)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    return [float(value) for value in re.findall(r"^\[\d+\]:\s+(\S+)", out.decode(), re.MULTILINE)]


async def test_mbpoll_reads_the_faulty_line_when_it_behaves(tmp_path: Path) -> None:
    async with serial_lab.SerialEquipment(tmp_path / "line", replies.honest) as line:
        found = await mbpoll(line.path, "-a", "5", "-t", "3", "-r", "11", "-c", "20")
        assert found == [frames.register(5, a) for a in range(10, 30)]
        found = await mbpoll(line.path, "-a", "5", "-t", "0", "-r", "1", "-c", "20")
        assert found == [float(a % 3 == 0) for a in range(20)]


async def test_mbpoll_and_we_read_the_serial_plant_as_its_rule_says(tmp_path: Path) -> None:
    command = (sys.executable, "-m", "tests.servers.rtu_plant", "--devices", "3", "--values", "100")
    journal, link = tmp_path / "journal", tmp_path / "line"
    files = ("--journal", journal, "--link", link, "--first", "20")
    async with serving(*command, *files) as line:
        assert json.loads(line) == {"port": str(link)}
        found = await mbpoll(link, "-a", "2", "-t", "4:float", "-B", "-r", "1", "-c", "60")
        expected = modbus_plant.served(21, 100, 1)[:60]
        assert found == [pytest.approx(float(value), rel=1e-5) for value in expected]
        tags = {"v": {"address": 0, "type": "float32", "count": 100}}
        ours = await read(link, tags, unit_id=3)
        assert [value for value, _ in ours.values()] == modbus_plant.served(22, 100, 2).tolist()
        assert {quality for _, quality in ours.values()} == {GOOD}
    lines = [each.split() for each in journal.read_text().splitlines()]
    assert [(int(device), int(version)) for device, version, _ in lines] == [(21, 1), (22, 1), (22, 2)]
