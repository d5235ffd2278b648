"""`make pictures`: the demo's plant after a shift, each view in both languages, for docs/pictures."""

import sys
import tempfile
from pathlib import Path

from tests.browser.hours import SPEED, stage
from tests.browser.stage import chromium, window
from tests.processes import ROOT

OUT = ROOT / "docs" / "pictures"
SITE = "demo_factory"
SHOWN = ("press_shop/line_1/press_1/state", "assembly_shop/line_1/assembly_meter/p",
         "assembly_shop/oven/oven_1/temperature", "press_shop/line_1/press_1/oil_temperature")  # fmt: skip
VIEWS = {
    "overview": "#/overview",
    "live": "#/live",
    "trend": f"#/trend?tags={','.join(f'{SITE}/{tag}' for tag in SHOWN)}&span=8h",
    "delivery": "#/delivery",
    "topics": "#/topics",
    "why": f"#/why/{SITE}/press_shop/line_1/press_meter/p",
}
A_MINUTE_MS = 62_000
UNPLUGGED_MS = 12_000


def main(speed: int = SPEED) -> None:
    """Let the plant work, look for a minute, then take the pictures."""
    OUT.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="wanglian-pictures-", ignore_cleanup_errors=True) as folder,
        stage(Path(folder), speed=speed) as (url, plant),
        chromium() as browser,
    ):
        pages = {}
        for language in ("zh", "en"):
            for view, path in VIEWS.items():
                pages[view, language] = page = window(browser, language).new_page()
                page.goto(url + path)
        page.wait_for_timeout(A_MINUTE_MS)
        for (view, language), page in pages.items():
            if view != "why":
                page.screenshot(path=OUT / f"{view}-{language}.png")
        # Why is worth a look when something is wrong: somebody pulls the plug of the meters.
        plant.stop("meters")
        for language in ("zh", "en"):
            page = pages["why", language]
            page.locator(".path li.cause").wait_for()
            page.wait_for_timeout(UNPLUGGED_MS)
            page.screenshot(path=OUT / f"why-{language}.png")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
