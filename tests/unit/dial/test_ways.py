"""Every way to a peer, with the real programs: proxies of two kinds, WebSocket, TLS within either."""

import asyncio
import ssl
from collections.abc import Iterator
from typing import Any

import pytest

from config.base import SecretText
from config.connections import MqttSource
from connectors import SystemClock, TagTable
from connectors.mqtt import Mqtt
from tests.servers.broker import Broker, ServerTls
from tests.servers.certificates import Authority
from tests.servers.proxies import Login, microsocks, tinyproxy
from tests.servers.scripted_influx import ScriptedInflux
from tests.unit.influxdb import plant as influx
from tests.unit.mqtt.plant import DEVICE, delivery, sink, tag_table

pytestmark = pytest.mark.server
LOGIN: Login = ("gateway", "through-the-gate")
PROXIES = {"http": tinyproxy, "socks5": microsocks}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module", params=["plain", "tls", "websocket", "websocket and tls"])
def way(
    request: pytest.FixtureRequest, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Broker, dict[str, Any]]]:
    """A mosquitto and what it takes to reach it."""
    kind: str = request.param
    more: dict[str, Any] = {}
    tls = None
    if "tls" in kind:
        tls = ServerTls(*authority.issue("server"))
        more["tls"] = {"ca": str(authority.certificate)}
    if "websocket" in kind:
        more["websocket"] = "/mqtt"
    folder = tmp_path_factory.mktemp("broker")
    with Broker(folder, tls=tls, websocket="websocket" in kind) as broker:
        yield broker, more


@pytest.fixture(scope="module")
def proxies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dict[str, Any]]]:
    """Both kinds, each with a password."""
    with (
        tinyproxy(tmp_path_factory.mktemp("http"), LOGIN) as http,
        microsocks(tmp_path_factory.mktemp("socks"), LOGIN) as socks,
    ):
        who = {"host": "127.0.0.1", "username": LOGIN[0], "password": SecretText(LOGIN[1])}
        yield {
            "http": {"kind": "http", "port": http, **who},
            "socks5": {"kind": "socks5", "port": socks, **who},
        }


@pytest.mark.parametrize(("proxy", "version"), [(None, "3.1.1"), (None, "5"), ("http", "5"), ("socks5", "5")])
async def test_a_broker_is_reached_on_every_way(
    way: tuple[Broker, dict[str, Any]], proxies: dict[str, Any], proxy: str | None, version: str
) -> None:
    broker, more = way
    through = {} if proxy is None else {"proxy": proxies[proxy]}
    async with sink(broker.port, version=version, **more, **through) as mqtt:
        await mqtt.write([delivery(1)])
        await mqtt.write([delivery(seq, 10) for seq in range(2, 60)])
        assert mqtt.statistics()["acks"] >= 60


async def test_messages_larger_than_any_buffer_pass_whole_both_ways(
    way: tuple[Broker, dict[str, Any]], proxies: dict[str, Any]
) -> None:
    broker, more = way
    # mosquitto 2.0 sends 40 kB/s over a WebSocket, whoever listens.
    rows = 1_000 if "websocket" in more else 30_000
    through = {"proxy": proxies["http"], **more}
    hears = {"kind": "mqtt", "host": "127.0.0.1", "port": broker.port, "max_payload": "2MiB", **through}
    last = {"t": {"path": f"v[{rows - 1}]"}}
    hears["messages"] = [{"topic": f"big/{DEVICE}", "device": "d", "tags": last}]
    options = MqttSource.model_validate(hears)
    source = Mqtt("in", options, gateway="g", site="s", tags=TagTable(), clock=SystemClock())
    async with source, sink(broker.port, tag_table(rows), max_message=2**21, prefix="big", **through) as mqtt:
        for seq in (1, 2):
            await mqtt.write([delivery(seq, rows)])
            async with asyncio.timeout(20):
                batch = await source.read()
            await source.ack(batch)
            assert [float(each) for part in batch.parts for each in part.value] == [rows - 1 + seq]
            assert mqtt.traffic() > seq * 6 * rows


@pytest.mark.parametrize("proxy", ["http", "socks5"])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_database_is_reached_through_a_proxy(
    authority: Authority, proxies: dict[str, Any], proxy: str, scheme: str
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue(f"database-{proxy}"))
    tls = {"tls": {"ca": str(authority.certificate)}} if scheme == "https" else {}
    with ScriptedInflux(tls=context if tls else None) as database:
        async with influx.sink(database.url, proxy=proxies[proxy], **tls) as written:
            await written.write([influx.delivery(1, influx.columns([1.5]))])
            assert written.traffic() > 500
        assert list(database.values()["v"].values()) == [1.5]
