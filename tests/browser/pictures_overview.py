"""`python -m tests.browser.pictures_overview`: the Overview of `make demo`, after a week, as pictures."""

import re
import tempfile
from pathlib import Path

from tests.browser.pictures import OUT
from tests.browser.stage import chromium, window
from tests.processes import python, started, wait_for

DAYS = 8
READ = re.compile(rb"http://127\.0\.0\.1:\d+/")
# Until the comparison with last week is there: the demo's past has been booked by then.
BOOKED = """() => {
  const notes = [...document.querySelectorAll('.big-one:not([data-figure="power"]) .note')];
  return notes.filter((each) => / %/.test(each.textContent)).length >= 8;
}"""
SETTLED_MS = 65_000
PICTURES = (("zh", "light", ""), ("en", "light", ""), ("zh", "dark", "-dark"))


def main() -> None:
    """Start the demo with a past and take the Overview in both languages, once in the dark."""
    with tempfile.TemporaryDirectory(prefix="wanglian-pictures-") as name, chromium() as browser:
        folder = Path(name)
        with started("demo", python("-m", "edge_deploy.demo", "--past", str(DAYS)), folder) as demo:
            wait_for(lambda: READ.search(demo.log.read_bytes()), "the demo's page", 300)
            found = READ.search(demo.log.read_bytes())
            assert found is not None
            pages = []
            for language, theme, ending in PICTURES:
                page = window(browser, language, theme).new_page()
                page.goto(f"{found[0].decode()}#/overview")
                pages.append((page, OUT / f"overview-{language}{ending}.png"))
            page.wait_for_timeout(SETTLED_MS)
            for page, file in pages:
                page.wait_for_function(BOOKED, timeout=120_000)
                page.locator(".plotted canvas").first.wait_for()
                page.screenshot(path=file)


if __name__ == "__main__":
    main()
