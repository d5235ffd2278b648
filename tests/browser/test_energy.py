"""Energy and Carbon read with a browser, in both languages and colour schemes, over three weeks of books."""

import json
import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Download, expect

from tests.browser import booked
from tests.browser.booked import Books
from tests.browser.stage import complaints, window
from tests.processes import wait_for

pytestmark = [pytest.mark.system, pytest.mark.server, pytest.mark.timeout(240)]
# Keys of the plant file are named on purpose.
UNTRANSLATED = re.compile(
    r"\b(?!carbon\.(?:media|primary|electricity|residual))(nav|energy|carbon|reports?|wording|ending|charge|metric|every|span|how|band|eflag|confidence|figure|trend|unit)\.\w"
)
WORDS = {
    "zh": ("能源", "碳", "负荷", "合计", "示例，不是真实价格", "读数中断", "等价值"),
    "en": ("Energy", "Carbon", "Load", "Total", "examples, not real", "readings stopped", "primary"),
}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_energy_and_carbon_are_read_without_a_complaint(
    books: Books, browser: Browser, language: str, theme: str
) -> None:
    energy, carbon, load, total, example, stopped, primary = WORDS[language]
    with window(browser, language, theme) as context:
        page = context.new_page()
        complained = complaints(page)
        page.goto(books.url)
        page.get_by_role("link", name=energy, exact=True).click()
        expect(page.locator(".plotted h2")).to_contain_text(load)
        expect(page.locator(".u-over")).to_have_count(1)
        assert not UNTRANSLATED.search(page.inner_text("body"))
        page.goto(f"{books.url}#/energy?metric=cost&span=yesterday")
        expect(page.get_by_role("note")).to_contain_text(example)
        expect(page.locator(".bandcosts tbody tr")).not_to_have_count(0)
        expect(page.locator("tr.total")).to_contain_text(total)
        page.goto(f"{books.url}#/energy?at=oven_meter&metric=energy&span=yesterday&every=60min")
        expect(page.locator("tr.total")).to_contain_text(stopped)
        assert not UNTRANSLATED.search(page.inner_text("body"))
        page.get_by_role("link", name=carbon, exact=True).click()
        expect(page.locator(".scope")).to_have_count(5)
        expect(page.locator(".carbon")).to_contain_text("electricity/jiangsu/2022/average")
        expect(page.locator(".scope").last).to_contain_text(primary)
        assert not UNTRANSLATED.search(page.inner_text("body"))
        assert complained == []


def test_the_table_adds_up_to_its_total_and_the_file_is_the_table(books: Books, browser: Browser) -> None:
    with window(browser, "en") as context:
        page = context.new_page()
        page.goto(f"{books.url}#/energy?metric=energy&span=yesterday&every=60min")
        rows = page.locator(".scroller tbody tr")
        expect(rows).to_have_count(25)
        values = [float(text.replace(",", "")) for text in rows.locator("td:nth-child(2)").all_inner_texts()]
        assert sum(values[1:]) == pytest.approx(values[0], abs=1e-6)
        with page.expect_download() as saved:
            page.get_by_role("button", name="CSV").click()
        lines = text_of(saved.value).splitlines()
        assert len(lines) == 25
        assert lines[0].startswith("from,to,label,energy,unit")


def text_of(saved: Download) -> str:
    return Path(saved.path()).read_text(encoding="utf-8-sig")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_report_is_ordered_watched_saved_and_checked(
    books: Books, browser: Browser, tmp_path: Path, language: str
) -> None:
    words = {
        "zh": ("生成这段时间的报告", "生成", "保存", "核对", "台账现在的数与它一致", "文件被改过"),
        "en": ("Order a report", "Create", "Save", "Check", "The books still agree", "was changed"),
    }
    to_order, make, save, check, same, changed = words[language]
    with window(browser, language, "light") as context:
        page = context.new_page()
        complained = complaints(page)
        page.goto(f"{books.url}#/energy?span=yesterday")
        page.get_by_role("link", name=to_order).click()
        page.locator(".order select").last.select_option("pdf")
        page.get_by_role("button", name=make, exact=True).click()
        expect(page.get_by_role("progressbar")).to_have_count(1)
        expect(page.locator(".order ~ div a.button")).to_have_count(1, timeout=60_000)
        row = page.locator(".links tbody tr").first
        with page.expect_download() as saved:
            row.get_by_role("link", name=save).click()
        file = tmp_path / saved.value.suggested_filename
        file.write_bytes(Path(saved.value.path()).read_bytes())
        assert file.read_bytes().startswith(b"%PDF")
        assert file.suffix == ".pdf"
        row.get_by_role("button", name=check).click()
        expect(page.locator("tr.verdict")).to_contain_text(same)
        page.locator("input[type=file]").set_input_files(file)
        expect(page.locator("[role=status] .judged")).to_contain_text(same)
        file.write_bytes(file.read_bytes().replace(b"%%EOF", b"% %EOF"))
        page.locator("input[type=file]").set_input_files(file)
        expect(page.locator("[role=status] .judged")).to_contain_text(changed)
        assert not UNTRANSLATED.search(page.locator("main").inner_text())
        assert complained == []


def test_tree_period_and_comparison_are_one_click_each(books: Books, browser: Browser) -> None:
    with window(browser, "en") as context:
        page = context.new_page()
        page.goto(f"{books.url}#/energy")
        page.get_by_role("navigation", name="What is metered").get_by_role("link", name="press_meter").click()
        expect(page.locator(".plotted h2")).to_contain_text("press_meter")
        page.get_by_role("link", name="Yesterday", exact=True).click()
        expect(page.locator(".marks")).to_contain_text("Peak")
        page.get_by_role("button", name="Compare with the day before").click()
        expect(page.locator(".marks")).to_contain_text("Earlier period")
        page.get_by_label("Figure").select_option("energy")
        expect(page.locator(".totals")).to_contain_text("against the earlier period")
        expect(page).to_have_url(re.compile("at=press_meter.*metric=energy.*span=yesterday.*vs=1"))


def test_the_keyboard_moves_the_cursor_and_a_screen_reader_hears_it(books: Books, browser: Browser) -> None:
    with window(browser, "en") as context:
        page = context.new_page()
        page.goto(f"{books.url}#/energy?metric=energy&span=yesterday&every=60min")
        expect(page.locator(".u-over")).to_have_count(1)
        page.locator(".canvas").focus()
        page.keyboard.press("Home")
        page.keyboard.press("ArrowRight")
        expect(page.get_by_role("status").last).to_contain_text("01:00")
        expect(page.get_by_role("status").last).to_contain_text("kWh")


def test_what_is_not_known_is_said_and_no_zero(books: Books, browser: Browser) -> None:
    with window(browser, "en") as context:
        page = context.new_page()
        with page.expect_response(re.compile("/api/energy/figures")) as answered:
            page.goto(f"{books.url}#/energy?metric=energy&span=month&every=day&at=grid")
        unknown = [row for row in answered.value.json()["rows"] if row["value"] is None]
        cells = page.locator(".scroller tbody td:nth-child(2)").filter(has_text="not known")
        expect(cells).to_have_count(len(unknown))


def test_a_figure_leads_to_its_evidence(books: Books, browser: Browser) -> None:
    with window(browser, "en") as context:
        page = context.new_page()
        page.goto(f"{books.url}#/energy?metric=energy&span=yesterday&every=60min&at=grid")
        link = page.locator(".scroller tbody tr").nth(3).get_by_role("link", name="see").get_attribute("href")
        assert link
        told = json.loads(page.request.get(books.url + link).text())
        assert told["terms"][0]["meter"] == "grid"
        assert "quanta" in told["terms"][0]["arithmetic"]


def test_what_was_not_chosen_is_named_with_where_to_enter_it(books: Books, browser: Browser) -> None:
    with window(browser, "en") as context:
        page = context.new_page()
        page.goto(f"{books.url}#/carbon?span=yesterday")
        last = page.locator(".scope").last
        expect(last.locator(".big")).to_contain_text("—")
        expect(last).to_contain_text("carbon.primary")
        page.locator(".scope").nth(1).get_by_role("button", name="Arithmetic").click()
        expect(page.locator(".arithmetic").first).to_contain_text("AD × EF")


@pytest.mark.parametrize(
    ("language", "kept", "share"), [("zh", "留存结果", "占摇篮到大门"), ("en", "Kept results", "Share of")]
)
def test_both_results_of_a_changed_factor_stand_side_by_side_and_a_batch_has_its_footprint(
    books: Books, browser: Browser, language: str, kept: str, share: str
) -> None:
    with window(browser, language) as context:
        page = context.new_page()
        complained = complaints(page)
        today = datetime.now(booked.ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
        first, last = (today - timedelta(days=back) for back in (booked.BACK, booked.BACK - 1))
        page.goto(f"{books.url}#/carbon?from={first.timestamp() * 1000:.0f}&to={last.timestamp() * 1000:.0f}")
        card = page.locator(".card", has=page.get_by_role("heading", name=kept))

        def has_both() -> bool:
            page.reload()
            card.wait_for()
            return card.locator("tbody tr").count() == 2

        wait_for(has_both, "the result by the new factor", 40)
        expect(card.locator("tbody tr").first).to_contain_text("electricity/jiangsu/2021/average")
        expect(card.locator("tbody tr").last).to_contain_text(
            "2021/average → electricity/jiangsu/2022/average"
        )
        batch = page.get_by_role("row", name="B-17")
        expect(batch).to_contain_text("electricity/china/2024/product_footprint")
        expect(page.locator("th", has_text=share)).to_be_visible()
        link = batch.get_by_role("link", name="JSON").get_attribute("href")
        told = json.loads(page.request.get(books.url + (link or "")).text())
        assert told["batch"] == "B-17"
        assert told["share_of_cradle_to_gate"] is not None
        assert not UNTRANSLATED.search(page.locator("main").inner_text())
        assert complained == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_calendar_and_flow_are_drawn_and_say_their_numbers_as_tables(
    books: Books, browser: Browser, language: str, theme: str
) -> None:
    rest, lost = {"zh": ("休息日", "不明损耗"), "en": ("Rest day", "Unaccounted")}[language]
    with window(browser, language, theme) as context:
        page = context.new_page()
        complained = complaints(page)
        page.goto(f"{books.url}#/energy?how=calendar")
        expect(page.locator(".marks")).to_contain_text(rest)
        expect(page.locator(".canvas canvas").first).to_be_visible()
        page.locator(".canvas").hover(position={"x": 860, "y": 80})
        page.goto(f"{books.url}#/energy?how=flow&span=yesterday")
        expect(page.locator(".scroller tbody tr")).to_have_count(5)
        expect(page.locator(".scroller")).to_contain_text(lost)
        expect(page.locator(".scroller .weak")).to_have_count(1)
        page.locator(".canvas").hover(position={"x": 300, "y": 80})
        assert not UNTRANSLATED.search(page.inner_text("body"))
        assert complained == []


def test_the_diagrams_library_comes_only_for_diagrams(books: Books, browser: Browser) -> None:
    with window(browser, "en") as context:
        page = context.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{books.url}#/energy")
        expect(page.locator(".u-over")).to_have_count(1)
        assert not [each for each in asked if "/more-" in each]
        page.get_by_role("link", name="Flow", exact=True).click()
        expect(page.locator(".canvas canvas").first).to_be_visible()
        assert [each for each in asked if "/more-" in each]
