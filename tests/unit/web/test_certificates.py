"""Whom the gateway trusts, decided on the page by who may, and written down."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import orjson
import pytest

from connectors.opcua.own import read_certificate
from connectors.opcua.pki import Pki, below
from gateway.security import House
from gateway.security.audit import entries
from gateway.web.app import create_app
from tests.asgi import ask
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
