"""Every route that changes something, asked as a page of another origin can: nothing has changed after it."""

import re
from pathlib import Path

import pytest

from gateway.security import House, Right
from gateway.security.rights import Role
from gateway.web.access.gate import SAFE
from gateway.web.access.rules import RULES
from gateway.web.app import create_app
from tests.asgi import ask
from tests.unit.web.conftest import Plant
from tests.unit.web.people import as_user, take

PLANT = "gateway: {id: g, site: s}\nsources: {a: {kind: simulated, devices: {d: {tags: {x: {}}}}}}\n"
UNSAFE = [each for each in RULES if each[0] not in SAFE]
WHO: dict[Right, Role] = {Right.USERS: "administrator", Right.AUDIT: "auditor", Right.CONFIG: "engineer"}
FORGED = (
    {"origin": "http://evil.example"},
    {"origin": "null"},
    {"origin": "http://127.0.0.1:9999"},
    {"origin": "https://127.0.0.1:8080.evil.example"},
    {"sec_fetch_site": "cross-site"},
    {"sec_fetch_site": "same-site"},
    {"content_type": "text/plain"},
    {"content_type": "application/x-www-form-urlencoded"},
    {"content_type": "multipart/form-data; boundary=x"},
)
UNPROVED = ({"x_proof": ""}, {"x_proof": "0" * 32})
"""What nobody asks of the doors: whoever comes there has no session yet."""


def state(folder: Path) -> dict[str, bytes]:
    return {str(each): each.read_bytes() for each in sorted(folder.rglob("*")) if each.is_file()}


@pytest.mark.fault("S2")
async def test_no_route_that_changes_something_does_so_for_another_page(
    plant: Plant, tmp_path: Path, record_measure
) -> None:
    folder = tmp_path / "data"
    file = folder / "plant.yaml"
    folder.mkdir()
    file.write_text(PLANT)
    asked = 0
    with House(folder) as house:
        for role in ("administrator", "engineer", "auditor", "viewer"):
            take(house, role, role)
        app = create_app(plant, directory=folder, house=house, plant_file=file)
        for method, path in UNSAFE:
            right = RULES[method, path].right
            mine = as_user(house, WHO.get(right, "viewer"))
            before = state(folder)
            ways = [mine | forged for forged in FORGED + (UNPROVED if right is not Right.NOBODY else ())]
            ways.append({key: value for key, value in mine.items() if key != "origin"})
            for headers in ways:
                answer = await ask(app, re.sub(r"\{\w+\}", "1", path), method=method, body=b"{}", **headers)
                assert answer.status in (403, 415), (method, path, headers, answer.body)
            assert state(folder) == before, (method, path)
            asked += len(ways)
            ours = {"content_type": "application/octet-stream"} if path.endswith("/reports/check") else {}
            answer = await ask(app, re.sub(r"\{\w+\}", "1", path), method=method, body=b"{}", **mine | ours)
            assert answer.status not in (403, 415), (method, path)
    record_measure(f"{len(UNSAFE)} routes, {asked} requests as another page's: 0 changes of state", row="S2")
