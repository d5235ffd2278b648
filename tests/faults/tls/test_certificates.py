"""Bad certificates, met by all that speaks TLS: a bad peer hears nothing, a bad own is told."""

import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from config.base import SecretText
from config.connections import MqttSource, SparkplugSink
from config.reasons import in_words
from connectors import Context, NotConnected, SystemClock, TagTable
from connectors.mqtt import Mqtt
from connectors.sparkplug.edge import SparkplugEdge
from tests.servers.broker import Broker, ServerTls
from tests.servers.certificates import Authority, Pair
from tests.servers.proxies import ScriptedProxy, tunnel
from tests.servers.scripted_influx import ScriptedInflux
from tests.servers.tls_listener import TlsListener
from tests.unit.influxdb import plant as influx
from tests.unit.mqtt.plant import delivery, sink, tag_table

HUSH = "nobody may hear this"
pytestmark = [pytest.mark.server, pytest.mark.fault("B9")]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("other-ca"), "Somebody else")


def mqtt_source(port: int, tls: dict[str, str], timeout: str = "8s") -> Mqtt:
    told: dict[str, Any] = {"kind": "mqtt", "host": "127.0.0.1", "port": port, "tls": tls, "username": "u"}
    told["connect_timeout"] = timeout
    told["messages"] = [{"topic": "x/#", "device": "d", "tags": {"t": {}}}]
    told["password"] = SecretText(HUSH)
    options = MqttSource.model_validate(told)
    return Mqtt("in", options, gateway="g", site="s", tags=TagTable(), clock=SystemClock())


def mqtt_sink(port: int, tls: dict[str, str], timeout: str = "8s") -> Any:
    return sink(port, tls=tls, username="u", password=SecretText(HUSH), connect_timeout=timeout)


def influx_sink(port: int, tls: dict[str, str], timeout: str = "8s") -> Any:
    return influx.sink(f"https://127.0.0.1:{port}", token=True, tls=tls, timeout=timeout)


CONNECTORS: dict[str, Callable[..., Any]] = {
    "mqtt sink": mqtt_sink, "mqtt source": mqtt_source, "influxdb sink": influx_sink,
}  # fmt: skip


def websocket_sink(port: int, tls: dict[str, str], timeout: str = "8s") -> Any:
    more = {"username": "u", "password": SecretText(HUSH), "connect_timeout": timeout}
    return sink(port, tls=tls, websocket="/mqtt", **more)


@asynccontextmanager
async def proxied_sink(port: int, tls: dict[str, str], within: str = "8s") -> AsyncIterator[Any]:
    with ScriptedProxy(tunnel(b"HTTP/1.1 200 ok\r\n\r\n", to=port)) as gate:
        more = {"username": "u", "password": SecretText(HUSH), "connect_timeout": within}
        proxy = {"kind": "http", "host": "127.0.0.1", "port": gate.port}
        async with sink(port, tls=tls, proxy=proxy, **more) as opened:
            yield opened


@asynccontextmanager
async def sparkplug_sink(port: int, tls: dict[str, str], within: str = "8s") -> AsyncIterator[Any]:
    told = {
        "kind": "sparkplug",
        "host": "127.0.0.1",
        "port": port,
        "tls": tls,
        "group": "hush",
    }
    options = SparkplugSink.model_validate(told | {"connect_timeout": within})
    with TemporaryDirectory() as folder:
        context = Context("gw-1", tag_table(), SystemClock(), directory=Path(folder))
        async with SparkplugEdge("scada", options, context) as opened:
            yield opened


WAYS = CONNECTORS | {
    "mqtt sink over wss": websocket_sink,
    "mqtt sink through an http proxy": proxied_sink,
    "sparkplug sink": sparkplug_sink,
}
"""The last three show their own certificate as the MQTT sink does."""

PEERS: dict[str, tuple[dict[str, Any], str]] = {
    "expired": ({"ends": timedelta(hours=-1)}, "certificate has expired"),
    "not yet valid": ({"begins": timedelta(hours=1)}, "certificate is not yet valid"),
    "of another host": ({"address": "DNS:elsewhere.example"}, "certificate is not valid for '127.0.0.1'"),
    "with a weak key": ({"key": ("rsa:1024",)}, "key too weak"),
    "signed by SHA-1": ({"digest": "sha1"}, "digest algorithm too weak"),
    "not for servers": ({"purpose": "clientAuth"}, "purpose"),
    "of another authority": ({}, "issuer certificate"),
    "of an authority nobody knows": ({}, "issuer certificate"),
    "of itself": ({}, "self-signed certificate"),
    "of a chain that lacks its middle": ({}, "issuer certificate"),
}


@pytest.fixture(scope="module")
def shown(
    authority: Authority, other: Authority, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[Pair, dict[str, str]]]:
    """What the peer shows, and what is trusted."""
    trusted = {"ca": str(authority.certificate)}
    found = {}
    for case, (how, _) in PEERS.items():
        name = case.replace(" ", "-")
        pair = authority.itself(name) if case == "of itself" else authority.issue(name, **how)
        found[case] = pair, trusted
    middle = Authority(tmp_path_factory.mktemp("middle"), "Middle CA", below=authority)
    found["of a chain that lacks its middle"] = middle.issue("leaf"), trusted
    found["of another authority"] = found["of another authority"][0], {"ca": str(other.certificate)}
    found["of an authority nobody knows"] = found["of an authority nobody knows"][0], {}
    return found


@pytest.mark.parametrize("connector", WAYS)
@pytest.mark.parametrize("case", PEERS)
async def test_a_peer_with_a_bad_certificate_hears_not_one_byte(
    shown: dict[str, tuple[Pair, dict[str, str]]],
    case: str,
    connector: str,
    record_measure: Callable[..., None],
) -> None:
    pair, trusted = shown[case]
    with TlsListener(pair) as peer:
        with pytest.raises(NotConnected) as raised:
            async with WAYS[connector](peer.port, trusted):
                pass
        assert peer.met == 1
    assert f"127.0.0.1:{peer.port} is not trusted: " in str(raised.value)
    assert PEERS[case][1] in str(raised.value)
    assert "tls.ca" in in_words(str(raised.value), "zh")
    assert raised.value.needs_a_person
    assert peer.heard == 0
    told = ", ".join(PEERS)
    record_measure(f"{len(PEERS)} cases of a peer's certificate ({told}), {len(WAYS)} ways to it: 0 bytes")


@pytest.mark.parametrize("connector", WAYS)
@pytest.mark.parametrize(
    "version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1], ids=["TLS 1.0", "TLS 1.1"]
)
async def test_a_peer_that_speaks_an_older_tls_hears_not_one_byte(
    authority: Authority, version: ssl.TLSVersion, connector: str, record_measure: Callable[..., None]
) -> None:
    pair = authority.issue(f"old-{version.name}-{connector.replace(' ', '-')}", key=("rsa:2048",))
    with TlsListener(pair, version) as peer:
        with pytest.raises(NotConnected) as raised:
            async with WAYS[connector](peer.port, {"ca": str(authority.certificate)}):
                pass
        assert (peer.met, peer.heard) == (1, 0)
    assert f"127.0.0.1:{peer.port}" in str(raised.value)
    record_measure(f"peers of TLS 1.0 and 1.1 only: 0 bytes at each, {len(WAYS)} ways to it")


@pytest.mark.parametrize("connector", CONNECTORS)
async def test_our_own_certificate_with_the_key_of_another_is_told_before_anybody_is_asked(
    authority: Authority, connector: str, record_measure: Callable[..., None]
) -> None:
    own, another = (authority.issue(f"{n}-{connector.replace(' ', '-')}") for n in ("mismatched", "another"))
    tls = {"ca": str(authority.certificate), "certificate": str(own.certificate), "key": str(another.key)}
    with TlsListener(authority.issue(f"asked-{connector.replace(' ', '-')}")) as peer:
        with pytest.raises(NotConnected, match=r"tls\.certificate: .* can't be used") as raised:
            async with CONNECTORS[connector](peer.port, tls):
                pass
        assert peer.heard == 0
    assert raised.value.needs_a_person
    record_measure("our own with the key of another: told, 0 bytes")


@pytest.mark.parametrize("connector", WAYS)
async def test_the_same_peer_with_a_good_one_is_spoken_to(authority: Authority, connector: str) -> None:
    """The measure can fail: a peer that is trusted hears something."""
    trusted = {"ca": str(authority.certificate)}
    pair = authority.issue(f"good-{connector.replace(' ', '-')}")
    with TlsListener(pair) as peer, pytest.raises(NotConnected):
        async with WAYS[connector](peer.port, trusted, "300ms"):
            pass
    assert peer.heard > 20


@pytest.fixture(scope="module")
def strict_broker(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A mosquitto that wants a client certificate of this authority."""
    tls = ServerTls(*authority.issue("broker"), client_ca=authority.certificate)
    with Broker(tmp_path_factory.mktemp("mutual"), tls=tls) as running:
        yield running


@pytest.fixture(scope="module")
def strict_database(authority: Authority) -> Iterator[ScriptedInflux]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("database"))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.certificate)
    with ScriptedInflux(tls=context) as running:
        yield running


@pytest.fixture(scope="module")
def signers(authority: Authority, other: Authority) -> dict[str, Authority]:
    return {"": authority, "of another authority": other}


@pytest.fixture(scope="module")
def strict(strict_broker: Broker, strict_database: ScriptedInflux) -> dict[str, Any]:
    return {"broker": strict_broker, "database": strict_database}


def port_of(database: ScriptedInflux) -> int:
    return int(database.url.rpartition(":")[2])


OWN = ("missing", "expired", "of another authority")


@pytest.mark.parametrize("connector", CONNECTORS)
@pytest.mark.parametrize("case", OWN)
async def test_our_own_bad_certificate_is_refused_and_told(
    signers: dict[str, Authority],
    strict: dict[str, Any],
    case: str,
    connector: str,
    record_measure: Callable[..., None],
) -> None:
    authority, broker, database = signers[""], strict["broker"], strict["database"]
    tls = {"ca": str(authority.certificate)}
    if case != "missing":
        signs = signers.get(case, authority)
        ends = timedelta(hours=-1 if case == "expired" else 1)
        own = signs.issue(f"own-{case}-{connector}".replace(" ", "-"), ends=ends)
        tls |= {"certificate": str(own.certificate), "key": str(own.key)}
    port = port_of(database) if connector == "influxdb sink" else broker.port
    before = database.requests
    with pytest.raises(NotConnected) as raised:
        async with CONNECTORS[connector](port, tls):
            pass
    # TLS 1.3 refuses it after the handshake: the alert may be overtaken by the closing.
    said = str(raised.value)
    assert "does not accept our certificate" in said or "client certificate" in said or "broke off" in said
    assert database.requests == before
    assert "New client connected" not in broker.log.read_text()
    record_measure(f"{len(OWN)} cases of our own ({', '.join(OWN)}): told, nothing accepted")


@pytest.mark.parametrize("connector", CONNECTORS)
async def test_a_good_own_certificate_opens_both(
    authority: Authority,
    strict_database: ScriptedInflux,
    tmp_path: Path,
    connector: str,
) -> None:
    own = authority.issue(f"own-{connector.replace(' ', '-')}", password="of the key")  # noqa: S106
    tls: dict[str, Any] = {"ca": str(authority.certificate), "key_password": SecretText("of the key")}
    tls |= {"certificate": str(own.certificate), "key": str(own.key)}
    served = ServerTls(*authority.issue(f"served-{connector.replace(' ', '-')}"), authority.certificate)
    with Broker(tmp_path, tls=served) as broker:
        on = port_of(strict_database) if connector == "influxdb sink" else broker.port
        async with CONNECTORS[connector](on, tls) as opened:
            if connector == "mqtt sink":
                await opened.write([delivery(1)])
