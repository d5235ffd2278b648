"""No byte of MQTT reaches a broker whose certificate does not hold; the reason is exact."""

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from connectors import NotConnected
from tests.servers.broker import Broker, ServerTls
from tests.servers.certificates import Authority, Pair
from tests.servers.scripted_broker import ScriptedBroker
from tests.unit.mqtt.plant import delivery, sink

KEY_WORD = "of the test's own key"
pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def server(authority: Authority) -> Pair:
    return authority.issue("server")


def context_of(pair: Pair, change: Callable[[ssl.SSLContext], None] | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if change is not None:
        change(context)
    context.load_cert_chain(*pair)
    return context


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_a_trusted_broker_is_spoken_to(
    authority: Authority, server: Pair, tmp_path: Path, version: str
) -> None:
    with Broker(tmp_path, tls=ServerTls(server.certificate, server.key)) as broker:
        async with sink(broker.port, version=version, tls={"ca": str(authority.certificate)}) as mqtt:
            await mqtt.write([delivery(1)])
            await mqtt.write([delivery(seq, 10) for seq in range(2, 400)])


@pytest.mark.fault("B9")
async def test_tls_below_1_2_is_refused(authority: Authority, server: Pair) -> None:
    def only_1_1(context: ssl.SSLContext) -> None:
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.options |= ssl.OP_NO_TLSv1_2 | ssl.OP_NO_TLSv1_3

    with pytest.warns(DeprecationWarning, match="OP_NO_TLS"):
        tls = context_of(server, only_1_1)
    async with ScriptedBroker(tls=tls) as broker:
        with pytest.raises(NotConnected, match=r"TLS handshake failed|broke off the handshake"):
            await sink(broker.port, tls={"ca": str(authority.certificate)}).__aenter__()
        assert broker.packets == []


@pytest.mark.fault("B10")
async def test_a_port_without_tls_is_named(authority: Authority, tmp_path: Path) -> None:
    with (
        Broker(tmp_path) as broker,
        pytest.raises(NotConnected, match=r"check `port` and `tls`|not speak TLS"),
    ):
        await sink(broker.port, tls={"ca": str(authority.certificate)}).__aenter__()


@pytest.mark.parametrize(
    ("tls", "text"),
    [
        ({"ca": "/nowhere/ca.pem"}, "tls.ca: /nowhere/ca.pem can't be used: No such file"),
        ({"certificate": "/nowhere/c.pem", "key": "/nowhere/c.key"}, "tls.certificate: /nowhere/c.pem"),
    ],
)
async def test_a_file_that_is_missing_is_named(tls: dict[str, str], text: str) -> None:
    async with ScriptedBroker() as broker:
        with pytest.raises(NotConnected, match=text) as raised:
            await sink(broker.port, tls=tls).__aenter__()
        assert raised.value.needs_a_person


async def test_a_key_without_its_password_does_not_ask_for_one(authority: Authority) -> None:
    client = authority.issue("locked", password=KEY_WORD)
    tls = {"certificate": str(client.certificate), "key": str(client.key)}
    async with ScriptedBroker() as broker:
        with pytest.raises(NotConnected, match=r"tls\.certificate"):
            await sink(broker.port, tls=tls).__aenter__()
