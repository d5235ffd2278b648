"""Where sources and sinks may lead: a matrix of addresses as they are written, and of names for them."""

import asyncio
import json
import socket
from collections.abc import Callable, Coroutine
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest

from config.load import read_plant_bytes
from connectors import NotConnected, Rejected, SystemClock
from connectors.dial.dial import Dial
from connectors.dial.traffic import Traffic
from connectors.line.statistics import Statistics
from connectors.line.tcp import TcpLine
from connectors.modbus.mbap import Transactions
from connectors.opcua.client import GatewayClient
from gateway.alarms.webhooks.post import post
from gateway.reload import NeedsRestart, differences
from tests.unit.influxdb.plant import columns, delivery, sink

NEVER = (
    "169.254.169.254", "169.254.0.1", "fe80::1", "fe80::1%eth0", "::ffff:169.254.169.254", "::ffff:a9fe:a9fe",
    "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "100.100.100.200", "fd00:ec2::254", "0.0.0.0", "::",  # noqa: S104
    "224.0.0.1", "239.255.255.250", "ff02::1", "255.255.255.255",
)  # fmt: skip
INSIDE = (
    "127.0.0.1",
    "::1",
    "10.0.0.5",
    "192.168.1.20",
    "172.16.3.4",
    "fd12:3456::7",
    "203.119.1.1",
    "2400:3200::1",
)
ODD = (
    "2852039166",
    "0xa9fea9fe",
    "0251.0376.0251.0376",
    "0xa9.254.43518",
    "169.16689662",
    "0",
    "0x0",
    "00.0",
)
"""What a C library reads as 169.254.169.254, or as this machine."""
DEVICES = {"devices": {"d": {"tags": {"x": {"address": 0}}}}}
PEER = {"host": "127.0.0.1", "port": 1883}


def linked(host: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """A source or sink of every kind that leads to a host, by the option that says so."""
    written = f"[{host}]" if ":" in host else host
    opcua = {"kind": "opcua", "endpoint": f"opc.tcp://{written}:4840", "devices": {"d": {"tags": {}}}}
    heard = {"topic": "a", "device": "d", "tags": {"x": {}}}
    proxy = {"kind": "http", "host": host, "port": 8080}
    modbus = {"kind": "modbus_tcp", "devices": {"d": {"tags": {"x": {"address": 0}}}}}
    meter = {"kind": "dlt645", "devices": {"d": {"address": "000000000001", "tags": {}}}}
    return {
        "host": ("sources", modbus | {"host": host}),
        "backup_host": ("sources", modbus | {"host": "10.0.0.1", "backup_host": host}),
        "host of dlt645": ("sources", meter | {"host": host}),
        "endpoint": ("sources", opcua),
        "host of mqtt in": ("sources", {"kind": "mqtt", "host": host, "messages": [heard]}),
        "host of mqtt": ("sinks", {"kind": "mqtt", "host": host}),
        "host of sparkplug": ("sinks", {"kind": "sparkplug", "group": "g", "host": host}),
        "url": ("sinks", {"kind": "influxdb", "url": f"http://{written}:8086", "bucket": "b"}),
        "proxy.host": ("sinks", {"kind": "mqtt", "host": "broker.example", "proxy": proxy}),
    }


def refused(section: str, options: dict[str, Any], reach: list[str]) -> list[str]:
    """Paths at which an address is called out of reach."""
    sim = {"kind": "simulated", "devices": {"s": {"tags": {"x": {}}}}}
    plant: dict[str, Any] = {"gateway": {"id": "g", "site": "s", "reach": reach}, "sources": {"sim": sim}}
    plant.setdefault(section, {})["link"] = options
    found = read_plant_bytes(json.dumps(plant).encode(), "p.yaml", Path())
    return [each.path for each in found.problems if each.code == "E-CF-0770"]


@pytest.mark.fault("S7")
def test_no_source_and_no_sink_is_written_to_an_address_out_of_reach(record_measure) -> None:
    asked = 0
    for host in (*NEVER, *INSIDE):
        for where, (section, options) in linked(host).items():
            if "%" in host and where in ("endpoint", "url"):
                continue
            wanted = [f"{section}.link.{where.partition(' ')[0]}"] if host in NEVER else []
            assert refused(section, options, []) == wanted, (where, host)
            assert refused(section, options, ["0.0.0.0/0", "::/0"]) == [], (where, host)
            asked += 1
    record_measure(
        f"{len(NEVER)} forbidden and {len(INSIDE)} plain addresses × {len(linked(''))} kinds of link: {asked}"
        " judged, each as it should be; allowed by gateway.reach alone",
        row="S7",
    )


def test_the_page_can_not_widen_the_reach() -> None:
    sim = {"sim": {"kind": "simulated", "devices": {"s": {"tags": {"x": {}}}}}}

    def plant(reach: list[str]) -> Any:
        text = json.dumps({"gateway": {"id": "g", "site": "s", "reach": reach}, "sources": sim})
        return read_plant_bytes(text.encode(), "p.yaml", Path()).plant

    with pytest.raises(NeedsRestart) as fixed:
        differences(plant([]), plant(["169.254.0.0/16"]))
    assert fixed.value.paths == ("gateway.reach",)


async def dialled(host: str, port: int) -> None:
    dial = Dial(host, port, seconds=5, traffic=Traffic())
    await asyncio.to_thread(dial.connect)
    dial.drop()


async def asked_over_tcp(host: str, port: int) -> None:
    line = TcpLine(host, port, 5_000_000_000, Transactions)
    exchange = await line.connect(SystemClock(), Statistics())
    await exchange.close()


async def asked_over_opcua(host: str, port: int) -> None:
    client = GatewayClient(f"opc.tcp://{host}:{port}", 5, lambda _: None)
    await client.connect_socket()
    client.disconnect_socket()


async def posted(host: str, port: int) -> None:
    await asyncio.to_thread(post, f"http://{host}:{port}/x", "", b"{}", is_local=True, within_s=5)


WAYS: dict[str, Callable[[str, int], Coroutine[None, None, None]]] = {
    "MQTT and InfluxDB": dialled,
    "Modbus and meters": asked_over_tcp,
    "OPC UA": asked_over_opcua,
    "webhook": posted,
}


@pytest.mark.fault("S7")
@pytest.mark.parametrize("way", WAYS)
async def test_no_name_leads_out_of_reach_however_it_is_written_or_answered(
    way: str, monkeypatch: pytest.MonkeyPatch, record_measure
) -> None:
    for host in ODD:
        with pytest.raises(NotConnected, match="lead") as found:
            await WAYS[way](host, 9)
        assert found.value.needs_a_person
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)
        port = listener.getsockname()[1]
        looked: list[str] = []
        answers = {
            "rebound.example": [["127.0.0.1"], ["169.254.169.254"]],
            "metadata.example": [["169.254.169.254"]],
            "mixed.example": [["169.254.169.254", "fe80::1", "127.0.0.1"]],
        }
        system = socket.getaddrinfo

        def answer(host: Any, port: Any, *args: Any, **more: Any) -> Any:
            name = host.decode() if isinstance(host, bytes) else host
            if name not in answers:
                return system(host, port, *args, **more)
            looked.append(name)
            said = answers[name].pop(0) if len(answers[name]) > 1 else answers[name][0]
            return [entry for each in said for entry in system(each, port, type=socket.SOCK_STREAM)]

        monkeypatch.setattr(socket, "getaddrinfo", answer)
        with pytest.raises(NotConnected, match="lead"):
            await WAYS[way]("metadata.example", port)
        if way != "webhook":  # it answers nothing here, and refuses a name that leads to both
            for name in ("rebound.example", "mixed.example"):
                looked.clear()
                await WAYS[way](name, port)
                listener.accept()[0].close()
                assert looked == [name]  # judged and connected to is the same answer
    record_measure(f"{way}: {len(ODD)} odd spellings, 3 lying name servers: 0 led out of reach", row="S7")


class Elsewhere(BaseHTTPRequestHandler):
    """Sends everybody to another address."""

    to: ClassVar[str] = ""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.send_response(307)
        self.send_header("Location", self.to)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST  # noqa: N815  the library's

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.fault("S7")
async def test_nobody_is_followed_elsewhere(record_measure) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as inside,
        ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as server,
    ):
        inside.settimeout(0)
        Elsewhere.to = f"http://127.0.0.1:{inside.getsockname()[1]}/secrets"
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        status, _ = await asyncio.to_thread(post, f"{url}/hook", "", b"{}", is_local=True)
        assert status == 307
        with pytest.raises((NotConnected, Rejected)):
            async with sink(url) as influx:
                await influx.write([delivery(1, columns([1.0]))])
        server.shutdown()
        with pytest.raises(BlockingIOError):
            inside.accept()
    record_measure("webhook and InfluxDB sent elsewhere by 307: 0 went", row="S7")
