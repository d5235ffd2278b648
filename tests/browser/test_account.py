"""Users come, work and go with a browser: set up, users, tokens, the audit log, signing in and out."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from connectors.opcua.pki import Pki, below
from tests.browser.stage import PASSWORD, Stage, complaints, data_of, signed_in, staffed, window

pytestmark = [pytest.mark.system, pytest.mark.server, pytest.mark.timeout(180)]

SECOND = "another mill eleven"
UNTRANSLATED = re.compile(r"\b(nav|account|role|audit|page|strip)\.\w")


@pytest.fixture
def lonely(tmp_path: Path) -> Iterator[Stage]:
    """A gateway without a user, as it is once."""
    with staffed(tmp_path) as running:
        yield running


def sign_in(page: Page, name: str, password: str) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.keyboard.press("Enter")


def is_translated(page: Page) -> None:
    assert not UNTRANSLATED.search(page.inner_text("body"))


@pytest.mark.fault("S1", "S10")
def test_the_first_user_is_made_with_the_code_and_all_others_come_by_that_one(
    lonely: Stage, browser: Browser
) -> None:
    said = re.search(r"setup_code='([A-Z0-9-]+)'", lonely.gateway.log.read_text())
    assert said
    with window(browser, "en") as context, window(browser, "en") as another:
        page = context.new_page()
        complained = complaints(page)
        page.goto(lonely.url)
        expect(page.get_by_role("treeitem").first).to_be_visible()  # this machine may look
        page.get_by_role("link", name="Set up").click()
        page.get_by_label("Set-up code").fill(said[1])
        page.get_by_label("Name").fill("anna")
        page.get_by_label("Password").fill(PASSWORD)
        is_translated(page)
        page.get_by_role("button", name="Create and sign in").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("anna · administrator")

        page.get_by_role("link", name="Users").click()
        adding = page.get_by_role("form", name="Add a user")
        adding.get_by_label("Name").fill("eve")
        adding.get_by_label("Role").select_option("auditor")
        adding.get_by_label("First password").fill(PASSWORD)
        adding.get_by_role("button").click()
        expect(page.get_by_role("row").filter(has_text="eve")).to_contain_text("to be changed")
        is_translated(page)

        page.get_by_role("link", name="Tokens").click()
        making = page.get_by_role("form", name="Create a token")
        making.get_by_label("Name").fill("historian")
        making.get_by_label("following the stream").check()
        making.get_by_role("button").click()
        token = page.locator(".made code").inner_text()
        expect(page.get_by_role("row").filter(has_text="historian")).to_contain_text("following the stream")
        answer = page.request.get(f"{lonely.url}api/overview", headers={"Authorization": f"Bearer {token}"})
        assert answer.ok
        is_translated(page)
        expect(page.get_by_role("link", name="Audit log")).to_have_count(0)

        other = another.new_page()
        other.goto(lonely.url)
        expect(other.get_by_label("Password")).to_be_visible()
        assert "press_1" not in other.inner_text("body")
        sign_in(other, "eve", "wrong")
        expect(other.get_by_role("alert")).to_have_text("Name or password is wrong.")
        expect(other.get_by_label("Name")).to_have_value("eve")
        other.wait_for_timeout(1000)  # the gateway asks for a second's patience
        sign_in(other, "eve", PASSWORD)
        other.get_by_label("Old password").fill(PASSWORD)
        other.get_by_label("New password").fill(SECOND)
        other.keyboard.press("Enter")
        expect(other.get_by_role("treeitem").first).to_be_visible(timeout=20_000)
        other.get_by_role("link", name="eve").click()
        expect(other.get_by_role("link", name="Users")).to_have_count(0)
        other.get_by_role("link", name="Audit log").click()
        expect(other.get_by_role("row").filter(has_text="added a user")).to_contain_text("user: eve")
        other.get_by_role("button", name="Verify the chain").click()
        expect(other.get_by_role("status").filter(has_text="are whole")).to_be_visible()
        with other.expect_download() as download:
            other.get_by_role("link", name="Export all of it").click()
        lines = [json.loads(line) for line in Path(download.value.path()).read_text().splitlines()]
        assert [line["what"] for line in lines][:3] == ["setup.done", "login", "user.added"]
        is_translated(other)
        other.route(re.compile(r"/api/audit(\?|$)"), of_a_report)
        other.reload()
        expect(other.locator("td.about").first).to_have_text(
            f"name: may.xlsx · number: 7 · hash: {'ab' * 32}"
        )

        page.get_by_role("link", name="Users").click()
        page.get_by_role("button", name="Disable eve").click()
        expect(page.get_by_role("row").filter(has_text="eve")).to_contain_text("disabled")
        expect(other.get_by_label("Password")).to_be_visible(
            timeout=15_000
        )  # a stream looks every five seconds
        assert [each for each in complained if "401" not in each] == []


def of_a_report(route: Route) -> None:
    """Hand on the log, its newest entry one with a fingerprint, whose name is the first by letter."""
    answer = route.fetch()
    told = answer.json()
    told["entries"][0]["about"] = json.dumps({"hash": "ab" * 32, "name": "may.xlsx", "number": 7})
    route.fulfill(response=answer, json=told)


@pytest.fixture(scope="module")
def peopled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A gateway with an administrator."""
    with staffed(tmp_path_factory.mktemp("peopled"), anna="administrator") as running:
        yield running


@pytest.mark.fault("S2")
def test_who_is_signed_in_and_comes_by_a_link_in_anothers_page_stays_signed_in(
    peopled: Stage, browser: Browser
) -> None:
    """Such a request for the page brings no cookie, so nobody is known to it."""
    with window(browser, "en") as context:
        page = context.new_page()
        signed_in(page, peopled.url, "anna")
        page.goto(f"data:text/html,<a href='{peopled.url}'>there</a>")
        with page.expect_response(peopled.url) as answered:
            page.get_by_role("link").click()
        assert 'id="first">{}<' in answered.value.text()
        expect(page.get_by_role("link", name="anna", exact=True)).to_be_visible()


@pytest.mark.parametrize(("language", "theme"), [("zh", "dark"), ("en", "light")])
def test_the_door_is_read_and_used_with_the_keyboard_in_both_languages(
    peopled: Stage, browser: Browser, language: str, theme: str
) -> None:
    with window(browser, language, theme) as context:
        page = context.new_page()
        page.set_viewport_size({"width": 390, "height": 844})
        page.goto(peopled.url)
        expect(page.locator("html")).to_have_attribute("lang", language)
        expect(page.locator("input[name=name]")).to_be_focused()
        page.keyboard.type("anna")
        page.keyboard.press("Tab")
        page.keyboard.type(PASSWORD)
        is_translated(page)
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        page.keyboard.press("Enter")
        expect(page.get_by_role("treeitem").first).to_be_visible()
        for part in ("self", "users", "tokens"):
            page.goto(f"{peopled.url}#/account/{part}")
            expect(page.locator(".card table, .card .empty").first).to_be_visible()
            is_translated(page)
            assert page.evaluate("document.documentElement.scrollWidth") == 390, part


def test_what_opc_ua_servers_are_to_trust_is_shown_and_renewed_when_asked_twice(
    tmp_path: Path, browser: Browser
) -> None:
    with staffed(tmp_path, eva="engineer") as running, window(browser, "en") as context:
        pki = Pki(below(data_of(running)))
        before = pki.own("gw-01").certificate
        page = context.new_page()
        signed_in(page, running.url)
        page.goto(f"{running.url}#/account/certificates")
        card = page.get_by_role("region", name="The gateway's own certificate (OPC UA)")
        expect(card).to_contain_text("Wanglian@")
        expect(card.locator(".status")).to_have_class("status calm")
        thumbprint = card.locator("code").inner_text()
        card.get_by_role("button", name="Renew").click()
        assert pki.own("gw-01").certificate == before
        card.get_by_role("button", name="every OPC UA server must trust it again").click()
        expect(page.get_by_role("status").filter(has_text="is renewed")).to_be_visible()
        expect(card.locator("code")).not_to_have_text(thumbprint)
        assert pki.own("gw-01").certificate != before
        assert thumbprint.replace(" ", "")[:8] in {
            each.name.split(".")[1] for each in pki.own_certificate.parent.glob("certificate.*.der")
        }
        page.route("**/api/certificates?*", ends_soon)
        page.reload()
        expect(card.locator(".status")).to_have_class("status look")
        links = page.get_by_role("region", name="Certificates of platforms and brokers").locator("tbody tr")
        expect(links).to_have_count(2)
        expect(links.first).to_contain_text("iot.example:8883")
        expect(links.first.locator(".status")).to_have_class("status bad")
        expect(links.last.locator(".status")).to_have_class("status calm")
        page.set_viewport_size({"width": 390, "height": 844})
        is_translated(page)
        assert page.evaluate("document.documentElement.scrollWidth") == 390


def ends_soon(route: Route) -> None:
    """Answer as a gateway whose certificate has 29 days left, and whose platform's has ended."""
    answer = route.fetch()
    told = answer.json()
    in_days = {days: (time.time() + days * 86_400) * 1000 for days in (-1, 29, 300)}
    told["own"]["ends"] = in_days[29]
    link = {"link": "cloud", "role": "sink", "peer": "iot.example:8883"}
    told["links"] = [
        {**link, "whose": "peer", "ends": in_days[-1]},
        {**link, "whose": "own", "ends": in_days[300]},
    ]
    route.fulfill(response=answer, json=told)
