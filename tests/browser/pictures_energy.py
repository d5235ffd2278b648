"""`python -m tests.browser.pictures_energy`: Energy and Carbon over three weeks of books, as pictures."""

import tempfile
from pathlib import Path

from tests.browser.alive import answering
from tests.browser.booked import running as stage
from tests.browser.pictures import OUT
from tests.browser.stage import chromium, window

VIEWS = {
    "energy": "#/energy?span=yesterday&vs=1",
    "energy-cost": "#/energy?metric=cost&span=yesterday&every=60min",
    "energy-calendar": "#/energy?how=calendar",
    "energy-flow": "#/energy?how=flow&span=yesterday",
    "carbon": "#/carbon?span=yesterday",
}
SETTLED_MS = 1_000
LINK_UP_MS = 60_000


def main() -> None:
    """Take each view in both languages; the energy view in the dark, too."""
    with (
        tempfile.TemporaryDirectory(prefix="wanglian-pictures-", ignore_cleanup_errors=True) as folder,
        stage(Path(folder)) as books,
        answering(books.meters_port),
        chromium() as browser,
    ):
        with window(browser, "zh") as context:
            page = context.new_page()
            page.goto(books.url)
            up = page.locator(".strip .status.calm").first
            up.wait_for(timeout=LINK_UP_MS)
        wanted = [(view, language, "light") for view in VIEWS for language in ("zh", "en")]
        for view, language, theme in [*wanted, ("energy", "zh", "dark")]:
            with window(browser, language, theme) as context:
                page = context.new_page()
                page.goto(books.url + VIEWS[view])
                page.locator(".canvas canvas, .scope").first.wait_for()
                page.wait_for_timeout(SETTLED_MS)
                ending = "" if theme == "light" else f"-{theme}"
                page.screenshot(path=OUT / f"{view}-{language}{ending}.png")


if __name__ == "__main__":
    main()
