"""Whom the gateway trusts, decided on the page by who may, and written down."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from config.plant import PageOptions, PageTls
from connectors.opcua.own import read_certificate
from connectors.opcua.pki import Pki, below
from gateway.security import House
from gateway.security.audit import entries
from gateway.security.certificate import PageCertificate, fingerprint
from gateway.web.app import create_app
from gateway.web.tls import Loaded
from tests.asgi import ask
from tests.fakes import T0
from tests.servers.certificates import Authority
from tests.unit.web.conftest import Plant
from tests.unit.web.people import as_user, take


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with House(tmp_path) as made:
        yield made


async def test_a_server_that_was_met_is_trusted_and_rejected_by_an_engineer(
    plant: Plant, house: House, tmp_path: Path
) -> None:
    take(house, "bo", "engineer")
    pair = Authority(tmp_path / "made").issue("press controller", ends=timedelta(days=90))
    rejected = below(tmp_path) / "rejected"
    rejected.mkdir(parents=True)
    (rejected / "press.der").write_bytes(pair.certificate.read_bytes())
    met = read_certificate(pair.certificate)
    app = create_app(plant, directory=tmp_path, house=house)
    mine = as_user(house, "bo")
    (server,) = (await ask(app, "/api/certificates", **mine)).json()["servers"]
    assert (server["name"], server["trusted"]) == ("press controller", False)
    assert server["ends"] == int(met.not_valid_after_utc.timestamp() * 1000)
    path = f"/api/certificates/{server['thumbprint']}"
    for trusted in (True, False):
        body = orjson.dumps({"trusted": trusted})
        answer = await ask(app, path, method="POST", body=body, **mine)
        assert [each["trusted"] for each in answer.json()["servers"]] == [trusted]
        folders = [each.folder for each in Pki(below(tmp_path)).entries()]
        assert folders == ["trusted" if trusted else "rejected"]
    for unknown, status in (("0" * 40, 404), ("..%2f..%2fetc", 404), ("ab", 422)):
        body = orjson.dumps({"trusted": True})
        answer = await ask(app, f"/api/certificates/{unknown}", method="POST", body=body, **mine)
        assert answer.status in (status, 422), unknown
    assert [each.what for each in entries(house.directory)][1:] == [
        "certificate.trusted",
        "certificate.rejected",
    ]


async def test_what_servers_and_browsers_are_shown_is_told_and_renewed_by_an_engineer(
    plant: Plant, house: House, tmp_path: Path
) -> None:
    take(house, "bo", "engineer")
    app = create_app(plant, directory=tmp_path, house=house)
    mine = as_user(house, "bo")
    for which in ("own", "page"):  # there is none yet
        answer = await ask(app, f"/api/certificates/{which}/renew", method="POST", **mine)
        assert (answer.status, answer.json()["code"]) == (404, "E-PG-0040")
    made = Pki(below(tmp_path)).own("g1").certificate
    files = PageCertificate(PageOptions(tls=PageTls(), hosts=("gateway.example",)), tmp_path / "security")
    page = files.files(datetime.now(UTC) - timedelta(days=300)).certificate
    plant.certificate = Loaded(page, page)
    told = (await ask(app, "/api/certificates", **mine)).json()
    assert told["own"]["ends"] == int(made.not_valid_after_utc.timestamp() * 1000)
    assert (told["page"]["is_ours"], told["page"]["fingerprint"]) == (True, fingerprint(page))
    left = told["page"]["ends"] / 1000 - datetime.now(UTC).timestamp()
    assert 64 < left / 86_400 < 66
    renewed = (await ask(app, "/api/certificates/own/renew", method="POST", **mine)).json()["own"]
    assert renewed["thumbprint"] != told["own"]["thumbprint"]
    assert renewed["thumbprint"] == Pki(below(tmp_path)).shown().thumbprint  # type: ignore[union-attr]
    after = (await ask(app, "/api/certificates/page/renew", method="POST", **mine)).json()["page"]
    assert after["fingerprint"] == fingerprint(page) != told["page"]["fingerprint"]
    assert after["ends"] > told["page"]["ends"]
    aside = [each for each in page.parent.glob("key.page.*.pem") if fingerprint(each) != after["fingerprint"]]
    assert [fingerprint(each) for each in aside] == [told["page"]["fingerprint"]]
    assert files.files(datetime.now(UTC)).certificate == page  # it holds every name, and stays
    assert fingerprint(page) == after["fingerprint"]
    said = [each for each in entries(house.directory) if each.what == "certificate.renewed"]
    assert [orjson.loads(each.about) for each in said] == [
        {"which": "own", "before": told["own"]["thumbprint"]},
        {"which": "page", "before": told["page"]["fingerprint"]},
    ]
    given = Authority(tmp_path / "made").issue("page", ends=timedelta(days=90))
    plant.certificate = Loaded(given.certificate, given.key)
    assert not (await ask(app, "/api/certificates", **mine)).json()["page"]["is_ours"]
    answer = await ask(app, "/api/certificates/page/renew", method="POST", **mine)
    assert (answer.status, answer.json()["code"]) == (404, "E-PG-0040")


async def test_what_protects_the_connections_is_listed_with_what_ends_first(
    plant: Plant, house: House, tmp_path: Path
) -> None:
    take(house, "bo", "engineer")
    plant.add_link("cloud", "sink", counts={"certificate_own_days": 12.5, "certificate_peer_days": 300.0})
    plant.add_link("broker", counts={"certificate_peer_days": -0.5})
    plant.add_link("plain", counts={"sessions": 1.0})
    app = create_app(plant, directory=tmp_path, house=house)
    told = (await ask(app, "/api/certificates", **as_user(house, "bo"))).json()["links"]
    day_ms = 86_400_000
    assert [(each["link"], each["role"], each["whose"]) for each in told] == [
        ("broker", "source", "peer"),
        ("cloud", "sink", "own"),
        ("cloud", "sink", "peer"),
    ]
    assert [(each["ends"] - T0 // 1_000_000) / day_ms for each in told] == [-0.5, 12.5, 300.0]
    assert {each["peer"] for each in told} == {"127.0.0.1:502"}
