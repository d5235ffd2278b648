"""What anybody may publish: the source takes what is good, counts the rest, and stays itself."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from paho.mqtt.client import Client

from config.connections import MqttSource, SimulatedSource
from connectors import Batch, NotConnected, Origin, SystemClock, TagTable
from connectors.mqtt import Mqtt
from connectors.simulated import Simulated
from tests.memory import forget_peak, peak_mb, resident_mb
from tests.servers.broker import Broker, publishing
from tests.servers.flood import compiled, read_journal, value

SCALE = float(os.environ.get("WL_SCALE", "0.1"))
LARGEST = 268_000_000
"""Bytes; with topic and head a packet has 256 MiB at most."""
SPARE_MB = 12
"""What reading takes besides."""

pytestmark = pytest.mark.server


@pytest.fixture
def talking_broker(tmp_path: Path) -> Iterator[Broker]:
    """One that logs every packet."""
    with Broker(tmp_path / "talking") as started:
        yield started


@pytest.fixture
def publisher_of_talking(talking_broker: Broker) -> Iterator[Client]:
    yield from publishing(talking_broker)


PLAIN = {"topic": "plant/#", "device": "{1}", "tags": {"x": {"path": "x"}}}


def source(
    broker: Broker,
    table: TagTable,
    messages: dict[str, Any],
    *,
    keepalive_s: float | None = None,
    **more: Any,
) -> Mqtt:
    """Return one that waits to be opened; a keepalive is shorter here than a plant file may have it."""
    given = {"kind": "mqtt", "host": "127.0.0.1", "port": broker.port, "messages": [messages], **more}
    options = MqttSource.model_validate(given)
    if keepalive_s is not None:
        options = options.model_copy(update={"keepalive": int(keepalive_s * 1e9)})
    return Mqtt("in", options, gateway="g", site="s", tags=table, clock=SystemClock())


def publish(client: Client, topic: str, payload: bytes, *, retain: bool = False, qos: int = 1) -> None:
    client.publish(topic, payload, qos=qos, retain=retain).wait_for_publish(10)


def values(batches: list[Batch]) -> list[float]:
    return [value for batch in batches for part in batch.parts for value in part.value.tolist()]


async def read_until(opened: Mqtt, last: float, within_s: float = 20) -> list[Batch]:
    """Read and acknowledge until a value is seen."""
    batches = []
    async with asyncio.timeout(within_s):
        while last not in values(batches[-1:]):
            batches.append(await opened.read())
            await opened.ack(batches[-1])
    return batches


@asynccontextmanager
async def running(opened: Mqtt) -> AsyncIterator[Mqtt]:
    async with asyncio.timeout(20), opened:
        yield opened


@pytest.mark.fault("G1")
@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_malformed_messages_are_counted_told_of_and_acknowledged(
    broker: Broker, publisher: Client, version: str, caplog: pytest.LogCaptureFixture
) -> None:
    bad = [b"\xff" * 5000, b"", b"{", b"[" * 100, b'{"x": 1' + b"0" * 10, b"[" * 40 + b"]" * 40, b"nul"]
    async with running(source(broker, TagTable(), PLAIN, version=version)) as opened:
        with caplog.at_level(logging.WARNING):
            for payload in bad:
                publish(publisher, "plant/a", payload)
            publish(publisher, "plant/a", b'{"x": 7.5}')
            assert values(await read_until(opened, 7.5)) == [7.5]
        counted = opened.statistics()
        assert (counted["malformed"], counted["acks"]) == (len(bad), len(bad) + 1)
    samples = [record.sample for record in caplog.records if record.message == "message refused"]
    assert len(samples) == 1, "one a minute"
    assert len(samples[0].encode()) <= 1024


@pytest.mark.fault("G4")
async def test_what_came_once_is_read_although_the_broker_has_gone_since(
    broker: Broker, publisher: Client
) -> None:
    """QoS 0 comes no second time; QoS 1 does, and is left to that."""
    async with running(source(broker, TagTable(), PLAIN)) as opened:
        for i in range(300):
            publish(publisher, "plant/a", b'{"x": %d.5}' % i, qos=i % 2)
        while len(opened._feed.waiting) < 300:
            await asyncio.sleep(0.01)
        broker.kill()
        while opened._lost is None:
            await asyncio.sleep(0.01)
        found = await read_until(opened, 298.5)
        assert values(found) == [i + 0.5 for i in range(0, 300, 2)]
        with pytest.raises(NotConnected):
            await opened.read()


@pytest.mark.fault("G2")
async def test_a_huge_message_is_kept_away_by_the_broker_with_mqtt_5(
    broker: Broker, publisher: Client
) -> None:
    async with running(source(broker, TagTable(), PLAIN)) as opened:
        publish(publisher, "plant/a", b'{"x": "' + b"9" * (8 * 2**20) + b'"}')
        publish(publisher, "plant/" + "t" * 60_000, b'{"x": 1.5}')
        publish(publisher, "plant/a", b'{"x": 7.5}')
        assert values(await read_until(opened, 7.5)) == [7.5]
        assert opened._feed._came < 2**20, "it never came over the line"
        assert opened.statistics()["too_large"] == 0
        assert opened.statistics()["unnameable"] == 1


@pytest.mark.fault("G2")
@pytest.mark.parametrize("beyond", [1, 70_000, 2**21])
async def test_a_message_a_byte_too_long_or_more_is_refused_and_counted_with_mqtt_3(
    broker: Broker, publisher: Client, beyond: int
) -> None:
    limit = 2**20
    async with running(source(broker, TagTable(), PLAIN, version="3.1.1")) as opened:
        publish(publisher, "plant/a", b'{"x": ' + b" " * (limit - 10) + b"8.5}")
        publish(publisher, "plant/a", (b'{"x": 9.5}' + b" " * (limit + beyond))[: limit + beyond])
        publish(publisher, "plant/" + "t" * 60_000, b'{"x": 6.5}' + b" " * (limit - 10))
        publish(publisher, "plant/a", b'{"x": 7.5}')
        assert values(await read_until(opened, 7.5)) == [8.5, 7.5]
        assert opened.statistics()["too_large"] == 1
        assert opened.statistics()["unnameable"] == 1
        assert opened.statistics()["acks"] == 4


@pytest.mark.fault("G2")
async def test_a_huge_message_of_a_kept_session_comes_once_with_mqtt_3(
    broker: Broker, publisher: Client
) -> None:
    """A session that ended because of it would get it again at once; so would a new subscription."""
    publish(publisher, "plant/b", b'{"x": 8.5}'.ljust(2**22), retain=True)
    for last in (7.5, 6.5):
        async with running(source(broker, TagTable(), PLAIN, version="3.1.1")) as opened:
            publish(publisher, "plant/a", b'{"x": 9.5}'.ljust(2**22))
            publish(publisher, "plant/a", b'{"x": %.1f}' % last)
            assert values(await read_until(opened, last)) == [last]
            assert opened.statistics()["too_large"] == 2
            assert opened.statistics()["repeated"] == 0


@pytest.mark.fault("G2")
@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_the_largest_message_there_is_takes_no_memory(
    broker: Broker, publisher: Client, tmp_path: Path, version: str, record_measure
) -> None:
    """MQTT 3.1.1 has no word for the largest packet that is wanted: it comes, and passes by."""
    huge = tmp_path / "huge"
    huge.write_bytes(bytes(int(LARGEST * SCALE)))
    size = huge.stat().st_size / 2**20
    async with asyncio.timeout(120), source(broker, TagTable(), PLAIN, version=version) as opened:
        before = forget_peak()
        command = ["-p", str(broker.port), "-V", "mqttv5", "-q", "1", "-t", "plant/a", "-f", str(huge)]
        sender = await asyncio.create_subprocess_exec("mosquitto_pub", *command)
        assert await sender.wait() == 0
        publish(publisher, "plant/a", b'{"x": 7.5}')
        assert values(await read_until(opened, 7.5, 100)) == [7.5]
        peak, after = peak_mb() - before, resident_mb() - before
        assert opened.statistics()["too_large"] == (0 if version == "5" else 1)
        assert peak < SPARE_MB
        assert after < SPARE_MB
    record_measure(f"{size:.0f} MiB, MQTT {version}: memory grew by {peak:.0f} MiB, {after:.0f} afterwards")


@pytest.mark.fault("G3")
@pytest.mark.parametrize(("version", "again"), [("5", False), ("3.1.1", True)])
async def test_a_retained_message_is_an_initial_value_and_never_a_new_sample(
    broker: Broker, publisher: Client, version: str, *, again: bool
) -> None:
    publish(publisher, "plant/a", b'{"x": 1.5}', retain=True)
    async with running(source(broker, TagTable(), PLAIN, version=version)) as opened:
        first = await opened.read()
        publish(publisher, "plant/a", b'{"x": 2.5}')
        second = await opened.read()
        assert [(b.origin, values([b])) for b in (first, second)] == [
            (Origin.INITIAL, [1.5]),
            (Origin.LIVE, [2.5]),
        ]
        await opened.ack(first)
        await opened.ack(second)
    async with running(source(broker, TagTable(), PLAIN, version=version)) as opened:
        publish(publisher, "plant/a", b'{"x": 3.5}')
        batches = await read_until(opened, 3.5)
        assert values([b for b in batches if b.origin is Origin.LIVE]) == [3.5]
        assert values([b for b in batches if b.origin is Origin.INITIAL]) == ([1.5] if again else [])


@pytest.mark.fault("G3")
async def test_retained_and_live_messages_are_never_in_one_batch(broker: Broker, publisher: Client) -> None:
    for i in range(50):
        publish(publisher, f"plant/d{i}", b'{"x": 1.5}', retain=True)
    async with running(source(broker, TagTable(), PLAIN)) as opened:
        for i in range(50):
            publisher.publish(f"plant/d{i}", b'{"x": 2.5}', qos=1)
        publish(publisher, "plant/end", b'{"x": 9.5}')
        for batch in await read_until(opened, 9.5):
            assert set(values([batch])) <= ({1.5} if batch.origin is Origin.INITIAL else {2.5, 9.5})


@pytest.mark.fault("G4")
async def test_duplicates_are_dropped_and_gaps_counted_by_the_messages_own_number(
    broker: Broker, publisher: Client
) -> None:
    numbers = [1, 2, 2, 3, 1, 5, 4, 6, 10, 10, 11]
    async with running(source(broker, TagTable(), {**PLAIN, "id": "n"})) as opened:
        for n in numbers:
            publish(publisher, "plant/a", b'{"x": %d, "n": %d}' % (n, n))
            publish(publisher, "plant/b", b'{"x": %d, "n": %d}' % (100 + n, n))
        publish(publisher, "plant/c", b'{"x": 7.5}')
        got = values(await read_until(opened, 7.5))
        assert [v for v in got if v < 100 and v != 7.5] == [1, 2, 3, 5, 4, 6, 10, 11]
        counted = opened.statistics()
        assert counted["duplicates"] == 2 * 3
        assert counted["reordered"] == 2 * 1
        assert counted["missed"] == 2 * (1 + 3)
        assert counted["acks"] == 2 * len(numbers) + 1


@pytest.mark.fault("G4")
async def test_what_was_stored_and_not_acknowledged_is_known_when_it_comes_again(
    broker: Broker, publisher: Client
) -> None:
    """The broker's own repeats."""
    table, plain = TagTable(), {"topic": "plant/+", "device": "{1}", "tags": {"x": {}}}
    async with running(source(broker, table, plain)) as opened:
        for _ in range(20):
            publish(publisher, "plant/a", b"21.5")
        batches = [await opened.read()]
        while sum(map(len, batches)) < 20:
            batches.append(await opened.read())
        token = opened.resume_token(batches[-1])
    async with running(source(broker, table, plain)) as ignorant:
        assert values([await ignorant.read()])[0] == 21.5, "the broker does repeat"
    knowing = source(broker, table, plain)
    knowing.resume_from(token)
    async with running(knowing):
        publish(publisher, "plant/a", b"22.5")
        assert values(await read_until(knowing, 22.5)) == [22.5]
        assert knowing.statistics()["repeated"] == 20
    async with running(source(broker, table, plain)) as after:
        publish(publisher, "plant/a", b"23.5")
        assert values(await read_until(after, 23.5)) == [23.5], "the repeats were acknowledged"


@pytest.mark.alone
@pytest.mark.fault("G5")
async def test_a_flood_is_held_back_and_leaves_the_others_their_turn(
    broker: Broker, tmp_path: Path, record_measure
) -> None:
    """In full the loop is at most 100 ms late, and who scans every 100 ms has nine of ten scans.

    Else the machine may be busy with other tests.
    """
    program, journal = compiled(tmp_path), tmp_path / "journal"
    entry = {
        "topic": "flood/+/data",
        "device": "d{1}",
        "tags": {f"v{i}": {"path": f"v.v{i}"} for i in range(10)} | {"n": {"path": "seq"}},
    }
    other = SimulatedSource.model_validate(
        {"kind": "simulated", "devices": {"d": {"scan": "100ms", "tags": {"x": {}}}}}
    )
    loop = asyncio.get_running_loop()
    window, scans, most = 200, 0, 0
    late: list[float] = []
    parts = []

    async def scan() -> None:
        nonlocal scans
        async with Simulated("sim", other, site="s", tags=TagTable(), clock=SystemClock()) as simulated:
            while True:
                await simulated.read()
                scans += 1

    async def look() -> None:
        while True:
            due = loop.time() + 0.01
            await asyncio.sleep(0.01)
            late.append(loop.time() - due)

    async with running(source(broker, TagTable(), entry, window=window, version="3.1.1")) as opened:
        seconds = max(1.0, 10 * SCALE)
        command = ["127.0.0.1", str(broker.port), "100", "10", "0", str(seconds), "1", "500", str(journal)]
        flood = await asyncio.create_subprocess_exec(program, *command, stdout=asyncio.subprocess.DEVNULL)
        await opened.ack(await opened.read())
        others = [asyncio.create_task(scan()), asyncio.create_task(look())]
        began = loop.time()
        while loop.time() - began < seconds:
            batch = await opened.read()
            assert len(batch) <= 1000 + 100 * 11
            most = max(most, len(opened._feed.waiting))
            parts += batch.parts
            await opened.ack(batch)
        took = loop.time() - began
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await flood.wait()
    rows = np.concatenate([part.value.reshape(-1, 11) for part in parts])
    numbers = rows[:, 10].astype(np.int64)
    assert len(set(numbers.tolist())) == len(numbers) > 100, "each once"
    for i in range(10):
        assert np.array_equal(rows[:, i], value(numbers, i))
    assert most <= 1001 + window, "reading stops while so many wait"
    sent = len(read_journal(journal))
    assert sent >= len(numbers)
    share, lag = scans / (took / 0.1), float(np.quantile(late, 0.99))
    assert scans > 0, "the other source has its turn"
    assert SCALE < 1 or (share >= 0.9 and lag < 0.1)
    told = f"{sent / seconds:,.0f} messages/s sent, {len(numbers) / took:,.0f}/s read, at most {most} waiting"
    record_measure(f"{told}; loop {lag * 1000:.1f} ms late (p99), {share:.0%} of the other source's scans")


@pytest.mark.fault("G5")
@pytest.mark.parametrize(("version", "most"), [("5", 100), ("3.1.1", 1001)])
async def test_what_is_not_read_is_left_at_the_broker(
    broker: Broker, publisher: Client, version: str, most: int
) -> None:
    """MQTT 5 has a window; else the socket is left unread."""
    table = TagTable()
    async with running(source(broker, table, PLAIN, version=version, window=100)) as opened:
        for i in range(5000):
            publisher.publish("plant/a", b'{"x": %d.5}' % i, qos=1)
        publish(publisher, "plant/b", b'{"x": 7.25}')
        while len(opened._feed.waiting) < most:
            await asyncio.sleep(0.005)
        for _ in range(20):
            await asyncio.sleep(0.01)
            assert len(opened._feed.waiting) == most
        got = [each for each in values(await read_until(opened, 7.25)) if each != 7.25]
        assert got == [i + 0.5 for i in range(5000)]


@pytest.mark.fault("G5")
async def test_a_backlog_larger_than_may_wait_does_not_hold_up_the_connection(
    broker: Broker, publisher: Client
) -> None:
    """Mosquitto sends a kept session's messages before SUBACK."""
    table = TagTable()
    async with running(source(broker, table, PLAIN, version="3.1.1", window=100)):
        pass
    for i in range(4000):
        publisher.publish("plant/a", b'{"x": %d.5}' % i, qos=1)
    publish(publisher, "plant/b", b'{"x": 7.25}')
    again = source(broker, table, PLAIN, version="3.1.1", window=100, connect_timeout="5s")
    async with running(again):
        assert len(values(await read_until(again, 7.25))) == 4001


@pytest.mark.fault("G5")
async def test_a_connection_that_is_left_unread_for_long_is_kept(
    talking_broker: Broker, publisher_of_talking: Client, record_measure
) -> None:
    """A broker hangs up on who says nothing for one and a half keepalives: mosquitto did after 2 s here."""
    opened = source(talking_broker, TagTable(), PLAIN, version="3.1.1", window=100, keepalive_s=1)
    async with running(opened):
        for i in range(3000):
            publisher_of_talking.publish("plant/a", b'{"x": %d.5}' % i, qos=1)
        publish(publisher_of_talking, "plant/b", b'{"x": 7.25}')
        began = asyncio.get_running_loop().time()
        while talking_broker.log.read_text().count("Received PINGREQ from wanglian") < 7:
            await asyncio.sleep(0.02)
        waited = asyncio.get_running_loop().time() - began
        assert len(values(await read_until(opened, 7.25))) == 3001
    record_measure(f"unread for {waited:.1f} s at a keepalive of 1 s: the connection stays, 3001 of 3001")


@pytest.mark.fault("G5")
async def test_an_answer_to_a_ping_that_waits_behind_a_flood_is_no_lost_connection(
    broker: Broker, publisher: Client, record_measure
) -> None:
    """Who only receives (QoS 0) says nothing but pings, and PINGRESP comes behind what was to be sent."""
    count, got = 20_000, 0
    opened = source(broker, TagTable(), PLAIN, qos=0, version="3.1.1", window=100, keepalive_s=1)
    async with running(opened):
        filler = b" " * 150
        for i in range(count):
            publisher.publish("plant/a", b'{"x": %d.5}' % i + filler, qos=0)
        while got < count:
            batch = await opened.read()
            await opened.ack(batch)
            got += len(batch)
            await asyncio.sleep(len(batch) / 8000)  # so slow is who reads
    record_measure(f"{got} messages read at 8,000 a second at a keepalive of 1 s, over one connection")


@pytest.mark.fault("G6")
@pytest.mark.timeout(600)
async def test_topics_without_end_make_no_more_tags_than_allowed(
    broker: Broker, publisher: Client, tmp_path: Path, record_measure
) -> None:
    topics, table = int(1_000_000 * SCALE), TagTable()
    entry = {"topic": "#", "device": "{1}", "tags": {"x": {"path": "seq"}}}
    opened = source(broker, table, entry, max_tags=500)
    async with asyncio.timeout(550), opened:
        before = forget_peak()
        # Every message has a topic of its own.
        command = f"127.0.0.1 {broker.port} {2**31} 1 0 500 1 500 /dev/null {topics}".split()
        flood = await asyncio.create_subprocess_exec(
            compiled(tmp_path), *command, stdout=asyncio.subprocess.PIPE
        )
        read = asyncio.create_task(read_until(opened, 7.5, 550))
        said, _ = await flood.communicate()
        sent = int(said.split()[2])
        publish(publisher, "flood/1/data", b'{"seq": 7.5}')
        got = values(await read)
        grown = peak_mb() - before
        assert sent == topics
        assert len(table.active()) == 500
        assert len(got) == 501
        assert opened.statistics()["over_limit"] == sent - 500
        assert len(opened._rules._of_topic) <= 500 + 10_000 + 200
        assert grown < 100
    record_measure(f"{sent} topics: 500 tags, the rest counted; memory grew by {grown:.0f} MiB at most")


@pytest.mark.fault("G6")
async def test_a_name_that_belongs_to_another_topic_is_refused(broker: Broker, publisher: Client) -> None:
    entry = {"topic": "+/+", "device": "{2}", "tags": {"x": {}}}
    async with running(source(broker, TagTable(), entry)) as opened:
        publish(publisher, "a/d", b"1.5")
        publish(publisher, "b/d", b"2.5")
        publish(publisher, "a/bad name", b"3.5")
        publish(publisher, "a/_reserved", b"3.5")
        publish(publisher, "a/d", b"7.5")
        assert values(await read_until(opened, 7.5)) == [1.5, 7.5]
        assert opened.statistics()["clashing"] == 1
        assert opened.statistics()["unnameable"] == 2


@pytest.mark.fault("G4")
async def test_a_message_without_rows_is_acknowledged_behind_those_before_it(
    broker: Broker, publisher: Client
) -> None:
    async with running(source(broker, TagTable(), PLAIN)) as opened:
        publish(publisher, "plant/a", b'{"x": 1.5}')
        first = await opened.read()
        publish(publisher, "plant/a", b"{}")
        waiting = asyncio.create_task(opened.read())
        while opened.statistics()["messages"] < 2:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0)
        assert opened.statistics()["acks"] == 0, "PUBACKs keep the order of the messages"
        await opened.ack(first)
        assert opened.statistics()["acks"] == 2
        publish(publisher, "plant/a", b"{}")
        while opened.statistics()["acks"] < 3:
            await asyncio.sleep(0.001)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)


@pytest.mark.fault("G4")
async def test_a_filter_the_plant_file_no_longer_has_brings_nothing_twice(
    broker: Broker, publisher: Client
) -> None:
    table = TagTable()
    async with running(source(broker, table, {**PLAIN, "topic": "plant/+"})) as opened:
        publish(publisher, "plant/a", b'{"x": 1.5}')
        batch = await opened.read()
        token = opened.resume_token(batch)
        await opened.ack(batch)
    wider = source(broker, table, PLAIN)
    wider.resume_from(token)
    async with running(wider):
        publish(publisher, "plant/a", b'{"x": 2.5}')
        publish(publisher, "plant/a", b'{"x": 7.5}')
        assert values(await read_until(wider, 7.5)) == [2.5, 7.5]


async def test_a_refused_subscription_needs_a_person() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Speak MQTT 5 just so far: CONNACK, then SUBACK 'not authorized'."""
        for answer in (b"\x20\x03\x00\x00\x00", b"\x90\x04\x00\x01\x00\x87"):
            await reader.readexactly(1)
            await reader.readexactly((await reader.readexactly(1))[0])
            writer.write(answer)
        await reader.read()
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        given = {"kind": "mqtt", "host": "127.0.0.1", "port": server.sockets[0].getsockname()[1]}
        options = MqttSource.model_validate({**given, "messages": [PLAIN]})
        refused = Mqtt("in", options, gateway="g", site="s", tags=TagTable(), clock=SystemClock())
        with pytest.raises(
            NotConnected, match="refused the subscription to plant/#: not authorized"
        ) as caught:
            await refused.__aenter__()
        assert caught.value.needs_a_person


async def test_listening_shows_what_comes_and_takes_nothing_away(broker: Broker, publisher: Client) -> None:
    table = TagTable()
    async with running(source(broker, table, PLAIN)) as opened:
        publish(publisher, "plant/b", b'{"x": 2.5}', retain=True)
        await opened.ack(await opened.read())
    publish(publisher, "plant/a", b'{"x": 1.5}')
    batch = await source(broker, TagTable(), PLAIN).listen(0.5)
    assert batch is not None
    assert values([batch]) == [2.5]
    assert await source(broker, TagTable(), {**PLAIN, "topic": "none/+"}).listen(0.1) is None
    async with running(source(broker, table, PLAIN)) as opened:
        assert values(await read_until(opened, 1.5)) == [1.5]


async def test_a_unified_namespace_is_read_by_one_entry(broker: Broker, publisher: Client) -> None:
    entry = {
        "topic": "acme/cz/+/+/+/+",
        "at": "{1}/{2}",
        "device": "{3}",
        "time": {"path": "timestamp", "form": "unix_ms"},
        "unit": "unit",
        "tags": {"{4}": {"path": "value", "type": "any"}},
    }
    table = TagTable()
    async with running(source(broker, table, entry)) as opened:
        said = {"power": b"21.5", "state": b'"run"', "on": b"true", "none": b"null", "end": b"7.5"}
        for name, value in said.items():
            payload = b'{"value":%b,"timestamp":1790000000000,"unit":"kW"}' % value
            publish(publisher, f"acme/cz/hall/l1/c3/{name}", payload)
        got = values(await read_until(opened, 7.5))
        assert sorted(got, key=str) == [1.0, 21.5, 7.5, "run"]
        assert opened.statistics()["values_missing"] == 1
    tags = {table[n].name: (table[n].path, table[n].unit) for n in table.active().tolist()}
    assert tags["power"] == ("s/hall/l1/c3/power", "KWT")
    assert set(tags) == {"power", "state", "on", "end"}
