"""A plant to look at, and a browser to look with: what the tests and `make pictures` share."""

import contextlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Page, Route, expect, sync_playwright

from edge_deploy import page as page_build
from gateway.security import House
from gateway.security.passwords import kept
from tests.browser import past
from tests.processes import Process, free_port, python, started, wait_for
from tests.servers.broker import Broker
from tests.unit.web.people import take

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_TOLD = re.compile(r'(id="first">).*?(</script>)', re.DOTALL)
LOCALES = {"zh": "zh-CN", "en": "en-GB"}
PASSWORD = "rolling mill seven"  # noqa: S105  a test's
SILENT = "cz_plant/utilities/air/compressor_1/pressure"


@dataclass
class Stage:
    """A gateway with a page."""

    gateway: Process
    url: str
    page_port: int
    begun: int
    """When the history begins, ms since 1970."""


def _tags(**tags: tuple[Any, ...]) -> dict[str, Any]:
    """Give each tag as (shape, unit, low, high[, more])."""
    return {
        name: {
            "shape": shape,
            "unit": unit,
            "low_value": low,
            "high_value": high,
            **(more[0] if more else {}),
        }
        for name, (shape, unit, low, high, *more) in tags.items()
    }


def _devices(meters: int) -> dict[str, Any]:
    counter = {"counter": True, "period": "1h"}
    meter = _tags(
        voltage=("sine", "V", 228, 236, {"period": "7min"}),
        current=("sine", "A", 20, 180, {"period": "3min"}),
        power=("sine", "kW", 12, 96, {"period": "3min"}),
        energy=("counter", "kWh", 0, 60, counter),
    )
    press = _tags(
        oil_temperature=("sine", "°C", 41, 58, {"period": "5min", "deadband": 0.1}),
        pressure=("ramp", "bar", 90, 160, {"period": "40s"}),
        strokes=("counter", "1", 0, 1400, counter),
    ) | {
        "running": {"shape": "square", "period": "3min", "class": "state"},
        "order": {"shape": "text", "period": "10min", "class": "state"},
    }
    oven = _tags(
        zone_1=("sine", "°C", 178, 184, {"period": "4min"}),
        zone_2=("sine", "°C", 196, 203, {"period": "6min", "limits": {"low": 0, "high": 199}}),
        gas_flow=("ramp", "m³/h", 18, 31, {"period": "2min"}),
    )
    return {
        "press_{1..3}": {"at": "press_shop/line_1", "scan": "1s", "tags": press},
        "oven": {"at": "paint_shop/line_1", "scan": "1s", "tags": oven},
        f"meter_{{1..{meters}}}": {"at": "utilities/power", "scan": "1s", "tags": meter},
    }


def plant(broker_port: int, page_port: int, meters: int, *, history: bool) -> dict[str, Any]:
    """Return a plant that is well but for a compressor's gateway nobody has plugged in."""
    air = {
        "pressure": {"address": 0, "type": "float32", "unit": "bar"},
        "flow": {"address": 2, "unit": "m³/h"},
    }
    compressor = {"at": "utilities/air", "scan": "1s", "tags": air}
    sources = {
        "machines": {"kind": "simulated", "devices": _devices(meters)},
        "air_gateway": {
            "kind": "modbus_tcp",
            "host": "127.0.0.1",
            "port": free_port(),
            "devices": {"compressor_1": compressor},
        },
    }
    return {
        "gateway": {"id": "gw-01", "site": "cz_plant", "http_port": 0},
        "sources": sources,
        "sinks": {"platform": {"kind": "mqtt", "host": "127.0.0.1", "port": broker_port}},
        "page": {"port": page_port},
        "history": {"enabled": history},
    }


@contextlib.contextmanager
def stage(folder: Path, meters: int = 4, *, history: bool = True) -> Iterator[Stage]:
    """Start broker and gateway; yield when the page answers."""
    with Broker(folder / "broker") as broker:
        port = free_port()
        file = folder / "plant.yaml"
        file.write_text(json.dumps(plant(broker.port, port, meters, history=history)))
        begun = past.write(folder / "data") if history else 0
        with started("gateway", python("-m", "gateway", "run", file), folder) as gateway:
            wait_for(lambda: gateway.said("page running"), "the page", 60)
            yield Stage(gateway, f"http://127.0.0.1:{port}/", port, begun)


@contextlib.contextmanager
def staffed(folder: Path, **people: Any) -> Iterator[Stage]:
    """Start a gateway in which these may sign in, by name and role, with `PASSWORD`; its page is built."""
    if not page_build.is_built():
        page_build.build()
    with stage(folder, meters=1, history=False) as running:
        add_people(data_of(running), **people)
        yield running


def data_of(running: Stage) -> Path:
    """Return the data directory of a gateway that runs."""
    (control,) = running.gateway.log.parent.rglob("control.json")
    return control.parent


def add_people(data: Path, **people: Any) -> None:
    """Take somebody of every name and role in."""
    with House(data) as house:
        for name, role in people.items():
            take(house, name, role, stored=kept(PASSWORD))


def signed_in(page: Page, url: str, name: str = "eva") -> None:
    """Go through the door."""
    page.goto(url)
    page.locator("input[name=name]").fill(name)
    page.locator("input[name=password]").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator(".rail")).to_be_visible()


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Start Debian's Chromium; headless, without a network of its own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


def window(browser: Browser, language: str, theme: Any = "light") -> BrowserContext:
    """Open a window of a shop-floor screen's size, in a language and a colour scheme."""
    return browser.new_context(
        viewport={"width": 1366, "height": 768}, locale=LOCALES[language], color_scheme=theme
    )


def asking(page: Page) -> Page:
    """Leave out what comes with the page, so that it asks, and a test may answer."""

    def bare(asked: Route) -> None:
        answer = asked.fetch()
        asked.fulfill(response=answer, body=_TOLD.sub(r"\1{}\2", answer.text()))

    page.route(lambda url: urlsplit(url).path == "/", bare)
    return page


def complaints(page: Page) -> list[str]:
    """Collect what the browser complains of from now on."""
    found: list[str] = []
    page.on("pageerror", lambda error: found.append(str(error)))
    page.on("console", lambda said: found.append(said.text) if said.type in ("error", "warning") else None)
    return found
