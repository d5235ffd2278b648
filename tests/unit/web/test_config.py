"""The plant file through the page: looked at, drafted, applied, taken back, beside a running gateway."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import copy
from pathlib import Path
from typing import Any

import pytest

from gateway.reload.versions import digest
from gateway.runtime import Gateway
from gateway.security import House
from gateway.security.audit import entries, verify
from gateway.web.app import create_app
from gateway.web.view import View
from tests.asgi import Answer, ask
from tests.unit.reload.test_applying import FAST, PLANT, running, text
from tests.unit.web.people import as_user, take


class Caller:
    """An engineer's browser."""

    def __init__(self, folder: Path, house: House) -> None:
        self.app = create_app(
            View(folder / "data", 0), directory=folder / "data", plant_file=folder / "plant.yaml", house=house
        )
        take(house, "eva", "engineer")
        self.headers = as_user(house, "eva")

    async def __call__(self, path: str, body: dict[str, Any] | None = None, method: str = "GET") -> Answer:
        sent = b"" if body is None else json.dumps(body).encode()
        method = "POST" if body is not None else method
        return await ask(self.app, f"/api/config{path}", method=method, body=sent, **self.headers)

    def as_who(self, headers: dict[str, str]) -> "Caller":
        """The same page in somebody else's browser."""
        other = copy(self)
        other.headers = headers
        return other


def noted(house: House) -> list[tuple[str, str, dict[str, Any]]]:
    found = [each for each in entries(house.directory) if each.what.startswith("config.")]
    return [(each.who, each.what, json.loads(each.about)) for each in found]


@asynccontextmanager
async def page(folder: Path) -> AsyncIterator[tuple[Gateway, Caller, House]]:
    async with running(folder) as gateway:
        with House(folder / "data") as house:
            yield gateway, Caller(folder, house), house


async def test_a_text_is_looked_at_before_it_does_anything(tmp_path: Path) -> None:
    async with page(tmp_path) as (_, call, _house):
        now = (await call("")).json()
        assert (now["version"], now["is_running"], now["draft"]) == (1, True, None)
        wanted = text(
            sources=PLANT["sources"] | {"new": {"kind": "simulated", "devices": {"n": FAST}}}
        ).decode()
        looked = (await call("/check", {"text": wanted})).json()
        assert looked["changes"] == [{"part": "source", "name": "new", "how": "added", "devices": []}]
        assert looked["can_apply"]
        assert '+  "new": {' in looked["diff"]
        wrong = (await call("/check", {"text": wanted.replace("simulated", "imaginary")})).json()
        assert (wrong["can_apply"], wrong["diff"]) == (False, "")  # to compare a bomb would cost seconds
        assert all(each["zh"] and each["en"] and each["line"] for each in wrong["problems"])
        fixed = (await call("/check", {"text": wanted.replace('"id": "g"', '"id": "h"')})).json()
        assert (fixed["needs_restart"], fixed["can_apply"]) == (["gateway.id"], False)
        assert (tmp_path / "plant.yaml").read_bytes() == text()


async def test_a_draft_is_applied_noted_and_taken_back_under_the_users_name(tmp_path: Path) -> None:
    async with page(tmp_path) as (gateway, call, house):
        base = (await call("")).json()["base"]
        wanted = text(sources={"two": PLANT["sources"]["two"]}).decode()
        kept = (await call("/draft", {"text": wanted, "base": base})).json()
        assert (kept["draft"]["text"], kept["draft"]["who"]) == (wanted, "eva")
        done = await call("/apply", {"text": wanted, "base": base, "note": "one is scrapped"})
        assert done.json() == {
            "version": 2,
            "changes": [{"part": "source", "name": "one", "how": "removed", "devices": []}],
        }
        now = (await call("")).json()
        assert (now["version"], now["draft"], now["text"]) == (2, None, wanted)
        stale = await call("/apply", {"text": "# late\n" + wanted, "base": base})
        assert (stale.status, stale.json()["code"]) == (409, "E-AP-0002")
        assert "别人" in stale.json()["zh"]
        assert (await call("/rollback", {"version": 1})).json()["version"] == 3
        assert set(gateway.plant.sources) == {"one", "two"}
        versions = (await call("/versions")).json()
        assert [(each["number"], each["who"], each["note"]) for each in versions] == [
            (3, "eva", "= 1"),
            (2, "eva", "one is scrapped"),
            (1, "start", ""),
        ]
        assert '-  "one": {' in (await call("/versions/2")).json()["diff"]
        assert noted(house) == [
            ("eva", "config.draft", {"digest": digest(wanted.encode())}),
            ("eva", "config.apply", {"note": "one is scrapped"}),
            ("eva", "config.applied", {"version": 2}),
            ("eva", "config.apply", {"note": ""}),
            ("eva", "config.refused", {"code": "E-AP-0002"}),
            ("eva", "config.rollback", {"note": "", "version": 1}),
            ("eva", "config.applied", {"version": 3}),
        ]


@pytest.mark.fault("H3")
async def test_nobodys_draft_is_lost_to_another(tmp_path: Path, record_measure) -> None:
    async with page(tmp_path) as (gateway, eva, house):
        take(house, "ben", "engineer")
        ben = eva.as_who(as_user(house, "ben"))
        base = (await eva("")).json()["base"]
        kept = (await eva("/draft", {"text": "mine: [", "base": base})).json()["draft"]
        assert (await eva("/draft", {"text": "mine: [1", "base": base})).status == 200
        for over in ({}, {"over": None}, {"over": kept["time"] - 1}):
            taken = await ben("/draft", {"text": "ben's", "base": base, **over})
            assert (taken.status, taken.json()["code"]) == (409, "E-AP-0007")
            assert "eva" in taken.json()["en"]
        applier = gateway.applier
        assert applier is not None
        wanted = "# ben\n" + text().decode()
        assert (await ben("/apply", {"text": wanted, "base": base})).json()["version"] == 2
        assert (await ben("/rollback", {"version": 1})).json()["version"] == 3
        (tmp_path / "plant.yaml").write_bytes(b"# by hand\n" + text())
        await applier.apply_file(who="SIGHUP")
        now = (await ben("")).json()
        assert (now["draft"]["text"], now["draft"]["who"]) == ("mine: [1", "eva")
        over = {"over": now["draft"]["time"]}
        assert (await ben("/draft", {"text": "both", "base": base, **over})).json()["draft"]["who"] == "ben"
        assert (await eva("/draft", {"text": "mine", "base": base, "over": kept["time"]})).status == 409
        assert (await eva("/draft", method="DELETE")).json()["draft"] is None
        assert noted(house)[-1] == ("eva", "config.draft", {"dropped": digest(b"both"), "of": "ben"})
        assert ("SIGHUP", "config.applied", {"version": 4}) in noted(house)
        assert verify(house.directory).is_whole
    record_measure("a draft through another's apply, rollback, SIGHUP and 4 saves: 0 lost", row="H3")


async def test_what_somebody_applies_is_no_draft_any_more_whatever_they_changed_last(tmp_path: Path) -> None:
    async with page(tmp_path) as (_, eva, _house):
        base = (await eva("")).json()["base"]
        wanted = "# a\n" + text().decode()
        assert (await eva("/draft", {"text": wanted, "base": base})).status == 200
        assert (await eva("/apply", {"text": "# b\n" + wanted, "base": base})).status == 200
        assert (await eva("")).json()["draft"] is None


async def test_without_a_running_gateway_nothing_is_applied_and_the_draft_waits(tmp_path: Path) -> None:
    async with page(tmp_path) as (_, call, _house):
        base = (await call("")).json()["base"]
    assert (await call("/apply", {"text": "# x\n" + text().decode(), "base": base})).status == 503
    assert (await call("/draft", {"text": "unfinished: [", "base": base})).status == 200
    assert (await call("")).json()["draft"]["text"] == "unfinished: ["
    assert (await call("/draft", method="DELETE")).json()["draft"] is None
    assert (await call("/versions/77")).status == 404


async def test_a_plant_file_may_be_larger_than_any_other_body(
    tmp_path: Path,
) -> None:
    async with page(tmp_path) as (_, call, _house):
        assert (await call("/check", {"text": "# " + "x" * 1_500_000})).status == 200
        assert (await call("/check", {"text": "# " + "x" * 5_000_000})).status == 413


async def test_what_is_refused_at_the_last_moment_is_told_as_the_look_tells_it(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("rolling mill")
    cloud = {"kind": "mqtt", "host": "127.0.0.1", "port": 1, "username": "a", "password": "${file:password}"}
    wanted = text(sinks={"cloud": cloud, "plain": cloud | {"host": "broker.example"}}).decode()
    async with page(tmp_path) as (_, call, _house):
        base = (await call("")).json()["base"]
        assert (await call("/check", {"text": wanted})).json()["can_apply"]
        assert (await call("/apply", {"text": wanted, "base": base})).status == 200
        assert (await call("/rollback", {"version": 1})).status == 200
        secret.unlink()
        told = (await call("/check", {"text": wanted})).json()["problems"]
        assert "E-CF-0203" in {each["code"] for each in told}
        for path, body in (("apply", {"text": wanted, "base": base}), ("rollback", {"version": 2})):
            refused = await call(f"/{path}", body)
            assert (refused.status, refused.json()["code"]) == (409, "E-AP-0001")
            assert refused.json()["problems"] == told
        other = text(gateway={"id": "h", "site": "s", "http_port": 0}).decode()
        fixed = (await call("/apply", {"text": other, "base": base})).json()
        assert fixed["code"] == "E-AP-0003"
        assert fixed["problems"] == (await call("/check", {"text": other})).json()["problems"]
