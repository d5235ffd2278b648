"""Paths that lead outside, wherever the page takes one: nothing of what lies there is told."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import orjson
import pytest

from gateway.security import House
from gateway.web.app import create_app
from tests.asgi import ask
from tests.unit.web.conftest import Plant
from tests.unit.web.people import as_user, take

CANARY = "canary-7f3a91"
UP = (
    *(
        each * 8
        for each in ("../", "..%2f", "%2e%2e/", "%2e%2e%2f", "%252e%252e%252f", "..%5c", "..\\", "....//")
    ),
    *(each * 8 for each in ("..;/", "%c0%ae%c0%ae/", "..%00/")),
    *("/", "//", "%2f", "./", "file://", "~", "%u2216..", "C:\\", "\\\\host\\"),
)
ROUTES = ("/{}", "/assets/{}", "/assets/x/{}", "/api/{}", "/api/reports/{}/file", "/api/config/versions/{}")
REPORTS = "/api/reports/order?kind=ledger&period={}"


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    """A folder with what must not be told, and the page's own beside it."""
    (tmp_path / "secret").write_text(CANARY)
    static = tmp_path / "page" / "static"
    (static / "assets").mkdir(parents=True)
    (static / "index.html").write_text("<!doctype html>")
    (static / "assets" / "link").symlink_to(tmp_path / "secret")
    (static / "assets" / "folder").symlink_to(tmp_path)
    data = tmp_path / "data"
    data.mkdir()
    (data / "reports").mkdir()
    return tmp_path


@pytest.mark.fault("S4")
async def test_no_path_of_the_page_leads_outside(plant: Plant, outside: Path, record_measure) -> None:
    with House(outside / "data") as house:
        take(house, "eva", "engineer")
        headers = as_user(house, "eva")
        app = create_app(plant, outside / "page" / "static", directory=outside / "data", house=house)
        asked = 0
        for route in ROUTES:
            for up in UP:
                for end in (
                    f"{outside}/secret".lstrip("/"),
                    "secret",
                    "link",
                    "folder/secret",
                    "users.sqlite",
                ):
                    # As the server hands it on: decoded once.
                    answer = await ask(app, unquote(route.format(up + end)), **headers)
                    asked += 1
                    assert CANARY.encode() not in answer.body, (route, up, end)
                    assert b"SQLite format" not in answer.body, (route, up, end)
                    assert answer.status in (307, 404, 405, 422), (route, up, end, answer.status)
    record_measure(f"{asked} paths at {len(ROUTES)} kinds of route: 0 led outside", row="S4")


HEAD = (
    "gateway: {{id: g, site: s{more}}}\n"
    "sources: {{a: {{kind: {kind}, host: {host}, devices: {{d: {device}}}}}}}\n"
)


@pytest.mark.fault("S4")
@pytest.mark.fault("S11")
async def test_a_draft_tells_nothing_of_the_files_it_names(
    plant: Plant, outside: Path, record_measure
) -> None:
    secret, tags = outside / "secret", "{tags: {x: {address: 0}}}"
    up = ("../secret", f"{secret}", "..%2fsecret", "../" * 9 + f"{secret}".lstrip("/"), "a/../../secret")
    known = {"more": "", "kind": "modbus_tcp", "host": "h", "device": tags}
    texts = [HEAD.format(**known | {"device": f"{{template: {orjson.dumps(each).decode()}}}"}) for each in up]
    named = f"${{file:{secret}}}"
    for where in ("more", "kind", "host", "device"):
        wrong = f"' {named} '" if where != "more" else f", language: '{named}', time_zone: '{named}'"
        texts.append(HEAD.format(**known | {where: wrong}))
    plain = HEAD.format(**known)
    for path in up:
        written = orjson.dumps(path).decode()
        texts += [
            plain + f"tariff: [{{use: {written}, from: '2025-01-01'}}]\n",
            plain + f"page: {{listen: 127.0.0.1, tls: {{certificate: {written}, key: {written}}}}}\n",
            plain + f"sinks: {{m: {{kind: mqtt, host: h, tls: {{ca: {written}}}, prefix: '{named} #'}}}}\n",
            plain.replace("site: s", f"site: s, library: {written}"),
            plain + f"calendar: {{file: {written}, major_holidays: [{written}]}}\n",
        ]
    with House(outside / "data") as house:
        take(house, "eva", "engineer")
        headers = as_user(house, "eva")
        file = outside / "plant.yaml"
        file.write_text(plain)
        app = create_app(plant, directory=outside / "data", house=house, plant_file=file)
        refused = 0
        for text in texts:
            body = orjson.dumps({"text": text})
            answer = await ask(app, "/api/config/check", method="POST", body=body, **headers)
            assert answer.status == 200, text
            assert CANARY.encode() not in answer.body, text
            refused += not answer.json()["can_apply"]
    assert refused >= len(texts) - len(up)
    record_measure(f"{len(texts)} drafts that name files outside: nothing of them told", row="S4")
