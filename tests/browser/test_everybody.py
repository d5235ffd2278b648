"""The page for who has no mouse, and when nothing answers any more; test_walk looks at each view."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from edge_deploy import page as page_build
from tests.browser import booked
from tests.browser.axe import found_wrong
from tests.browser.booked import Books
from tests.browser.stage import add_people, signed_in, window

pytestmark = [pytest.mark.system, pytest.mark.server, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Books]:
    if not page_build.is_built():
        page_build.build()
    with booked.running(tmp_path_factory.mktemp("books")) as running:
        add_people(running.data, eva="engineer")
        yield running


def test_what_is_old_is_not_hard_to_read(books: Books, browser: Browser) -> None:
    with window(browser, "zh") as context:
        page = context.new_page()
        signed_in(page, books.url)
        page.goto(f"{books.url}#/live")
        expect(page.locator(".scroll .row .tag").first).to_be_visible()
        context.set_offline(True)
        page.get_by_role("searchbox").fill("grid")
        # A stream that was just being opened may outlive what the browser calls offline.
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        expect(page.locator(".frame.stale")).to_be_visible()
        assert found_wrong(page) == []
        page.set_viewport_size({"width": 390, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_keyboard_comes_to_the_view_first_and_shows_where_it_is(books: Books, browser: Browser) -> None:
    with window(browser, "en") as context:
        page = context.new_page()
        signed_in(page, books.url)
        page.goto(f"{books.url}#/live")
        page.reload()
        expect(page.locator(".scroll .row .tag").first).to_be_visible()
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "view"
        reached: list[str] = []
        while not reached or reached[-1] != "scroll":
            page.keyboard.press("Tab")
            assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
            reached.append(page.evaluate("document.activeElement.className || document.activeElement.type"))
            assert len(reached) < 30, reached
        assert reached[0] == "search"
        page.keyboard.press("ArrowDown")
        page.keyboard.press("t")
        expect(page).to_have_url(re.compile(r"#/trend\?tags="))
