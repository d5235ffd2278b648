"""Trends read with a browser: the picture, the numbers behind it, and what keys and wheel do."""

import csv
import json
import re
import urllib.request
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import past
from tests.browser.stage import Stage, complaints, stage, window
from tests.browser.test_views import UNTRANSLATED

pytestmark = [pytest.mark.system, pytest.mark.server, pytest.mark.timeout(180)]

VOLTAGE = f"{past.METER}/voltage"
WORDS = {"zh": ("趋势", "缺数", "数值表"), "en": ("Trends", "gap", "Values as a table")}
SERIES = {"light": (0, 114, 178), "dark": (86, 180, 233)}
LEFT, RIGHT = 72, 24

COLUMNS = """([colour, from, to]) => {
    // How many columns of pixels between two parts of the plot hold the line's colour.
    const shown = document.querySelector(".u-wrap canvas");
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [shown.width, shown.height];
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(shown, 0, 0);
    const over = document.querySelector(".u-over").getBoundingClientRect();
    const box = shown.getBoundingClientRect();
    const ratio = canvas.width / box.width;
    const left = Math.round((over.left - box.left + from * over.width) * ratio);
    const width = Math.round((to - from) * over.width * ratio);
    const { data } = context.getImageData(left, 0, width, canvas.height);
    const found = new Set();
    for (let i = 0; i < data.length; i += 4) {
        const near = colour.every((each, k) => Math.abs(each - data[i + k]) < 24);
        if (near && data[i + 3] > 200) found.add((i / 4) % width);
    }
    return [found.size, width];
}"""


def at(shown: Stage, *tags: str, first: int = 0, last: int = past.LONG) -> str:
    """Return the address of these tags over a stretch, in seconds after the hour began."""
    stretch = f"from={shown.begun + 1000 * first}&to={shown.begun + 1000 * last}"
    return f"{shown.url}#/trend?tags={','.join(map(quote, tags))}&{stretch}"


def drawn(page: Page, theme: str, first: float, last: float) -> float:
    """Return the share of the columns between two parts of the plot in which the line is."""
    found, width = page.evaluate(COLUMNS, [SERIES[theme], first, last])
    return found / width


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_trend_is_drawn_with_its_gap_and_read_as_a_table(
    shown: Stage, browser: Browser, language: str, theme: str
) -> None:
    trends, gap, table = WORDS[language]
    with window(browser, language, theme) as context:
        page = context.new_page()
        complained = complaints(page)
        with page.expect_response(re.compile("/api/trend")) as answered:
            page.goto(at(shown, VOLTAGE, f"{past.PRESS}/order", f"{past.PRESS}/running"))
        expect(page.get_by_role("link", name=trends, exact=True)).to_have_attribute("aria-current", "page")
        expect(page.locator(".legend tbody tr")).to_have_count(3)
        begins, ends = (each / past.LONG for each in past.OUTAGE)
        assert drawn(page, theme, 0.01, begins - 0.01) > 0.95
        assert drawn(page, theme, begins + 0.01, ends - 0.01) == 0
        assert drawn(page, theme, ends + 0.01, past.UNCERTAIN[0] / past.LONG - 0.01) > 0.95
        # Where it is uncertain, it is level and dashed.
        dashed = [each / past.LONG for each in (past.UNCERTAIN[0] + 20, past.UNCERTAIN[1] - 20)]
        assert 0.3 < drawn(page, theme, *dashed) < 0.9

        page.get_by_text(table).click()
        line = answered.value.json()["lines"][0]
        rows = page.locator(".values tbody tr")
        expect(rows).to_have_count(200)
        newest = line["value"][-1]
        expect(rows.first.locator("td").first).to_contain_text(f"{newest:.10g}")
        # The longer the stage has run, the more rows there are before the gap.
        while not rows.filter(has_text=gap).count() and page.locator(".values .more").count():
            page.locator(".values .more").click()
        expect(rows.filter(has_text=gap).first).to_be_attached()
        assert not UNTRANSLATED.search(page.inner_text("body"))
        assert complained == []


def test_the_file_holds_what_the_interface_answered(shown: Stage, browser: Browser, tmp_path: Path) -> None:
    with window(browser, "en") as context:
        page = context.new_page()
        with page.expect_response(re.compile("/api/trend")) as answered:
            page.goto(at(shown, VOLTAGE, f"{past.PRESS}/order"))
        expect(page.get_by_role("button", name="CSV")).to_be_enabled()
        with page.expect_download() as saved:
            page.get_by_role("button", name="CSV").click()
        saved.value.save_as(tmp_path / "trend.csv")
        with page.expect_download() as drawn_:
            page.get_by_role("button", name="PNG").click()
        drawn_.value.save_as(tmp_path / "trend.png")
        wanted = answered.value.json()["lines"]
    assert (tmp_path / "trend.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    with (tmp_path / "trend.csv").open(encoding="utf-8-sig", newline="") as file:
        found = list(csv.DictReader(file))
    assert len(found) == sum(len(line["time"]) for line in wanted)
    told = [(line, i) for line in wanted for i in range(len(line["time"]))]
    for row, (line, i) in zip(found, told, strict=True):
        assert row["tag"] == line["path"]
        assert round(datetime.fromisoformat(row["time"]).timestamp() * 1000) == line["time"][i]
        assert row["time"].endswith("+08:00")
        assert int(row["quality"], 16) == line["quality"][i]
        assert (int(row["good"]), int(row["bad"])) == (line["good"][i], line["bad"][i])
        if line["form"] == "words":
            assert row["value"] == (line["text"][i] or "")
        else:
            assert [float(row[name]) if row[name] else None for name in ("value", "min", "max")] == [
                line[name][i] for name in ("value", "low", "high")
            ]


def test_the_keys_move_the_cursor_and_what_it_shows_is_said(shown: Stage, browser: Browser) -> None:
    with window(browser, "en") as context:
        page = context.new_page()
        page.goto(at(shown, VOLTAGE, last=400))
        expect(page.locator(".legend tbody tr")).to_have_count(1)
        said = page.locator("main p[role=status].hidden")
        page.locator(".canvas").focus()
        page.keyboard.press("Home")
        expect(said).to_contain_text("voltage 230 V")
        for _ in range(5):
            page.keyboard.press("ArrowRight")
        expect(said).to_contain_text("voltage 231 V")
        expect(page.locator(".legend .reading")).to_have_text("231")
        page.keyboard.press("ArrowLeft")
        expect(said).to_contain_text("voltage 230.8 V")
        page.keyboard.press("+")
        expect(page).to_have_url(re.compile(r"from=\d+&to=\d+$"))
        page.keyboard.press("Escape")
        expect(page).to_have_url(re.compile("span=1h$"))


def test_in_a_gap_the_cursor_says_that_nothing_is_known(shown: Stage, browser: Browser) -> None:
    middle = sum(past.OUTAGE) // 2
    with window(browser, "en") as context:
        page = context.new_page()
        page.goto(at(shown, VOLTAGE, f"{past.PRESS}/order", first=middle - 3000, last=middle))
        expect(page.locator(".legend tbody tr")).to_have_count(2)
        page.locator(".canvas").focus()
        page.keyboard.press("End")
        expect(page.locator("main p[role=status].hidden")).to_contain_text("voltage gap, order gap")
        expect(page.locator(".legend .reading")).to_have_text(["—", "—"])


def test_wheel_and_drag_zoom_and_a_double_click_resets(shown: Stage, browser: Browser) -> None:
    with window(browser, "en") as context:
        page = context.new_page()
        page.goto(f"{shown.url}#/trend?tags={VOLTAGE}&span=1h")
        plot = page.locator(".u-over")
        expect(plot).to_be_visible()
        box = plot.bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        for _ in range(3):
            page.mouse.wheel(0, -100)
        expect(page).to_have_url(re.compile(r"from=\d+&to=\d+$"))
        first, last = stretch(page)
        assert 1_700_000 < last - first < 1_950_000
        page.mouse.move(box["x"] + 100, box["y"] + 50)
        page.mouse.down()
        page.mouse.move(box["x"] + 300, box["y"] + 60)
        page.mouse.up()
        page.wait_for_function("was => location.hash !== was", arg=page.evaluate("location.hash"))
        inner, outer = stretch(page)
        assert first < inner < outer < last
        page.mouse.dblclick(box["x"] + 200, box["y"] + 50)
        expect(page).to_have_url(re.compile("span=1h$"))


def stretch(page: Page) -> tuple[int, int]:
    found = re.search(r"from=(\d+)&to=(\d+)", page.url)
    assert found is not None
    return int(found[1]), int(found[2])


def test_what_comes_is_appended_while_the_view_ends_now(shown: Stage, browser: Browser) -> None:
    with window(browser, "en") as context:
        page = context.new_page()
        page.goto(f"{shown.url}#/trend?tags={VOLTAGE}&span=15m")
        reading = page.locator(".legend .reading")
        expect(reading).to_be_visible()
        before = reading.inner_text()
        expect(reading).not_to_have_text(before)
        # The newest of it reaches the plot's right edge before the history has booked it.
        page.wait_for_function(f"() => ({COLUMNS})([[0, 114, 178], 0.98, 1])[0] > 2", timeout=20_000)


def test_a_stretch_is_typed_in_plant_time(shown: Stage, browser: Browser) -> None:
    with window(browser, "en") as context:
        page = context.new_page()
        page.goto(f"{shown.url}#/trend?tags={VOLTAGE}&span=1h")
        page.get_by_text("From … to").click()
        page.get_by_label("From", exact=True).fill("2026-05-06T07:08:09")
        page.get_by_label("To", exact=True).fill("2026-05-06T07:00:00")
        expect(page.get_by_role("button", name="Show")).to_be_disabled()
        page.get_by_label("To", exact=True).fill("2026-05-06T08:08:09")
        page.get_by_role("button", name="Show").click()
        expect(page).to_have_url(re.compile("from="))
        # China is eight hours ahead all year.
        wanted = datetime.fromisoformat("2026-05-06T07:08:09+08:00").timestamp()
        assert [each / 1000 for each in stretch(page)] == [wanted, wanted + 3600]
        expect(page.locator("main")).to_contain_text("Nothing is recorded of this time")


def test_every_row_of_live_and_why_lead_to_the_trend_which_begins_with_the_history(
    shown: Stage, browser: Browser
) -> None:
    with window(browser, "en") as context:
        page = context.new_page()
        with page.expect_response(re.compile("/api/trend")) as answered:
            page.goto(f"{shown.url}#/live?q=meter_1/voltage")
        assert answered.value.json()["lines"][0]["path"] == VOLTAGE
        row = page.locator(".scroll .row").filter(has_text="voltage").first
        # A quarter of an hour at once: far more points than seconds have passed.
        page.wait_for_function(
            "() => (document.querySelector('.row .spark path')?.getAttribute('d') ?? '').length > 300"
        )
        row.locator(".trend a").click()
        expect(page).to_have_url(re.compile(f"#/trend\\?tags={VOLTAGE}&"))
        page.get_by_role("searchbox").fill("press_1 running")
        page.get_by_role("searchbox").press("Enter")
        expect(page.locator(".legend tbody tr")).to_have_count(2)
        expect(page.locator(".bands .label")).to_have_text("running")
        page.get_by_role("button", name=f"Remove {VOLTAGE}").click()
        expect(page.locator(".legend tbody tr")).to_have_count(1)
        page.goto(f"{shown.url}#/why/{VOLTAGE}")
        page.locator(".said").get_by_role("link", name="Trends").click()
        expect(page.locator(".legend tbody tr")).to_have_count(1)


def test_without_a_tag_or_of_an_unknown_one_the_view_says_what_to_do(shown: Stage, browser: Browser) -> None:
    with window(browser, "en") as context:
        page = context.new_page()
        page.goto(f"{shown.url}#/trend")
        expect(page.locator("main")).to_contain_text("choose tags, 8 at most")
        page.goto(f"{shown.url}#/trend?tags=cz_plant/none,{VOLTAGE}&span=1h")
        expect(page.get_by_role("note")).to_contain_text("There is no tag cz_plant/none")
        expect(page.locator(".legend tbody tr")).to_have_count(1)


def test_more_than_two_units_are_charts_below_each_other(shown: Stage, browser: Browser) -> None:
    tags = [f"{past.METER}/{name}" for name in ("voltage", "current", "power")]
    with window(browser, "en") as context:
        page = context.new_page()
        page.goto(f"{shown.url}#/trend?tags={','.join(tags)}&span=15m")
        expect(page.locator(".u-over")).to_have_count(3)
        places = [page.locator(".u-over").nth(i).bounding_box() for i in range(3)]
        assert len({(place["x"], place["width"]) for place in places}) == 1
        page.goto(f"{shown.url}#/trend?tags={','.join(tags[:2])}&span=15m")
        expect(page.locator(".u-over")).to_have_count(1)


def test_without_a_history_the_line_begins_when_the_view_is_opened(browser: Browser, tmp_path: Path) -> None:
    with stage(tmp_path, history=False) as bare, window(browser, "en") as context:
        page = context.new_page()
        page.goto(f"{bare.url}#/trend?tags={VOLTAGE}&span=15m")
        expect(page.get_by_role("note")).to_contain_text("There is no history")
        expect(page.locator(".legend .reading")).not_to_have_text("—")
        page.wait_for_function(f"() => ({COLUMNS})([[0, 114, 178], 0.98, 1])[0] > 1", timeout=20_000)
        page.goto(f"{bare.url}#/overview")
        expect(page.locator(".links").first).not_to_contain_text("History")


def test_the_history_is_seen_beside_the_sinks(shown: Stage, browser: Browser) -> None:
    with urllib.request.urlopen(f"{shown.url}api/overview", timeout=10) as answer:
        links = json.load(answer)["links"]
    assert [(link["name"], link["kind"]) for link in links if link["role"] == "history"] == [
        ("local", "history")
    ]
    with window(browser, "en") as context:
        page = context.new_page()
        page.goto(shown.url)
        row = page.locator(".links tr").filter(has_text="History")
        expect(row).to_contain_text("connected")
        expect(row).to_contain_text(re.compile(r"\d B|\d kB|\d MB"))
        page.goto(f"{shown.url}#/why/{VOLTAGE}")
        expect(page.locator(".path li").last).to_contain_text("History")
