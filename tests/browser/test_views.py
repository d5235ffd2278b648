"""Every view read with a browser, in both languages and both colour schemes."""

import gzip
import os
import re
import signal
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from edge_deploy import page as page_build
from tests.browser.stage import SILENT, Stage, complaints, stage, window

pytestmark = [pytest.mark.system, pytest.mark.server, pytest.mark.timeout(180)]

UNTRANSLATED = re.compile(
    r"\b(nav|strip|figure|needs|links|tree|device|state|live|which|quality|why|step|fact|action|trend|period)\.\w"
)
WORDS = {
    "zh": ("总览", "实时", "为什么", "链路断开", "坏：通信中断", "下一步"),
    "en": ("Overview", "Live", "Why", "link down", "Bad: link down", "Do next"),
}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_view_is_read_without_a_complaint(
    shown: Stage, browser: Browser, language: str, theme: str
) -> None:
    overview, live, why, down, bad, then = WORDS[language]
    with window(browser, language, theme) as context:
        page = context.new_page()
        complained = complaints(page)
        page.goto(shown.url)
        expect(page.locator("html")).to_have_attribute("lang", language)
        expect(page.get_by_role("link", name=overview, exact=True)).to_have_attribute("aria-current", "page")
        expect(page.get_by_role("treeitem").filter(has_text="compressor_1").last).to_contain_text(down)
        expect(page.locator(".needs")).to_contain_text("air_gateway")
        assert not UNTRANSLATED.search(page.inner_text("body"))
        dark = page.evaluate("getComputedStyle(document.body.parentElement).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", dark)[:3])) < 200) == (theme == "dark")

        page.get_by_role("link", name=live, exact=True).click()
        page.get_by_role("searchbox").fill("compressor pressure")
        row = page.locator(".scroll .row").filter(has_text="pressure")
        expect(row).to_have_count(1)
        expect(row).to_contain_text(bad)
        assert not UNTRANSLATED.search(page.inner_text("body"))

        row.get_by_role("link", name="pressure", exact=True).click()
        expect(page).to_have_url(re.compile(f"#/why/{SILENT}$"))
        expect(page.locator(".next")).to_contain_text(then)
        expect(page.locator(".path li")).to_have_count(8)
        expect(page.locator(".path li.cause")).to_contain_text("air_gateway")
        expect(page.get_by_role("link", name=why, exact=True)).to_have_attribute("aria-current", "page")
        assert not UNTRANSLATED.search(page.inner_text("body"))
        assert complained == []


def test_on_a_phone_no_view_is_wider_than_the_screen_and_rows_name_their_device(
    shown: Stage, browser: Browser
) -> None:
    with window(browser, "zh") as context:
        page = context.new_page()
        page.set_viewport_size({"width": 390, "height": 844})
        tags = f"{SILENT},cz_plant/press_shop/line_1/press_1/order,cz_plant/paint_shop/line_1/oven/zone_1"
        for view, there in (
            ("overview", ".tree"),
            ("live", ".scroll .row .tag"),
            (f"trend?tags={tags}&span=15m", ".legend"),
            (f"why/{SILENT}", ".path"),
        ):
            page.goto(f"{shown.url}#/{view}")
            expect(page.locator(there).first).to_be_visible()
            assert page.evaluate("document.documentElement.scrollWidth") == 390, view
            for link in page.locator(".rail a").all():
                box = link.bounding_box()
                assert box is not None
                assert box["x"] + box["width"] <= 390, view
            if view == "live":
                expect(page.locator(".scroll .row .device").first).to_be_visible()


def test_the_menu_of_a_narrow_phone_takes_two_lines_in_english_too(shown: Stage, browser: Browser) -> None:
    with window(browser, "en") as context:
        page = context.new_page()
        page.goto(f"{shown.url}#/live")
        for width in (375, 360):
            page.set_viewport_size({"width": width, "height": 812})
            expect(page.locator(".rail a")).to_have_count(11)
            boxes = [each.bounding_box() for each in page.locator(".rail a").all()]
            assert len({box["y"] for box in boxes if box}) == 2, width
            assert all(box and box["height"] >= 40 for box in boxes), width


@pytest.mark.parametrize(("language", "said"), [("zh", "还没有计量表"), ("en", "Nothing is metered")])
def test_a_plant_without_meters_sees_its_devices_and_how_to_have_figures(
    shown: Stage, browser: Browser, language: str, said: str
) -> None:
    with window(browser, language) as context:
        page = context.new_page()
        complained = complaints(page)
        page.goto(shown.url)
        expect(page.locator(".fill")).to_contain_text(said)
        expect(page.locator(".fill")).to_contain_text("e_import")
        expect(page.locator(".tree")).to_be_visible()
        expect(page.locator(".figure .big b")).to_have_count(4)
        expect(page.locator(".big-one")).to_have_count(0)
        assert complained == []


def test_language_and_theme_are_kept_when_switched(shown: Stage, browser: Browser) -> None:
    with window(browser, "zh") as context:
        page = context.new_page()
        page.goto(shown.url)
        page.get_by_role("button", name="English").click()
        page.get_by_role("button", name="Colours").click()
        page.get_by_role("button", name="Colours").click()
        for _ in range(2):
            expect(page.locator("html")).to_have_attribute("lang", "en")
            expect(page.locator("html")).to_have_attribute("data-theme", "dark")
            page.reload()


def test_values_move_and_only_what_is_seen_is_drawn(shown: Stage, browser: Browser) -> None:
    with window(browser, "en") as context:
        page = context.new_page()
        page.goto(shown.url + "#/live?q=meter_")
        expect(page.get_by_role("status").first).to_have_text("800 tags")
        rows = page.locator(".scroll .row")
        expect(rows.first).not_to_have_class(re.compile("waiting"))
        assert rows.count() < 60
        power = page.locator(".scroll .row").filter(has_text="power").first.locator(".value")
        before = power.inner_text()
        expect(power).not_to_have_text(before)
        expect(page.locator(".scroll .row .spark path").first).to_be_attached()
        # The keyboard reaches the last row and its Why.
        page.locator(".scroll").focus()
        page.keyboard.press("End")
        expect(page.locator("#row-799")).to_contain_text("meter_99")
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile("#/why/cz_plant/utilities/power/meter_99/voltage"))
        expect(page.locator(".next")).to_contain_text("can be believed")


def test_nothing_found_and_nowhere_are_said_in_words(shown: Stage, browser: Browser) -> None:
    with window(browser, "en") as context:
        page = context.new_page()
        page.goto(shown.url + "#/live?q=nosuchtag")
        expect(page.locator("main")).to_contain_text("No tag matches.")
        page.goto(shown.url + "#/why/cz_plant/none")
        expect(page.get_by_role("alert")).to_contain_text("No running source has a tag cz_plant/none")
        page.goto(shown.url + "#/elsewhere")
        expect(page.locator("main")).to_contain_text("no such page")


def test_a_browser_says_that_the_page_is_gone_and_goes_on_when_it_is_back(
    shown: Stage, browser: Browser
) -> None:
    with window(browser, "en") as context:
        page = context.new_page()
        page.goto(shown.url)
        expect(page.locator(".big").first).to_be_visible()
        task = Path(f"/proc/{shown.gateway.popen.pid}/task")
        (child,) = [int(each) for path in task.glob("*/children") for each in path.read_text().split()]
        os.kill(child, signal.SIGKILL)
        expect(page.get_by_role("alert")).to_contain_text("check on its machine whether the gateway runs")
        expect(page.get_by_role("alert")).to_have_count(0, timeout=60_000)


def test_what_is_shown_of_a_gateway_that_was_killed_grows_older(browser: Browser, tmp_path: Path) -> None:
    with stage(tmp_path, history=False) as gone, window(browser, "en") as context:
        page = context.new_page()
        page.goto(gone.url + "#/live?q=press_1")
        age = page.locator(".scroll .row .age").first
        expect(age).to_have_text(re.compile(r"^[0-4] s$"), timeout=30_000)
        gone.gateway.popen.kill()
        expect(page.get_by_role("alert")).to_contain_text("check on its machine whether the gateway runs")
        expect(age).to_have_text(re.compile(r"^([5-9]|\d\d+) s$"), timeout=60_000)


def first_load(files: list[Path], index: str) -> set[Path]:
    """Return what a browser fetches before anything is clicked: what is named, and what that imports."""
    by_name = {file.name: file for file in files}
    found: set[Path] = set()
    wanted = [file for file in files if file.name == "index.html" or file.name in index]
    while wanted:
        file = wanted.pop()
        if file not in found:
            found.add(file)
            said = re.findall(rb'from\s*"\./([\w.-]+)"', file.read_bytes()) if file.suffix == ".js" else []
            wanted += [by_name[name.decode()] for name in said]
    return found


@pytest.mark.usefixtures("shown")
def test_the_first_load_is_small_and_asks_nobody_else() -> None:
    files = [file for file in page_build.BUILT.parent.rglob("*") if file.is_file()]
    index = (page_build.BUILT.parent / "index.html").read_text(encoding="utf-8")
    first = [file for file in files if file.name == "index.html" or file.name in index]
    assert sum(len(gzip.compress(file.read_bytes())) for file in first_load(files, index)) < 150 * 1024
    # The charts' code is there, but comes when it is wanted.
    with_charts = [file for file in files if file.suffix == ".js" and b"u-wrap" in file.read_bytes()]
    assert len(with_charts) == 1
    assert with_charts[0] not in first
    # Sankey and heat map bring a library of their own, which nobody else pays for.
    with_diagrams = [file for file in files if file.suffix == ".js" and b"visualMap" in file.read_bytes()]
    assert len(with_diagrams) == 1
    assert with_diagrams[0] not in first_load(files, index)
    named = {
        address
        for file in files
        for address in re.findall(rb"https?://[\w.-]+", file.read_bytes())
        if not address.endswith(b"www.w3.org")
    }
    assert named == set()
    assert not [file for file in files if file.suffix in {".woff", ".woff2", ".ttf", ".otf", ".eot"}]
    styles = [file for file in files if file.suffix == ".css"]
    assert not [file for file in styles if b"@font-face" in file.read_bytes()]
    # Nothing moves by itself, so nobody need ask for less of it.
    assert not [file for file in styles if re.search(rb"transition|animation|@keyframes", file.read_bytes())]


NEWER_THAN_CHROME_109 = {
    ".css": r"light-dark\(|color-mix\(|oklch\(|@starting-style|subgrid|text-wrap:|@scope|[{;}]\s*&",
    ".js": r"\.(toSorted|toSpliced|toReversed)\(|\b(Object|Map)\.groupBy\(|Promise\.(withResolvers|try)\(|"
    r"\bURL\.(canParse|parse)\(|Array\.fromAsync\(|AbortSignal\.any\(|showPopover\(",
}
"""What came with Chrome 110 and later, and a build for 109 does not take out."""


@pytest.mark.usefixtures("shown")
def test_what_is_built_asks_for_nothing_newer_than_chrome_109() -> None:
    config = (page_build.SOURCE / "vite.config.ts").read_text(encoding="utf-8")
    assert re.findall(r'arget: "(\w+)"', config) == ["chrome109", "chrome109"]
    for file in page_build.BUILT.parent.rglob("*.*"):
        newer = NEWER_THAN_CHROME_109.get(file.suffix)
        assert newer is None or not re.search(newer, file.read_text(encoding="utf-8")), file.name
