"""Every view for who has no mouse, another eye or a telephone, and for a day on which nothing answers."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from edge_deploy import page as page_build
from tests.browser import booked
from tests.browser.booked import Books
from tests.browser.stage import add_people, signed_in, window

pytestmark = [pytest.mark.system, pytest.mark.server, pytest.mark.timeout(240)]

METER = "cz_plant/press_shop/line_1/press_meter/e_import"
ENGINEERS = {
    "overview": ".tree, .overview .card",
    "energy?metric=cost&span=yesterday": "tr.total",
    "energy?how=flow&span=yesterday": "main canvas",
    "carbon": ".scope",
    "reports": ".reports .card",
    "live": ".scroll .row .tag",
    "live?q=nosuchtag": ".empty",
    f"trend?tags={METER}&span=1h": ".legend",
    "trend": ".empty",
    f"why/{METER}": ".path",
    "why": "main input",
    "alarms": ".alarms",
    "delivery": ".delivery .card",
    "delivery/gaps": ".delivery .card",
    "delivery/quarantine": ".delivery .card",
    "delivery/days": ".delivery .card",
    "topics": ".topics .card",
    "config": ".config",
    "config/versions": ".config .card",
    "account": ".account .card",
    "account/certificates": ".account .card",
    "elsewhere": ".empty",
}
"""Each view and its parts, and what is there once it is drawn."""
ASK_NOTHING = {"trend", "why", "elsewhere"}
PEOPLE = {
    "eva": ("engineer", ENGINEERS),
    "anna": ("administrator", {"account/users": "form", "account/tokens": "form"}),
    "otto": ("auditor", {"account/audit": ".account .card"}),
}
"""Whose duties are which views."""
AXE = (page_build.SOURCE / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
COLOURS = ["color-contrast", "link-in-text-block"]
RUN = """rules => axe.run(document, rules.length ? { runOnly: rules } : {}).then(({ violations }) =>
    violations.flatMap(({ impact, id, nodes }) => nodes.map(({ html }) => `${impact} ${id}: ${html}`)))"""


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Books]:
    if not page_build.is_built():
        page_build.build()
    with booked.running(tmp_path_factory.mktemp("books")) as running:
        add_people(running.data, **{name: role for name, (role, _) in PEOPLE.items()})
        yield running


def is_for_everybody(page: Page, view: str) -> None:
    """Find nothing wrong in either colour scheme, nor anything wider than a telephone."""
    page.evaluate(AXE)
    assert page.evaluate(RUN, []) == [], view
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(RUN, COLOURS) == [], f"{view}, dark"
    assert page.locator("[tabindex]:not([tabindex='0']):not([tabindex='-1'])").count() == 0
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390, view
    page.set_viewport_size({"width": 1366, "height": 768})
    page.emulate_media(color_scheme="light")


def test_axe_finds_nothing_in_any_view_and_none_is_wider_than_a_phone(books: Books, browser: Browser) -> None:
    source = (page_build.SOURCE / "src" / "app.tsx").read_text(encoding="utf-8")
    (named,) = re.findall(r"const VIEWS = \[(.*?)\]", source, re.DOTALL)
    assert set(re.findall(r'"(\w+)"', named)) <= {re.split(r"[/?]", view)[0] for view in ENGINEERS}
    for name, (_, views) in PEOPLE.items():
        with window(browser, "en") as context:
            page = context.new_page()
            if name == "eva":
                page.goto(books.url)
                expect(page.locator("input[name=password]")).to_be_visible()
                is_for_everybody(page, "door")
            signed_in(page, books.url, name)
            for view, there in views.items():
                page.goto(f"{books.url}#/{view}")
                expect(page.locator(there).first).to_be_visible()
                is_for_everybody(page, view)


def test_no_view_stays_empty_when_its_questions_are_refused(books: Books, browser: Browser) -> None:
    why = "The store can't be read now"

    def refused(asked: Route) -> None:
        asked.fulfill(status=503, json={"detail": why, "en": why, "zh": "现在读不了", "code": "E-XX-0000"})

    with window(browser, "en") as context:
        page = context.new_page()
        page.route(re.compile("/api/(?!session|events)"), refused)
        signed_in(page, books.url)
        for view in ENGINEERS:
            if view not in ASK_NOTHING:
                page.goto(f"{books.url}#/{view}")
                expect(page.locator("main")).to_contain_text(why)
        # Nor is what is old hard to read.
        page.goto(f"{books.url}#/alarms")
        page.unroute_all()
        page.goto(f"{books.url}#/live")
        expect(page.locator(".scroll .row .tag").first).to_be_visible()
        context.set_offline(True)
        page.get_by_role("searchbox").fill("grid")
        expect(page.locator(".frame.stale")).to_be_visible()
        is_for_everybody(page, "lost")


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
