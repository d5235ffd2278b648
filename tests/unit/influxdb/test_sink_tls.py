"""No line and no token reaches a database whose certificate does not hold."""

import ssl
from pathlib import Path

import pytest

from connectors import NotConnected
from tests.servers.certificates import Authority, Pair
from tests.servers.scripted_influx import ScriptedInflux
from tests.unit.influxdb.plant import columns, delivery, sink

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


def context_of(pair: Pair) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    return context


async def test_a_trusted_database_is_written_to(authority: Authority) -> None:
    with ScriptedInflux(tls=context_of(authority.issue("server"))) as database:
        async with sink(database.url, token=True, tls={"ca": str(authority.certificate)}) as influx:
            await influx.write([delivery(1, columns([1.5]))])
        assert list(database.values()["v"].values()) == [1.5]


async def test_https_to_a_database_without_it_says_so() -> None:
    with (
        ScriptedInflux() as database,
        pytest.raises(NotConnected, match="does not speak TLS on this port"),
    ):
        async with sink(database.url.replace("http:", "https:")):
            pass


async def test_a_file_that_is_not_there_needs_a_person(tmp_path: Path) -> None:
    with pytest.raises(NotConnected, match=r"tls\.ca: .*missing\.pem") as raised:
        async with sink("https://127.0.0.1:1", tls={"ca": str(tmp_path / "missing.pem")}):
            pass
    assert raised.value.needs_a_person
