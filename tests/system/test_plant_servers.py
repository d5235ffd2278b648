"""Each server of the simulated plant, read by a program that is not ours, shows what the model says.

The plant stands still (`--hours 0`), so every value is known.
"""

import asyncio
import json
import math
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from asyncua import Client, ua

from edge_deploy.plant.clock import parse
from edge_deploy.plant.model import Plant, State
from tests.processes import ROOT, free_port, python, started, wait_for
from tests.servers.broker import Broker

START = "2026-06-21T12:10"
STILL = ("--start", START, "--seed", "5", "--hours", "0")
KWH = 3.6e15


@pytest.fixture(scope="module")
def truth() -> State:
    return Plant(5, parse(START)).at(parse(START))


@contextmanager
def serving(what: str, folder: Path, *arguments: str | Path) -> Iterator[None]:
    with started(what, python("-m", "edge_deploy.plant", what, *STILL, *arguments), folder):
        yield


def polled(*arguments: str) -> list[float]:
    """Return what mbpoll reads: numbers by line."""
    done = subprocess.run(["mbpoll", *arguments, "-1", "-q"], capture_output=True, text=True, check=False)
    return [float(each) for each in re.findall(r"^\[\d+\]:\s+(\S+)", done.stdout, re.MULTILINE)]


def of_tcp(port: int, unit: int, table: str, register: int, count: int) -> list[float]:
    """Read from a zero-based register; mbpoll counts from one."""
    where = ("-m", "tcp", "-p", str(port), "-a", str(unit), "-t", table, "-B", "-r", str(register + 1))
    return polled(*where, "-c", str(count), "127.0.0.1")


def close(shown: float, true: float) -> bool:
    """Compare within a float32 and the six digits mbpoll prints."""
    return math.isclose(shown, true, rel_tol=2e-5, abs_tol=1e-3)


@pytest.mark.server
@pytest.mark.system
def test_mbpoll_reads_the_meters_behind_modbus_tcp(truth: State, tmp_path: Path) -> None:
    port = free_port()
    grid, press = truth.meters["grid"], truth.meters["press"]
    with serving("modbus-tcp", tmp_path, "--port", str(port)):
        wait_for(lambda: of_tcp(port, 1, "3:float", 0, 1), "the server")
        assert all(map(close, of_tcp(port, 1, "3:float", 0, 9), (*grid.u, *grid.i, *grid.p)))
        (power,) = of_tcp(port, 1, "3:float", 52, 1)
        assert power == pytest.approx(grid.power, rel=2e-5)
        assert power < 0, "the roof feeds the grid at lunch"
        assert close(of_tcp(port, 1, "3:float", 72, 1)[0], grid.energy.imported / KWH)
        assert close(of_tcp(port, 2, "4:float", 0x081A, 1)[0], press.power / 1000)
        assert of_tcp(port, 2, "4:int", 0x084C, 1) == [press.energy.imported // (KWH / 10)]
        assert of_tcp(port, 20, "4", 1, 1) == [round(truth.air_pressure * 100)]
        assert of_tcp(port, 7, "4", 0, 1) == [], "no such device"


@pytest.mark.server
@pytest.mark.system
def test_mbpoll_reads_the_meters_of_the_serial_line(truth: State, tmp_path: Path) -> None:
    line = tmp_path / "line"
    with serving("modbus-line", tmp_path, "--link", line):
        wait_for(line.exists, "the line")

        def read(unit: int, table: str, register: int) -> float:
            where = ("-m", "rtu", "-b", "19200", "-P", "none", "-a", str(unit), "-t", table, "-B")
            return polled(*where, "-r", str(register + 1), "-c", "1", str(line))[0]

        compressor, oven = truth.meters["compressor"], truth.meters["oven"]
        assert close(read(1, "4:float", 0x2012) / 10 * 20, compressor.power)
        assert close(read(1, "4:float", 0x2006) / 10, compressor.u[0])
        assert close(read(2, "3:float", 52), oven.power)
        assert close(read(2, "3:float", 72), oven.energy.imported / KWH)


@pytest.mark.server
@pytest.mark.system
@pytest.mark.parametrize("security", ["None", "Basic256Sha256"])
def test_an_opc_ua_client_reads_the_controllers(truth: State, tmp_path: Path, security: str) -> None:
    port = free_port()

    async def read() -> dict[str, ua.DataValue]:
        client = Client(f"opc.tcp://127.0.0.1:{port}/plant")
        if security != "None":
            ours = tmp_path / "client"
            make = "edge_deploy.plant.opcua"
            code = (
                f"from {make} import _make_certificate as m; from pathlib import Path; m(Path({str(ours)!r}))"
            )
            await asyncio.to_thread(subprocess.run, [sys.executable, "-c", code], check=True, cwd=ROOT)
            client.application_uri = "urn:wanglian:plant:server"
            await client.set_security_string(
                f"Basic256Sha256,SignAndEncrypt,{ours}/certificate.der,{ours}/key.pem"
            )
        async with client:
            index = await client.get_namespace_index("urn:wanglian:plant:line")
            names = ("Press.State", "Press.Running", "Press.Good", "Oven.Temperature", "Press.OilTemperature")
            return {name: await client.get_node(ua.NodeId(name, index)).read_data_value() for name in names}

    with serving("opcua", tmp_path, "--port", str(port), "--folder", tmp_path / "server"):
        wait_for((tmp_path / "server" / "certificate.der").exists, "the certificate")
        found = asyncio.run(_patiently(read))
    kinds = {name: value.Value.VariantType for name, value in found.items()}
    types = ua.VariantType
    assert list(kinds.values()) == [types.String, types.Boolean, types.UInt32, types.Double, types.Float]
    values = [value.Value.Value for value in found.values()]
    assert values[:3] == [truth.press_state, truth.press_state == "running", truth.press_good]
    assert values[3] == truth.oven_temperature
    assert close(values[4], truth.press_oil)
    assert all(value.StatusCode.is_good() and value.SourceTimestamp for value in found.values())


async def _patiently(read: object) -> dict[str, ua.DataValue]:
    deadline = asyncio.get_running_loop().time() + 30
    while True:
        try:
            return await read()  # type: ignore[operator]
        except OSError:
            assert asyncio.get_running_loop().time() < deadline
            await asyncio.sleep(0.1)


@pytest.mark.server
@pytest.mark.system
def test_mosquitto_sub_hears_the_sensors(truth: State, tmp_path: Path) -> None:
    with Broker(tmp_path) as broker, serving("sensors", tmp_path, "--port", str(broker.port)):
        listen = ["mosquitto_sub", "-h", broker.host, "-p", str(broker.port), "-t", "sensors/#"]
        done = subprocess.run(
            [*listen, "-v", "-C", "4", "-W", "20"], capture_output=True, text=True, check=True
        )
    told = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert len(told) == 4
    temperature, humidity = truth.climate["press_shop"]
    air = json.loads(told["sensors/press_shop/climate"])["data"]
    assert air == {"temp": round(temperature, 2), "hum": round(humidity, 1)}
    assert json.loads(told["sensors/compressed_air/flow"])["flow"] == round(truth.air_flow, 3)
