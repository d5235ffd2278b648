"""Peers of other hands: a C server on libmodbus, pymodbus's server, mbpoll reading our simulator."""

import asyncio
import re
import struct
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from config.connections import ModbusTcpSource
from connectors import SystemClock, TagTable
from connectors.modbus import Modbus, TcpLine
from connectors.quality import BAD_CONFIGURATION_ERROR, BAD_NOT_SUPPORTED, GOOD
from tests.servers import modbus_plant

pytestmark = pytest.mark.server

SERVERS = Path(__file__).parents[2] / "servers"


@pytest.fixture(scope="session")
def libmodbus_server(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("libmodbus") / "server"
    source = SERVERS / "libmodbus_server.c"
    flags = ("-O1", "-I/usr/include/modbus")
    subprocess.run(["gcc", *flags, "-o", program, source, "-lmodbus"], check=True)
    return program


@asynccontextmanager
async def running(program: Path) -> AsyncIterator[int]:
    process = await asyncio.create_subprocess_exec(
        program, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield int(await process.stdout.readline())
    finally:
        process.stdin.close()
        await process.wait()


async def read(port: int, tags: dict[str, dict[str, Any]], **options: Any) -> dict[str, tuple[Any, int]]:
    """Scan one device twice and return (value, quality) by tag name of the second scan."""
    plant = {
        "kind": "modbus_tcp",
        "host": "127.0.0.1",
        "port": port,
        "devices": {"m": {"scan": "10ms", "tags": tags, **options}},
    }
    options = ModbusTcpSource.model_validate(plant)
    source = Modbus("line", options, TcpLine(options), site="s", tags=TagTable(), clock=SystemClock())
    async with source:
        await source.read()
        batch = await source.read()
    return {
        source._tags[int(tag)].name: (value, int(quality))
        for part in batch.parts
        for tag, value, quality in zip(part.tag, part.value.tolist(), part.quality, strict=True)
    }


TYPED = {
    "abcd": ({"address": 400, "type": "float32"}, 123456.0),
    "cdab": ({"address": 402, "type": "float32", "order": "CDAB"}, 123456.0),
    "badc": ({"address": 404, "type": "float32", "order": "BADC"}, 123456.0),
    "dcba": ({"address": 406, "type": "float32", "order": "DCBA"}, 123456.0),
    "small": ({"address": 408, "type": "float32"}, -0.15625),
    "int32": ({"address": 410, "type": "int32"}, -123456789),
    "uint32": ({"address": 410, "type": "uint32"}, 2**32 - 123456789),
    "int64": ({"address": 412, "type": "int64"}, -1234567890123456789),
    "uint64": ({"address": 416, "type": "uint64"}, 18446744073709551557 - 2**64),
    "int16": ({"address": 420, "type": "int16"}, -2),
    "uint16": ({"address": 420, "type": "uint16"}, 65534),
    "high": ({"address": 420, "type": "int8", "byte": "high"}, -1),
    "low": ({"address": 420, "type": "uint8", "byte": "low"}, 254),
    "float16": ({"address": 300, "type": "float16"}, struct.unpack(">e", (37 * 300).to_bytes(2, "big"))[0]),
    "bcd": ({"address": 421, "type": "bcd", "length": 2}, 12345678),
    "string": ({"address": 423, "type": "string", "length": 4}, "Pump 7"),
    "bit": ({"address": 427, "type": "bool", "bit": 11}, 1.0),
    "other_bit": ({"address": 427, "type": "bool", "bit": 10}, 0.0),
}


async def test_libmodbus_serves_every_type_and_order_as_we_read_it(libmodbus_server: Path) -> None:
    async with running(libmodbus_server) as port:
        found = await read(port, {name: tag for name, (tag, _) in TYPED.items()})
    assert found == {name: (value, GOOD) for name, (_, value) in TYPED.items()}


@pytest.mark.parametrize("in_flight", [1, 8])
async def test_libmodbus_serves_whole_tables_at_the_limits_of_a_request(
    libmodbus_server: Path, in_flight: int
) -> None:
    tags = {
        "holding": {"address": 0, "type": "uint16", "count": 400},
        "input": {"table": "input", "address": 0, "type": "uint16", "count": 400},
        "coil": {"table": "coil", "address": 0, "type": "bool", "count": 3000},
        "discrete": {"table": "discrete", "address": 0, "type": "bool", "count": 3000},
    }
    async with running(libmodbus_server) as port:
        found = await read(port, tags, max_in_flight=in_flight)
    assert {quality for _, quality in found.values()} == {GOOD}
    for a in range(400):
        assert found[f"holding_{a}"][0] == 37 * a % 65536
        assert found[f"input_{a}"][0] == 41 * a % 65536
    for a in range(3000):
        assert found[f"coil_{a}"][0] == float(a % 3 == 0)
        assert found[f"discrete_{a}"][0] == float(a % 5 == 0)


async def test_libmodbus_refuses_addresses_it_lacks_and_the_others_are_read(libmodbus_server: Path) -> None:
    tags = {"last": {"address": 999}, "beyond": {"address": 1000}, "low": {"address": 2}}
    async with running(libmodbus_server) as port:
        found = await read(port, tags)
    assert found["beyond"][1] == BAD_CONFIGURATION_ERROR
    assert found["last"] == (0.0, GOOD)
    assert found["low"] == (74.0, GOOD)


async def test_pymodbus_serves_what_we_read() -> None:
    blocks = [
        SimData(0, values=[11, 22, 33], datatype=DataType.UINT16),
        SimData(3, values=-5, datatype=DataType.INT32),
        SimData(5, values=2.5, datatype=DataType.FLOAT64),
        SimData(9, values=1.25, datatype=DataType.FLOAT32),
        SimData(11, values=-7, datatype=DataType.INT64),
        SimData(15, values="line", datatype=DataType.STRING),
    ]
    server = ModbusTcpServer(SimDevice(1, simdata=blocks), address=("127.0.0.1", 0))
    await server.serve_forever(background=True)
    try:
        port = server.transport.sockets[0].getsockname()[1]
        found = await read(
            port,
            {
                "v": {"address": 0, "type": "uint16", "count": 3},
                "i": {"address": 3, "type": "int32"},
                "d": {"address": 5, "type": "float64"},
                "f": {"address": 9, "type": "float32"},
                "w": {"address": 11, "type": "int64"},
                "s": {"address": 15, "type": "string", "length": 2},
            },
        )
    finally:
        await server.shutdown()
    values = {"v_0": 11, "v_1": 22, "v_2": 33, "i": -5, "d": 2.5, "f": 1.25, "w": -7, "s": "line"}
    assert found == {name: (value, GOOD) for name, value in values.items()}


@pytest.fixture
def plant(tmp_path: Path) -> Any:
    """Our simulator as its users start it: three devices of 300 values."""

    @asynccontextmanager
    async def start(*extra: str) -> AsyncIterator[tuple[list[int], Path]]:
        journal = tmp_path / "journal"
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(SERVERS / "modbus_plant.py"), "--devices", "3", "--values", "300"),
            *("--journal", str(journal), "--port-file", str(tmp_path / "ports"), *extra),
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        try:
            ports = re.findall(rb"\d+", await process.stdout.readline())
            yield [int(port) for port in ports], journal
        finally:
            process.terminate()
            await process.wait()

    return start


async def mbpoll(port: int, *options: str) -> list[float]:
    process = await asyncio.create_subprocess_exec(
        *("mbpoll", "-1", "-p", str(port), *options, "127.0.0.1"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    return [float(value) for value in re.findall(r"^\[\d+\]:\s+(\S+)", out.decode(), re.MULTILINE)]


async def test_mbpoll_reads_from_our_simulator_what_its_rule_says(plant: Any) -> None:
    async with plant() as (ports, journal):
        assert len(set(ports)) == 3
        for version in (1, 2):
            found = await mbpoll(ports[2], "-t", "4:float", "-B", "-r", "1", "-c", "60")
            expected = modbus_plant.served(2, 300, version)[:60]
            assert found == [pytest.approx(float(value), rel=1e-5) for value in expected]
        assert await mbpoll(ports[2], "-t", "4:float", "-B", "-r", "600", "-c", "2") == []
    lines = [line.split() for line in journal.read_text().splitlines()]
    assert [(int(device), int(version)) for device, version, _ in lines] == [(2, 1), (2, 2)]


async def test_our_source_reads_from_our_simulator_whole_versions_on_one_port(plant: Any) -> None:
    async with plant("--one-port") as (ports, journal):
        assert len(set(ports)) == 1
        tags = {"v": {"address": 0, "type": "float32", "count": 300}}
        found = await read(ports[0], tags, unit_id=2, max_in_flight=4)
        assert [value for value, _ in found.values()] == modbus_plant.served(1, 300, 2).tolist()
        assert {quality for _, quality in found.values()} == {GOOD}
        refused = await read(ports[0], {"c": {"table": "coil", "address": 0, "type": "bool"}})
        assert refused["c"][1] == BAD_NOT_SUPPORTED
    assert len(journal.read_text().splitlines()) == 2
