"""Webhooks: each platform's own form, signatures, rates, where they may lead, what is sent again."""

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import socket
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from config.alarms import Webhook
from config.base import Secret
from config.load import read_plant_bytes
from config.problems import Problem
from config.proxy import Proxy
from connectors import NotConnected, SystemClock
from gateway.alarms import keeper
from gateway.alarms.condition import Condition, Turn
from gateway.alarms.table import ALARMS, Alarm, Event, Table
from gateway.alarms.webhooks.link import WebhookLink
from gateway.alarms.webhooks.messages import MOST_TEXT, From, compose, judge
from gateway.alarms.webhooks.post import forbidden, post
from gateway.supervise import Link, LinkState
from tests.fakes import T0
from tests.servers.proxies import microsocks, tinyproxy
from tests.servers.robots import Reply, Robot
from tests.unit.alarms.test_keeper import running, until

US = From("g1", "cz", ZoneInfo("Asia/Shanghai"), "zh")
KEY = "693axxx6-7aoc-4bc4-97a0-0ec2sifa5aaa"


def hook(kind: Any, url: str = f"https://robot.example/send?key={KEY}", **rest: Any) -> Webhook:
    return Webhook.model_construct(
        kind=kind,
        url=Secret(url),
        secret=rest.pop("secret", None),
        **{"min_severity": "warning", "language": None, "local": True} | rest,
    )


def events(count: int) -> list[Event]:
    def alarm(i: int) -> Alarm:
        facts = {"value": 91.0, "bound": 90.0, "unit": " °C"}
        return Alarm(
            i, "limit", f"cz/hall/line_1/oven_{i}/t", "limit_high", "warning", facts, T0, 0, 0, "", "", 0, ""
        )

    return [Event(i, "began", T0, "", quiet=False, alarm=alarm(i)) for i in range(1, count + 1)]


def test_wecom_and_dingtalk_get_text_within_what_they_take() -> None:
    """WeCom: developer.work.weixin.qq.com/document/path/91770; DingTalk: open.dingtalk.com, custom robots."""
    for kind in ("wecom", "dingtalk"):
        one = json.loads(compose(hook(kind), events(1), US, T0, None).body)
        assert one["msgtype"] == "text"
        assert one["text"]["content"].splitlines() == [
            "网关 g1（cz）",
            "【报警】cz/hall/line_1/oven_1/t 高于 90 °C，现值 91 °C（09-21 22:13:20）",
        ]
        many = json.loads(compose(hook(kind), events(300), US, T0, None).body)["text"]["content"]
        assert len(many.encode()) <= MOST_TEXT
        shown = many.count("【报警】")
        assert f"还有 {300 - shown} 条" in many


def test_dingtalk_is_signed_behind_its_address_and_feishu_in_its_body() -> None:
    """Each as its own example computes it: the key and the text are the other way round."""
    secret = "SECa1b2"  # noqa: S105  not one
    asked = compose(hook("dingtalk"), events(1), US, T0, secret)
    stamp = str(T0 // 1_000_000)
    digest = hmac.new(secret.encode(), f"{stamp}\n{secret}".encode(), hashlib.sha256).digest()
    query = dict(each.split("=", 1) for each in asked.query.split("&"))
    assert query["timestamp"] == stamp
    assert (
        query["sign"].replace("%2B", "+").replace("%2F", "/").replace("%3D", "=")
        == base64.b64encode(digest).decode()
    )
    assert not compose(hook("dingtalk"), events(1), US, T0, None).query
    said = json.loads(compose(hook("feishu"), events(1), US, T0, secret).body)
    stamp = str(T0 // 1_000_000_000)
    digest = hmac.new(f"{stamp}\n{secret}".encode(), b"", hashlib.sha256).digest()
    assert (said["timestamp"], said["sign"]) == (stamp, base64.b64encode(digest).decode())
    assert said["msg_type"] == "text"
    assert said["content"]["text"].startswith("网关 g1")


@pytest.mark.fault("S3")
@pytest.mark.parametrize("kind", ["wecom", "dingtalk", "feishu", "json"])
def test_hostile_names_stay_text_in_every_message(kind: str, record_measure) -> None:
    hostile = '<img src=x onerror=1>\r\n"},"msgtype":"markdown"[a](http://x.example)@all =1+1'
    (event,) = events(1)
    event = replace(event, alarm=replace(event.alarm, subject=hostile))
    told = json.loads(compose(hook(kind), [event], US, T0, None).body)
    text = told["events"][0]["text"] if kind == "json" else told.get("text", told.get("content"))
    said = text if isinstance(text, str) else text["content" if "content" in text else "text"]
    assert '"},"msgtype":"markdown"[a](http://x.example)@all =1+1' in said
    assert kind == "json" or len(said.splitlines()) == 2
    assert told.get("msgtype", told.get("msg_type", "text")) == "text"
    assert set(told) <= {"msgtype", "text", "msg_type", "content", "gateway", "site", "sent", "events"}
    record_measure("hostile names in 4 kinds of message: 1 text each, nothing beside it", row="S3")


def test_a_program_gets_every_event_with_its_figures() -> None:
    told = json.loads(compose(hook("json", language="en"), events(2), US, T0, None).body)
    assert (told["gateway"], told["site"], len(told["events"])) == ("g1", "cz", 2)
    assert told["events"][0] == {
        "event": 1, "what": "began", "at": T0 // 1_000_000, "alarm": 1, "kind": "limit",
        "subject": "cz/hall/line_1/oven_1/t", "code": "limit_high", "severity": "warning",
        "began": T0 // 1_000_000, "text": "cz/hall/line_1/oven_1/t is above 90 °C: 91 °C",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "status", "body", "is_accepted", "is_busy"),
    [
        ("wecom", 200, b'{"errcode":0,"errmsg":"ok"}', True, False),
        ("wecom", 200, b'{"errcode":93000,"errmsg":"invalid webhook url"}', False, False),
        ("wecom", 200, b'{"errcode":45009,"errmsg":"api freq out of limit"}', False, True),
        ("dingtalk", 200, b'{"errcode":310000,"errmsg":"sign not match"}', False, False),
        ("dingtalk", 200, b'{"errcode":130101,"errmsg":"send too fast"}', False, True),
        ("feishu", 200, b'{"code":0,"msg":"success","data":{}}', True, False),
        ("feishu", 200, b'{"code":19021,"msg":"sign match fail"}', False, False),
        ("feishu", 200, b'{"code":11232,"msg":"frequency limited"}', False, True),
        ("feishu", 200, b"<html>", False, False),
        ("wecom", 200, b"[]", False, False),
        ("json", 204, b"", True, False),
        ("json", 302, b"", False, False),
        ("json", 429, b"", False, True),
        ("json", 500, b"", False, False),
    ],
)
def test_an_answer_is_judged_by_the_platforms_own_code(
    kind: str, status: int, body: bytes, *, is_accepted: bool, is_busy: bool
) -> None:
    verdict = judge(hook(kind), status, body)
    assert (verdict.is_accepted, verdict.is_busy) == (is_accepted, is_busy)


@pytest.mark.fault("S7")
def test_s7_no_webhook_leads_to_metadata_and_none_inside_without_being_told_to(
    monkeypatch: pytest.MonkeyPatch, record_measure
) -> None:
    never = (
        "169.254.169.254", "fe80::1%eth0", "::ffff:169.254.169.254", "100.100.100.200", "fd00:ec2::254",
        "0.0.0.0", "::", "224.0.0.1", "ff02::1",  # noqa: S104
    )  # fmt: skip
    inside = (
        "127.0.0.1",
        "::1",
        "10.0.0.1",
        "192.168.1.1",
        "172.16.0.1",
        "100.64.0.1",
        "fd12::1",
        "::ffff:127.0.0.1",
    )
    outside = ("203.119.1.1", "2400:3200::1")
    for each in never:
        assert forbidden(each, is_local=True)
    for each in inside:
        assert forbidden(each, is_local=False)
        assert not forbidden(each, is_local=True)
    for each in outside:
        assert not forbidden(each, is_local=False)
    with Robot() as robot:
        for host in ("127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1", "[::ffff:127.0.0.1]", "0"):
            with pytest.raises(NotConnected):
                post(f"http://{host}:{robot.port}/x?key={KEY}", "", b"{}", is_local=False)
        assert not robot.asked

        # A name that answers first with one address, then with another: what was judged is what is asked.
        looked = iter([[(2, 1, 6, "", ("203.0.113.9", 1))], [(2, 1, 6, "", ("127.0.0.1", 1))]])
        monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: next(looked))
        monkeypatch.setattr("socket.create_connection", lambda address, _: pytest.fail(f"asked {address}"))
        with pytest.raises(NotConnected, match=r"203\.0\.113\.9"):
            post("http://rebinding.example/", "", b"{}", is_local=False)
    record_measure(f"{len(never) + len(inside)} addresses, 7 spellings of loopback: 0 requests", row="S7")


def test_a_redirect_is_not_followed_and_no_error_tells_the_key() -> None:
    with (
        Robot() as inner,
        Robot(lambda *_: Reply(status=302, headers={"Location": f"http://127.0.0.1:{inner.port}/"})) as outer,
    ):
        status, _ = post(f"http://127.0.0.1:{outer.port}/x?key={KEY}", "", b"{}", is_local=True)
        assert (status, len(outer.asked), len(inner.asked)) == (302, 1, 0)
    with pytest.raises(NotConnected) as refused:
        post(f"http://127.0.0.1:{outer.port}/x?key={KEY}", "", b"{}", is_local=True)
    assert KEY not in str(refused.value)


def fails_for(host: str) -> Callable[..., Any]:
    """Return a name server that knows everybody but this one."""
    known = socket.getaddrinfo

    def look_up(asked: str, *how: Any, **rest: Any) -> Any:
        if asked == host:
            raise socket.gaierror(-2, "Name or service not known")
        return known(asked, *how, **rest)

    return look_up


@pytest.mark.server
@pytest.mark.parametrize("kind", ["http", "socks5"])
async def test_a_robot_whose_name_only_the_proxy_knows_is_told_through_it(
    kind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    login, serve = ("wl", "secret"), {"http": tinyproxy, "socks5": microsocks}[kind]
    with Robot() as robot, serve(tmp_path, login) as port:
        monkeypatch.setattr("socket.getaddrinfo", fails_for("localhost"))
        proxy = Proxy(kind=kind, host="127.0.0.1", port=port, username="wl", password=Secret("secret"))
        url = f"http://localhost:{robot.port}/x?key={KEY}"
        async with telling(tmp_path, robot, 0.0, url=url, local=False, proxy=proxy) as table:
            table.write([Turn("began", Condition("limit", "t", holds=True, code="store_full"))], T0)
            await until(lambda: robot.asked)
        assert told_by(robot) == ["began t"]
        with pytest.raises(NotConnected, match="Name or service"):
            post(url, "", b"{}", is_local=True)


@pytest.mark.server
@pytest.mark.fault("S7")
def test_s7_a_proxy_opens_no_address_that_is_forbidden_and_tells_no_key(
    tmp_path: Path, record_measure
) -> None:
    with Robot() as robot, tinyproxy(tmp_path, allow=443) as port:
        proxy = Proxy(kind="http", host="127.0.0.1", port=port)
        for host in ("169.254.169.254", "127.0.0.1", "10.0.0.1", "[::1]", "[::ffff:127.0.0.1]"):
            with pytest.raises(NotConnected, match=r"no webhook may|only with local"):
                post(f"http://{host}:{robot.port}/x?key={KEY}", "", b"{}", is_local=False, proxy=proxy)
        with pytest.raises(NotConnected, match=r"proxy .* does not let this through, 403") as refused:
            post(f"http://127.0.0.1:{robot.port}/x?key={KEY}", "", b"{}", is_local=True, proxy=proxy)
        assert KEY not in str(refused.value)
        assert not robot.asked
    record_measure("5 forbidden addresses through a proxy: 0 requests", row="S7")


async def test_the_gateway_tells_its_robot_when_an_alarm_begins_and_no_log_holds_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(keeper, "LOOK_S", 0.05)
    monkeypatch.setattr("gateway.supervise.FIRST_DELAY_S", 0.01)
    with Robot(lambda n, _: Reply(b'{"errcode":-1}', 503) if n == 1 else Reply()) as robot:
        monkeypatch.setenv("ROBOT", f"http://127.0.0.1:{robot.port}/cgi-bin/webhook/send?key={KEY}")
        more = b"alarms: {webhooks: {team: {kind: wecom, url: '${env:ROBOT}', local: true, language: en}}}\n"
        async with running(tmp_path, 80, more):
            await until(lambda: len(robot.asked) == 2)
    first, second = robot.asked
    assert first.query == second.query == {"key": KEY}
    assert first.body == second.body  # what was not taken is told again, whole
    assert second.headers["Content-Type"].startswith("application/json")
    text = json.loads(second.body)["text"]["content"]
    assert "[alarm] s/-/-/d/x is above 50: 80" in text
    assert KEY not in caplog.text
    assert "answered with status 503" in "".join(str(vars(each)) for each in caplog.records)
    assert KEY not in "".join(str(vars(each)) for each in caplog.records)


def problems_of(webhook: str, folder: Path) -> list[Problem]:
    """Return what is wrong with a plant that has this webhook."""
    text = (
        "gateway: {id: g, site: s}\nsources: {one: {kind: simulated, devices: {d: {tags: {x: {}}}}}}\n"
        f"alarms: {{webhooks: {{team: {{{webhook}}}}}}}\n"
    )
    return read_plant_bytes(text.encode(), "plant.yaml", folder).problems


@pytest.mark.parametrize(
    ("kind", "local", "code"), [("wecom", "false", "E-CF-1905"), ("wecom", "true", None)]
)
def test_a_robots_key_does_not_go_over_http(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, local: str, code: str | None
) -> None:
    monkeypatch.setenv("ROBOT", "http://robot.example/?key=1")
    webhook = f"kind: {kind}, url: '${{env:ROBOT}}', local: {local}"
    assert [each.code for each in problems_of(webhook, tmp_path)] == ([code] if code else [])
    monkeypatch.setenv("ROBOT", "nonsense")
    (problem,) = problems_of(webhook, tmp_path)
    assert (problem.code, "nonsense" in problem.render("en")) == ("E-CF-1901", False)


@pytest.mark.parametrize(
    ("proxy", "code"),
    [
        ("{kind: http, host: 192.168.1.9, port: 3128}", None),
        ("{kind: http, host: 169.254.169.254, port: 80}", "E-CF-0770"),
        ("{kind: http, host: proxy.example, port: 80, username: 'a:b'}", "E-CF-0760"),
        ("{kind: socks5, host: proxy.example, port: 80, username: a}", "E-CF-0761"),
    ],
)
def test_a_webhooks_proxy_is_checked_as_a_sinks_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxy: str, code: str | None
) -> None:
    monkeypatch.setenv("ROBOT", "https://robot.example/?key=1")
    webhook = f"kind: wecom, url: '${{env:ROBOT}}', proxy: {proxy}"
    assert [each.code for each in problems_of(webhook, tmp_path)] == ([code] if code else [])


class FakeKeeper:
    """The table and who waits for it, without a gateway."""

    def __init__(self, table: Table) -> None:
        self.table = table
        table.tell("team", 0)

    async def events_for(self, who: str, most: int) -> list[Event]:
        while not (found := self.table.events(self.table.told(who) or 0, most)):
            await asyncio.sleep(0.005)
        return list(found)

    async def told(self, who: str, number: int) -> None:
        self.table.tell(who, number)


@asynccontextmanager
async def telling(folder: Path, robot: Robot, apart_s: float, **options: Any) -> AsyncIterator[Table]:
    table = Table(folder / ALARMS)
    table.open()
    webhook = hook("json", **{"url": f"http://127.0.0.1:{robot.port}/"} | options)
    link = Link("team", "webhook", SystemClock())
    teller = WebhookLink(link, webhook, FakeKeeper(table), lambda: US, SystemClock(), apart_s=apart_s)
    task = asyncio.create_task(teller.session())
    async with asyncio.timeout(20):
        yield table
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    table.close()


def told_by(robot: Robot) -> list[str]:
    return [f"{e['what']} {e['subject']}" for a in robot.asked for e in json.loads(a.body)["events"]]


async def test_a_storm_of_alarms_is_few_messages_and_each_event_is_in_one_of_them(tmp_path: Path) -> None:
    with Robot() as robot:
        began = time.monotonic()
        async with telling(tmp_path, robot, 0.2) as table:
            for i in range(100):
                table.write([Turn("began", Condition("limit", str(i), holds=True, code="store_full"))], T0)
                await asyncio.sleep(0.005)
            await until(lambda: len(told_by(robot)) >= 100)
        assert told_by(robot) == [f"began {i}" for i in range(100)]
        assert len(robot.asked) <= (time.monotonic() - began) / 0.2 + 1


async def test_what_is_shelved_or_less_than_wanted_is_not_told(tmp_path: Path) -> None:
    def of(subject: str, severity: Any) -> Condition:
        return Condition("limit", subject, holds=True, code="store_full", severity=severity)

    with Robot() as robot:
        async with telling(tmp_path, robot, 0.0, min_severity="urgent") as table:
            table.write([Turn("began", of("mild", "warning")), Turn("began", of("grave", "urgent"))], T0)
            table.acknowledge(2, T0, "bo", "")
            table.shelve(2, T0, "bo", "", until=T0 + 100)
            table.write([Turn("cleared", of("grave", "urgent"))], T0 + 1)
            table.write([Turn("began", of("grave", "urgent"))], T0 + 2)
            await until(lambda: table.told("team") == table.newest())
            table.write([], T0 + 100)
            table.write([Turn("raised", of("mild", "urgent"))], T0 + 101)
            await until(lambda: table.told("team") == table.newest())
        assert told_by(robot) == ["began grave", "unshelved grave", "raised mild"]


async def test_a_webhook_of_a_new_plant_file_is_told_what_comes_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "LOOK_S", 0.05)
    with Robot() as robot:
        monkeypatch.setenv("ROBOT", f"http://127.0.0.1:{robot.port}/")
        more = "alarms: {webhooks: {team: {kind: json, url: '${env:ROBOT}', local: true}}}\n"
        async with running(tmp_path, 80) as gateway:
            await until(lambda: gateway.parts.alarms.counts.get("unacknowledged"))
            assert gateway.applier is not None
            text = (tmp_path / "plant.yaml").read_bytes() + more.encode()
            done = await gateway.applier.apply(text, who="bo")
            assert [(each.part, each.name, each.how) for each in done.changes] == [
                ("webhook", "team", "added")
            ]
            await until(
                lambda: any(
                    each.direction == "webhook" and each.state is LinkState.CONNECTED
                    for each in gateway.observer.links
                )
            )
            await asyncio.to_thread(until_told, tmp_path / "data" / ALARMS)
            fewer = text.replace(b"alarm: {high: 50}", b"alarm: {high: 90}").replace(
                b"high_value: 80", b"high_value: 81"
            )
            await gateway.applier.apply(fewer, who="bo")
            await until(lambda: robot.asked)
        assert told_by(robot) == ["cleared s/-/-/d/x"]


def until_told(path: Path) -> None:
    """Wait until the webhook knows where it begins."""
    deadline = time.monotonic() + 10
    with closing(sqlite3.connect(path)) as connection:
        while not connection.execute("SELECT 1 FROM told WHERE who = 'team'").fetchall():
            assert time.monotonic() < deadline
            time.sleep(0.01)
