"""The interface, asked what its own OpenAPI allows and forbids, by a program that knows no more of it."""

import contextlib
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gateway.security import House, Right
from gateway.security.passwords import kept
from gateway.web.access.gate import PROOF, Cookie
from gateway.web.access.rules import RULES
from tests.browser import booked
from tests.faults.page.test_beyond import listening
from tests.processes import Process, free_port, python, started, wait_for
from tests.unit.web.people import as_user, take

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]

SCALE = float(os.environ.get("WL_SCALE", "0.1"))
EXAMPLES = max(1, int(20 * SCALE - 0.5))
"""Of each route, twice: as it should be asked, and as it should not."""
NOBODY = {"host": "127.0.0.1", "port": 1}
HEARD = {"topic": "a", "device": "h", "tags": {"x": {}}}
SERVER = {"endpoint": "opc.tcp://127.0.0.1:1", "security": {"policy": "none"}}
LINKS: dict[str, dict[str, Any]] = {
    "sources": {
        "sim": {"kind": "simulated", "devices": {"mill": {"tags": {"speed": {}}}}},
        "opcua": {"kind": "opcua", **SERVER, "devices": {"c": {"tags": {"x": {"node": "nsu=urn:x;s=x"}}}}},
        "mqtt": {"kind": "mqtt", "messages": [HEARD], **NOBODY},
    },
    "sinks": {
        "edge": {"kind": "sparkplug", "group": "g", **NOBODY},
        "influx": {"kind": "influxdb", "url": "http://127.0.0.1:1", "bucket": "b"},
    },
}
"""Beside the Modbus line and the broker of the plant with books: a link of every kind, to nobody."""
PEOPLE = ("administrator", "engineer", "auditor")
DECLARED = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
PLACES = ("1", "-1", "a", "%2e%2e", "%00", "x" * 300, "é", "9" * 20)
BODIES = (
    b"", b"{", b"\xff\xfe", b"[" * 1000, b"null", b"1", b'"x"', b"{}", b"[{}]", b'{"name": "\\ud800"}',
    *(
        json.dumps(each).encode()
        for each in (
            {"text": "a: [", "base": "", "note": "\0"}, {"version": 10**30, "note": "x"},
            {"sink": "x", "entries": [10**30]}, {"name": "t", "scopes": ["read"], "days": 10**20},
        )
    ),
)  # fmt: skip
"""What no generator thinks of."""
FEWER = max(1, round(0.5 / SCALE))
"""So many routes share all of them."""


@dataclass
class Page:
    """A page with books, readings and people."""

    url: str
    gateway: Process
    house: House
    cookie: Cookie
    session: requests.Session = field(default_factory=requests.Session)

    def headers(self, who: str) -> dict[str, str]:
        """Those of a session that has just begun."""
        if who == "nobody":
            return {}
        mine = as_user(self.house, who, self.cookie)
        return {"cookie": mine["cookie"], PROOF: mine["x_proof"], "origin": self.url}

    def who_may(self, method: str, path: str) -> str:
        match RULES[method, path].right:
            case Right.USERS:
                return "administrator"
            case Right.AUDIT:
                return "auditor"
        return "engineer"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder, port = tmp_path_factory.mktemp("interface"), free_port()
    file = booked.write(folder, free_port(), port, free_port())
    plant = json.loads(file.read_text())
    for section, links in LINKS.items():
        plant[section] |= links
    file.write_text(json.dumps(plant))
    with started("gateway", python("-m", "gateway", "run", file), folder) as gateway:
        wait_for(lambda: gateway.said("page running"), "the page", 60)
        stored = kept("rolling mill seven")
        with House(folder / "data") as house:
            for role in PEOPLE:
                take(house, role, role, stored=stored)
            yield Page(f"http://127.0.0.1:{port}", gateway, house, Cookie.of(port, is_secure=False))


@pytest.mark.fault("S14")
def test_no_link_of_any_kind_opens_a_port(page: Page, record_measure) -> None:
    for link in ("opcua", "mqtt", "edge", "influx"):
        wait_for(lambda link=link: page.gateway.said(f"link='{link}'"), link, 60)  # type: ignore[misc]
    told = listening(page.gateway)
    assert {host for host, _ in told} == {"127.0.0.1"}
    assert len(told) == 2  # the status port and the page's
    assert int(page.url.rpartition(":")[2]) in {port for _, port in told}
    kinds = len(LINKS["sources"]) + len(LINKS["sinks"]) + 2
    record_measure(f"links of {kinds} kinds at work: 2 listeners, TCP and UDP, both on loopback", row="S14")


@pytest.fixture(scope="module")
def schema(page: Page) -> Any:
    told = page.session.get(f"{page.url}/api/openapi.json", headers=page.headers("engineer")).json()
    made = schemathesis.openapi.from_dict(told)
    made.config.update(base_url=page.url)
    made.config.max_stream_events = 1
    return made


class Judge:
    """Asks, and notes what came that should not have; fails at the end, so that all of it is known."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.statuses: Counter[int] = Counter()
        self.wrong: dict[tuple[str, int, str], str] = {}

    def ask(self, case: Any, who: str, headers: dict[str, str]) -> None:
        """Send a case and judge the answer by what the OpenAPI says of it."""
        answer = case.call(session=self.page.session, headers=headers, timeout=60)
        self.statuses[answer.status_code] += 1
        # 503 is an answer: the books are not there yet, another report is being made.
        checks = DECLARED if answer.status_code == 503 else [not_a_server_error, *DECLARED]
        try:
            case.validate_response(answer, checks=checks, headers=headers)
        except BaseExceptionGroup as exc:
            for each in exc.exceptions:
                key = (case.operation.label, answer.status_code, type(each).__name__)
                self.wrong.setdefault(key, f"{who}: {case.as_curl_command()}\n{each}")

    def in_turn(self, heads: dict[str, dict[str, str]]) -> Callable[[Any], None]:
        """Return what asks as each in turn, every other time as the first, who may."""
        able, *others = heads
        turns = cycle(each for other in others for each in (able, other))

        def ask(case: Any) -> None:
            who = next(turns)
            self.ask(case, who, heads[who])

        return ask

    def verdict(self) -> str:
        """Say how much was asked, or fail."""
        assert self.wrong == {}, "\n".join(f"{key}: {said}" for key, said in self.wrong.items())
        assert not self.page.gateway.said("Traceback")
        return f"{self.statuses.total()} requests, of them {self.statuses[200]} answered, 0 of status 500"


def tried(strategy: Any, run: Callable[[Any], None]) -> None:
    """Run with some cases of a strategy, each time the same."""
    quiet = settings(
        max_examples=EXAMPLES,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    quiet(given(case=strategy)(run))()


@pytest.mark.fault("S10")
def test_every_answer_is_one_the_interface_declares_and_none_is_500(
    page: Page, schema: Any, record_measure
) -> None:
    judge = Judge(page)
    for found in schema.get_all_operations():
        operation = found.ok()
        able = page.who_may(operation.method.upper(), operation.path)
        heads = {who: page.headers(who) for who in dict.fromkeys((able, "administrator", "nobody"))}
        ask = judge.in_turn(heads)

        takes = operation.query or operation.path_parameters or operation.body
        for mode in (GenerationMode.POSITIVE, *([GenerationMode.NEGATIVE] if takes else ())):
            with contextlib.suppress(Unsatisfiable):  # a name in a path: nothing is wrong for it
                tried(operation.as_strategy(generation_mode=mode), ask)
    record_measure(f"{judge.verdict()}; {len(judge.statuses)} kinds of status, each declared", row="S10")


@pytest.mark.fault("S10")
def test_what_no_generator_thinks_of_is_refused_with_a_reason(
    page: Page, schema: Any, record_measure
) -> None:
    asked = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        method, path = operation.method.upper(), operation.path
        if path in ("/api/events", "/api/stream"):
            continue
        headers = page.headers(page.who_may(method, path)) | {"content-type": "application/json"}
        for place in PLACES[asked % FEWER :: FEWER] if "{" in path else ("",):
            for body in BODIES[asked % FEWER :: FEWER] if method == "POST" else (b"",):
                target = page.url + re.sub(r"\{\w+\}", place, path)
                answer = page.session.request(method, target, data=body, headers=headers, timeout=60)
                asked += 1
                assert answer.status_code < 500 or answer.status_code == 503, (method, target, body)
                if path == "/api/session" and method == "DELETE":
                    headers = page.headers("engineer") | {"content-type": "application/json"}
    assert not page.gateway.said("Traceback")
    record_measure(f"{asked} malformed bodies and places: none falls over", row="S10")
