"""`make pictures`: the views as they are, in both languages, for docs/pictures."""

import tempfile
from pathlib import Path

from tests.browser.stage import SILENT, chromium, stage, window
from tests.processes import ROOT

OUT = ROOT / "docs" / "pictures"
A_MINUTE_MS = 62_000
VIEWS = {"overview": "#/overview", "live": "#/live", "why": f"#/why/{SILENT}"}


def main() -> None:
    """Look for a minute, so that the trends are full, then take the pictures."""
    OUT.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="wanglian-pictures-") as folder,
        stage(Path(folder)) as shown,
        chromium() as browser,
    ):
        pages = {}
        for language in ("zh", "en"):
            for view, path in VIEWS.items():
                pages[view, language] = page = window(browser, language).new_page()
                page.goto(shown.url + path)
        page.wait_for_timeout(A_MINUTE_MS)
        for (view, language), page in pages.items():
            page.screenshot(path=OUT / f"{view}-{language}.png")


if __name__ == "__main__":
    main()
