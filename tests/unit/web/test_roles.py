"""Every route of the interface, tried by everybody there can be; the routes are read from OpenAPI."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from gateway.security import ROLES, House
from gateway.web.access.rules import RULES, must_be_ruled
from gateway.web.app import create_app
from gateway.web.view import View
from tests.unit.web.conftest import Plant
from tests.unit.web.people import COOKIE, ORIGIN, as_token, as_user, status_of, take

PEOPLE = (
    "nobody", "viewer", "engineer", "administrator", "auditor", "beginner",
    "token read", "token stream", "token config", "a false token", "a false session",
)  # fmt: skip
USERS = {"viewer", "engineer", "administrator", "auditor"}
READERS = USERS | {"token read"}
STREAMERS = {"engineer", "token stream"}
# What is said here is said once more than in the table, on purpose: the first that fits.
WHO_MAY = (
    (r"GET /$|(GET|POST) /api/session$|POST /api/setup$", set(PEOPLE)),
    (r"DELETE /api/session$|\w+ /api/account/", USERS | {"beginner"}),
    (r"\w+ /api/(users|tokens)", {"administrator"}),
    (r"\w+ /api/audit", {"auditor"}),
    (r"GET /api/stream", STREAMERS),
    (r"POST /api/(quarantine|alarms/)|DELETE /api/reports/", {"engineer", "token config"}),
    (r"\w+ /api/(config|certificates)", {"engineer", "token config"}),
    (r"POST /api/reports", READERS),
    (r"GET /api/", READERS),
)


@cache
def routes() -> list[tuple[str, str]]:
    paths = create_app(View(Path(), 0)).openapi()["paths"]
    found = [(method.upper(), path) for path, methods in paths.items() for method in methods]
    return [*found, ("GET", "/api/openapi.json"), ("GET", "/")]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with House(tmp_path) as made:
        yield made


def headers_of(house: House, somebody: str) -> dict[str, str]:
    kind, _, scope = somebody.partition(" ")
    if kind == "token":
        return as_token(house, scope)
    if somebody in USERS | {"beginner"}:
        return as_user(house, somebody)
    return (
        ORIGIN
        | {
            "nobody": {},
            "a false token": {"authorization": f"Bearer wl_{'A' * 43}"},
            "a false session": {"cookie": f"{COOKIE.name}={'A' * 43}"},
        }[somebody]
    )


@pytest.mark.fault("S10")
@pytest.mark.parametrize("somebody", PEOPLE)
async def test_every_route_is_open_to_those_it_is_for_and_shut_to_all_others(
    plant: Plant, house: House, somebody: str, record_measure
) -> None:
    app = create_app(plant, house=house)
    for role in ROLES:
        take(house, role, role)
    take(house, "beginner", "administrator", must_change=True)
    headers = headers_of(house, somebody)
    wrong = []
    for method, path in routes():
        allowed = next(who for pattern, who in WHO_MAY if re.match(pattern, f"{method} {path}"))
        status = await status_of(app, re.sub(r"\{\w+\}", "1", path), method, headers)
        # A request without a body is malformed: who is told so was let in.
        if (status not in (401, 403)) != (somebody in allowed):
            wrong.append((method, path, status))
        if (method, path, status) == ("DELETE", "/api/session", 200):
            headers = headers_of(house, somebody)
    assert not wrong
    record_measure(
        f"{len(routes())} routes × {len(PEOPLE)} kinds of who asks: all as they should be", row="S10"
    )


@pytest.mark.fault("S10")
async def test_before_there_is_a_user_this_machine_may_look_and_nobody_elses_may(
    plant: Plant, house: House
) -> None:
    app = create_app(plant, house=house)
    for method, path in routes():
        asked = re.sub(r"\{\w+\}", "1", path)
        allowed = next(who for pattern, who in WHO_MAY if re.match(pattern, f"{method} {path}"))
        here = await status_of(app, asked, method, ORIGIN)
        away = await status_of(app, asked, method, ORIGIN, client="192.0.2.7")
        assert (here not in (401, 403)) == ("nobody" in allowed or allowed in (READERS, STREAMERS)), (
            method,
            path,
            here,
        )
        assert (away not in (401, 403)) == ("nobody" in allowed), (method, path, away)
    take(house, "anna", "administrator")
    assert await status_of(app, "/api/overview", "GET", {}) == 401


@pytest.mark.fault("S10")
async def test_a_route_without_a_rule_keeps_the_page_from_starting_and_is_not_served(plant: Plant) -> None:
    app = create_app(plant)
    app.add_api_route("/api/forgotten", lambda: "secret", methods=["GET"])
    assert await status_of(app, "/api/forgotten", "GET", {}) == 404
    with pytest.raises(RuntimeError, match="GET /api/forgotten"):
        must_be_ruled(app)


def test_the_table_names_no_route_that_is_gone() -> None:
    known = {*routes(), ("GET", "/assets/{file:path}")}
    assert set(RULES) - known == set()


async def test_who_asks_by_another_method_learns_which_there_are(plant: Plant) -> None:
    assert await status_of(create_app(plant), "/api/tags", "POST", {}) == 405
    assert await status_of(create_app(plant), "/api/tags", "HEAD", {}) == 405
