"""Where figures stand: below each other by their points, whole on a phone, and one name for one thing."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.booked import Books
from tests.browser.stage import window

pytestmark = [pytest.mark.system, pytest.mark.server, pytest.mark.timeout(180)]

POINTS = """(column) => {
  const ends = (cell) => {
    const text = cell.firstChild;
    const range = document.createRange();
    const point = text.data.indexOf(".");
    range.setStart(text, 0);
    range.setEnd(text, point < 0 ? text.data.length : point);
    return Math.round(range.getBoundingClientRect().right);
  };
  const isFigure = (each) => /^[\\d,.−]+$/.test(each.textContent);
  const cells = [...document.querySelectorAll(column)].filter(isFigure);
  const long = new Set(cells.map((each) => each.textContent.length)).size;
  return { ends: [...new Set(cells.map(ends))], long };
}"""
CUT = """(each) => [...document.querySelectorAll(each)].filter((one) => one.scrollWidth > one.clientWidth + 1)
  .map((one) => one.textContent)"""


@pytest.mark.parametrize(
    ("view", "column"),
    [
        ("energy?how=flow&span=yesterday", ".scroller td.num:nth-child(3)"),
        ("energy?how=calendar", ".scroller td.num:nth-child(2)"),
    ],
)
def test_the_points_of_a_column_stand_below_each_other(
    books: Books, browser: Browser, view: str, column: str
) -> None:
    with window(browser, "en") as context:
        page = shown(context.new_page(), books, view, column)
        found = page.evaluate(POINTS, column)
        assert found["long"] > 1, "figures of one length prove nothing"
        # A bold total is a pixel wider.
        assert max(found["ends"]) - min(found["ends"]) <= 2, found


def test_the_ledgers_of_all_sinks_have_the_same_columns(books: Books, browser: Browser) -> None:
    with window(browser, "en") as context:
        page = shown(context.new_page(), books, "delivery", ".ledger tbody tr")
        expect(page.locator(".ledger").nth(1)).to_be_visible()
        edges = "(all) => all.map((each) => [...each.rows[0].cells].map((cell) => cell.offsetLeft).join())"
        assert len(set(page.locator(".ledger").evaluate_all(edges))) == 1
        titles = {
            each.inner_text() for each in page.locator(".card:has(.ledger) > header h2").all()
        }  # the books name themselves as the daily records do
        assert "Energy books" in titles


def test_on_a_phone_no_name_and_no_figure_of_live_is_cut(books: Books, browser: Browser) -> None:
    with window(browser, "en") as context:
        page = context.new_page()
        page.set_viewport_size({"width": 390, "height": 844})
        shown(page, books, "live", ".scroll .row:not(.waiting) .tag a")
        assert page.evaluate(CUT, ".scroll .row .tag, .scroll .row .value:not(.text)") == []


def shown(page: Page, books: Books, view: str, there: str) -> Page:
    """Open a view and wait for what must be there."""
    page.goto(f"{books.url}#/{view}")
    expect(page.locator(there).first).to_be_visible()
    return page
