"""`python -m tests.browser.pictures_people`: the views of those who sign in, over three weeks of books."""

import tempfile
from pathlib import Path

from playwright.sync_api import Page

from tests.browser import booked
from tests.browser.pictures import OUT
from tests.browser.stage import add_people, chromium, signed_in, window
from tests.processes import wait_for

SETTLED_MS = 1_000
LINK_DOWN_MS = 180_000
"""Until a link that is down is an alarm."""
REPORTS = (
    ("ledger", "last_month", "xlsx"), ("carbon", "last_month", "pdf"), ("networking", "month", "pdf"),
    ("ledger", "yesterday", "pdf"),
)  # fmt: skip


def main() -> None:
    """Let somebody work a little, then take each view in both languages, the reports in the dark, too."""
    with (
        tempfile.TemporaryDirectory(prefix="wanglian-pictures-", ignore_cleanup_errors=True) as folder,
        booked.running(Path(folder)) as books,
        chromium() as browser,
    ):
        add_people(books.data, **{"wang.mei": "viewer", "li.lei": "engineer", "admin": "administrator"})
        add_people(books.data, **{"zhao.auditor": "auditor"})
        with window(browser, "zh") as context:
            page = context.new_page()
            signed_in(page, books.url, "wang.mei")
            for kind, period, ending in REPORTS:
                order(page, books.url, kind, period, ending)
        wanted = [(language, "light") for language in ("zh", "en")]
        for language, theme in [*wanted, ("zh", "dark")]:
            with window(browser, language, theme) as context:
                page = context.new_page()
                signed_in(page, books.url, "li.lei")
                page.goto(f"{books.url}#/reports")
                page.locator(".links .acts button").first.click()
                page.locator("tr.verdict").wait_for()
                taken(page, "reports", language, theme)
                if theme == "dark":
                    continue
                page.goto(f"{books.url}#/alarms")
                page.locator(".alarms tbody tr").nth(1).wait_for(timeout=LINK_DOWN_MS)
                if language == "zh":
                    page.locator(".alarms tbody tr").last.locator("button").first.click()
                taken(page, "alarms", language)
            with window(browser, language, theme) as context:
                page = context.new_page()
                signed_in(page, books.url, "zhao.auditor")
                page.goto(f"{books.url}#/account/audit")
                page.locator(".account tbody tr").first.wait_for()
                taken(page, "audit", language)


def order(page: Page, url: str, kind: str, period: str, ending: str) -> None:
    """Order a report and wait for it."""
    page.goto(f"{url}#/reports")
    pick = page.locator(".order select")
    pick.nth(0).select_option(kind)
    pick.nth(1).select_option(period)
    pick.last.select_option(ending)
    before = page.locator(".links tbody tr").count()
    page.locator(".order .do").click()
    wait_for(lambda: page.locator(".links tbody tr").count() > before, f"the {kind}", 120)


def taken(page: Page, view: str, language: str, theme: str = "light") -> None:
    """Take the picture."""
    page.wait_for_timeout(SETTLED_MS)
    ending = "" if theme == "light" else f"-{theme}"
    page.screenshot(path=OUT / f"{view}-{language}{ending}.png")


if __name__ == "__main__":
    main()
