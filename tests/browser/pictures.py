"""`make pictures`: the demo's plant after a shift, each view in both languages, for docs/pictures."""

import re
import sys
import tempfile
from collections.abc import Collection
from pathlib import Path

from playwright.sync_api import Page

from tests.browser.hours import SPEED, stage
from tests.browser.stage import add_people, chromium, signed_in, window
from tests.processes import ROOT

OUT = ROOT / "docs" / "pictures"
SITE = "demo_factory"
SHOWN = ("press_shop/line_1/press_1/state", "assembly_shop/line_1/assembly_meter/p",
         "assembly_shop/oven/oven_1/temperature", "press_shop/line_1/press_1/oil_temperature")  # fmt: skip
VIEWS = {
    "live": "#/live",
    "trend": f"#/trend?tags={','.join(f'{SITE}/{tag}' for tag in SHOWN)}&span=8h",
    "delivery": "#/delivery",
    "topics": "#/topics",
    "why": f"#/why/{SITE}/press_shop/line_1/press_meter/p",
}
CHANGE = (r"(at: utilities/compressed_air\s+scan: )2s", r"\g<1>5s")
SHIFT_H = 8.0
"""What a trend shows; it takes four minutes to be made …"""
A_WHILE_H = 0.5
"""… and what the others need a quarter of one."""
A_MINUTE_MS = 62_000
UNPLUGGED_MS = 12_000


def main(views: Collection[str], speed: int = SPEED) -> None:
    """Let the plant work, look for a minute, then take the pictures of these views."""
    OUT.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="wanglian-pictures-", ignore_cleanup_errors=True) as folder,
        stage(Path(folder), SHIFT_H if {"trend", "why"} & {*views} else A_WHILE_H, speed) as (url, plant),
        chromium() as browser,
    ):
        pages = {}
        for language in ("zh", "en"):
            for view, path in ((each, VIEWS[each]) for each in VIEWS if each in views):
                pages[view, language] = page = window(browser, language).new_page()
                page.goto(url + path)
        for page in list(pages.values())[:1]:
            page.wait_for_timeout(A_MINUTE_MS)
        for (view, language), page in pages.items():
            if view == "topics":
                page.locator(".topics .as-link").filter(has_text="/assembly_1").first.click()
                page.locator(".topics pre").wait_for()
            if view != "why":
                page.screenshot(path=OUT / f"{view}-{language}.png")
        # Why is worth a look when something is wrong: somebody pulls the plug of the meters.
        if "why" in views:
            plant.stop("meters")
        for (view, language), page in pages.items():
            if view == "why":
                page.locator(".path li.cause").wait_for()
                page.wait_for_timeout(UNPLUGGED_MS)
                page.screenshot(path=OUT / f"why-{language}.png")
        if "config" in views:
            add_people(Path(folder) / "data", eva="engineer")
            for language in ("zh", "en"):
                with window(browser, language) as context:
                    page = context.new_page()
                    signed_in(page, url)
                    a_draft(page, url)
                    page.screenshot(path=OUT / f"config-{language}.png")


def a_draft(page: Page, url: str) -> None:
    """Show what a change of the plant file would do."""
    page.goto(f"{url}#/config")
    area = page.locator("textarea.plant")
    area.wait_for()
    text = area.input_value()
    changed = re.sub(*CHANGE, text)
    assert changed != text
    area.fill(changed)
    page.locator(".config .tools button").first.click()
    page.locator(".effects").wait_for()


if __name__ == "__main__":
    # The settings by themselves: somebody signs in for them, and every meter is plugged in again.
    for chosen in [sys.argv[1:]] if sys.argv[1:] else [[*VIEWS], ["config"]]:
        main(chosen)
