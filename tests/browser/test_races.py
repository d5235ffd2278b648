"""What comes late must not undo what a person did meanwhile."""

import re

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.browser import past
from tests.browser.stage import Stage, window

pytestmark = [pytest.mark.system, pytest.mark.server, pytest.mark.timeout(180)]

VOLTAGE = f"{past.METER}/voltage"


def test_an_answer_to_an_older_question_is_not_shown(shown: Stage, browser: Browser) -> None:
    with window(browser, "en") as context:
        page = context.new_page()
        held: list[Route] = []

        def hold(asked: Route) -> None:
            held.append(asked)

        page.route(re.compile("/api/trend.*zone_1"), hold)
        with page.expect_request(re.compile("/api/trend.*zone_1")):
            page.goto(f"{shown.url}#/trend?tags={past.OVEN}/zone_1&span=1h")
        page.goto(f"{shown.url}#/trend?tags={VOLTAGE}&span=1h")
        expect(page.locator(".legend tbody th")).to_contain_text("voltage")
        # Look at every picture that is drawn from now on.
        page.evaluate("""() => {
            window.fewest = 9;
            const look = () => {
                window.fewest = Math.min(window.fewest, document.querySelectorAll(".legend tbody tr").length);
                requestAnimationFrame(look);
            };
            look();
        }""")
        for each in held:
            each.continue_()
        # Two seconds' values later the older answer has been shown, if it is shown at all.
        reading = page.locator(".legend .reading")
        for _ in range(2):
            expect(reading).not_to_have_text(reading.inner_text())
        assert page.evaluate("window.fewest") == 1
        expect(page.locator(".legend tbody th")).to_contain_text("voltage")


def test_enter_goes_to_what_is_typed_and_not_to_what_was_found_before(shown: Stage, browser: Browser) -> None:
    with window(browser, "en") as context:
        page = context.new_page()
        page.goto(f"{shown.url}#/why/{VOLTAGE}")
        page.get_by_role("searchbox").fill("zone")
        expect(page.locator(".found li").first).to_contain_text("zone_1")
        page.get_by_role("searchbox").fill("zone_2")
        page.get_by_role("searchbox").press("Enter")
        expect(page).to_have_url(re.compile("zone_2$"))


def test_a_quality_chosen_while_letters_settle_stays_chosen(shown: Stage, browser: Browser) -> None:
    with window(browser, "en") as context:
        page = context.new_page()
        page.goto(f"{shown.url}#/live")
        expect(page.get_by_role("status").first).to_contain_text("tags")
        # Both at once, before the letters have settled.
        page.evaluate("""() => {
            const box = document.querySelector("main input[type=search]");
            box.value = "compressor";
            box.dispatchEvent(new Event("input", { bubbles: true }));
            document.querySelectorAll(".choices a")[1].click();
        }""")
        expect(page).to_have_url(re.compile(r"q=compressor&which=bad$"))
        expect(page.get_by_role("searchbox")).to_have_value("compressor")


def test_an_address_that_changes_while_the_first_view_is_drawn_is_followed(
    shown: Stage, browser: Browser
) -> None:
    with window(browser, "en") as context:
        page = context.new_page()
        # Without the stream nothing else draws the frame anew.
        page.route(re.compile("/api/events"), lambda _: None)
        # Just drawn, and the effects that begin to follow have not run.
        page.add_init_script("""
            new MutationObserver((_, watcher) => {
                if (!document.querySelector("main#view")) return;
                watcher.disconnect();
                location.hash = "#/live";
            }).observe(document, { childList: true, subtree: true });
        """)
        page.goto(shown.url)
        expect(page).to_have_url(re.compile("#/live"))
        expect(page.get_by_role("link", name="Live", exact=True)).to_have_attribute("aria-current", "page")
