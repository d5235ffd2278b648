"""Names and texts that are scripts, markup and formulas, in every view: shown as text, and nothing runs."""

import csv
import http.client
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote

import pytest
from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from playwright.sync_api import Browser, BrowserContext, Page, Response, expect

from edge_deploy import page as page_build
from gateway.security import House
from gateway.security.rights import Role
from gateway.web.access.gate import PROOF, Cookie
from tests.browser.stage import window
from tests.processes import free_port, python, started, wait_for
from tests.servers.broker import Broker
from tests.unit.web.people import as_user, take

pytestmark = [pytest.mark.system, pytest.mark.server, pytest.mark.timeout(240)]

RUN = "window.ran=1"
MARKUP = f'<img src=x onerror="{RUN}"><script>{RUN}</script><svg onload={RUN}>'
FORMULA = '=cmd|"/C calc"!A0'
TOPIC = f"<img/src=x/onerror={RUN}>"
SITE = f"<svg><script>{RUN};alert`1`"
"""As near as the name of a site, a device or a tag comes to either: no space, slash or quote is in one."""
DEVICE = "=HYPERLINK(1,<b>@x"
TAGS = (
    "@SUM(1+1)".replace("+", "-"),
    "-2-3",
    "<script>",
    "javascript:ran=1",
    "\u202etxt.exe",
    "％＝＋",
    "&lt;b&gt;",
    "e_import",
)
VIEWS = {
    "engineer": (
        "overview", "live", "trend", "why", "energy", "carbon", "reports", "alarms", "delivery",
        "delivery/gaps", "delivery/quarantine", "delivery/days", "topics", "config", "account",
        "account/certificates",
    ),
    "administrator": ("live", "account/users", "account/tokens"),
    "auditor": ("live", "account/audit"),
}  # fmt: skip
WATCH = """
window.seen = [];
document.addEventListener("securitypolicyviolation", (e) => window.seen.push(e.violatedDirective));
for (const name of ["alert", "confirm", "prompt"]) window[name] = () => { window.ran = name; };
"""
FOREIGN = """() => [
  ...[...document.querySelectorAll("script")].filter((e) => !e.src.startsWith(location.origin)),
  ...document.querySelectorAll("[onerror], [onload], img[src=x], iframe, object, a[href^='javascript:']"),
].map((e) => e.outerHTML)"""


@dataclass
class Hostile:
    """A gateway of such a plant."""

    url: str
    folder: Path
    house: House
    cookie: Cookie
    sessions: dict[str, dict[str, str]] = field(default_factory=dict)

    def headers(self, who: Role) -> dict[str, str]:
        if who not in self.sessions:
            take(self.house, f"{who[:3]}{MARKUP}", who)
            mine = as_user(self.house, f"{who[:3]}{MARKUP}", self.cookie)
            self.sessions[who] = {
                "Cookie": mine["cookie"],
                PROOF: mine["x_proof"],
                "Origin": self.url.rstrip("/"),
            }
        return self.sessions[who]

    def ask(self, method: str, path: str, body: Any = None, who: Role = "engineer") -> Any:
        link = http.client.HTTPConnection(self.url.split("/")[2], timeout=30)
        sent = None if body is None else json.dumps(body).encode()
        more = {} if sent is None else {"Content-Type": "application/json"}
        link.request(method, f"/api/{path}", sent, self.headers(who) | more)
        answer = link.getresponse()
        heard = answer.read()
        link.close()
        assert answer.status == 200, (path, answer.status, heard)
        return json.loads(heard) if answer.headers["Content-Type"] == "application/json" else heard

    def window(self, browser: Browser, who: Role, language: str) -> BrowserContext:
        opened = window(browser, language)
        name, value = self.headers(who)["Cookie"].rpartition("; ")[2].split("=", 1)
        opened.add_cookies([{"name": name, "value": value, "url": self.url}])
        opened.add_init_script(WATCH)
        return opened


def plant(broker: int, page: int) -> dict[str, Any]:
    tags: dict[str, Any] = {name: {"shape": "ramp", "alarm": {"high": -1}} for name in TAGS}
    tags["e_import"] = {"shape": "counter", "unit": "kWh", "counter": True}
    peer = {"host": "127.0.0.1", "port": broker}
    told = {"topic": "in/+", "device": "{1}", "tags": {"word": {"type": "text"}}}
    return {
        "gateway": {"id": "gw<b>", "site": SITE, "http_port": 0},
        "sources": {
            "<b>=sim": {
                "kind": "simulated",
                "devices": {DEVICE: {"at": "@hall/-line", "scan": "1s", "tags": tags}},
            },
            "heard": {"kind": "mqtt", "messages": [told], **peer},
            "<i>away": {
                "kind": "modbus_tcp",
                "host": "<b>.invalid",
                "devices": {"d": {"tags": {"x": {"address": 0}}}},
            },
        },
        "sinks": {"=out<b>": {"kind": "mqtt", "prefix": TOPIC, **peer}},
        "page": {"port": page},
    }


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hostile]:
    if not page_build.is_built():
        page_build.build()
    folder, port = tmp_path_factory.mktemp("hostile"), free_port()
    with Broker(folder / "broker") as broker:
        (folder / "plant.yaml").write_text(json.dumps(plant(broker.port, port)))
        with started("gateway", python("-m", "gateway", "run", folder / "plant.yaml"), folder) as gateway:
            wait_for(lambda: gateway.said("page running"), "the page", 60)
            with House(folder / "data") as house:
                made = Hostile(f"http://127.0.0.1:{port}/", folder, house, Cookie.of(port, is_secure=False))
                say(made, broker.port)
                yield made


def say(hostile: Hostile, port: int) -> None:
    """Let the world say such things: values, topics, notes, drafts, a version of the plant file."""
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5)
    client.connect("127.0.0.1", port)
    client.loop_start()

    def heard() -> bool:
        for topic, text in (("=1-1", FORMULA), ("b", MARKUP), ("c", "\r\n\r\ndata: {}")):
            client.publish(f"in/{topic}", text, qos=1).wait_for_publish(5)
        return {FORMULA, MARKUP} <= {row["value"] for row in hostile.ask("GET", "tags?q=word")["rows"]}

    wait_for(heard, "the messages", 30)
    client.loop_stop()
    client.disconnect()
    text = (hostile.folder / "plant.yaml").read_text()
    base = hostile.ask("GET", "config")["base"]
    hostile.ask("POST", "config/draft", {"text": f"# {MARKUP}\n{text}", "base": base})
    hostile.ask(
        "POST", "config/apply", {"text": f"{text}\n# {MARKUP}\n", "base": base, "note": MARKUP + FORMULA}
    )
    wait_for(lambda: hostile.ask("GET", "alarms")["alarms"], "an alarm")
    number = hostile.ask("GET", "alarms")["alarms"][0]["number"]
    hostile.ask("POST", f"alarms/{number}/acknowledge", {"note": MARKUP})


def assert_harmless(page: Page, view: str) -> None:
    assert page.evaluate("window.ran") is None, view
    assert page.evaluate("window.seen") == [], view
    assert page.evaluate(FOREIGN) == [], view


@pytest.mark.fault("S3")
@pytest.mark.parametrize("who", ["engineer", "administrator", "auditor"])
def test_hostile_names_are_text_in_every_view(
    hostile: Hostile, browser: Browser, who: Role, record_measure
) -> None:
    tag = f"{SITE}/@hall/-line/{DEVICE}/{TAGS[2]}"
    shown = ""
    with hostile.window(browser, who, "zh" if who == "auditor" else "en") as context:
        page = context.new_page()
        for view in VIEWS[who]:
            where = (
                f"why/{quote(tag)}"
                if view == "why"
                else f"trend?tags={quote(tag)}&span=1h"
                if view == "trend"
                else view
            )
            page.goto(f"{hostile.url}#/{where}")
            expect(page.locator("main")).not_to_be_empty()
            if view in ("live", "why", "trend"):
                expect(page.locator("main")).to_contain_text(DEVICE)
            page.wait_for_load_state("networkidle") if view not in ("overview", "live") else None
            shown += page.inner_text("body")
            assert_harmless(page, view)
    for text in (DEVICE, MARKUP, *((SITE,) if who == "engineer" else ())):
        assert text in shown
    seen = len(VIEWS[who])
    record_measure(
        f"{seen} views as {who}: 0 scripts, 0 foreign elements, 0 breaches of the policy", row="S3"
    )


EVIL = """<!doctype html><body>
<iframe src="{url}#/config"></iframe>
<form action="{url}api/config/draft" method="POST" enctype="text/plain">
  <input name='{{"text": "evil", "base": "' value='"}}'>
</form>
<form action="{url}api/alarms/1/shelve" method="POST"><input name="hours" value="1"></form>
<script>
const no = () => "failed";
const said = (kind, mode) => fetch("{url}api/config/draft", {{method: "POST", mode, credentials: "include",
  headers: {{"Content-Type": kind}}, body: '{{"text": "evil", "base": ""}}'}}).then((r) => r.type, no);
const read = () => fetch("{url}api/overview", {{credentials: "include"}}).then((r) => r.text(), no);
window.tried = Promise.all([said("text/plain", "no-cors"), said("application/json", "cors"), read()]);
</script>"""


class Evil(BaseHTTPRequestHandler):
    """Another program of the same machine, to which the browser sends the same cookies."""

    def do_GET(self) -> None:
        body = self.server.page  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.mark.fault("S2")
def test_a_page_on_another_port_changes_and_reads_nothing(
    hostile: Hostile, browser: Browser, record_measure
) -> None:
    before = hostile.ask("GET", "config")
    with (
        ThreadingHTTPServer(("127.0.0.1", 0), Evil) as server,
        hostile.window(browser, "engineer", "en") as context,
    ):
        server.page = EVIL.format(url=hostile.url).encode()  # type: ignore[attr-defined]
        thread = Thread(target=server.serve_forever)
        thread.start()
        page = context.new_page()
        heard: list[Response] = []
        page.on("response", lambda answer: heard.extend([answer]))
        url = f"http://127.0.0.1:{server.server_port}/"
        page.goto(url)
        assert page.evaluate("window.tried") == ["failed"] * 3
        assert [each.url.partition(":")[0] for each in page.frames] == ["http", "chrome-error"]
        for number in range(2):
            with page.expect_navigation(url="**/api/**"):
                page.evaluate(f"document.forms[{number}].submit()")
            page.goto(url)
        posts = [each for each in heard if each.request.method == "POST"]
        cookies = ["cookie" in each.request.all_headers() for each in posts]
        server.shutdown()
        thread.join()
    # The browser gave the session's cookie along, and it was of no use.
    assert any(cookies)
    assert {each.status for each in posts} == {403}
    told = {each.url.removeprefix(hostile.url) for each in posts}
    assert told == {"api/config/draft", "api/alarms/1/shelve"}
    assert hostile.ask("GET", "config") == before
    record_measure("a page on another port: 2 forms, 3 fetches, a frame: 0 changes, nothing read", row="S2")


def computed(text: str) -> bool:
    """Tell whether a spreadsheet would compute a cell."""
    try:
        float(text)
    except ValueError:
        return text.startswith(tuple("=+-@\t\r＝＋－＠"))
    return False


@pytest.mark.fault("S3")
def test_a_file_of_a_trend_holds_no_formula(hostile: Hostile, browser: Browser, record_measure) -> None:
    paths = [
        row["path"] for row in hostile.ask("GET", "tags?limit=100")["rows"] if "_" not in row["path"][:1]
    ]
    chosen = [path for path in paths if path.endswith(("word", "-2-3"))]
    assert len(chosen) >= 3
    with hostile.window(browser, "engineer", "en") as context:
        page = context.new_page()
        tags = ",".join(quote(path) for path in chosen)

        def cells() -> set[str]:
            page.goto("about:blank")
            page.goto(f"{hostile.url}#/trend?tags={tags}&span=1h")
            expect(page.get_by_role("button", name="CSV")).to_be_enabled()
            with page.expect_download() as saved:
                page.get_by_role("button", name="CSV").click()
            text = Path(saved.value.path()).read_text("utf-8-sig")
            return {cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row}

        # The history is a second or two behind the live values.
        wait_for(lambda: f"'{FORMULA}" in cells(), "the formula in the file, as text", 30)
        texts = cells()
        assert_harmless(page, "trend")
    assert MARKUP in texts
    assert [cell for cell in texts if computed(cell)] == []
    record_measure(
        f"CSV of {len(chosen)} hostile tags: {len(texts)} different cells, 0 that a spreadsheet computes",
        row="S3",
    )


@pytest.mark.fault("S3")
def test_what_is_streamed_and_exported_can_not_be_broken_out_of(hostile: Hostile, record_measure) -> None:
    rows = hostile.ask("GET", "stream/rows?after=oldest&limit=10000").splitlines()
    assert any(FORMULA in json.loads(line).get("v", ()) for line in rows)
    audit = hostile.ask("GET", "audit/file", who="auditor").splitlines()
    notes = [json.loads(line) for line in audit]
    assert any(MARKUP in json.dumps(each, ensure_ascii=False).replace("\\", "") for each in notes)
    number = next(
        row["number"]
        for row in hostile.ask("GET", "tags?q=word")["rows"]
        if row["value"] == "\r\n\r\ndata: {}"
    )
    link = http.client.HTTPConnection(hostile.url.split("/")[2], timeout=30)
    link.request("GET", f"/api/events?tags={number}&devices=true", headers=hostile.headers("engineer"))
    answer, told = link.getresponse(), b""
    while told.count(b"\n\n") < 3:
        told += answer.read1(65536)
    link.close()
    pieces = [line for line in told.rpartition(b"\n\n")[0].split(b"\n") if line]
    assert all(line.startswith((b"event: ", b"data: ", b"id: ", b"retry: ", b":")) for line in pieces)
    datas = [json.loads(line.removeprefix(b"data: ")) for line in pieces if line.startswith(b"data: ")]
    assert {} not in datas
    record_measure(
        f"{len(rows)} streamed lines, {len(notes)} of the audit, {len(datas)} events: each JSON", row="S3"
    )
