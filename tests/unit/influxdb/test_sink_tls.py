"""No line and no token reaches a database whose certificate does not hold."""

import ssl
from datetime import timedelta
from pathlib import Path
from typing import Any

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


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "expired": ({"ends": timedelta(hours=-1)}, "certificate has expired"),
    "another host": ({"address": "DNS:elsewhere.example"}, "certificate is not valid for '127.0.0.1'"),
}


@pytest.mark.fault("B9")
@pytest.mark.parametrize("fault", BROKEN)
async def test_a_database_that_cannot_be_trusted_gets_no_byte(authority: Authority, fault: str) -> None:
    how, text = BROKEN[fault]
    with ScriptedInflux(tls=context_of(authority.issue(fault.replace(" ", "-"), **how))) as database:
        with pytest.raises(NotConnected, match=f"is not trusted: .*{text}") as raised:
            async with sink(database.url, token=True, tls={"ca": str(authority.certificate)}):
                pass
        assert raised.value.needs_a_person
        assert database.requests == 0


@pytest.mark.fault("B9")
async def test_an_authority_nobody_named_is_not_trusted(authority: Authority) -> None:
    """Https without tls trusts the machine's own store."""
    with ScriptedInflux(tls=context_of(authority.issue("unknown"))) as database:
        with pytest.raises(NotConnected, match="is not trusted") as raised:
            async with sink(database.url, token=True):
                pass
        assert raised.value.needs_a_person
        assert database.requests == 0


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
