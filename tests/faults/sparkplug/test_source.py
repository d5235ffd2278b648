"""A host beside a real broker: STATE, births asked for seldom, deaths, and what anybody may publish."""

import asyncio
import logging
import os
import socket
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from config.connections import SparkplugSource
from connectors import Batch, NotConnected, Origin, SystemClock, TagTable
from connectors.quality import BAD, BAD_NO_COMMUNICATION
from connectors.sparkplug import Sparkplug
from gateway.lab.sparkplug import EdgeNode, is_rebirth_request
from tests.servers.broker import Broker
from tests.servers.edge_node import EdgeNodeClient, now_ms

SCALE = float(os.environ.get("WL_SCALE", "0.1"))

pytestmark = pytest.mark.server


def source(broker: Broker, table: TagTable | None = None, **more: Any) -> Sparkplug:
    given = {"kind": "sparkplug", "host": "127.0.0.1", "port": broker.port, "nodes": [{}], **more}
    options = SparkplugSource.model_validate(given)
    tags = TagTable() if table is None else table
    return Sparkplug("in", options, gateway="g", site="s", tags=tags, clock=SystemClock(), kept={})


@asynccontextmanager
async def running(opened: Sparkplug) -> AsyncIterator[Sparkplug]:
    async with asyncio.timeout(30 + 120 * SCALE), opened:
        yield opened


def values(batches: list[Batch]) -> list[Any]:
    return [value for batch in batches for part in batch.parts for value in part.value.tolist()]


async def read_until(opened: Sparkplug, last: Any) -> list[Batch]:
    batches: list[Batch] = []
    while last not in values(batches[-1:]):
        batches.append(await opened.read())
        await opened.ack(batches[-1])
    return batches


def press(**more: Any) -> EdgeNode:
    return EdgeNode("plant", "press", {"power": 1.5}, **more)


class Watching:
    """What somebody else at the broker sees of a topic."""

    def __init__(self, broker: Broker, topic: str) -> None:
        self.seen: list[tuple[Any, bool]] = []
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._ready = threading.Event()
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = lambda _c, _d, m: self.seen.append((m.payload, bool(m.retain)))
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()
        self._client.subscribe(topic, 1)
        assert self._ready.wait(10)

    def end(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    async def until(self, count: int) -> list[Any]:
        async with asyncio.timeout(10):
            while len(self.seen) < count:
                await asyncio.sleep(0.005)
        return [orjson.loads(payload) for payload, _ in self.seen]


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_state_is_online_while_it_runs_and_offline_when_it_is_gone(
    broker: Broker, version: str
) -> None:
    """Retained; a host that says goodbye says so itself, for one that is cut off the broker does."""
    watching = Watching(broker, "spBv1.0/STATE/main")
    opened = source(broker, host_id="main", version=version)
    async with running(opened):
        (online,) = await watching.until(1)
    _, offline, *_ = await watching.until(2)
    assert (online["online"], offline["online"]) == (True, False)
    assert abs(online["timestamp"] - now_ms()) < 60_000
    cut = source(broker, host_id="main", version=version)
    async with running(cut):
        before = len(watching.seen)
        while not (seen := await watching.until(before))[-1]["online"]:
            before += 1
        with socket.socket(fileno=os.dup(cut._feed._client.socket().fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)
        with pytest.raises(NotConnected):
            await cut.read()
    will = (await watching.until(before + 1))[before]
    assert will == {"online": False, "timestamp": seen[-1]["timestamp"]}, "the will's time is the birth's"
    watching.end()
    late = Watching(broker, "spBv1.0/STATE/main")
    await late.until(1)
    assert late.seen[0][1], "retained"
    late.end()


async def test_an_old_will_is_answered_with_the_truth(broker: Broker, publisher: Client) -> None:
    watching = Watching(broker, "spBv1.0/STATE/g")
    async with running(source(broker)) as opened:
        await watching.until(1)
        publisher.publish("spBv1.0/STATE/g", b'{"online":false,"timestamp":5}', qos=1, retain=True)
        reading = asyncio.create_task(opened.read())
        seen = await watching.until(3)
        assert [each["online"] for each in seen] == [True, False, True]
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    watching.end()


@pytest.mark.fault("G7")
async def test_data_before_birth_ask_for_it_and_are_not_read(broker: Broker, record_measure) -> None:
    table = TagTable()
    with EdgeNodeClient(press(devices={"m1": {"speed": 2.5}}), broker.port) as node:
        async with running(source(broker, table)) as opened:
            node.say(node.node.data({"power": 7.5}, now_ms()))
            began = time.monotonic()
            got = values(await read_until(opened, 2.5))
            assert got == [7.5, 2.5], "from the births"
            assert opened.statistics()["before_birth"] == 1
        record_measure(f"born {node.requests[0] - began:.1f} s after the first message, by 1 request")
        assert len(node.requests) == 1
        assert all(is_rebirth_request(payload) for _, payload in node.commands)


async def test_a_node_named_in_full_is_asked_at_the_start_although_it_says_nothing(broker: Broker) -> None:
    with EdgeNodeClient(press(), broker.port) as node:
        async with running(source(broker, nodes=[{"group": "plant", "node": "press"}])) as opened:
            assert values(await read_until(opened, 1.5)) == [1.5]
        assert len(node.requests) == 1


@pytest.mark.fault("G7")
async def test_a_nodes_death_makes_its_values_bad_and_its_return_good(broker: Broker, record_measure) -> None:
    node = press(devices={"m1": {"speed": 2.5}})
    async with running(source(broker)) as opened:
        with EdgeNodeClient(node, broker.port, name="first") as first:
            first.be_born()
            await read_until(opened, 2.5)
            died = time.time_ns()
            first.drop_dead()
            batch = await opened.read()
            await opened.ack(batch)
            (part,) = batch.parts
            assert part.quality.tolist() == [BAD_NO_COMMUNICATION] * 2
            assert (part.time >= died).all()
            assert (part.time <= batch.arrived).all()
        assert opened.statistics()["acks"] == 2, "the death came with QoS 1, and our own STATE"
        record_measure(f"Bad {(part.time[0] - died) / 1e6:.0f} ms after the socket was closed")
        node.bd_seq += 1
        with EdgeNodeClient(node, broker.port, name="second") as second:
            second.be_born()
            assert values(await read_until(opened, 2.5)) == [1.5, 2.5]
        assert not second.requests


@pytest.mark.fault("G7")
async def test_two_nodes_with_one_id_give_nothing_wrong_and_the_one_that_stays_is_there_in_ten_seconds(
    broker: Broker, record_measure
) -> None:
    """The second one's alias of power is the first one's of heat; both answer what they are asked."""
    table = TagTable()
    first = EdgeNode("plant", "press", {"power": 1.5, "heat": 20.5}, bd_seq=7)
    second = EdgeNode("plant", "press", {"heat": 777.5, "power": 777.5}, bd_seq=40)
    good: list[tuple[str, float]] = []

    async def gather(opened: Sparkplug) -> None:
        while True:
            batch = await opened.read()
            await opened.ack(batch)
            for part in batch.parts:
                for tag, value, quality in zip(part.tag, part.value, part.quality, strict=True):
                    if quality < BAD:
                        good.append((table[int(tag)].path.rpartition("/")[2], float(value)))

    async def speak(seconds: float, *clients: EdgeNodeClient) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for client in clients:
                with client.lock:
                    client.send(client.node.data({"power": client.node.metrics["power"]}, now_ms()))
            await asyncio.sleep(0.02)

    async with running(source(broker, table)) as opened:
        reading = asyncio.create_task(gather(opened))
        with EdgeNodeClient(first, broker.port, name="a") as a:
            a.be_born()
            await speak(0.3, a)
            with EdgeNodeClient(second, broker.port, name="b") as b:
                b.be_born()
                await speak(max(3, 30 * SCALE), a, b)
                assert opened.statistics()["contested"] > 0
            left, before = time.monotonic(), len(good)
            while len(good) < before + 10:
                await speak(0.1, a)
                assert time.monotonic() - left < 10
            took = time.monotonic() - left
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    assert set(good) == {("power", 1.5), ("heat", 20.5)}
    record_measure(f"{len(good)} Good values, none of the second node; back {took:.1f} s after it left")


@pytest.mark.fault("G4")
async def test_a_gap_is_mended_by_one_request_and_nothing_is_read_twice(
    broker: Broker, record_measure
) -> None:
    node = press()
    async with running(source(broker, reorder="200ms")) as opened:
        with EdgeNodeClient(node, broker.port) as client:
            client.be_born()
            await read_until(opened, 1.5)
            with client.lock:
                client.say(*(node.data({"power": 10.5 + i}, now_ms()) for i in range(5)))
                node.skip()
                client.say(*(node.data({"power": 20.5 + i}, now_ms()) for i in range(5)))
            got = values(await read_until(opened, 24.5))
            with client.lock:
                client.say(node.data({"power": 99.5}, now_ms()))
            got += values(await read_until(opened, 99.5))
            assert [got.count(10.5 + i) for i in range(5)] == [1] * 5
            assert [got.count(20.5 + i) for i in range(4)] == [1] * 4, "they waited for the birth"
            assert len(client.requests) == 1
            counted = opened.statistics()
            assert (counted["missed"], counted["dropped"]) == (1, 0)
    record_measure("1 missing of 11: 1 request, the 5 behind it read once")


@pytest.mark.fault("G4")
async def test_a_node_that_gives_no_answer_is_asked_seldom(broker: Broker, record_measure) -> None:
    node, seconds = press(), max(3.5, 35 * SCALE)
    async with running(source(broker)) as opened:
        with EdgeNodeClient(node, broker.port, answers=False) as client:
            reading = asyncio.create_task(opened.read())
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                client.say(node.data({"power": 1.5}, now_ms()))
                await asyncio.sleep(0.01)
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            gaps = [b - a for a, b in zip(client.requests, client.requests[1:], strict=False)]
            assert 2 <= len(client.requests) <= 2 + seconds / 4
            assert min(gaps) > 1.9
            record_measure(
                f"{len(client.requests)} requests in {seconds:.0f} s, {min(gaps):.1f} s apart or more"
            )


@pytest.mark.fault("G7")
async def test_a_start_among_many_nodes_asks_them_in_turn(broker: Broker, record_measure) -> None:
    count = max(12, int(200 * SCALE))
    watching = Watching(broker, "spBv1.0/plant/NCMD/+")
    at: list[float] = []
    watching._client.on_message = lambda *_: at.append(time.monotonic())
    publisher = Client(CallbackAPIVersion.VERSION2)
    publisher.connect("127.0.0.1", broker.port)
    publisher.loop_start()
    async with running(source(broker)) as opened:
        reading = asyncio.create_task(opened.read())
        for i in range(count):
            publisher.publish(*EdgeNode("plant", f"n{i}", {"x": 1.5}).data({"x": 1.5}, now_ms()))
        while len(at) < count:
            await asyncio.sleep(0.01)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    assert at[count - 1] - at[0] >= 0.05 * (count - 1) * 0.8
    publisher.disconnect()
    publisher.loop_stop()
    watching.end()
    record_measure(f"{count} nodes asked in {at[count - 1] - at[0]:.1f} s")


@pytest.mark.fault("G1")
@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_malformed_messages_are_counted_and_told_of(
    broker: Broker, version: str, caplog: pytest.LogCaptureFixture, record_measure
) -> None:
    bad = [b"\xff" * 5000, b"", b"{", b"\x12\xff", b"\x12\x05\x0a\x03\xff\xfe\xfd", b"\x18\x80\x02"]
    node = press()
    async with running(source(broker, version=version)) as opened:
        with EdgeNodeClient(node, broker.port) as client:
            client.be_born()
            with caplog.at_level(logging.WARNING):
                client.say(*((node.topic("NDATA"), payload) for payload in bad))
                client.say(*((node.topic("NDATA"), bytes([n])) for n in range(3)))
                client.say(node.data({"power": 7.5}, now_ms()))
                assert values(await read_until(opened, 7.5))[0] == 1.5
            assert opened.statistics()["malformed"] == len(bad) - 1 + 3, "nothing at all is an empty message"
    samples = [record.sample for record in caplog.records if record.message == "message refused"]
    assert len(samples) == 1, "one a minute"
    assert len(samples[0].encode()) <= 1024
    record_measure(f"{len(bad) + 2} malformed counted, 1 told, the next value read")


@pytest.mark.fault("G2")
@pytest.mark.parametrize(("version", "counted"), [("5", 0), ("3.1.1", 1)])
async def test_a_huge_message_is_refused(broker: Broker, version: str, counted: int, record_measure) -> None:
    """With MQTT 5 the broker keeps it away; the node is asked for its birth, for a number is missing."""
    node = press()
    async with running(source(broker, version=version, reorder="100ms")) as opened:
        with EdgeNodeClient(node, broker.port) as client:
            client.be_born()
            with client.lock:
                client.say(node.data({"note": "x" * 2**21}, now_ms()))
                node.metrics.pop("note")
                client.say(node.data({"power": 7.5}, now_ms()))
            await read_until(opened, 7.5)
            assert opened.statistics()["too_large"] == counted
            assert opened._feed._came < 2**22
    record_measure("2 MiB refused; its number missed, 1 request", row="G2")


@pytest.mark.fault("G3")
async def test_what_is_retained_is_no_news(broker: Broker, record_measure) -> None:
    node = press()
    with EdgeNodeClient(node, broker.port) as client:
        client.say(node.birth(now_ms()), retain=True)
        async with running(source(broker)) as opened:
            client.say(node.data({"power": 7.5}, now_ms()))
            assert values(await read_until(opened, 7.5)) == [7.5]
            assert opened.statistics()["unmatched"] == 1
            assert opened.statistics()["births"] == 1
    record_measure("a retained birth is refused; the node is asked")


@pytest.mark.fault("G5")
async def test_a_flood_is_read_in_order_while_little_waits(broker: Broker, record_measure) -> None:
    node, count, most = press(), int(30_000 * SCALE), 0
    async with running(source(broker, window=200)) as opened:
        with EdgeNodeClient(node, broker.port) as client:
            client.be_born()
            await read_until(opened, 1.5)

            def flood() -> None:
                with client.lock:
                    for i in range(count):
                        client.send(node.data({"power": float(i)}, now_ms()))

            publishing = asyncio.create_task(asyncio.to_thread(flood))
            got: list[float] = []
            while not got or got[-1] != count - 1:
                batch = await opened.read()
                await opened.ack(batch)
                got += values([batch])
                most = max(most, len(opened._feed.waiting))
            await publishing
            assert got == [float(i) for i in range(count)]
            assert not client.requests
    assert most <= 1001
    record_measure(f"{count} messages in order, at most {most} waiting")


@pytest.mark.fault("G6")
async def test_nodes_without_end_make_no_more_tags_than_allowed(broker: Broker, record_measure) -> None:
    """Nodes beyond ten thousand are not listened to at all: their births are refused, not read."""
    nodes, table = int(20_000 * SCALE), TagTable()
    publisher = Client(CallbackAPIVersion.VERSION2)
    publisher.connect("127.0.0.1", broker.port)
    publisher.loop_start()
    async with running(source(broker, table, max_tags=300)) as opened:
        for i in range(nodes):
            publisher.publish(*EdgeNode("plant", f"n{i}", {"x": i + 0.5}).birth(now_ms()))
        while len(table.active()) < 300:
            await opened.ack(await opened.read())
        while (
            opened.statistics()["births"] < min(nodes, 10_000)
            or opened.statistics()["over_limit"] < nodes - 300
        ):
            opened._take()
            await asyncio.sleep(0)
        assert len(table.active()) == 300
        assert opened.statistics()["births"] == min(nodes, 10_000)
        assert opened.statistics()["over_limit"] == nodes - 300
    publisher.disconnect()
    publisher.loop_stop()
    record_measure(f"{nodes} nodes: 300 tags, the rest counted")


async def test_what_a_node_kept_while_we_were_away_is_a_batch_of_its_own(broker: Broker) -> None:
    node = press()
    async with running(source(broker)) as opened:
        with EdgeNodeClient(node, broker.port) as client:
            client.be_born()
            await read_until(opened, 1.5)
            with client.lock:
                client.say(*(node.data({"power": i + 0.25}, 1_000 + i, historical=True) for i in range(5)))
                client.say(node.data({"power": 9.5}, now_ms()))
            batches = await read_until(opened, 9.5)
            kept = [batch for batch in batches if batch.origin is Origin.BACKFILL]
            assert values(kept) == [i + 0.25 for i in range(5)]
            assert values([batch for batch in batches if batch.origin is Origin.LIVE]) == [9.5]


async def test_listening_shows_what_comes_and_is_no_host(broker: Broker) -> None:
    watching = Watching(broker, "spBv1.0/STATE/+")
    with EdgeNodeClient(press(), broker.port) as client:
        heard = asyncio.create_task(source(broker).listen(2.0))
        while not client.requests and not heard.done():
            client.say(client.node.data({"power": 2.5}, now_ms()))
            await asyncio.sleep(0.05)
        batch = await heard
        assert batch is not None
        assert values([batch])[0] == 2.5
    assert watching.seen == []
    watching.end()


def test_the_connection_has_no_way_to_say_anything_but_state_and_rebirth() -> None:
    """Not a plant write: it may ask a node to repeat itself, and no value of any metric can be chosen."""
    import ast
    import inspect

    from connectors.sparkplug import host, naming, node, payload, readings, rebirths, source, topics

    published = {}
    for module in (host, naming, node, payload, readings, rebirths, source, topics):
        tree = ast.parse(inspect.getsource(module))
        calls = [each for each in ast.walk(tree) if isinstance(each, ast.Call)]
        found = [c for c in calls if isinstance(c.func, ast.Attribute) and c.func.attr == "publish"]
        if found:
            published[module.__name__] = [ast.unparse(call.args[0]) for call in found]
    assert published == {
        "connectors.sparkplug.host": ["command_topic(group, node)", "state_topic(self._host_id)"]
    }
    assert list(inspect.signature(host.HostFeed.ask_rebirth).parameters) == ["self", "group", "node"]
    assert "DCMD" not in inspect.getsource(topics)
