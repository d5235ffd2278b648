"""Gap records: noted on disk before what comes after them, told to every subscriber they concern, once."""

import asyncio
import json
import shutil
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from connectors import Batch, Columns, GapNews, NotConnected, Order, SystemClock, TagTable
from connectors.contract import Context
from connectors.mqtt import MqttSink
from connectors.quality import BAD_DATA_LOST
from gateway.buffer import DiskBuffer, MemoryBuffer
from gateway.collect import Collector
from gateway.ledger import Gap
from gateway.ledger.gap import AWAY, LINK_DOWN, SOURCE_LOST
from gateway.ledger.news import News
from gateway.supervise import Link
from tests.fakes import T0, ReplaySource, batch_of, simple_tags
from tests.faults.buffer.lab import fill, opened
from tests.servers.scripted_broker import Publish, ScriptedBroker
from tests.unit.ledger.news import Waiting
from tests.unit.mqtt.plant import delivery, options, tag_table

SECOND = 1_000_000_000
TOPIC = "wanglian/cz/_gateway/gw-1/_gaps"


def down(source: str, start: int | None, end: int | None) -> Gap:
    return Gap(LINK_DOWN, noted=T0, start=start, end=end, sources={source: 0})


def lost(start: int, *devices: str) -> Gap:
    return Gap(SOURCE_LOST, noted=start, start=start, end=start, sources={"opc": 0}, devices=devices, tags=1)


async def noted(buffer: DiskBuffer, *gaps: Gap) -> list[Gap]:
    for each in gaps:
        buffer.note(each)
    return await buffer.gaps_after(0)


async def test_a_link_that_is_down_is_one_gap_from_its_begin_to_its_end(tmp_path: Path) -> None:
    async with opened(tmp_path) as buffer:
        (begun,) = await noted(buffer, down("a", T0, None))
        assert (begun.lasts, begun.start, begun.end) == (True, T0, None)
        found = await noted(buffer, down("b", T0 + 1, None), down("a", None, T0 + 9), down("c", None, T0))
        assert [(each.id, each.end) for each in found] == [(2, None), (1, T0 + 9)]
        assert [each.revision for each in found] == [2, 3]
    async with opened(tmp_path) as buffer:
        assert buffer.gap_revision == 3
        again = await noted(buffer, down("a", T0 + 20, None))
        assert [(each.id, each.start, each.end) for each in again[1:]] == [
            (1, T0, T0 + 9),
            (3, T0 + 20, None),
        ]


async def test_what_a_source_loses_within_a_minute_is_one_gap(tmp_path: Path) -> None:
    async with opened(tmp_path) as buffer:
        await noted(buffer, lost(T0, "s/a/l/x"), lost(T0 + 30 * SECOND, "s/a/l/y"))
        first, second = await noted(buffer, lost(T0 + 61 * SECOND, "s/a/l/z"))
        assert (first.start, first.end) == (T0, T0 + 30 * SECOND)
        assert list(first.devices) == ["s/a/l/x", "s/a/l/y"]
        assert list(second.devices) == ["s/a/l/z"]


async def test_subscribers_are_told_once_also_over_a_restart_and_again_when_nobody_heard(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as buffer:
        news = News(buffer, "gw-1", "cloud", lambda: 0)
        assert not await news.untold()
        await noted(buffer, down("a", T0, None))
        ((revision, record),) = await news.untold()
        assert (record["gap"], record["reason"], record["lasts"], record["sources"]) == (
            *(1, LINK_DOWN, True),
            ["a"],
        )
        assert await news.untold() == [GapNews(revision, record)]
    async with opened(tmp_path) as buffer:
        news = News(buffer, "gw-1", "cloud", lambda: 0)
        ((revision, _),) = await news.untold()
        await news.told(revision)
        assert not await news.untold()
    async with opened(tmp_path) as buffer:
        assert not await News(buffer, "gw-1", "cloud", lambda: 0).untold()
        await noted(buffer, down("a", None, T0 + 5))
        ((_, record),) = await News(buffer, "gw-1", "cloud", lambda: 0).untold()
        assert (record["gap"], record["end"], "lasts" in record) == (1, T0 + 5, False)


async def test_of_what_the_store_lost_only_those_hear_who_lost_it(tmp_path: Path) -> None:
    async with opened(tmp_path, segment_bytes=2048) as buffer:
        slow, fast = buffer.cursor("slow", Order.STRICT), buffer.cursor("fast", Order.STRICT)
        buffer.ready()
        for k in range(1, 30):
            await fill(buffer, [k])
        while fast.backlog().rows:
            await fast.next(10_000)
            await fast.ack()
        shelf = buffer._shelf
        await shelf._in_writer(lambda: buffer._retention.drop(shelf.segments[0], "max_age"))
        ((_, record),) = await News(buffer, "gw-1", "slow", lambda: 0).untold()
        assert record["rows"] == slow.account().total.dropped["max_age"]
        assert record["seq"][0] == 1
        assert not await News(buffer, "gw-1", "fast", lambda: 0).untold()


async def test_what_was_over_before_a_sink_was_there_is_not_told(tmp_path: Path) -> None:
    async with opened(tmp_path) as buffer:
        await noted(buffer, down("a", T0, None), down("a", None, T0 + 5), down("b", T0, None))
        told = await News(buffer, "gw-1", "new", lambda: T0 + 10).untold()
        assert [record["sources"] for _, record in told] == [["b"]]


async def test_a_collector_notes_its_absence_a_lost_link_and_what_its_source_lost(clock) -> None:
    buffer, tags = MemoryBuffer(clock), TagTable()
    tags.announce(simple_tags())
    await (await buffer.append("meters", batch_of([1.0] * 3, time=T0)))
    clock.move(3600)
    hole = Columns(
        np.array([1], np.int32), np.array([T0 + 7]), np.zeros(1), np.array([BAD_DATA_LOST], np.uint32)
    )
    first = ReplaySource(tags, simple_tags(), [batch_of([2.0] * 3), NotConnected("cable")])
    refused = ReplaySource(tags, simple_tags(), [])
    refused.refuse_entry = NotConnected("refused")
    ran_over = replace(hole, tag=np.array([2], np.int32), quality=np.array([0x0480], np.uint32))
    reads = [Batch((hole,), T0 + 9), batch_of([1.0] * 3), Batch((ran_over,), T0 + 11), NotConnected("cable")]
    again = ReplaySource(tags, simple_tags(), reads)
    sources = [first, refused, again]
    collects = Collector(Link("meters", "source", clock), lambda: sources.pop(0), tags, buffer, clock)
    for _ in range(3):
        with pytest.raises((NotConnected, ExceptionGroup)):
            await collects.session()
        await collects.lost()
        clock.move(1)
    said = [(each.reason, each.start, each.end) for each in buffer.gaps]
    now = T0 + 3600 * SECOND
    assert said == [
        (LINK_DOWN, None, now),
        (AWAY, T0 + 1, now),
        (LINK_DOWN, now, None),
        (LINK_DOWN, None, T0 + 9),
        (SOURCE_LOST, T0 + 7, T0 + 9),
        (SOURCE_LOST, T0, T0 + 11),
        (LINK_DOWN, now, None),  # these batches arrived before; no gap begins before our absence ended
    ]
    assert buffer.gaps[4].devices == ("s/a/l/d",)
    assert [each.tags for each in buffer.gaps[1:6]] == [3, 3, 3, 1, 1]


def gaps_of(broker: ScriptedBroker) -> list[int]:
    return [json.loads(p.payload)["gap"] for p in broker.published if p.topic == TOPIC]


async def test_a_platform_hears_of_a_gap_before_the_values_behind_it() -> None:
    gaps = Waiting({"gap": 1, "reason": LINK_DOWN}, {"gap": 2, "reason": AWAY})
    context = Context("gw-1", tag_table(), SystemClock(), gaps=gaps)
    async with ScriptedBroker() as broker, MqttSink("cloud", options(broker.port), context, "cz") as mqtt:
        assert gaps_of(broker) == [1, 2]
        assert all(p.qos == 1 and not p.retain for p in broker.published if p.topic == TOPIC)
        gaps.news = [GapNews(3, {"gap": 1, "reason": LINK_DOWN, "end": 5})]
        await mqtt.write([delivery(1)])
        topics = [p.topic for p in broker.published[-2:]]
        assert topics[0] == TOPIC
        assert gaps.heard == [2, 3]


async def test_a_gap_the_broker_has_not_taken_is_told_in_the_next_session() -> None:
    gaps = Waiting({"gap": 1, "reason": LINK_DOWN})

    def script(publish: Publish) -> int | None:
        return None if publish.topic == TOPIC else 0

    async with ScriptedBroker(script) as broker:
        sink = MqttSink(
            "cloud",
            options(broker.port, ack_timeout="1s"),
            Context("gw-1", tag_table(), SystemClock(), gaps=gaps),
            "cz",
        )
        with pytest.raises(NotConnected):
            async with sink:
                await asyncio.Event().wait()
        assert (gaps_of(broker), gaps.heard) == ([1], [])
        broker.script = lambda _: 0
        async with sink:
            assert (gaps_of(broker), gaps.heard) == ([1, 1], [1])


async def test_a_gap_that_comes_while_the_news_are_looked_up_is_told_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as buffer:
        news = News(buffer, "gw-1", "cloud", lambda: T0 + 1)
        await noted(buffer, down("a", T0 - 9, T0 - 5))  # over before this sink began: nobody's business
        look = buffer.gaps_after

        async def slowly(revision: int) -> Sequence[Gap]:
            found = await look(revision)
            buffer.note(down("b", T0 + 5, None))
            await look(0)
            return found

        with monkeypatch.context() as patch:
            patch.setattr(buffer, "gaps_after", slowly)
            assert not await news.untold()
        ((_, record),) = await news.untold()
        assert record["sources"] == ["b"]


@pytest.mark.fault("A11")
@pytest.mark.parametrize("is_readable", [True, False], ids=["as it was", "not even to be read"])
async def test_gaps_go_on_where_the_directory_was_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_readable: bool
) -> None:
    async with opened(tmp_path / "store") as buffer:
        news = News(buffer, "gw-1", "cloud", lambda: 0)
        buffer.cursor("cloud", Order.STRICT)
        buffer.ready()
        await fill(buffer, [1, 2])
        await noted(buffer, down("a", T0, None), down("a", None, T0 + 9), down("b", T0, None))
        first = list(await news.untold())
        await news.told(first[-1].revision)
        await noted(buffer, down("c", T0, None))
        shutil.rmtree(tmp_path / "store")
        if not is_readable:

            def refused(*_: object) -> None:
                raise sqlite3.OperationalError("disk I/O error")

            monkeypatch.setattr(buffer._state, "gaps", refused)
        await fill(buffer, [3])
        second = list(await news.untold())
        reasons = [each.record["reason"] for each in second]
        assert reasons == (["link_down"] if is_readable else []) + ["directory_lost"]
        await news.told(second[-1].revision)
        assert not await news.untold()
    keys = [(each.record["epoch"], each.record["gap"]) for each in (*first, *second)]
    assert len(set(keys)) == len(keys)
    async with opened(tmp_path / "store") as buffer:
        assert not await News(buffer, "gw-1", "cloud", lambda: 0).untold()
