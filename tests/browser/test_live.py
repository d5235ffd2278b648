"""The Live view's watch lists, and what it shows while nobody answers."""

import re
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.stage import Stage, complaints, window
from tests.processes import ROOT, free_port, python, started, wait_for

pytestmark = [pytest.mark.system, pytest.mark.server, pytest.mark.timeout(180)]


def opened(page: Page, url: str, words: str) -> None:
    page.goto(f"{url}#/live?q={words}")
    expect(page.locator(".scroll .row .tag").first).to_be_visible()


def listed(page: Page) -> list[str]:
    return page.locator(".scroll .row .tag").all_inner_texts()


def test_what_is_starred_is_there_after_a_reload_and_a_link_carries_it_to_another(
    shown: Stage, browser: Browser
) -> None:
    with window(browser, "en") as context, window(browser, "zh") as another:
        page = context.new_page()
        complained = complaints(page)
        opened(page, shown.url, "press_1")
        page.get_by_role("button", name=re.compile("Put .*oil_temperature into")).click()
        page.get_by_role("grid").focus()
        page.keyboard.press("End")  # strokes
        page.keyboard.press("Space")
        page.get_by_role("link", name="★ Watched").click()
        expect(page.get_by_role("status").first).to_have_text("2 tags")
        page.reload()
        expect(page.locator(".scroll .row")).to_have_count(2)
        assert listed(page) == ["oil_temperature", "strokes"]
        row = page.locator(".scroll .row").first
        expect(row.locator(".age")).to_have_text(re.compile(r"^\d+ s$"))
        expect(row.locator(".quality")).to_have_text("Good")
        expect(row.locator(".spark path")).to_be_attached()

        page.get_by_role("button", name="Rename").click()
        page.get_by_role("textbox", name="Name of the list").fill("Line, 1 & 2")
        page.keyboard.press("Enter")
        expect(page.get_by_role("link", name="★ Line, 1 & 2")).to_have_attribute("aria-current", "page")
        # Without the clipboard the address itself is the link.
        page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
        page.get_by_role("button", name="Copy link").click()
        expect(page.get_by_role("status").nth(1)).to_contain_text("carries the list")

        other = another.new_page()
        other.goto(page.url)
        expect(other.locator(".scroll .row")).to_have_count(2)
        other.get_by_role("button", name="存下来").click()
        other.goto(shown.url + "#/overview")
        other.goto(shown.url + "#/live")
        other.get_by_role("link", name="★ Line, 1 & 2").click()
        expect(other.locator(".scroll .row")).to_have_count(2)
        assert listed(other) == listed(page)

        page.get_by_role("button", name=re.compile("Take .*strokes out of")).click()
        expect(page.locator(".scroll .row")).to_have_count(1)
        page.get_by_role("button", name="Delete list").click()
        page.get_by_role("button", name="Keep it").click()  # what was deleted by mistake
        expect(page.get_by_role("link", name="★ Line, 1 & 2")).to_contain_text("1")
        assert complained == []


def test_a_list_names_what_the_plant_no_longer_has_and_an_empty_one_says_how_to_fill_it(
    shown: Stage, browser: Browser
) -> None:
    with window(browser, "en") as context:
        page = context.new_page()
        kept = "cz_plant/press_shop/line_1/press_1/order"
        page.goto(f"{shown.url}#/live?list=Old&tags={kept},cz_plant/press_shop/gone")
        expect(page.get_by_text("no longer has this tag: cz_plant/press_shop/gone")).to_be_visible()
        page.get_by_role("button", name="Keep it").click()
        page.get_by_role("button", name="Take them out").click()
        expect(page.get_by_text("no longer has")).to_have_count(0)
        assert listed(page) == ["order"]
        page.get_by_role("button", name="New list").click()
        page.keyboard.type("Empty one")
        page.keyboard.press("Enter")
        expect(page.locator(".empty")).to_contain_text("No tag in this list yet")


def test_a_network_that_swallows_everything_is_told_and_found_again(
    shown: Stage, browser: Browser, tmp_path: Path
) -> None:
    """A cable that was pulled ends no connection: neither side hears anything more."""
    line, control = free_port(), free_port()
    order = python("-m", "gateway", "lab", "tell", str(control))
    proxied = (
        "lab",
        "proxy",
        "--to",
        urlsplit(shown.url).netloc,
        "--listen",
        str(line),
        "--control",
        str(control),
    )
    with (
        started("proxy", python("-m", "gateway", *proxied), tmp_path) as proxy,
        window(browser, "en") as context,
    ):
        wait_for(lambda: proxy.said("control port"), "the proxy", 30)
        page = context.new_page()
        opened(page, f"http://127.0.0.1:{line}/", "meter_")
        expect(page.locator(".frame.stale")).to_have_count(0)
        subprocess.run([*order, "black_hole=true"], cwd=ROOT, check=True)
        expect(page.locator(".frame.stale")).to_be_visible()
        expect(page.locator(".banner")).to_contain_text("Below is what was known before")
        expect(page.locator(".scroll .row").first).to_contain_text("meter_")
        subprocess.run([*order, "black_hole=false"], cwd=ROOT, check=True)
        expect(page.locator(".frame.stale")).to_have_count(0, timeout=60_000)


def test_what_was_known_stays_while_nobody_answers_and_goes_on_by_itself(
    shown: Stage, browser: Browser
) -> None:
    with window(browser, "en") as context:
        page = context.new_page()
        opened(page, shown.url, "meter_")
        row = page.locator(".scroll .row").first
        context.set_offline(True)
        page.get_by_role("searchbox").fill("press_1")
        expect(page.get_by_role("alert")).to_contain_text("The page's service does not answer")
        expect(page.get_by_role("alert")).to_have_count(1)
        expect(row).to_contain_text("meter_")
        context.set_offline(False)
        expect(row).to_contain_text("press_1")
        expect(page.get_by_role("alert")).to_have_count(0)
