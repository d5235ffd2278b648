"""What every source promises, asked of each of them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np
import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from config.connections import (
    Cjt188Source,
    Dlt645Source,
    ModbusSerialSource,
    ModbusTcpSource,
    MqttSource,
    OpcUaSource,
    SimulatedSource,
    SparkplugSource,
)
from connectors import DTYPE_OF_PART, PART_OF_KIND, Batch, Kind, NotConnected, Source, SystemClock, TagTable
from connectors import cjt188 as cjt188_meters
from connectors import dlt645 as dlt645_meters
from connectors.modbus import Modbus, TcpLine
from connectors.modbus.serial import SerialPort, SerialServer
from connectors.mqtt import Mqtt
from connectors.opcua import OpcUa
from connectors.simulated import Simulated
from connectors.sparkplug import Sparkplug
from gateway.lab.meters.line import MeterLine
from gateway.lab.modbus import line as serial_lab
from gateway.lab.modbus import replies
from gateway.lab.proxy import Proxy
from gateway.lab.sparkplug import EdgeNode
from tests.servers import modbus_plant
from tests.servers.broker import Broker
from tests.servers.edge_node import EdgeNodeClient, now_ms
from tests.servers.node_opcua import MACHINE, NodeServer


@dataclass
class Rig:
    """A source of the kind, and how to cut and mend what it reads."""

    make: Callable[[TagTable], Source]
    cut: Callable[[], Awaitable[None]] | None = None
    mend: Callable[[], Awaitable[None]] | None = None


@asynccontextmanager
async def simulated() -> AsyncIterator[Rig]:
    tags = {"x": {"count": 5}, "on": {"shape": "square"}, "state": {"shape": "text"}}
    options = SimulatedSource.model_validate(
        {
            "kind": "simulated",
            "devices": {n: {"at": "a/l", "scan": "20ms", "tags": tags} for n in ("d1", "d2")},
        }
    )
    yield Rig(lambda table: Simulated("sim", options, site="s", tags=table, clock=SystemClock()))


@asynccontextmanager
async def modbus_tcp() -> AsyncIterator[Rig]:
    servers, (port, _) = await modbus_plant.start(2, 20, one_port=True)
    async with Proxy("127.0.0.1", port) as relay:
        tags = {"v": {"address": 0, "type": "float32", "count": 15}, "big": {"address": 30, "type": "int64"}}
        options = ModbusTcpSource.model_validate(
            {
                "kind": "modbus_tcp",
                "host": "127.0.0.1",
                "port": relay.port,
                "devices": {
                    f"d{u}": {"unit_id": u, "at": "a/l", "scan": "20ms", "tags": tags} for u in (1, 2)
                },
            }
        )
        yield Rig(
            lambda table: Modbus("plc", options, TcpLine(options), site="s", tags=table, clock=SystemClock()),
            relay.cut,
            relay.mend,
        )
    for server in servers:
        server.close()


ON_A_LINE = {
    f"d{u}": {
        "unit_id": u,
        "at": "a/l",
        "scan": "20ms",
        "tags": {
            "v": {"address": 0, "type": "uint16", "count": 20},
            "on": {"table": "coil", "address": 3, "type": "bool"},
            "big": {"address": 30, "type": "int64"},
        },
    }
    for u in (1, 2)
}


@asynccontextmanager
async def modbus_rtu(framing: Literal["rtu", "ascii"] = "rtu") -> AsyncIterator[Rig]:
    with TemporaryDirectory() as folder:
        async with serial_lab.SerialEquipment(Path(folder, "line"), replies.honest, framing) as line:
            options = ModbusSerialSource.model_validate(
                {
                    "kind": "modbus_serial",
                    "port": str(line.path),
                    "framing": framing,
                    "baud": 115200,
                    "quiet": "50ms",
                    "timeout": "250ms",
                    "devices": ON_A_LINE,
                }
            )

            async def cut() -> None:
                line.cut()

            async def mend() -> None:
                line.mend()

            yield Rig(
                lambda table: Modbus(
                    "line", options, SerialPort(options), site="s", tags=table, clock=SystemClock()
                ),
                cut,
                mend,
            )


def modbus_ascii() -> AbstractAsyncContextManager[Rig]:
    return modbus_rtu("ascii")


@asynccontextmanager
async def modbus_rtu_over_tcp() -> AsyncIterator[Rig]:
    line = serial_lab.SerialEquipment(Path("unused"), replies.honest)
    async with serial_lab.SerialServer(line) as server:
        options = ModbusTcpSource.model_validate(
            {
                "kind": "modbus_tcp",
                "host": "127.0.0.1",
                "port": server.port,
                "framing": "rtu",
                "quiet": "50ms",
                "timeout": "250ms",
                "devices": ON_A_LINE,
            }
        )

        async def cut() -> None:
            server.cut()

        yield Rig(
            lambda table: Modbus(
                "line", options, SerialServer(options), site="s", tags=table, clock=SystemClock()
            ),
            cut,
            server.mend,
        )


@asynccontextmanager
async def dlt645() -> AsyncIterator[Rig]:
    held = {di: bytes.fromhex("01020304") for di in ("00010000", "00020000")}
    numbers = {f"d{n}": f"00000000000{n}" for n in (1, 2)}
    async with MeterLine("dlt645", dict.fromkeys(numbers.values(), held)) as line:
        options = Dlt645Source.model_validate(
            {
                "kind": "dlt645",
                "host": "127.0.0.1",
                "tcp_port": line.port,
                "quiet": "50ms",
                "timeout": "250ms",
                "devices": {
                    name: {
                        "address": number,
                        "at": "a/l",
                        "scan": "20ms",
                        "tags": {"e_import": {"di": "00010000"}, "e_export": {"di": "00020000"}},
                    }
                    for name, number in numbers.items()
                },
            }
        )

        def make(table: TagTable) -> Source:
            over = dlt645_meters.line(options)
            return dlt645_meters.Dlt645("line", options, over, site="s", tags=table, clock=SystemClock())

        yield Rig(make, line.cut, line.mend)


@asynccontextmanager
async def cjt188() -> AsyncIterator[Rig]:
    held = {"901F": bytes.fromhex("010203042c")}
    numbers = {f"d{n}": f"0000000000000{n}" for n in (1, 2)}
    async with MeterLine("cjt188", {f"10{number}": held for number in numbers.values()}) as line:
        options = Cjt188Source.model_validate(
            {
                "kind": "cjt188",
                "host": "127.0.0.1",
                "tcp_port": line.port,
                "quiet": "50ms",
                "timeout": "250ms",
                "devices": {
                    name: {"address": number, "at": "a/l", "scan": "20ms", "tags": {"water": {}}}
                    for name, number in numbers.items()
                },
            }
        )

        def make(table: TagTable) -> Source:
            over = cjt188_meters.line(options)
            return cjt188_meters.Cjt188("line", options, over, site="s", tags=table, clock=SystemClock())

        yield Rig(make, line.cut, line.mend)


@asynccontextmanager
async def mqtt(version: str) -> AsyncIterator[Rig]:
    """Three sensors that publish 300 messages a second between them."""

    async def publish(client: Client) -> None:
        for n in count():
            text = f'{{"x": {n}.5, "n": {n}, "on": {str(n % 2 == 0).lower()}, "state": "batch {n}"}}'
            client.publish(f"plant/d{n % 3}", text, qos=1)
            await asyncio.sleep(0.003)

    with TemporaryDirectory() as folder, Broker(Path(folder)) as broker:
        publisher = Client(CallbackAPIVersion.VERSION2)
        publisher.connect("127.0.0.1", broker.port)
        publisher.loop_start()
        publishing = asyncio.create_task(publish(publisher))
        tags = {
            "x": {"path": "x"},
            "n": {"path": "n", "type": "integer"},
            "on": {"path": "on", "type": "bool"},
            "state": {"path": "state", "type": "text"},
        }
        async with Proxy("127.0.0.1", broker.port) as relay:
            options = MqttSource.model_validate(
                {
                    "kind": "mqtt",
                    "host": "127.0.0.1",
                    "port": relay.port,
                    "version": version,
                    "messages": [{"topic": "plant/+", "device": "{1}", "at": "a/l", "tags": tags}],
                }
            )
            yield Rig(
                lambda table: Mqtt("in", options, gateway="g", site="s", tags=table, clock=SystemClock()),
                relay.cut,
                relay.mend,
            )
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)
        publisher.disconnect()
        publisher.loop_stop()


def mqtt_5() -> AbstractAsyncContextManager[Rig]:
    return mqtt("5")


def mqtt_3_1_1() -> AbstractAsyncContextManager[Rig]:
    return mqtt("3.1.1")


@asynccontextmanager
async def sparkplug() -> AsyncIterator[Rig]:
    """An edge node with two devices that says 300 messages a second, and answers rebirth requests."""
    devices = {d: {"x": 0.5, "n": 0, "on": False, "state": ""} for d in ("d1", "d2")}
    node = EdgeNode("g", "edge", {"load": 1.5}, devices=devices)

    async def publish(client: EdgeNodeClient) -> None:
        for n in count():
            said = {"x": n + 0.5, "n": n, "on": n % 2 == 0, "state": f"batch {n}"}
            with client.lock:
                client.send(node.device_data(f"d{1 + n % 2}", said, now_ms()))
            await asyncio.sleep(0.003)

    with TemporaryDirectory() as folder, Broker(Path(folder)) as broker:
        async with Proxy("127.0.0.1", broker.port) as relay:
            options = SparkplugSource.model_validate(
                {
                    "kind": "sparkplug",
                    "host": "127.0.0.1",
                    "port": relay.port,
                    "nodes": [{"group": "g", "node": "edge"}],
                }
            )
            with EdgeNodeClient(node, broker.port) as client:
                publishing = asyncio.create_task(publish(client))

                def make(table: TagTable) -> Source:
                    clock = SystemClock()
                    return Sparkplug("cell", options, gateway="g", site="s", tags=table, clock=clock, kept={})

                yield Rig(make, relay.cut, relay.mend)
                publishing.cancel()
                await asyncio.gather(publishing, return_exceptions=True)


@asynccontextmanager
async def opcua(server: NodeServer, folder: Path) -> AsyncIterator[Rig]:
    types = ["Double", "Boolean", "Int32", "Int64", "UInt64", "String"]
    await server.be(variables=18, types=types, rateMs=30)
    async with Proxy("127.0.0.1", server.port) as relay:
        tags = {f"v{i}": {"node": f"s=v{i}"} for i in range(18)}
        polled = {f"p{i}": {"node": f"s=v{i}"} for i in range(18)}
        options = OpcUaSource.model_validate(
            {
                "kind": "opcua",
                "endpoint": f"opc.tcp://127.0.0.1:{relay.port}/test",
                "security": "none",
                "namespace": MACHINE,
                "publish": "20ms",
                "devices": {
                    "d1": {"at": "a/l", "scan": "10ms", "tags": tags},
                    "d2": {"at": "a/l", "scan": "20ms", "read": "poll", "tags": polled},
                },
            }
        )

        def make(table: TagTable) -> Source:
            clock = SystemClock()
            return OpcUa("cell", options, gateway="g", site="s", tags=table, clock=clock, directory=folder)

        yield Rig(make, relay.cut, relay.mend)


@pytest.fixture(
    params=[
        simulated,
        modbus_tcp,
        modbus_rtu,
        modbus_ascii,
        modbus_rtu_over_tcp,
        opcua,
        mqtt_5,
        mqtt_3_1_1,
        sparkplug,
        dlt645,
        cjt188,
    ],
    ids=lambda rig: rig.__name__,
)
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    needed = (request.getfixturevalue("opcua_server"), tmp_path) if request.param is opcua else ()
    async with request.param(*needed) as made:
        yield made


async def read(source: Source, count: int) -> list[Batch]:
    async with asyncio.timeout(10):
        return [await source.read() for _ in range(count)]


async def test_it_can_be_entered_left_and_entered_again(rig: Rig) -> None:
    tags = TagTable()
    for _ in range(3):
        async with rig.make(tags) as source:
            await read(source, 1)
    assert len(tags) == len(tags.active())


async def test_its_tags_keep_their_numbers_over_sessions(rig: Rig) -> None:
    tags = TagTable()
    seen = []
    for _ in range(2):
        async with rig.make(tags):
            seen.append([tags[n].path for n in tags.active().tolist()])
    assert seen[0] == seen[1]


async def test_every_batch_has_rows_of_the_right_dtype_in_the_right_part(rig: Rig) -> None:
    tags = TagTable()
    async with rig.make(tags) as source:
        for batch in await read(source, 6):
            assert 1 <= len(batch.parts) <= 3
            parts = [PART_OF_KIND[Kind(tags.kind[part.tag[0]])] for part in batch.parts]
            assert parts == sorted(set(parts))
            for part, kind in zip(batch.parts, parts, strict=True):
                assert len(part) > 0
                assert part.value.dtype == DTYPE_OF_PART[kind]
                assert (part.tag.dtype, part.time.dtype, part.quality.dtype) == (
                    np.int32,
                    np.int64,
                    np.uint32,
                )
                assert {PART_OF_KIND[Kind(k)] for k in tags.kind[part.tag]} == {kind}


async def test_time_never_runs_backwards_for_a_tag(rig: Rig) -> None:
    tags, newest = TagTable(), {}
    async with rig.make(tags) as source:
        for batch in await read(source, 10):
            for part in batch.parts:
                for number, time in zip(part.tag.tolist(), part.time.tolist(), strict=True):
                    assert time >= newest.get(number, 0)
                    newest[number] = time


async def test_it_leaves_at_once_while_it_is_waiting_to_read(rig: Rig) -> None:
    async def reading() -> None:
        async with rig.make(TagTable()) as source:
            while True:
                await source.read()

    task = asyncio.create_task(reading())
    done, _ = await asyncio.wait([task], timeout=0.2)
    assert not done
    task.cancel()
    async with asyncio.timeout(2):
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_cancelled_read_can_be_repeated(rig: Rig) -> None:
    async with rig.make(TagTable()) as source:
        for _ in range(3):
            task = asyncio.create_task(source.read())
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await read(source, 2)


async def test_acknowledging_in_order_is_accepted(rig: Rig) -> None:
    async with rig.make(TagTable()) as source:
        for batch in await read(source, 3):
            await source.ack(batch)


async def test_a_cut_link_is_not_connected_and_a_new_session_recovers(rig: Rig) -> None:
    if rig.cut is None or rig.mend is None:
        return  # nothing to cut
    tags = TagTable()
    async with rig.make(tags) as source:
        await read(source, 2)
        await rig.cut()
        with pytest.raises(NotConnected):
            await read(source, 50)
    with pytest.raises(NotConnected):
        await rig.make(tags).__aenter__()
    assert len(tags.active()) > 0, "its tags are announced although it can't connect"
    await rig.mend()
    async with rig.make(tags) as source:
        await read(source, 2)
