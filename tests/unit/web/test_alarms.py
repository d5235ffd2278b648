"""The Alarms view: who may look, who may act, what is noted of it."""

import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.alarms.condition import Condition, Turn
from gateway.alarms.table import ALARMS, Table
from gateway.security import House
from gateway.security.audit import entries
from gateway.web.app import create_app
from tests.asgi import ask
from tests.fakes import T0
from tests.unit.web.conftest import Plant
from tests.unit.web.people import as_user, take

HOT = Condition(
    "limit", "s/oven/t", holds=True, code="limit_high", facts={"value": 91.0, "bound": 90.0, "unit": ""}
)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with House(tmp_path) as made:
        take(made, "bo", "engineer")
        take(made, "vi", "viewer")
        yield made


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[list[dict[str, Any]]]:
    """What a gateway on this machine is asked; it knows alarm 1 only."""
    found: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.append(orjson.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            body = orjson.dumps({"number": 1 if found[-1]["number"] == 1 else None})
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    known = {"port": server.server_port, "secret": "s"}
    (tmp_path / "control.json").write_bytes(orjson.dumps(known))
    yield found
    server.shutdown()
    server.server_close()
    thread.join()


async def test_alarms_are_shown_to_who_may_read_and_acted_on_by_engineers(
    plant: Plant, house: House, tmp_path: Path, asked: list[dict[str, Any]]
) -> None:
    table = Table(tmp_path / ALARMS)
    table.open()
    table.write([Turn("began", HOT)], T0)
    app = create_app(plant, directory=tmp_path, house=house)
    page = (await ask(app, "/api/alarms?state=active", **as_user(house, "vi"))).json()
    table.close()
    (row,) = page["alarms"]
    assert (page["total"], row["number"], row["state"]) == (1, 1, "active")
    assert (row["text"], row["text_zh"]) == ("s/oven/t is above 90: 91", "s/oven/t 高于 90，现值 91")

    body = orjson.dumps({"note": "on my way"})
    path = "/api/alarms/1/acknowledge"
    refused = await ask(app, path, method="POST", body=body, **as_user(house, "vi"))
    assert (refused.status, asked) == (403, [])
    mine = as_user(house, "bo")
    assert (await ask(app, path, method="POST", body=body, **mine)).json() == {"number": 1}
    length = orjson.dumps({"length": "8h"})
    assert (await ask(app, "/api/alarms/1/shelve", method="POST", body=length, **mine)).status == 200
    assert (await ask(app, "/api/alarms/1/unshelve", method="POST", **mine)).status == 200
    assert (await ask(app, "/api/alarms/2/unshelve", method="POST", **mine)).status == 404
    acts = [(each["act"], each["who"], each.get("note"), each.get("for_ns")) for each in asked]
    assert acts == [
        ("acknowledge", "bo", "on my way", None),
        ("shelve", "bo", "", 8 * 3600 * 10**9),
        ("shelve", "bo", None, 0),
        ("shelve", "bo", None, 0),
    ]
    noted = [each.what for each in entries(house.directory) if each.what.startswith("alarm.")]
    assert noted == ["alarm.acknowledged", "alarm.shelved", "alarm.unshelved", "alarm.unshelved"]
    for bad in (b'{"length": "9y"}', b'{"length": "8h", "until": 1}'):
        assert (await ask(app, "/api/alarms/1/shelve", method="POST", body=bad, **mine)).status == 422


async def test_alarms_are_chosen_by_kind_and_by_a_part_of_their_subjects_name(
    plant: Plant, house: House, tmp_path: Path
) -> None:
    others = [replace(HOT, subject="s/Oven/t2"), replace(HOT, kind="link", subject="sink/cloud")]
    with closing(Table(tmp_path / ALARMS)) as table:
        table.open()
        table.write([Turn("began", each) for each in (HOT, *others)], T0)
    app = create_app(plant, directory=tmp_path, house=house)

    async def found(query: str) -> tuple[int, list[str]]:
        page = (await ask(app, f"/api/alarms?state=active&{query}", **as_user(house, "vi"))).json()
        return page["total"], [each["subject"] for each in page["alarms"]]

    assert await found("kind=link") == (1, ["sink/cloud"])
    assert await found("subject=oven") == (2, ["s/Oven/t2", "s/oven/t"])
    assert await found("subject=oven&limit=1") == (2, ["s/Oven/t2"])
    assert await found("kind=link&subject=oven") == (0, [])
    assert await found("subject=%25") == (0, [])
    assert (await ask(app, "/api/alarms?kind=moon", **as_user(house, "vi"))).status == 422


async def test_without_a_gateway_nothing_is_acted_on_and_the_table_is_still_shown(
    plant: Plant, house: House, tmp_path: Path
) -> None:
    app = create_app(plant, directory=tmp_path, house=house)
    mine = as_user(house, "bo")
    assert (await ask(app, "/api/alarms", **mine)).json() == {"total": 0, "offset": 0, "alarms": []}
    answer = await ask(app, "/api/alarms/1/acknowledge", method="POST", body=b"{}", **mine)
    assert answer.status == 503
    (tmp_path / ALARMS).write_bytes(b"no database " * 500)
    assert (await ask(app, "/api/alarms", **mine)).status == 503
