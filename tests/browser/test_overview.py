"""The Overview read with a browser against what the meters counted, added up here without the books."""

import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.browser import booked
from tests.browser.booked import ZONE, Books
from tests.browser.stage import asking, complaints, window

pytestmark = [pytest.mark.system, pytest.mark.server, pytest.mark.timeout(180)]
UNTRANSLATED: Final = re.compile(
    r"\b(?!carbon\.electricity|energy\.meters)(nav|today|energy|needs|figure|band)\.\w"
)
KGCE_A_KWH: Final = 0.1229
"""GB/T 2589, by heat content."""
KGCE_A_M3: Final = 35.588 / 29.3076
KG_A_KWH: Final = 0.5978
"""Grid of Jiangsu, 2022."""
KG_A_M3: Final = 35.588e-3 * 0.0153 * 0.99 * 44 / 12 * 1000
"""Heating value × carbon of a GJ × oxidised share × CO2 of carbon."""
TODAY: Final = re.compile(r"/api/today\?")
NAMES: Final = ("power", "energy", "cost", "coal", "co2")
WEEKDAYS: Final = {"zh": "一二三四五六日", "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")}
WORDS: Final = {
    "zh": {
        "figures": ("当前功率", "今日用电", "今日电费", "今日标准煤", "今日碳排放"),
        "bands": ("峰", "平", "谷"),
        "yesterday": "较昨日同时段 {part}",
        "weekday": "较上周{day}同时段 {part}",
        "early": "零点刚过",
        "example": "示例价格",
        "demand": "合同需量 400 kW",
        "most": "今日用电最多",
    },
    "en": {
        "figures": ("Power now", "Energy today", "Electricity cost", "Standard coal", "CO₂ today"),
        "bands": ("Peak", "Flat", "Valley"),
        "yesterday": "{part} vs yesterday by now",
        "weekday": "{part} vs last {day} by now",
        "early": "Too early",
        "example": "example prices",
        "demand": "contract 400 kW",
        "most": "Most energy today",
    },
}


@pytest.fixture(scope="module")
def overview(books: Books, browser: Browser) -> Iterator[Page]:
    """One window in English, for tests that only look."""
    with window(browser, "en") as context:
        page = context.new_page()
        open_overview(page, books)
        yield page


class Moment:
    """The newest reading, and what the meters had counted by then."""

    def __init__(self, page: Page, books: Books) -> None:
        told = page.request.get(f"{books.url}api/today").json()
        self.midnight = datetime.fromtimestamp(told["start"] / 1000, ZONE)
        energy = next(each for each in told["figures"] if each["name"] == "energy")
        self.until = datetime.fromtimestamp(energy["until"] / 1000, ZONE)
        # The newest reading is some minutes old: when the stage was set.
        minutes = int((datetime.now(ZONE) - self.midnight).total_seconds() // 60)
        self.least = self.midnight + timedelta(minutes=max(0, minutes - 10) // booked.EVERY * booked.EVERY)
        self.most = self.midnight + timedelta(minutes=minutes)

    def kwh(self, back: int = 0) -> float:
        """Return what the supply took of the quarters that are over, so many days before."""
        days = timedelta(days=back)
        return booked.passed("grid", self.midnight - days, self.until - days)

    def sums(self, back: int = 0) -> dict[str, float]:
        """Return energy, standard coal and carbon of the same stretch."""
        days = timedelta(days=back)
        return sums(self.midnight - days, self.until - days)


def sums(first: datetime, last: datetime) -> dict[str, float]:
    """Return what kWh, kgce and kg of CO2 the meters counted."""
    kwh, gas = (booked.passed(name, first, last) for name in ("grid", "gas"))
    return {
        "energy": kwh,
        "coal": kwh * KGCE_A_KWH + gas * KGCE_A_M3,
        "co2": kwh * KG_A_KWH + gas * KG_A_M3,
    }


def number(locator: Locator) -> float:
    """Return the number a figure shows."""
    return float(locator.inner_text().replace(",", "").replace("−", "-"))


def percent(part: float) -> str:
    return f"{'−' if part < 0 else '+'}{abs(part * 100):.1f} %"


def figure(page: Page, name: str) -> Locator:
    """Return a big figure's card."""
    return page.locator(f'[data-figure="{name}"]')


def open_overview(page: Page, books: Books) -> None:
    page.goto(f"{books.url}#/overview")
    expect(page.locator(".big-one .big b").nth(4)).to_have_text(re.compile(r"\d"))
    expect(page.locator(".plotted canvas").first).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_figures_on_the_screen_are_what_the_meters_counted(
    books: Books, browser: Browser, language: str, theme: str
) -> None:
    words: Any = WORDS[language]
    with window(browser, language, theme) as context:
        page = context.new_page()
        complained = complaints(page)
        open_overview(page, books)
        moment = Moment(page, books)
        big = {
            name: page.locator(f'[data-figure="{name}"]')
            for name in ("power", "energy", "cost", "coal", "co2")
        }
        for card, title in zip(big.values(), words["figures"], strict=True):
            expect(card).to_contain_text(title)
        least, most = (sums(moment.midnight, at) for at in (moment.least, moment.most))
        for name, size in (("energy", 1), ("coal", 1000), ("co2", 1000)):
            shown = number(big[name].locator(".big b")) * size
            assert least[name] * 0.999 - 0.1 <= shown <= most[name] * 1.001 + 0.1, name
        for name in ("energy", "coal", "co2"):
            if moment.until == moment.midnight:
                expect(big[name]).to_contain_text(words["early"])
                continue
            for day, back in (("yesterday", 1), ("weekday", 7)):
                part = moment.sums()[name] / moment.sums(back)[name] - 1
                text = words[day].format(part="", day=WEEKDAYS[language][moment.midnight.weekday()]).strip()
                said = big[name].locator(".note", has_text=text).inner_text()
                found = re.search(r"([−+])([\d.]+) %", said)
                assert found, said
                assert float(found[1].replace("−", "-") + found[2]) == pytest.approx(100 * part, abs=0.11)
        expect(big["cost"]).to_contain_text(words["example"])
        expect(page.locator(".marks")).to_contain_text(re.compile(r"\d\d:\d\d–\d\d:\d\d"))
        for band in words["bands"]:
            expect(page.locator(".marks li", has_text=band)).not_to_have_count(0)
        expect(page.locator(".demand")).to_contain_text(words["demand"])
        expect(page.locator(".consumers")).to_contain_text(words["most"])
        assert not UNTRANSLATED.search(page.inner_text("body"))
        assert complained == []


def test_the_same_amounts_stand_in_the_energy_and_the_carbon_view(books: Books, overview: Page) -> None:
    page = overview
    open_overview(page, books)
    here = {
        name: number(page.locator(f'[data-figure="{name}"] .big b')) for name in ("energy", "cost", "co2")
    }
    for name in ("energy", "cost"):
        page.goto(f"{books.url}#/energy?metric={name}&span=today&every=60min")
        expect(page.locator("tr.total")).to_have_count(1)
        there = number(page.locator("tr.total td").first)
        assert here[name] == pytest.approx(there, rel=6e-4)
    page.goto(f"{books.url}#/carbon?span=today")
    expect(page.locator("main")).to_contain_text("Scopes 1 and 2, location-based")
    both = page.locator("main").inner_text()
    told = re.search(r"Scopes 1 and 2, location-based\s+([\d,.]+) kg", both)
    assert told, both
    assert here["co2"] == pytest.approx(float(told[1].replace(",", "")) / 1000, rel=6e-4)


def test_the_load_is_read_by_keys_and_as_a_table_and_yesterday_stands_beside_it(
    books: Books, overview: Page
) -> None:
    page = overview
    open_overview(page, books)
    moment = Moment(page, books)
    rows = [row.locator("th, td").all_inner_texts() for row in page.locator(".plotted tbody tr").all()]
    assert rows[0][0] == "00:00"
    for clock, _, yesterday in rows[:12]:
        hour, minute = map(int, clock.split(":"))
        at = moment.midnight + timedelta(days=-1, hours=hour, minutes=minute)
        counted = booked.passed("grid", at, at + timedelta(minutes=15)) * 4
        assert float(yesterday) == pytest.approx(counted, abs=0.15), clock
    page.locator(".plotted .canvas").focus()
    page.keyboard.press("Home")
    expect(page.get_by_role("status").last).to_contain_text("00:00–00:15")
    expect(page.get_by_role("status").last).to_contain_text("kW")
    page.keyboard.press("Escape")
    expect(page.get_by_role("status").last).to_have_text("")


def test_the_gauge_and_the_largest_consumers_say_their_numbers(books: Books, overview: Page) -> None:
    page = overview
    open_overview(page, books)
    gauge = page.get_by_role("meter")
    expect(gauge).to_have_attribute("aria-valuemax", "400")
    expect(gauge).to_have_attribute("aria-label", re.compile(r"^grid: demand [\d.]+ kW, [\d.]+ %$"))
    moment = Moment(page, books)
    if moment.until > moment.midnight + timedelta(hours=1):
        taken = {name: booked.passed(name, moment.midnight, moment.until) for name in booked.BEHIND}
        first = max(taken, key=lambda name: taken[name])
        row = page.locator(".consumers tr").first
        expect(row).to_contain_text(first)
        share = float(row.locator(".part").inner_text().removesuffix(" %"))
        assert share == pytest.approx(100 * taken[first] / moment.kwh(), abs=2)
    page.locator(".consumers a").first.click()
    expect(page).to_have_url(re.compile(r"#/energy\?at=\w+&metric=energy&span=today"))


def test_a_figure_leads_to_its_evidence(books: Books, overview: Page) -> None:
    page = overview
    open_overview(page, books)
    link = figure(page, "energy").get_by_role("link", name="Evidence").get_attribute("href")
    told = json.loads(page.request.get(books.url + (link or "")).text())
    shown = number(figure(page, "energy").locator(".big b"))
    assert float(told["figure"]["amount"]) == pytest.approx(shown, rel=6e-4, abs=0.1)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_notebooks_screen_shows_it_without_scrolling_and_a_phone_in_the_order_that_matters(
    books: Books, browser: Browser, language: str
) -> None:
    with window(browser, language) as context:
        page = context.new_page()
        open_overview(page, books)
        assert page.evaluate(
            "(({scrollHeight, clientHeight}) => scrollHeight <= clientHeight)(document.querySelector('main'))"
        )
        for part in (".line", ".bigs", ".plotted", ".demand", ".consumers"):
            box = page.locator(part).first.bounding_box()
            assert box is not None
            assert box["y"] + box["height"] <= 768, part
        page.set_viewport_size({"width": 390, "height": 844})
        expect(page.locator(".plotted canvas").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        tops = [page.locator(each).first.bounding_box() for each in (".line", ".bigs", ".plotted", ".demand")]
        assert all(tops)
        heights = [each["y"] for each in tops if each]
        assert heights == sorted(heights)


def test_devices_and_links_are_one_click_away(books: Books, overview: Page) -> None:
    page = overview
    open_overview(page, books)
    expect(page.locator(".tree")).not_to_be_visible()
    page.get_by_text("Devices and links").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".tree")).to_be_visible()
    expect(page.locator(".links").first).to_contain_text("platform")


def changed(change: Callable[[Any], None]) -> Callable[[Route], None]:
    """Return what hands on today's answer, changed."""

    def hand_on(route: Route) -> None:
        answer = route.fetch()
        told = answer.json()
        change(told)
        route.fulfill(response=answer, json=told)

    return hand_on


def figure_of(told: Any, name: str) -> Any:
    return next(each for each in told["figures"] if each["name"] == name)


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("zh", ("还没有写电价", "实测只占 80.0 %", "昨日同时段数据不全", "已超过合同需量")),
        ("en", ("No tariff is named", "Only 80.0 %", "too little known", "over the limit already")),
    ],
)
def test_what_is_not_known_or_not_sure_is_said_in_words_and_no_zero(
    books: Books, browser: Browser, language: str, said: tuple[str, str, str, str]
) -> None:
    enter, weak, lacks, over = said

    def change(told: Any) -> None:
        wanted = {"choice": "tariff", "en": "No tariff is named.", "zh": "还没有写电价。"}
        figure_of(told, "cost").update(value=None, against=[], wanted=[wanted])
        figure_of(told, "energy").update(measured=0.8, estimated=0.2, so_far="1")
        for each in figure_of(told, "energy")["against"]:
            each.update(value=None, part=None)
        told["demands"][0].update(present="420.0", is_forecast=True, may_use="-3.5")
        figure_of(told, "power").update(value=None, against=[])

    with window(browser, language) as context:
        page = asking(context.new_page())
        page.route(TODAY, changed(change))
        page.goto(f"{books.url}#/overview")
        cost, energy = (figure(page, name) for name in ("cost", "energy"))
        expect(cost).to_contain_text(enter)
        expect(cost.locator(".big b")).to_have_text("—")
        expect(figure(page, "power").locator(".big b")).to_have_text("—")
        expect(energy).to_contain_text(weak)
        expect(energy.locator(".mark.look")).to_have_count(1)
        expect(energy).to_contain_text(lacks)
        expect(page.locator(".demand")).to_contain_text(over)
        expect(page.locator(".demand .mark.bad")).to_have_count(1)


OWN: Final = {
    "zh": (
        "当前受电功率",
        "今日受电量",
        "发电 405.2 kWh · 送出 8 kWh",
        "用电 {} kWh",
        "今日受电负荷",
        "送出未计量",
        "用电 — kWh",
    ),
    "en": (
        "From the grid now",
        "From the grid today",
        "Generated 405.2 kWh · fed in 8 kWh",
        "Used {} kWh",
        "Load from the grid today",
        "feed-in not metered",
        "Used — kWh",
    ),
}


@pytest.mark.parametrize("language", ["zh", "en"])
def test_beside_own_generation_a_figure_says_that_it_is_of_the_grid_and_what_was_used(
    books: Books, browser: Browser, language: str
) -> None:
    power, energy, made, used, load, no_export, unknown = OWN[language]
    own: dict[str, Any] = {
        "measures": "taken",
        "other": "9397.2",
        "generated": "405.2",
        "fed_in": "8",
        "doubts": [],
    }
    own |= {"is_generation_metered": True, "is_feed_in_metered": True}
    with window(browser, language) as context:
        page = asking(context.new_page())
        page.route(TODAY, changed(lambda told: told.update(own=own)))
        open_overview(page, books)
        expect(figure(page, "power").get_by_role("heading")).to_have_text(power)
        tile = figure(page, "energy")
        expect(tile.get_by_role("heading")).to_have_text(energy)
        expect(tile.locator(".own")).to_contain_text(made)
        expect(tile.locator(".other")).to_have_text(used.format("9,397"))
        expect(page.locator(".plotted h2")).to_contain_text(load)
        links = [each.get_attribute("href") for each in tile.locator(".own a").all()]
        assert [re.findall(r"medium=(\w+)&metric=energy&span=today", str(link)) for link in links] == [
            ["electricity_generation"],
            ["electricity_export"],
        ]
        own |= {"other": None, "fed_in": None, "is_feed_in_metered": False}
        open_overview(page, books)
        page.reload()
        expect(tile.locator(".own")).to_contain_text(no_export)
        expect(tile.locator(".other")).to_have_text(unknown)


def test_nothing_is_asked_while_nobody_looks(books: Books, browser: Browser) -> None:
    with window(browser, "en") as context:
        page = context.new_page()
        page.clock.install()
        open_overview(page, books)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url) if "/api/today" in request.url else None)
        page.evaluate("Object.defineProperty(document, 'hidden', { get: () => true, configurable: true })")
        page.clock.run_for(180_000)
        assert asked == []
        page.evaluate("Object.defineProperty(document, 'hidden', { get: () => false })")
        with page.expect_request(TODAY):
            page.clock.run_for(20_000)


def brought(page: Page) -> Page:
    """Bring the page with all it may bring: on a busy machine the first who asks is too early."""

    def whole(asked: Route) -> None:
        until = time.monotonic() + 60
        while '"today":' not in (answer := asked.fetch()).text() and time.monotonic() < until:
            pass
        asked.fulfill(response=answer)

    page.route(lambda url: urlsplit(url).path == "/", whole)
    return page


def test_the_first_view_is_drawn_from_what_came_with_the_page(books: Books, browser: Browser) -> None:
    """A slow machine draws it once and waits for no answer; without what came the page asks."""
    for come, is_drawn in ((brought, True), (asking, False)):
        with window(browser, "en") as context:
            page = come(context.new_page())
            page.route("**/api/**", lambda _: None)  # never answered
            page.goto(books.url)
            if is_drawn:
                expect(page.locator(".big-one .big b").nth(4)).to_have_text(re.compile(r"\d"))
                expect(page.locator(".strip .site")).to_have_text(re.compile(r"\w"))
            else:
                expect(page.get_by_role("status").first).to_have_text("Reading…")
                expect(page.locator(".big, .strip")).to_have_count(0)


def test_what_came_with_the_page_is_of_the_first_view_alone(books: Books, browser: Browser) -> None:
    with window(browser, "en") as context:
        page = brought(context.new_page())
        page.route("**/api/today*", lambda _: None)  # never answered
        page.goto(books.url)
        expect(page.locator(".big-one")).to_have_count(5)
        page.get_by_role("link", name="Topics").click()
        page.get_by_role("link", name="Overview").click()
        expect(page.get_by_role("region", name="Needs attention")).to_be_visible()
        expect(page.locator(".big-one")).to_have_count(0)


def test_a_tab_opened_behind_others_asks_when_it_is_looked_at(books: Books, browser: Browser) -> None:
    with window(browser, "en") as context:
        page = brought(context.new_page())
        page.add_init_script(
            "Object.defineProperty(document, 'hidden', { get: () => true, configurable: true })"
        )
        page.goto(books.url)
        expect(page.locator(".rail")).to_be_visible()
        expect(page.locator(".big-one")).to_have_count(0)
        page.evaluate("Object.defineProperty(document, 'hidden', { get: () => false })")
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        expect(page.locator(".big-one .big b").nth(4)).to_have_text(re.compile(r"\d"))


def test_what_the_stream_tells_first_is_shown_though_the_gateway_said_it_at_the_same_moment(
    books: Books, browser: Browser
) -> None:
    """A gateway that ends after the page was brought tells no later moment."""
    with window(browser, "en") as context:
        page = context.new_page()
        came: list[Any] = []

        def keep(asked: Route) -> None:
            answer = asked.fetch()
            found = re.search(r'id="first">(.*?)</script>', answer.text(), re.DOTALL)
            assert found
            came.append(json.loads(found[1])["heard"]["state"])
            asked.fulfill(response=answer)

        def changed_since(asked: Route) -> None:
            came[-1]["strip"]["site"] = "elsewhere"
            asked.fulfill(
                body=f"retry: 600000\nevent: state\ndata: {json.dumps(came[-1])}\n\n",
                content_type="text/event-stream",
            )

        page.route(lambda url: urlsplit(url).path == "/", keep)
        page.route("**/api/events*", changed_since)
        page.goto(books.url)
        expect(page.locator(".strip .site")).to_have_text("elsewhere")


def test_the_first_look_asks_for_the_curve_once(books: Books, browser: Browser) -> None:
    with window(browser, "en") as context:
        page = context.new_page()
        asked: list[str] = []
        page.on("request", lambda one: asked.append(one.url) if "/api/today/curve" in one.url else None)
        page.goto(books.url)
        expect(page.locator(".plotted canvas").first).to_be_visible()
        assert len(asked) == 1, asked
