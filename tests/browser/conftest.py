"""One gateway with a page, and one browser, for all tests that look."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from edge_deploy import page as page_build
from tests.browser.stage import Stage, chromium, stage


@pytest.fixture(scope="session")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    if not page_build.is_built():
        page_build.build()
    with stage(tmp_path_factory.mktemp("stage"), meters=200) as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened
