"""What axe-core finds wrong with a page for who has no mouse, another eye or a screen reader."""

from typing import Final

from playwright.sync_api import Page

from edge_deploy import page as page_build

AXE: Final = (page_build.SOURCE / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
COLOURS: Final = ["color-contrast", "link-in-text-block"]
"""What another colour scheme may change."""
NARROW: Final = ["scrollable-region-focusable"]
"""What a narrow screen may change."""
RUN: Final = """rules => axe.run(document, rules.length ? { runOnly: rules } : {}).then(({ violations }) =>
    violations.flatMap(({ impact, id, nodes }) => nodes.map(({ html }) => `${impact} ${id}: ${html}`)))"""
ODD_ORDER: Final = "[tabindex]:not([tabindex='0']):not([tabindex='-1'])"


def found_wrong(page: Page) -> list[str]:
    """Return what is wrong in light, in dark or on a phone; the page is light and wide afterwards."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    page.emulate_media(color_scheme="light")
    found: list[str] = page.evaluate(RUN, [])
    page.emulate_media(color_scheme="dark")
    found += [f"dark: {each}" for each in page.evaluate(RUN, COLOURS)]
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 390, "height": 844})
    found += [f"on a phone: {each}" for each in page.evaluate(RUN, NARROW)]
    page.set_viewport_size({"width": 1366, "height": 768})
    return found + ["an order of its own for Tab"] * page.locator(ODD_ORDER).count()
