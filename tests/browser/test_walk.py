"""A walk over every view, by whoever may see it, in both languages and both themes: what is on the screen?

One gateway with three weeks of books, one browser. Of every view: the right heading and title, no
key of a word, no value that is none, nothing in the other language, no complaint of the browser, no request
that failed, nothing wider than a shop floor's screen or a phone, the theme's colours in force, and nothing
axe finds wrong in either. Then again with every question refused.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

import orjson
import pytest
from playwright.sync_api import Browser, Page, Response, expect

from config.problems import catalogue
from edge_deploy import page as page_build
from gateway.security import House, Role
from gateway.security.sessions import open_session
from gateway.web.access.gate import Cookie
from tests.browser import booked
from tests.browser.axe import found_wrong
from tests.browser.stage import LOCALES, asking, complaints, window
from tests.processes import ROOT
from tests.unit.web.people import HERE, take

pytestmark = [pytest.mark.system, pytest.mark.server, pytest.mark.timeout(240)]

TAG: Final = "cz_plant/press_shop/line_1/press_meter/e_import"
LONG_AGO: Final = "from=1600000000000&to=1600086400000"
WALKS: Final[dict[Role, dict[str, str]]] = {
    "engineer": {
        "overview": ".plotted canvas",
        "energy?span=yesterday": "main canvas",
        "energy?metric=cost&span=yesterday": "tr.total",
        "energy?how=calendar": "main canvas",
        "energy?how=flow&span=yesterday": "main canvas",
        f"energy?{LONG_AGO}": ".empty",
        "carbon?span=yesterday": ".scope",
        "reports": ".reports .card",
        "live": ".scroll .row .tag",
        "live?q=nosuchtag": ".empty",
        "trend": ".empty",
        f"trend?tags={TAG}&span=1h": ".legend",
        "trend?tags=no/such/tag/here/x&span=1h": ".notice",
        "why": "main input",
        f"why/{TAG}": ".path",
        "alarms": ".alarms .card",
        "alarms/unacknowledged": ".alarms .card",
        "alarms/cleared": ".empty",
        "alarms/all": ".alarms .card",
        "delivery": ".delivery .card",
        "delivery/gaps": ".delivery .card",
        "delivery/quarantine": ".empty",
        "delivery/days": ".delivery .card",
        "topics": ".topics .card",
        "config": "textarea",
        "config/versions": ".config .card",
        "account": ".account .card",
        "account/certificates": ".account .card",
        "nowhere": ".empty",
    },
    "administrator": {"account/users": "form", "account/tokens": "form"},
    "auditor": {"account/audit": ".account .card"},
}
"""Every address of the page and what is there once it is drawn, by who may see it; a view of the rail that is
in none fails the last test."""
ON_THE_RAIL: Final = re.findall(
    r'"(\w+)"',
    re.search(
        r"const VIEWS = \[(.*?)\]",
        (ROOT / "gateway/web/ui/src/app.tsx").read_text(encoding="utf-8"),
        re.DOTALL,
    )[1],  # type: ignore[index]
)
"""The views the menu names: each shows its name as its heading, but the Overview, which has no room."""
ASKS_NOTHING: Final = {"trend", "why", "nowhere"}
WHY_NOT: Final = {"en": "The store can't be read now", "zh": "现在读不了"}
WORDS: Final = {
    language: orjson.loads((ROOT / f"gateway/web/ui/src/words/{language}.json").read_bytes())
    for language in LOCALES
}
TOLD: Final = "\n".join(text for texts in (*WORDS.values(), *catalogue().values()) for text in texts.values())
OF_THE_PLANT_FILE: Final = re.compile(r"carbon\.(media|primary|electricity|residual)")
"""Named on purpose: what is to be written there."""
PREFIXES: Final = {key.partition(".")[0] for key in WORDS["zh"]}
KEY: Final = re.compile(r"(?<![\w./-])[a-z]\w*(?:\.[a-z_]\w*)+")
NOTHING: Final = re.compile(r"\b(undefined|NaN|Invalid Date|Infinity)\b|\[object|\{\w+\}")
ENGLISH: Final = re.compile(r"[A-Za-z]{2,}(?:,? [A-Za-z]{2,}){2,}")
CHINESE: Final = re.compile(r"[一-鿿]")
WIDTH: Final = "Math.max(...['html', 'main'].map((each) => document.querySelector(each).scrollWidth))"
ON_SCREEN: Final = """() => {
  const said = [];
  const mine = document.documentElement.lang;
  const skip = (each) => each.closest("code, pre, textarea, script, style, [lang]").tagName !== "HTML";
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const text = walk.currentNode.textContent.trim();
    const at = walk.currentNode.parentElement;
    if (text && at.checkVisibility() && !skip(at)) said.push(text);
  }
  for (const each of document.querySelectorAll("[title], [aria-label], [placeholder], [alt]")) {
    if (skip(each)) continue;
    for (const name of ["title", "aria-label", "placeholder", "alt"]) {
      const text = each.getAttribute(name);
      if (text) said.push(text);
    }
  }
  const head = document.querySelector("main h1");
  const isSeen = head !== null && head.offsetHeight > 8;
  const bare = (each) => each.offsetHeight > 1 && !each.textContent.trim() && !each.children.length;
  const hollow = [...document.querySelectorAll("main p")].filter(bare).map((each) => each.className);
  return { mine, said, head: head ? head.textContent : "", isSeen, hollow, title: document.title };
}"""
BELOW: Final = """() => document.documentElement.scrollHeight - Math.max(innerHeight,
  Math.ceil(document.querySelector("main").getBoundingClientRect().bottom + scrollY))"""
CUT: Final = """() => [...document.querySelectorAll("main .wide:has(table)")]
  .filter((each) => each.scrollWidth > each.clientWidth + 1).map((each) => each.ariaLabel)"""
"""How far one can scroll into nothing; and the tables of which a part is beyond a phone's edge."""
OUT_OF_CARDS: Final = """() => [...document.querySelectorAll("main .card")]
  .filter((each) => getComputedStyle(each).overflowX === "visible" && each.scrollWidth > each.clientWidth + 1)
  .map((each) => each.getAttribute("aria-label") || each.className)"""
"""A chart cuts itself off until it is drawn anew; whatever else is wider than its card sticks out of it."""
FAINT: Final = """() => {
  const light = (colour) => {
    const parts = colour.match(/[0-9.]+/g).slice(0, 3).map((each) => each / 255);
    const [r, g, b] = parts.map((each) => (each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
  };
  return [...document.querySelectorAll("main [placeholder]")].filter((each) => {
    const styles = [getComputedStyle(each, "::placeholder").color, getComputedStyle(each).backgroundColor];
    const found = styles.map(light);
    return Math.max(...found) / Math.min(...found) < 4.5;
  }).map((each) => each.placeholder);
}"""
SETTLED: Final = """(loading) => {
  const main = document.querySelector("main");
  return main && main.innerText.trim() && !main.innerText.includes(loading);
}"""
LIGHT: Final = "() => getComputedStyle(document.documentElement).backgroundColor.match(/\\d+/g).slice(0, 3)"


@pytest.fixture(scope="module")
def peopled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[Role, dict[str, Any]]]]:
    """Yield the page's address, and a cookie for each role."""
    if not page_build.is_built():
        page_build.build()
    folder = tmp_path_factory.mktemp("walk")
    with booked.running(folder) as running, House(running.data) as house:
        port = int(running.url.rstrip("/").rpartition(":")[2])
        cookies: dict[Role, dict[str, Any]] = {}
        for role in WALKS:
            take(house, role, role)
            name = Cookie.of(port, is_secure=False).name
            cookies[role] = {"name": name, "value": open_session(house, role, HERE), "url": running.url}
        yield running.url, cookies


@pytest.mark.parametrize("language", list(LOCALES))
def test_every_view_says_what_it_should_in_its_language_and_nothing_else(
    peopled: tuple[str, dict[Role, dict[str, Any]]], browser: Browser, language: str
) -> None:
    url, cookies = peopled
    wrong: list[str] = []
    for role, views in WALKS.items():
        with window(browser, language) as context:
            context.add_cookies([cookies[role]])  # type: ignore[list-item]
            page = context.new_page()
            complained, failed = complaints(page), failures(page)
            page.goto(f"{url}#/{next(iter(views))}")
            for view, there in views.items():
                page.goto(f"{url}#/{view}")
                expect(page.locator(there).first).to_be_visible()
                wrong += [f"{view}: {each}" for each in looked_at(page, view, language)]
            wrong += [f"{role}: {each}" for each in complained + failed]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("language", list(LOCALES))
def test_the_door_is_for_everybody(
    peopled: tuple[str, dict[Role, dict[str, Any]]], browser: Browser, language: str
) -> None:
    with window(browser, language) as context:
        page = context.new_page()
        page.goto(peopled[0])
        expect(page.locator("input[name=password]")).to_be_visible()
        said = page.evaluate(ON_SCREEN)["said"]
        assert [each for text in said for each in wrong_with(text, language)] == []
        assert found_wrong(page) == []


@pytest.mark.parametrize("language", list(LOCALES))
def test_every_view_whose_questions_are_refused_says_why_in_its_language(
    peopled: tuple[str, dict[Role, dict[str, Any]]], browser: Browser, language: str
) -> None:
    url, cookies = peopled
    refusal = {"detail": WHY_NOT["en"], **WHY_NOT, "code": "E-XX-0000"}
    wrong: list[str] = []
    for role, views in WALKS.items():
        with window(browser, language) as context:
            context.add_cookies([cookies[role]])  # type: ignore[list-item]
            page = asking(context.new_page())
            page.route(re.compile("/api/(?!session|events)"), lambda a: a.fulfill(status=503, json=refusal))
            page.goto(url)
            for view in (each for each in views if each not in ASKS_NOTHING):
                page.goto(f"{url}#/{view}")
                expect(page.locator("main")).to_contain_text(WHY_NOT[language])
                for text in page.evaluate(ON_SCREEN)["said"]:
                    wrong += [f"{view}: {each}" for each in wrong_with(text, language)]
                # The same box everywhere: one language is enough for who does not see it.
                wrong += [f"{view}: {each}" for each in found_wrong(page)] if language == "zh" else []
    assert not wrong, "\n".join(wrong)


def failures(page: Page) -> list[str]:
    """Collect the answers that refuse something from now on."""
    found: list[str] = []

    def look(response: Response) -> None:
        if response.status >= 400:
            found.append(f"{response.status} {response.url}")

    page.on("response", look)
    return found


def looked_at(page: Page, view: str, language: str) -> Iterator[str]:
    """Yield what is wrong with a view."""
    words = WORDS[language]
    page.wait_for_function(SETTLED, arg=words["page.loading"])
    seen = page.evaluate(ON_SCREEN)
    if seen["mine"] != language:
        yield f"the language is {seen['mine']}"
    name = re.split(r"[/?]", view)[0]
    if name != "nowhere" and not seen["title"].startswith(words[f"nav.{name}"]):
        yield f"the title is {seen['title']}"
    if name in ON_THE_RAIL and seen["head"] != words[f"nav.{name}"]:
        yield f"the heading is {seen['head']}"
    if name not in ("nowhere", "overview") and not seen["isSeen"]:
        yield "the heading is not seen"
    yield from (f"an empty line is drawn: {each}" for each in seen["hollow"])
    for text in [*seen["said"], seen["head"]]:
        yield from wrong_with(text, language)
    for width, height in ((390, 844), (1366, 768)):
        page.set_viewport_size({"width": width, "height": height})
        if (reaches := page.evaluate(WIDTH)) > width:
            yield f"{reaches} pixels wide on a screen of {width}"
        if (empty := page.evaluate(BELOW)) > 1:
            yield f"{empty} pixels of nothing below it on a screen of {width}"
        yield from (f"out of its card on a screen of {width}: {each}" for each in page.evaluate(OUT_OF_CARDS))
        cut = page.evaluate(CUT) if width < 480 else []
        yield from (f"scrolls sideways on a phone: {each}" for each in cut)
    for theme, is_light in (("light", True), ("dark", False)):
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        if (sum(map(int, page.evaluate(LIGHT))) > 400) != is_light:
            yield f"the background is not {theme}"
        yield from (f"hard to read when {theme}: {each}" for each in page.evaluate(FAINT))
    yield from found_wrong(page)


def wrong_with(text: str, language: str) -> Iterator[str]:
    """Yield what nobody should read."""
    if NOTHING.search(text):
        yield f"a value that is none: {text}"
    for key in KEY.findall(text):
        is_meant = key in TOLD or OF_THE_PLANT_FILE.match(key)
        if key.partition(".")[0] in PREFIXES and not is_meant:
            yield f"a key: {text}"
    if language == "en" and CHINESE.search(text):
        yield f"Chinese: {text}"
    if language == "zh" and not CHINESE.search(text) and ENGLISH.search(text):
        yield f"English: {text}"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("nav.overview_title", "zh"), ("{n} rows", "en"), ("undefined kWh", "en"), ("NaN", "zh"),
        ("[object Object]", "en"), ("没有报警", "en"), ("Nothing is known of this", "zh"),
    ],
)  # fmt: skip
def test_what_nobody_should_read_is_found(text: str, language: str) -> None:
    assert list(wrong_with(text, language))


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("cz_plant/press_shop/line_1/press_meter/e_import", "zh"), ("energy.meters", "zh"), ("No data", "en"),
        ("没有 quality code 的测点", "zh"), ("OPC UA", "zh"), ("1,234.5 kWh", "zh"),
    ],
)  # fmt: skip
def test_what_may_be_read_is_let_pass(text: str, language: str) -> None:
    assert not list(wrong_with(text, language))


def test_every_view_of_the_rail_is_walked() -> None:
    assert len(ON_THE_RAIL) > 9
    assert {re.split(r"[/?]", each)[0] for each in WALKS["engineer"]} >= set(ON_THE_RAIL)
