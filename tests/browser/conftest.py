"""One gateway with a page, and one browser, for the tests of a file that look.

No longer: a browser driven so keeps the event loop of its thread, and no other test could have one.
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from edge_deploy import page as page_build
from tests.browser import booked
from tests.browser.booked import Books
from tests.browser.stage import Stage, chromium, stage

expect.set_options(timeout=30_000)  # the page's process runs when nobody else wants the core


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    if not page_build.is_built():
        page_build.build()
    with stage(tmp_path_factory.mktemp("stage"), meters=200) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Books]:
    if not page_build.is_built():
        page_build.build()
    with booked.running(tmp_path_factory.mktemp("books")) as running:
        yield running
