"""Coming and going: what a browser gets, and what a page of another origin can't do."""

import asyncio
import sqlite3
from collections.abc import Iterator
from http.cookies import SimpleCookie
from pathlib import Path

import orjson
import pytest

from gateway.security import House
from gateway.security.audit import entries
from gateway.security.passwords import kept
from gateway.security.setup_code import new_code
from gateway.security.users import users
from gateway.web.access import gate
from gateway.web.app import create_app
from gateway.web.guard import Place
from tests.asgi import Answer, ask, scope_of
from tests.conftest import FakeClock
from tests.unit.web.conftest import Plant
from tests.unit.web.people import COOKIE, ORIGIN, as_user, take

PASSWORD = "rolling mill seven"  # noqa: S105  a test's
WRONG = "a very long word, and another"


@pytest.fixture(scope="module")
def stored() -> str:
    return kept(PASSWORD)


@pytest.fixture
def house(tmp_path: Path, clock: FakeClock) -> Iterator[House]:
    with House(tmp_path, clock) as made:
        yield made


def said(**fields: object) -> bytes:
    return orjson.dumps(fields)


def cookie_of(answer: Answer, name: str = COOKIE.name) -> str:
    return SimpleCookie(answer.headers["set-cookie"])[name].value


async def test_the_first_user_is_made_with_the_code_signed_in_and_out(plant: Plant, house: House) -> None:
    app = create_app(plant, house=house)
    before = (await ask(app, "/api/session")).json()
    assert (before["state"], before["rights"]) == ("visitor", ["read", "stream"])
    body = said(code=new_code(house), name="anna", password=PASSWORD)
    answer = await ask(app, "/api/setup", method="POST", body=body, **ORIGIN)
    assert answer.status == 200
    now = answer.json()
    assert (now["state"], now["name"], now["role"]) == ("signed_in", "anna", "administrator")
    cookie = f"{COOKIE.name}={cookie_of(answer)}"
    assert (await ask(app, "/api/users", cookie=cookie)).json()[0]["name"] == "anna"
    out = await ask(app, "/api/session", method="DELETE", cookie=cookie, x_proof=now["proof"], **ORIGIN)
    assert out.json()["state"] == "sign_in"
    assert (await ask(app, "/api/users", cookie=cookie)).status == 401
    assert [each.what for each in entries(house.directory)] == ["setup.done", "login", "logout"]


@pytest.mark.fault("S1")
async def test_a_wrong_name_and_a_wrong_password_are_answered_alike_and_then_not_at_all(
    plant: Plant, house: House, stored: str
) -> None:
    take(house, "anna", "viewer", stored=stored)
    app = create_app(plant, house=house)
    wrong = [
        await ask(app, "/api/session", method="POST", body=said(name=name, password=WRONG), **ORIGIN)
        for name in ("anna", "nobody")
    ]
    assert [each.status for each in wrong] == [401, 401]
    assert wrong[0].body == wrong[1].body
    assert wrong[0].headers == wrong[1].headers
    late = [
        await ask(app, "/api/session", method="POST", body=said(name=name, password=PASSWORD), **ORIGIN)
        for name in ("anna", "nobody")
    ]
    assert [(each.status, each.headers["retry-after"]) for each in late] == [(429, "1"), (429, "1")]


@pytest.mark.fault("S2")
async def test_the_cookie_is_for_this_page_alone(plant: Plant, house: House, stored: str) -> None:
    take(house, "anna", "viewer", stored=stored)
    body = said(name="anna", password=PASSWORD)
    plain = await ask(create_app(plant, house=house), "/api/session", method="POST", body=body, **ORIGIN)
    crumbs = plain.headers["set-cookie"].lower()
    assert "httponly" in crumbs
    assert "samesite=strict" in crumbs
    assert "secure" not in crumbs.replace("samesite", "")
    place = Place(port=8443, is_secure=True)
    app = create_app(plant, house=house, place=place)
    secure = await ask(app, "/api/session", method="POST", body=body, **ORIGIN)
    assert secure.headers["set-cookie"].startswith("__Host-wanglian-8443=")
    assert "; secure" in secure.headers["set-cookie"].lower()


@pytest.mark.fault("S2")
async def test_signing_in_never_takes_over_a_session_the_browser_was_given(
    plant: Plant, house: House, stored: str
) -> None:
    take(house, "anna", "viewer", stored=stored)
    app = create_app(plant, house=house)
    planted = as_user(house, "anna")["cookie"]
    body = said(name="anna", password=PASSWORD)
    answer = await ask(
        app,
        "/api/session",
        method="POST",
        body=body,
        **(ORIGIN | {"cookie": planted, "x_proof": gate.proof(planted.partition(f"{COOKIE.name}=")[2])}),
    )
    assert answer.status == 200
    assert cookie_of(answer) not in planted
    assert (await ask(app, "/api/session", cookie=planted)).json()["state"] == "sign_in"


@pytest.mark.fault("S2")
@pytest.mark.parametrize(
    "forged",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "http://127.0.0.1:8080.evil.example"},
        {"origin": ""},
        {"x_proof": ""},
        {"x_proof": "0" * 32},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"content_type": "text/plain"},
        {"content_type": "application/x-www-form-urlencoded"},
        {"content_type": "multipart/form-data; boundary=x"},
    ],
)
async def test_what_another_page_can_send_changes_nothing(
    plant: Plant, house: House, forged: dict[str, str], record_measure
) -> None:
    take(house, "anna", "administrator")
    take(house, "eve", "viewer")
    app = create_app(plant, house=house)
    mine = as_user(house, "anna")

    async def shut_out(headers: dict[str, str]) -> int:
        body = said(enabled=False)
        return (await ask(app, "/api/users/eve/enabled", method="POST", body=body, **headers)).status

    assert await shut_out(mine | forged) in (403, 415)
    if forged.keys() <= mine.keys():
        assert await shut_out({key: value for key, value in mine.items() if key not in forged}) == 403
    assert all(each.enabled for each in users(house))
    assert await shut_out(mine) == 200
    record_measure("12 forged requests and 2 that say nothing: 0 changes", row="S2")


@pytest.mark.fault("S2")
async def test_no_answer_lets_another_origin_read_it(plant: Plant, house: House) -> None:
    app = create_app(plant, house=house)
    for method in ("GET", "OPTIONS"):
        answer = await ask(app, "/api/session", method=method, origin="http://evil.example")
        assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.fault("S11")
async def test_a_malformed_request_is_not_repeated_in_its_answer(plant: Plant) -> None:
    for body in (b'{"name": "anna", "password": ["canary-7"]}', b'{"password": "canary-7"'):
        answer = await ask(create_app(plant), "/api/session", method="POST", body=body, **ORIGIN)
        assert answer.status == 422
        assert b"canary" not in answer.body


async def test_a_stream_ends_when_its_session_does(
    plant: Plant, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "RECHECK_S", 0.02)
    take(house, "anna", "viewer")
    app = create_app(plant, house=house)
    mine = as_user(house, "anna")
    heard: list[dict[str, object]] = []
    begun = asyncio.Event()

    async def receive() -> dict[str, object]:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: dict[str, object]) -> None:
        heard.append(message)
        begun.set()

    headers = {"host": "127.0.0.1:8080", "cookie": mine["cookie"]}
    stream = asyncio.create_task(app(scope_of("/api/events", "GET", headers), receive, send))
    async with asyncio.timeout(10):
        await begun.wait()
        with house.writing() as connection:
            connection.execute("DELETE FROM sessions")
        await stream
    assert heard[0]["status"] == 200
    assert heard[-1] == {"type": "http.response.body", "body": b"", "more_body": False}


async def test_a_database_of_users_that_is_damaged_lets_nobody_in(plant: Plant, house: House) -> None:
    house.directory.mkdir(parents=True)
    (house.directory / "users.sqlite").write_bytes(b"no database at all" * 100)
    app = create_app(plant, house=house)
    assert (await ask(app, "/api/overview")).status == 503
    assert (await ask(app, "/api/session")).status == 503


async def test_cookies_of_other_programs_on_this_machine_keep_nobody_out(plant: Plant, house: House) -> None:
    take(house, "anna", "viewer")
    app = create_app(plant, house=house)
    mine = as_user(house, "anna")["cookie"]
    for other in ('{"a":1}', 'x="unclosed', "a=b c=d; =; ;;", "é=ü"):
        assert (await ask(app, "/api/overview", cookie=f"{other}; {mine}")).status == 200, other


async def test_what_a_page_asks_by_itself_keeps_no_session_alive(
    plant: Plant, house: House, clock: FakeClock
) -> None:
    take(house, "anna", "engineer")
    app = create_app(plant, house=house)
    mine = as_user(house, "anna")["cookie"]
    clock.move(20 * 60)
    assert (await ask(app, "/api/overview", cookie=mine, x_unattended="1")).status == 200
    clock.move(11 * 60)
    assert (await ask(app, "/api/overview", cookie=mine)).status == 401
    mine = as_user(house, "anna")["cookie"]
    clock.move(20 * 60)
    assert (await ask(app, "/api/overview", cookie=mine)).status == 200
    clock.move(11 * 60)
    assert (await ask(app, "/api/overview", cookie=mine)).status == 200


@pytest.mark.fault("S13")
async def test_with_a_disk_that_takes_nothing_people_look_on_and_nothing_goes_unnoted(
    plant: Plant, house: House, clock: FakeClock, stored: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(house, "anna", "auditor", stored=stored)
    app = create_app(plant, house=house)
    mine = as_user(house, "anna")["cookie"]
    clock.move(120)

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(gate, "touch", full)
    monkeypatch.setattr(house.audit, "append", full)
    assert (await ask(app, "/api/overview", cookie=mine)).status == 200
    assert (await ask(app, "/api/audit/file", cookie=mine)).status == 503
    body = said(name="anna", password=PASSWORD)
    assert (await ask(app, "/api/session", method="POST", body=body, **ORIGIN)).status == 503


@pytest.mark.fault("S10")
@pytest.mark.parametrize(
    "path",
    [
        "/api/overview/",
        "//api/overview",
        "/API/overview",
        "/assets/../api/overview",
        "/api/./overview",
        "/api",
    ],
)
async def test_a_path_written_otherwise_leads_nowhere(plant: Plant, house: House, path: str) -> None:
    take(house, "anna", "viewer")
    app = create_app(plant, house=house)
    assert (await ask(app, path)).status == 404
    assert (await ask(app, path, cookie=as_user(house, "anna")["cookie"])).status == 404
