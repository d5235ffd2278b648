"""What every sink promises, asked of each of them against a real peer."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from config.connections import InfluxDbSink, SparkplugSink
from config.connections import MqttSink as MqttOptions
from connectors import (
    Batch,
    Columns,
    Context,
    Delivery,
    Epoch,
    Kind,
    NotConnected,
    Sink,
    SystemClock,
    Tag,
    TagTable,
)
from connectors.influxdb import InfluxDb
from connectors.mqtt import MqttSink
from connectors.sparkplug.edge import SparkplugEdge
from tests.fakes import T0
from tests.processes import python, started, wait_for
from tests.servers.broker import Broker
from tests.servers.victoria import Victoria
from tests.unit.platforms.plant import format_of
from tests.unit.platforms.rigs import PLATFORMS
from tests.unit.platforms.rigs import platform as stand_in
from tests.verify.mqtt_forms import read_per_tag, read_values
from tests.verify.recording import read
from tests.verify.sparkplug import Follower

EPOCH = Epoch(1, 0xABCDEF)
KINDS = {"f": Kind.FLOAT64, "b": Kind.BOOL, "i": Kind.INT64, "t": Kind.TEXT}


@dataclass
class Rig:
    """A sink of the kind, its peer, and what the peer has."""

    make: Callable[[], Sink]
    stop_peer: Callable[[], None]
    start_peer: Callable[[], None]
    received: Callable[[], list[tuple[int, int]]]
    """(seq, row) in order of arrival."""


def table() -> TagTable:
    tags = TagTable()
    tags.announce([Tag(f"s/a/l/d/{name}", kind, "C62", "src") for name, kind in KINDS.items()])
    return tags


def delivery(seq: int) -> Delivery:
    def part(tags: list[int], values: list[object], dtype: object) -> Columns:
        n = len(tags)
        value = np.array(values, dtype)
        time = np.full(n, T0 + seq * 1_000_000, np.int64)
        return Columns(np.array(tags, np.int32), time, value, np.zeros(n, np.uint32))

    parts = (
        part([0, 1], [seq / 2, 1.0], np.float64),
        part([2], [2**60 + seq], np.int64),
        part([3], ["x"], object),
    )
    return Delivery(Batch(parts, seq), EPOCH, seq)


def _columns(_topic: str, payload: bytes) -> list[tuple[int, int]]:
    said = json.loads(payload)
    return [(said["seq"], row) for row in said.get("row", range(len(said["v"])))]


def _by_name(topic: str, payload: bytes) -> list[tuple[int, int]]:
    """The tag tells the row: each comes once in a batch."""
    found = read_values(topic, payload, prefix="wanglian")
    return [(each.key[2], list(KINDS).index(each.path.rpartition("/")[2])) for each in found if each.key]


def _by_topic(topic: str, payload: bytes) -> list[tuple[int, int]]:
    key = read_per_tag(topic, payload, prefix="wanglian").key
    return [] if key is None else [(key[2], key[3])]


TEMPLATE = {
    "kind": "template",
    "each": "device",
    "topic": "wanglian/{{ device }}",
    "payload": '{"seq": {{ seq }}, "rows": [{% for r in rows %}'
    '{"n": {{ r.number }}, "v": {{ r.value | tojson }}}{{ "," if not loop.last }}{% endfor %}]}',
}
FORMS: dict[str, tuple[dict[str, object], Callable[[str, bytes], list[tuple[int, int]]]]] = {
    "json": ({"kind": "json"}, _columns),
    "values": ({"kind": "values"}, _by_name),
    "per_tag": ({"kind": "per_tag"}, _by_topic),
    "template": (
        TEMPLATE,
        lambda _, payload: [(json.loads(payload)["seq"], each["n"]) for each in json.loads(payload)["rows"]],
    ),
}
"""By kind: what the plant file says, and how (seq, row) is read from a message."""


@asynccontextmanager
async def mqtt(version: str, tmp_path: Path, form: str = "json") -> AsyncIterator[Rig]:
    with Broker(tmp_path / "broker", persistence=True) as broker:
        listen = python(
            "-m", "tests.verify.subscriber", "--port", str(broker.port), "--out", tmp_path / "got"
        )
        with started("subscriber", listen, tmp_path) as subscriber:
            await asyncio.to_thread(wait_for, lambda: subscriber.said("subscribed"), "the subscription")
            options = MqttOptions.model_validate(
                {
                    "kind": "mqtt",
                    "host": broker.host,
                    "port": broker.port,
                    "version": version,
                    "connect_timeout": "2s",
                    "format": FORMS[form][0],
                }
            )
            context = Context("g1", table(), SystemClock())

            def received() -> list[tuple[int, int]]:
                said = [r for r in read(tmp_path / "got") if not r.topic.rpartition("/")[2].startswith("_")]
                return [key for r in said for key in FORMS[form][1](r.topic, r.payload)]

            yield Rig(lambda: MqttSink("s", options, context, "s"), broker.stop, broker.start, received)


@asynccontextmanager
async def influxdb(_: str, tmp_path: Path) -> AsyncIterator[Rig]:
    with Victoria(tmp_path / "victoria") as database:
        options = InfluxDbSink.model_validate({"kind": "influxdb", "url": database.url, "bucket": "plant"})
        context = Context("g1", table(), SystemClock())
        names = list(KINDS)

        def received() -> list[tuple[int, int]]:
            """The database keeps no keys: the time tells the batch, the tag the row."""
            found = database.export('{__name__=~"wanglian_(value|integer|text)"}')
            first = T0 // 1_000_000
            return [(ms - first, names.index(each.labels["tag"])) for each in found for ms in each.times]

        yield Rig(lambda: InfluxDb(options, context), database.stop, database.start, received)


@asynccontextmanager
async def sparkplug(version: str, tmp_path: Path) -> AsyncIterator[Rig]:
    # Without persistence: a retained STATE that outlives its host's connection would be a lie.
    with Broker(tmp_path / "broker") as broker:
        listen = python("-m", "tests.verify.sparkplug_host", "--port", str(broker.port), "--group", "plant")
        listen += ["--host-id", "scada", "--out", tmp_path / "got"]
        with started("host", listen, tmp_path) as host:
            await asyncio.to_thread(wait_for, lambda: host.said("subscribed"), "the subscription")
            options = SparkplugSink.model_validate(
                {
                    "kind": "sparkplug",
                    "host": broker.host,
                    "port": broker.port,
                    "version": version,
                    "connect_timeout": "2s",
                    "group": "plant",
                    "primary_host": "scada",
                }
            )
            context = Context("g1", table(), SystemClock(), directory=tmp_path)
            names, first = list(KINDS), T0 // 1_000_000

            def received() -> list[tuple[int, int]]:
                """A host keeps no keys: the time tells the batch, the metric the row."""
                told = ((r.topic, r.payload) for r in read(tmp_path / "got"))
                said = Follower().take_all(each for each in told if "CMD" not in each[0])
                return [(row.ms - first, names.index(row.metric)) for row in said.rows]

            yield Rig(lambda: SparkplugEdge("s", options, context), broker.stop, broker.start, received)


@asynccontextmanager
async def platform(kind: str, tmp_path: Path) -> AsyncIterator[Rig]:
    with stand_in(kind, tmp_path / "platform", ("d",)) as peer:
        form = format_of(kind, ("d",), path=lambda _: "s/a/l/d")
        options = MqttOptions.model_validate(
            {
                "kind": "mqtt",
                "host": "127.0.0.1",
                "port": peer.port,
                "version": "3.1.1",
                "keepalive": "60s",
                "connect_timeout": "2s",
                "format": form,
            }
        )
        context = Context("g1", table(), SystemClock())
        names = list(KINDS)

        def received() -> list[tuple[int, int]]:
            """A platform keeps no keys: the time tells the batch, the property the row."""
            first = T0 // 1_000_000
            return [(each.ms - first, names.index(each.name)) for each in peer.taken]

        yield Rig(lambda: MqttSink("s", options, context, "s"), peer.stop, peer.start, received)
        assert peer.faults == []


KINDS_OF_SINK = {"mqtt": mqtt, "influxdb": influxdb, "sparkplug": sparkplug, "platform": platform}
SINKS = ("mqtt 5", "mqtt 3.1.1", "mqtt 5 values", "mqtt 5 per_tag", "mqtt 5 template")
OTHERS = ("influxdb victoria", "sparkplug 5", "sparkplug 3.1.1", *(f"platform {kind}" for kind in PLATFORMS))


@pytest.fixture(params=[*SINKS, *OTHERS])
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    kind, version, *form = request.param.split()
    async with KINDS_OF_SINK[kind](version, tmp_path, *form) as found:
        yield found


async def has(rig: Rig, expected: set[tuple[int, int]]) -> None:
    await asyncio.to_thread(
        wait_for, lambda: expected <= set(rig.received()), "the arrival of what was accepted"
    )


def keys(*seqs: int) -> set[tuple[int, int]]:
    return {(seq, row) for seq in seqs for row in range(4)}


@pytest.mark.server
async def test_what_write_returned_from_is_at_the_peer(rig: Rig) -> None:
    async with rig.make() as sink:
        await sink.write([delivery(1), delivery(2)])
        await sink.write([delivery(3)])
    await has(rig, keys(1, 2, 3))


@pytest.mark.server
async def test_it_can_be_left_and_entered_again(rig: Rig) -> None:
    sink = rig.make()
    for seq in (1, 2, 3):
        async with sink:
            await sink.write([delivery(seq)])
    await has(rig, keys(1, 2, 3))


@pytest.mark.server
async def test_a_peer_that_is_away_is_not_connected_and_then_recovers(rig: Rig) -> None:
    sink = rig.make()
    async with sink:
        await sink.write([delivery(1)])
        rig.stop_peer()
        with pytest.raises(NotConnected):
            for _ in range(1000):
                await sink.write([delivery(2)])
    with pytest.raises(NotConnected):
        async with sink:
            pass
    rig.start_peer()
    async with sink:
        await sink.write([delivery(2)])
    await has(rig, keys(1, 2))


@pytest.mark.server
async def test_writing_again_is_harmless_and_keeps_the_key(rig: Rig) -> None:
    async with rig.make() as sink:
        for _ in range(2):
            await sink.write([delivery(1)])
    await has(rig, keys(1))
    assert set(rig.received()) == keys(1)


@pytest.mark.server
async def test_rows_of_a_selection_keep_their_stored_numbers(rig: Rig) -> None:
    whole = delivery(1)
    cut = Delivery(
        Batch((whole.batch.parts[0].take(np.array([1])), whole.batch.parts[2]), 1),
        EPOCH,
        1,
        rows=(np.array([1], np.int32), np.array([3], np.int32)),
    )
    async with rig.make() as sink:
        await sink.write([cut])
    await has(rig, {(1, 1), (1, 3)})
    assert set(rig.received()) == {(1, 1), (1, 3)}


@pytest.mark.server
async def test_a_cancelled_write_leaves_a_sink_that_can_be_left(rig: Rig) -> None:
    async with asyncio.timeout(10):
        async with rig.make() as sink:
            task = asyncio.create_task(sink.write([delivery(i) for i in range(1, 200)]))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        async with rig.make() as sink:
            await sink.write([delivery(1000)])
    await has(rig, keys(1000))
