"""The page brings the first answers with it, to whom may have them."""

import asyncio
import re
import zlib
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.security import House
from gateway.web import first
from gateway.web.app import create_app
from gateway.web.events import Events
from gateway.web.today.routes import TodayDesk
from tests.asgi import Answer, ask, scope_of
from tests.unit.web.conftest import Plant, tag
from tests.unit.web.people import as_user, take

PAGE = "<!doctype html><html><body><p>网联</p></body></html>"
TOLD = re.compile(rb'<script type="application/json" id="first">(.*?)</script>', re.DOTALL)


@pytest.fixture
def built(tmp_path: Path) -> Path:
    folder = tmp_path / "static"
    folder.mkdir()
    (folder / "index.html").write_text(PAGE, "utf-8")
    return folder


@pytest.fixture
def house(tmp_path: Path) -> Any:
    with House(tmp_path) as made:
        yield made


def told(answer: Answer) -> dict[str, Any]:
    (found,) = TOLD.findall(answer.body)
    return orjson.loads(found)


async def test_the_page_brings_what_its_first_view_asks(plant: Plant, built: Path, house: House) -> None:
    plant.add_link("meters")
    (number,) = plant.announce(tag("cz/a/l/d/x"))
    plant.put(number, 1.0)
    take(house, "anna", "viewer")
    anna = as_user(house, "anna")
    app = create_app(plant, built, house=house)
    answer = await ask(app, "/", **anna)
    assert TOLD.sub(b"", answer.body).decode() == PAGE
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    found = told(answer)
    assert found["session"] == (await ask(app, "/api/session", **anna)).json()
    seen = (await ask(app, "/api/overview", **anna)).json()
    assert found["heard"]["state"]["strip"] == seen["strip"]
    assert found["heard"]["devices"] == seen["devices"]
    # No energy is counted here: the page asks, and is told why.
    assert "today" not in found
    assert (await ask(app, "/api/today", **anna)).status == 503


async def test_who_is_not_known_is_told_nothing(plant: Plant, built: Path, house: House) -> None:
    take(house, "anna", "viewer")
    assert told(await ask(create_app(plant, built, house=house), "/")) == {}


@pytest.mark.fault("S2")
@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_another_page_that_asks_for_this_one_moves_the_gateway_to_nothing(
    plant: Plant, built: Path, house: House, site: str
) -> None:
    """A visitor needs no cookie, and a cookie knows no port."""
    app = create_app(plant, built, house=house)
    assert told(await ask(app, "/", sec_fetch_site=site)) == {}
    take(house, "anna", "viewer")
    assert told(await ask(app, "/", sec_fetch_site=site, **as_user(house, "anna"))) == {}
    assert plant.looks == 0


async def test_who_must_change_the_password_first_is_told_that_alone(
    plant: Plant, built: Path, house: House
) -> None:
    take(house, "anna", "viewer", must_change=True)
    found = told(await ask(create_app(plant, built, house=house), "/", **as_user(house, "anna")))
    assert list(found) == ["session"]


@pytest.mark.fault("S3")
async def test_no_name_ends_the_element_it_is_told_in(plant: Plant, built: Path) -> None:
    name = "</script><script>alert(1)</script><!--"
    plant.announce(tag(f"cz/a/l/{name.replace('/', '_')}/x"))
    plant.add_link(name)
    answer = await ask(create_app(plant, built), "/")
    assert answer.body.count(b"<script") == answer.body.count(b"</script") == 1
    assert b"<!--" not in answer.body
    assert [each["name"] for each in told(answer)["heard"]["state"]["links"]] == [name]


async def test_an_answer_that_takes_long_is_left_out_and_asked_for_later(
    plant: Plant, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first, "PATIENCE_S", 0.05)
    read, ended = asyncio.Event(), []

    async def slow(_: TodayDesk) -> bytes:
        await read.wait()
        ended.append(True)
        return b"{}"

    monkeypatch.setattr(TodayDesk, "today", slow)
    found = told(await ask(create_app(plant, built), "/"))
    assert set(found) == {"session", "heard"}
    read.set()
    for _ in range(3):
        await asyncio.sleep(0)
    assert ended == [True]  # read to its end, for who asks next


@pytest.mark.parametrize(("what", "left"), [((TodayDesk, "today"), "heard"), ((Events, "newest"), "today")])
async def test_what_fails_does_not_come_and_the_page_comes_whole(
    plant: Plant, built: Path, monkeypatch: pytest.MonkeyPatch, what: tuple[type, str], left: str
) -> None:
    """Half of the page would be none: scripts wait for its end."""

    async def fails(_: object) -> bytes:
        raise ValueError

    async def answers(_: object) -> bytes:
        return b"{}"

    monkeypatch.setattr(TodayDesk, "today", answers)
    monkeypatch.setattr(*what, fails)
    answer = await ask(create_app(plant, built), "/")
    assert set(told(answer)) == {"session", left}
    assert answer.body.endswith(b"</body></html>")


async def test_all_who_come_meanwhile_ask_once(
    plant: Plant, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first, "PATIENCE_S", 0.05)
    read, asked = asyncio.Event(), []

    async def slow(_: TodayDesk) -> bytes:
        asked.append(True)
        await read.wait()
        return b"{}"

    monkeypatch.setattr(TodayDesk, "today", slow)
    app = create_app(plant, built)
    for _ in range(3):
        await ask(app, "/")
    assert asked == [True]
    read.set()
    assert "today" in told(await ask(app, "/"))


async def test_thousands_of_devices_come_with_the_stream(
    plant: Plant, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first, "MOST_HEARD", 100)
    assert list(told(await ask(create_app(plant, built), "/"))) == ["session"]


async def test_the_file_goes_out_before_the_answers_are_there(
    plant: Plant, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, said = asyncio.Event(), []

    async def never(_: Events) -> bytes:
        asked.set()
        await asyncio.Event().wait()
        return b""

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        said.append(message.get("body", b""))

    monkeypatch.setattr(Events, "newest", never)
    scope = scope_of("/", "GET", {"host": "127.0.0.1", "accept-encoding": "gzip"})
    answering = asyncio.create_task(create_app(plant, built)(scope, receive, send))
    async with asyncio.timeout(5):
        await asked.wait()
    assert zlib.decompressobj(wbits=31).decompress(b"".join(said)).decode() == PAGE.partition("</body>")[0]
    answering.cancel()
    await asyncio.gather(answering, return_exceptions=True)
