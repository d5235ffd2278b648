"""Delivery and Settings with a browser: the books hold, a draft is checked, applied, noted and taken back."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.stage import LOCALES, Stage, complaints, signed_in, window
from tests.browser.stage import staffed as staffed_stage

pytestmark = [pytest.mark.system, pytest.mark.server, pytest.mark.timeout(180)]

WHOLE_SOURCE = {"zh": "整个来源", "en": "all of this source"}
UNTRANSLATED = re.compile(r"\b(nav|delivery|config|dropped|refused|audit)\.\w")


@pytest.fixture(scope="module")
def staffed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A gateway with an engineer."""
    with staffed_stage(tmp_path_factory.mktemp("stage"), eva="engineer") as running:
        yield running


@pytest.mark.parametrize("language", list(LOCALES))
def test_every_part_of_delivery_says_what_it_knows_and_the_books_hold(
    staffed: Stage, browser: Browser, language: str
) -> None:
    with window(browser, language) as context:
        page = context.new_page()
        complained = complaints(page)
        signed_in(page, staffed.url)
        page.goto(f"{staffed.url}#/delivery")
        holds = "every line adds up" if language == "en" else "各行相加都对得上"
        expect(page.get_by_role("status").filter(has_text=holds)).to_be_visible()
        expect(page.get_by_role("row").filter(has_text="machines").first).to_be_visible()
        for part in ("gaps", "quarantine", "days"):
            page.goto(f"{staffed.url}#/delivery/{part}")
            expect(page.locator(".delivery .card")).to_be_visible()
            if part == "gaps":  # the compressor's gateway nobody has plugged in
                whole = page.get_by_role("row").filter(has_text=WHOLE_SOURCE[language])
                expect(whole.filter(has_text="air_gateway").first).to_be_visible()
            assert not UNTRANSLATED.search(page.inner_text("body"))
        assert complained == []


def test_a_change_is_checked_applied_and_taken_back(staffed: Stage, browser: Browser) -> None:
    with window(browser, "en") as context:
        page = context.new_page()
        complained = complaints(page)
        signed_in(page, staffed.url)
        page.goto(f"{staffed.url}#/config")
        area = page.locator("textarea.plant")
        expect(area).to_be_visible()
        before = area.input_value()
        area.fill(before.replace('"kind": "simulated"', '"kind": "imaginary"', 1))
        page.get_by_role("button", name="Check").click()
        wrong = page.get_by_label("Mistakes and warnings")
        expect(wrong).to_contain_text("imaginary")
        assert wrong.evaluate("(each) => each.scrollWidth <= each.clientWidth")
        expect(page.get_by_role("button", name="Apply")).to_have_count(0)
        tuned = "# tuned\n" + before.replace('"3min"', '"4min"', 1)
        area.fill(tuned.replace('"kind": "mqtt"', '"kind": "mqtt", "replay_rate": 500'))
        page.get_by_role("button", name="Check").click()
        expect(page.get_by_label("What restarts")).to_contain_text("the connection stays")
        page.get_by_label("Note").fill("slower wave")
        applying = page.get_by_role("button", name="Apply")
        expect(applying).to_contain_text(
            re.compile(r"Apply: \d devices? restarts?, about 2 s without new data; 1 sink reconnects")
        )
        applying.click()
        expect(page.get_by_text("version 2 runs")).to_be_visible()
        expect(page.get_by_role("status").filter(has_text="Applied as version 2.")).to_be_visible()
        page.get_by_role("link", name="Versions").click()
        row = page.get_by_role("row").filter(has_text="slower wave")
        expect(row).to_contain_text("running")
        page.get_by_role("button", name="Go back to version 1").click()
        expect(page.get_by_role("row").filter(has_text="= 1")).to_contain_text("running")
        assert not UNTRANSLATED.search(page.inner_text("body"))
        assert complained == []


def test_what_is_not_saved_stays_while_another_view_is_looked_at_and_is_asked_for_at_the_end(
    staffed: Stage, browser: Browser
) -> None:
    with window(browser, "en") as context:
        page = context.new_page()
        asked: list[str] = []
        page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
        signed_in(page, staffed.url)
        page.goto(f"{staffed.url}#/config")
        area = page.locator("textarea.plant")
        expect(area).to_be_visible()
        before = area.input_value()
        page.reload()  # nothing is lost, nothing asked
        expect(area).to_have_value(before)
        assert asked == []
        area.press("Control+Home")
        area.press_sequentially("# mine ")
        expect(page.get_by_role("status").filter(has_text="not saved")).to_be_visible()
        page.get_by_role("link", name="Live", exact=True).click()
        expect(area).to_have_count(0)
        page.get_by_role("link", name="Settings").click()
        expect(area).to_have_value(f"# mine {before}")
        page.reload()
        expect(area).to_have_value(before)
        assert asked == ["beforeunload"]


def test_what_is_refused_at_the_last_moment_is_shown_with_its_lines(staffed: Stage, browser: Browser) -> None:
    plant = next(Path(staffed.gateway.log).parent.rglob("plant.yaml"))
    secret = plant.with_name("password")
    secret.write_text("rolling mill", encoding="utf-8")
    with window(browser, "zh") as context:
        page = context.new_page()
        signed_in(page, staffed.url)
        page.goto(f"{staffed.url}#/config")
        area = page.locator("textarea.plant")
        secured = '"kind": "mqtt", "username": "a", "password": "${file:password}"'
        area.fill(area.input_value().replace('"kind": "mqtt"', secured))
        page.get_by_role("button", name="检查").click()
        applying = page.get_by_role("button", name="生效")
        expect(applying).to_be_visible()
        secret.unlink()
        applying.click()
        expect(page.get_by_role("alert").filter(has_text="1 处错误")).to_be_visible()
        expect(page.get_by_label("错误和警告")).to_contain_text("E-CF-0203")
        expect(applying).to_have_count(0)


def test_a_file_somebody_else_has_changed_is_not_overwritten(staffed: Stage, browser: Browser) -> None:
    with window(browser, "zh") as context:
        page = context.new_page()
        signed_in(page, staffed.url)
        page.goto(f"{staffed.url}#/config")
        area = page.locator("textarea.plant")
        expect(area).to_be_visible()
        mine = "# mine\n" + area.input_value()
        plant = next(Path(staffed.gateway.log).parent.rglob("plant.yaml"))
        plant.write_text("# by hand\n" + plant.read_text(encoding="utf-8"), encoding="utf-8")
        area.fill(mine)
        page.get_by_role("button", name="检查").click()
        page.get_by_role("button", name="生效", exact=True).click()
        expect(page.get_by_role("alert").filter(has_text="被别人改过")).to_be_visible()
        assert area.input_value() == mine
