"""A certificate that runs out while a link is up: told 30, 14 and 3 days before, ours and the peer's."""

import logging
import ssl
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from config.connections import MqttSource
from connectors import Certificate, Certified, SystemClock, TagTable
from connectors.mqtt import Mqtt
from gateway.observe import Observer
from gateway.security.expiries import Expiries
from tests.servers.broker import Broker, ServerTls
from tests.servers.certificates import Authority
from tests.servers.scripted_influx import ScriptedInflux
from tests.unit.influxdb import plant as influx
from tests.unit.mqtt.plant import sink

pytestmark = pytest.mark.fault("B9")
DAY = 86_400_000_000_000


class Shown:
    """A connector that shows what it is told to."""

    def __init__(self, *certificates: Certificate) -> None:
        self.shown = certificates

    def certificates(self) -> tuple[Certificate, ...]:
        return self.shown


def told(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, int | None]]:
    found = [
        (record.levelname, record.__dict__["whose"], record.__dict__.get("days")) for record in caplog.records
    ]
    caplog.clear()
    return found


def test_each_stage_is_told_once(clock: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    connector = Shown(
        Certificate("own", clock.now() + 40 * DAY), Certificate("peer", clock.now() + 400 * DAY)
    )
    running: list[object] = [connector]
    observer, expiries = Observer(), Expiries(clock)
    expiries.watch(observer, "sink", "cloud", lambda: running[0])
    days = {}
    for day in range(43):
        for _ in range(3):
            expiries.look()
        days[day] = told(caplog)
        clock.move(86_400)
    spoken = {day: each for day, each in days.items() if each}
    assert spoken == {
        11: [("WARNING", "own", 29)],
        27: [("WARNING", "own", 13)],
        38: [("WARNING", "own", 2)],
        41: [("ERROR", "own", None)],
    }
    # Another in its place begins anew; a link that is down says nothing.
    connector.shown = (Certificate("own", clock.now() + 10 * DAY),)
    expiries.look()
    assert told(caplog) == [("WARNING", "own", 10)]
    samples = {each.name: each.value for each in observer.snapshot().samples}
    assert samples == {"sink_certificate_own_days": 10.0}
    running[0] = None
    clock.move(9 * 86_400)
    expiries.look()
    assert told(caplog) == []
    assert not observer.snapshot().samples


def test_a_certificate_is_over_the_moment_it_ends(clock: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    expiries, over = Expiries(clock), Shown(Certificate("own", clock.now() - 1_000_000_000))
    expiries.watch(Observer(), "sink", "cloud", lambda: over)
    expiries.look()
    assert told(caplog) == [("ERROR", "own", None)]


@pytest.mark.server
async def test_every_connector_knows_what_protects_it(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    own = authority.issue("own", ends=timedelta(days=20))
    tls = {
        "ca": str(authority.certificate), "certificate": str(own.certificate), "key": str(own.key),
    }  # fmt: skip
    server = authority.issue("server", ends=timedelta(days=10))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*server)
    hears: dict[str, Any] = {"kind": "mqtt", "host": "127.0.0.1", "tls": tls}
    hears["messages"] = [{"topic": "x/#", "device": "d", "tags": {"t": {}}}]
    with Broker(tmp_path, tls=ServerTls(*server)) as broker, ScriptedInflux(tls=context) as database:
        options = MqttSource.model_validate({**hears, "port": broker.port})
        connectors = (
            sink(broker.port, tls=tls),
            Mqtt("in", options, gateway="g", site="s", tags=TagTable(), clock=SystemClock()),
            influx.sink(database.url, tls=tls),
        )
        for connector in connectors:
            assert isinstance(connector, Certified)
            async with connector:
                left = {
                    each.whose: (each.ends - SystemClock().now()) / DAY for each in connector.certificates()
                }
            assert left == {"own": pytest.approx(20, abs=0.1), "peer": pytest.approx(10, abs=0.1)}


@pytest.mark.server
async def test_without_tls_there_is_nothing_to_expire(tmp_path: Path) -> None:
    with Broker(tmp_path) as broker:
        async with sink(broker.port) as mqtt:
            assert list(mqtt.certificates()) == []
