"""`python -m tests.browser.pictures_people`: the views of those who sign in, over three weeks of books."""

import contextlib
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.sync_api import Browser, Page

from connectors.opcua.pki import Pki, Refused, below
from gateway.alarms.condition import Condition, Facts, Turn
from gateway.alarms.table import ALARMS, Table
from tests.browser import booked
from tests.browser.alive import answering
from tests.browser.pictures import OUT
from tests.browser.stage import add_people, chromium, signed_in, window
from tests.processes import wait_for
from tests.servers.opcua_certificates import Wanted, make

SETTLED_MS = 1_000
LINK_UP_MS = 60_000
LANGUAGES = (("zh", "light"), ("en", "light"))
REPORTS = (
    ("ledger", "last_month", "xlsx"), ("carbon", "last_month", "pdf"), ("networking", "month", "pdf"),
    ("ledger", "yesterday", "pdf"),
)  # fmt: skip


def main() -> None:
    """Let somebody work a little, then take each view in both languages, some in the dark or on a phone."""
    with (
        tempfile.TemporaryDirectory(prefix="wanglian-pictures-", ignore_cleanup_errors=True) as folder,
        booked.running(Path(folder)) as books,
        chromium() as browser,
    ):
        add_people(books.data, **{"wang.mei": "viewer", "li.lei": "engineer", "admin": "administrator"})
        add_people(books.data, **{"zhao.auditor": "auditor"})
        certificates(books.data)
        with answering(books.meters_port):
            note_alarms(books.data / ALARMS)
            with window(browser, "zh") as context:
                page = context.new_page()
                signed_in(page, books.url, "wang.mei")
                page.locator(".strip .status.calm").first.wait_for(timeout=LINK_UP_MS)
                for kind, period, ending in REPORTS:
                    order(page, books.url, kind, period, ending)
            with window(browser, "zh") as context:
                acknowledged(context.new_page(), books.url)
            for language, theme in [*LANGUAGES, ("zh", "dark")]:
                reports(browser, books.url, language, theme)
            for language, _ in LANGUAGES:
                people(browser, books.url, language)
                on_a_phone(browser, books.url, language)
                alarms(browser, books.url, language)


def certificates(data: Path) -> None:
    """Let the gateway have its own, and have met two servers of which one is trusted."""
    pki = Pki(below(data))
    pki.own("gw-01")
    for name, days in (("press controller", 400), ("oven controller", 21)):
        uri = f"urn:{name.replace(' ', '-')}"
        with contextlib.suppress(Refused):
            pki.examine(make(Wanted(name=name, uri=uri, ends=timedelta(days=days))).der, uri, "127.0.0.1")
    first = next(each for each in pki.entries() if each.name == "press controller")
    pki.move(first.thumbprint, "trusted")


def note_alarms(path: Path) -> None:
    """Let two things be wrong that somebody should see to."""
    hot: Facts = {"value": 203.4, "bound": 199.0, "unit": " °C"}
    ends: Facts = {"ends": f"{datetime.now(UTC) + timedelta(days=21):%Y-%m-%d}"}
    wrong = (
        Condition(
            "limit", f"{booked.SITE}/paint_shop/line_1/oven/zone_2", holds=True, code="limit_high", facts=hot
        ),
        Condition("certificate", "source/ovens/own", holds=True, code="certificate_own", facts=ends),
    )
    with closing(Table(path)) as table:
        table.open()
        table.write([Turn("began", each) for each in wrong], time.time_ns() - 600 * 10**9)


def reports(browser: Browser, url: str, language: str, theme: str) -> None:
    """Take what was made."""
    with window(browser, language, theme) as context:
        page = context.new_page()
        signed_in(page, url, "li.lei")
        page.goto(f"{url}#/reports")
        page.locator(".links .acts button").first.click()
        page.locator("tr.verdict").wait_for()
        taken(page, "reports", language, theme)


def people(browser: Browser, url: str, language: str) -> None:
    """Take what an administrator, an engineer and an auditor see."""
    views = (("users", "admin"), ("certificates", "li.lei"), ("audit", "zhao.auditor"))
    for view, who in views:
        with window(browser, language) as context:
            page = context.new_page()
            signed_in(page, url, who)
            page.goto(f"{url}#/account/{view}")
            page.locator(".account tbody tr").first.wait_for()
            taken(page, view, language)


def on_a_phone(browser: Browser, url: str, language: str) -> None:
    """Take the Overview as one sees it under way."""
    with window(browser, language) as context:
        page = context.new_page()
        page.set_viewport_size({"width": 390, "height": 844})
        signed_in(page, url, "li.lei")
        page.locator(".plotted canvas").first.wait_for()
        taken(page, "phone", language)


def alarms(browser: Browser, url: str, language: str) -> None:
    """Take what stands."""
    with window(browser, language) as context:
        page = context.new_page()
        signed_in(page, url, "li.lei")
        page.goto(f"{url}#/alarms")
        page.locator(".alarms tbody tr").nth(1).wait_for()
        taken(page, "alarms", language)


def acknowledged(page: Page, url: str) -> None:
    """Let somebody see to one alarm, and the gateway count all of them."""
    signed_in(page, url, "li.lei")
    page.goto(f"{url}#/alarms")
    page.locator(".alarms tbody tr").nth(2).wait_for(timeout=LINK_UP_MS)
    page.locator(".alarms tbody tr").last.locator("button").first.click()
    page.locator(".strip").get_by_text("报警 3").wait_for()


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
