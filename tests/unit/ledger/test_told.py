"""Every form of subscriber is told of gaps in the form it reads; what is told twice is there once."""

import json
from pathlib import Path
from typing import Any

import pytest

from config.connections import InfluxDbSink
from connectors import Context, SystemClock
from connectors.influxdb import InfluxDb
from connectors.mqtt import MqttSink
from tests.servers.platforms.aliyun import Aliyun
from tests.servers.platforms.onenet import OneNet
from tests.servers.scripted_broker import ScriptedBroker
from tests.servers.scripted_influx import Answer, ScriptedInflux, Write, nothing
from tests.unit.ledger.news import EPOCH, T0, Waiting, record
from tests.unit.mqtt.plant import delivery, options, tag_table, until
from tests.unit.platforms import plant as platforms
from tests.unit.platforms.rigs import PLATFORMS, platform
from tests.unit.sparkplug.edge.hosted import Hosted
from tests.verify.gaps import told

TEMPLATE = {"kind": "template", "topic": "t", "payload": "{{ values | tojson }}"}
ENDED = ("link_down", T0, T0 + 9_000_000_000, ("meters",))
LASTS = ("link_down", T0, None, ("meters",))


@pytest.mark.parametrize(
    "form", [{"kind": "values"}, {"kind": "per_tag"}, TEMPLATE], ids=lambda form: form["kind"]
)
@pytest.mark.parametrize(
    ("more", "topic"),
    [
        ({"announce": True}, "wanglian/cz/_gateway/gw-1/_gaps"),
        ({"announce": False, "gaps": "own/gaps"}, "own/gaps"),
        ({"announce": False}, None),
    ],
    ids=["announced", "on a topic of their own", "not asked for"],
)
async def test_every_form_of_mqtt_tells_gaps_before_the_rows_behind_them(
    form: dict[str, Any], more: dict[str, Any], topic: str | None
) -> None:
    gaps = Waiting(record(1), record(2))
    context = Context("gw-1", tag_table(), SystemClock(), gaps=gaps)
    async with ScriptedBroker() as broker:
        async with MqttSink("cloud", options(broker.port, format=form | more), context, "cz") as mqtt:
            gaps.tell(record(1, end=9))
            await mqtt.write([delivery(1)])
        found = [each for each in broker.published if b'"gap"' in each.payload]
        assert gaps.heard == [2, 3]
        if topic is None:
            assert found == []
            return
        assert {each.topic for each in found} == {topic}
        assert told(json.loads(each.payload) for each in found) == {(EPOCH, 1): ENDED, (EPOCH, 2): LASTS}
        rows = [i for i, each in enumerate(broker.published) if is_row(each.topic, each.payload)]
        assert max(broker.published.index(each) for each in found) < min(rows)


def is_row(topic: str, payload: bytes) -> bool:
    return (b"v_0" in payload and not topic.endswith("_tags")) or topic.endswith("/v_0")


async def test_a_record_that_is_too_long_for_the_broker_leaves_its_devices_out() -> None:
    many = [f"cz/press/line1/m{i}" for i in range(200)]
    gaps = Waiting(record(1, devices=many))
    context = Context("gw-1", tag_table(), SystemClock(), gaps=gaps)
    async with (
        ScriptedBroker() as broker,
        MqttSink("c", options(broker.port, max_message=1024), context, "cz"),
    ):
        (found,) = [json.loads(each.payload) for each in broker.published if b'"gap"' in each.payload]
    assert found == record(1)


@pytest.mark.server
@pytest.mark.parametrize("kind", PLATFORMS)
async def test_every_platform_has_each_gap_once(kind: str, tmp_path: Path) -> None:
    gaps = Waiting(record(1, devices=[f"cz/press/line1/m{i}" for i in range(200)]), record(2))
    event = {"gaps": "lost"} if kind in ("aliyun", "onenet") else {}
    with platform(kind, tmp_path) as peer:
        if isinstance(peer, Aliyun | OneNet):
            peer.events.add("lost")
        async with platforms.sink(kind, peer.port, told=gaps, **event) as mqtt:
            await mqtt.write([platforms.delivery(1)])
            await until(lambda: len(peer.gaps) == 2)
            again = list(peer.gaps.values())
            gaps.tell(*again, record(1, end=9))
            await mqtt.write([platforms.delivery(2)])
        assert gaps.heard == [2, 5]
        await until(lambda: told(peer.gaps.values()) == {(EPOCH, 1): ENDED, (EPOCH, 2): LASTS})
        assert peer.faults == []
        if kind == "thingsboard":  # its place is its number: what comes again takes it
            assert len(peer.gaps) == 2


@pytest.mark.server
@pytest.mark.parametrize("kind", ["aliyun", "onenet"])
async def test_a_platform_that_has_no_such_event_gets_its_rows_all_the_same(
    kind: str, tmp_path: Path
) -> None:
    gaps = Waiting(record(1))
    with platform(kind, tmp_path) as peer:
        async with platforms.sink(kind, peer.port, told=gaps, gaps="missing") as mqtt:
            await mqtt.write([platforms.delivery(1)])
        assert (gaps.heard, peer.gaps) == ([1], {})
        assert peer.stored()


async def test_a_gap_is_a_point_of_each_source_that_takes_its_own_place() -> None:
    gaps = Waiting(record(1, rows=3), record(2, sources=["a,b", "c"], rows=4, devices=['s/a/l/"d"']))
    with ScriptedInflux() as database:
        influx = InfluxDbSink(kind="influxdb", url=database.url, bucket="b")
        context = Context("gw-1", tag_table(), SystemClock(), gaps=gaps)
        async with InfluxDb(influx, context) as sink:
            assert gaps.heard == [2]
            gaps.tell(record(1, end=9))
            await sink.write([delivery(1)])
        assert gaps.heard == [2, 3]
        points = {
            (dict(tags)["source"], field): dict(values)
            for (measurement, tags, field), values in database.stored.items()
            if measurement == "wanglian_gap"
        }
    at = T0 - T0 % 1_000_000 + 1
    assert points["meters", "lasts"] == {at: False}
    assert points["meters", "end"] == {at: T0 + 9_000_000_000}
    assert points["meters", "rows"] == {at: 3}
    assert points["a,b", "devices"] == {at + 1: 's/a/l/"d"'}
    assert points["c", "lasts"] == {at + 1: True}
    assert ("c", "rows") not in points
    assert points["c", "epoch"] == {at + 1: EPOCH}


def refuse_bad(write: Write) -> Answer:
    is_bad = b"reason=bad" in write.body
    return Answer(400, stores=nothing) if is_bad else Answer()


async def test_a_database_that_refuses_a_gap_gets_the_others_and_its_rows() -> None:
    gaps = Waiting(record(1), record(2, reason="bad"), record(3))
    with ScriptedInflux(refuse_bad) as database:
        influx = InfluxDbSink(kind="influxdb", url=database.url, bucket="b")
        async with InfluxDb(influx, Context("gw-1", tag_table(), SystemClock(), gaps=gaps)) as sink:
            await sink.write([delivery(1)])
        found = {field for name, _, field in database.stored if name == "wanglian_gap"}
        assert (gaps.heard, "lasts" in found) == ([3], True)
        assert any(name == "wanglian" for name, _, _ in database.stored)


def test_a_sparkplug_host_hears_a_gap_as_data_of_the_node_and_births_repeat_the_newest() -> None:
    edge = Hosted()
    edge.announce("m/a")
    edge.be_born()
    edge.node.tell_gap(json.dumps(record(1)))
    edge.node.tell_gap(json.dumps(record(2)))
    edge.node.tell_gap(json.dumps(record(1, end=9)))
    edge.be_born()
    assert not edge.host.violations
    assert told(edge.host.gaps) == {(EPOCH, 1): ENDED, (EPOCH, 2): LASTS}
    assert [kind for kind, _ in edge.kinds()].count("NDATA") == 3
    assert json.loads(edge.kept["Properties/Gap"]) == record(1, end=9)
