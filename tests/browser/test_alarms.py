"""Alarms with a browser: what stands is shown, seen, shelved and told again, in both languages."""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from gateway.alarms.condition import Condition, Turn
from gateway.alarms.table import ALARMS, Table
from tests.browser.stage import LOCALES, Stage, complaints, data_of, signed_in, window
from tests.browser.stage import staffed as staffed_stage
from tests.fakes import T0

pytestmark = [pytest.mark.system, pytest.mark.server, pytest.mark.timeout(180)]

UNTRANSLATED = re.compile(r"\b(nav|alarms|strip|audit)\.\w")
WORDS = {
    "en": {
        "seen": "Acknowledge",
        "is_seen": "Acknowledged",
        "shelved": "Shelved",
        "end": "End shelving",
        "all": "All",
        "kind": "Kind",
        "subject": "Subject contains",
        "note": "Note",
    },
    "zh": {
        "seen": "确认",
        "is_seen": "已确认",
        "shelved": "已搁置",
        "end": "取消搁置",
        "all": "全部",
        "kind": "类别",
        "subject": "对象包含",
        "note": "说明",
    },
}


@pytest.fixture(scope="module")
def staffed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A gateway with an engineer and two alarms of an earlier hour."""
    with staffed_stage(tmp_path_factory.mktemp("stage"), eva="engineer") as running:
        note_alarms(data_of(running) / ALARMS)
        yield running


def note_alarms(path: Path) -> None:
    facts: dict[str, str | float | int] = {"value": 91.0, "bound": 90.0, "unit": " °C"}
    ovens = [
        Condition("limit", f"s/hall/line_1/{oven}/t", holds=True, code="limit_high", facts=facts)
        for oven in LOCALES
    ]
    with closing(Table(path)) as table:
        table.open()
        table.write([Turn("began", each) for each in ovens], T0)


@pytest.mark.parametrize("language", list(LOCALES))
def test_an_alarm_is_seen_shelved_and_told_again(staffed: Stage, browser: Browser, language: str) -> None:
    words = WORDS[language]
    with window(browser, language) as context:
        page = context.new_page()
        complained = complaints(page)
        signed_in(page, staffed.url)
        page.goto(f"{staffed.url}#/alarms")
        row = page.get_by_role("row").filter(has_text=f"/{language}/t")
        expect(row).to_contain_text("90 °C")
        page.get_by_label(words["kind"]).select_option("clock")
        expect(row).to_have_count(0)
        page.get_by_label(words["kind"]).select_option("limit")
        page.get_by_label(words["subject"]).fill(f"/{language}/")
        expect(page.locator(".alarms tbody tr")).to_have_count(1)
        page.get_by_label(words["note"]).fill("fan stuck")
        row.get_by_role("button", name=words["seen"], exact=True).click()
        expect(row).to_contain_text(words["is_seen"])
        expect(row).to_contain_text("eva")
        expect(row).to_contain_text("fan stuck")
        expect(page.get_by_label(words["note"])).to_have_value("")
        row.get_by_role("combobox").select_option("8h")
        expect(row).to_contain_text(words["shelved"])
        row.get_by_role("button", name=words["end"]).click()
        expect(row).not_to_contain_text(words["shelved"])
        page.goto(f"{staffed.url}#/alarms/all")
        expect(page.get_by_role("heading", name=words["all"], exact=True)).to_be_visible()
        assert not UNTRANSLATED.search(page.inner_text("body"))
        assert complained == []
