"""What the sink makes of every answer a broker may give, or not give; the broker is scripted."""

import asyncio
import contextlib
import json
import socket
import time

import pytest

from connectors import NotConnected, Rejected
from gateway.lab.proxy import Proxy
from tests.processes import free_port
from tests.servers.scripted_broker import SUBSCRIBE, Publish, ScriptedBroker
from tests.unit.mqtt.plant import DEVICE, delivery, sink, tag_table, until

DATA = f"wanglian/{DEVICE}"


def answering(reason: int | None, seqs: set[int]):
    """Answer the data messages of these seqs with `reason`, all others with success."""

    def script(publish: Publish) -> int | None:
        if publish.topic == DATA and json.loads(publish.payload)["seq"] in seqs:
            return reason
        return 0

    return script


def data_of(broker: ScriptedBroker) -> list[int]:
    return [json.loads(p.payload)["seq"] for p in broker.published if p.topic == DATA]


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_write_returns_once_everything_is_acknowledged(version: str) -> None:
    async with ScriptedBroker() as broker, sink(broker.port, version=version) as mqtt:
        await mqtt.write([delivery(1), delivery(2)])
        assert data_of(broker) == [1, 2]
        assert broker.connects[0].level == (5 if version == "5" else 4)
        assert broker.connects[0].client_id == "wanglian-gw-1-cloud"
        assert all(p.qos == 1 and not p.retain for p in broker.published if p.topic == DATA)


@pytest.mark.fault("B5")
async def test_bytes_the_broker_refuses_are_rejected_alone(record_measure) -> None:
    async with ScriptedBroker(answering(0x99, {2})) as broker, sink(broker.port) as mqtt:
        with pytest.raises(Rejected) as raised:
            await mqtt.write([delivery(1), delivery(2), delivery(3)])
        (refusal,) = raised.value.refusals
        assert refusal.delivery == 1
        assert refusal.rows is not None
        assert refusal.rows.tolist() == list(range(10))
        assert data_of(broker) == [1, 2, 3]
        await mqtt.write([delivery(4)])
        assert mqtt.statistics()["refused"] == 1
    record_measure("0x99 for one of three messages: its 10 rows set aside, the queue moves")


@pytest.mark.fault("B5")
async def test_a_broker_that_only_says_too_large_is_sent_the_same_rows_in_smaller_messages() -> None:
    def script(publish: Publish) -> int:
        return 0x95 if publish.topic == DATA and len(publish.payload) > 200 else 0

    async with ScriptedBroker(script) as broker:
        mqtt = sink(broker.port, tag_table(60))
        with pytest.raises(NotConnected, match="smaller messages"):
            async with mqtt:
                await mqtt.write([delivery(1, 3), delivery(2, 60), delivery(3, 3)])
        while len(broker.connects) < 8:
            with contextlib.suppress(NotConnected):
                async with mqtt:
                    await mqtt.write([delivery(1, 3), delivery(2, 60), delivery(3, 3)])
                    await mqtt.write([delivery(4, 60)])
                    break
        taken = [json.loads(p.payload) for p in broker.published if p.topic == DATA and len(p.payload) <= 200]
        rows = [row for each in taken if each["seq"] == 4 for row in each.get("row", range(len(each["v"])))]
        assert sorted(rows) == list(range(60))
        assert len(broker.connects) <= 5


@pytest.mark.fault("B5")
@pytest.mark.parametrize(
    ("reason", "person", "text"),
    [
        (0x80, False, "unspecified error"),
        (0x83, False, "implementation specific"),
        (0x87, True, "not authorized.*access list"),
        (0x90, True, "topic name invalid.*prefix"),
        (0x97, True, "quota exceeded"),
    ],
)
async def test_a_refusal_that_is_not_the_bytes_fault_keeps_the_rows(
    reason: int, person: bool, text: str, record_measure
) -> None:
    async with ScriptedBroker(answering(reason, {2})) as broker, sink(broker.port) as mqtt:
        with pytest.raises(NotConnected, match=f"(?s)on {DATA}.*{text}") as raised:
            await mqtt.write([delivery(1), delivery(2)])
        assert raised.value.needs_a_person is person
        with pytest.raises(NotConnected):
            await mqtt.write([delivery(3)])
    record_measure("0x80, 0x83, 0x87, 0x90, 0x97: nothing set aside, every row kept")


@pytest.mark.fault("B6")
async def test_a_lost_acknowledgement_is_found_though_later_ones_come(record_measure) -> None:
    async with ScriptedBroker(answering(None, {1})) as broker:
        mqtt = sink(broker.port, ack_timeout="1s", window=2)
        before = time.monotonic()
        with pytest.raises(NotConnected, match="unacknowledged for 1 s"):
            async with mqtt:
                await mqtt.write([delivery(seq) for seq in range(1, 50)])
        assert time.monotonic() - before < 5
        assert mqtt.statistics()["timeouts"] == 1
        broker.script = answering(None, set())
        async with mqtt:
            await mqtt.write([delivery(seq) for seq in range(1, 50)])
        assert set(data_of(broker)) == set(range(1, 50))
        # What was stored and not acknowledged came again, byte for byte: an upsert keeps one.
        sent = [p.payload for p in broker.published if p.topic == DATA]
        assert data_of(broker).count(1) == 2
        assert len(set(sent)) == 49
    record_measure(f"PUBACK of one of 49 lost: {len(sent)} messages came, 49 after the upsert")


@pytest.mark.fault("B2")
async def test_a_half_open_link_is_left_at_the_ack_deadline() -> None:
    async with ScriptedBroker() as broker:
        mqtt = await sink(broker.port, ack_timeout="1s").__aenter__()
        broker.reading.clear()
        started = time.monotonic()
        with pytest.raises(NotConnected, match="unacknowledged") as raised:
            await mqtt.write([delivery(seq) for seq in range(1, 2000)])
        await mqtt.__aexit__(raised.type, raised.value, raised.tb)
        assert time.monotonic() - started < 1 + 5
        broker.reading.set()


@pytest.mark.fault("B3")
async def test_a_slow_broker_that_acknowledges_in_time_is_kept() -> None:
    waiting: list[int] = []

    def hold(publish: Publish) -> int | None:
        if publish.topic != DATA:
            return 0
        waiting.append(publish.packet_id)
        return None

    async def trickle(broker: ScriptedBroker) -> None:
        while True:
            await asyncio.sleep(0.4)
            if waiting:
                broker.acknowledge(waiting.pop(0))

    async with ScriptedBroker(hold) as broker, sink(broker.port, ack_timeout="1s") as mqtt:
        slowly = asyncio.create_task(trickle(broker))
        # Together far longer than the deadline, but each within it.
        await mqtt.write([delivery(seq) for seq in range(1, 6)])
        slowly.cancel()
        assert mqtt.statistics()["timeouts"] == 0


@pytest.mark.parametrize(
    ("version", "code", "person", "text"),
    [
        ("5", 0x86, True, "bad user name or password.*0x86.*`username`"),
        ("5", 0x87, True, "not authorized"),
        ("5", 0x8A, True, "banned"),
        ("5", 0x85, True, "client identifier not valid.*`client_id`"),
        ("5", 0x88, False, "server unavailable"),
        ("5", 0x89, False, "server busy"),
        ("3.1.1", 2, True, "client identifier not valid"),
        ("3.1.1", 3, False, "server unavailable"),
        ("3.1.1", 4, True, "bad user name or password"),
        ("3.1.1", 5, True, "not authorized"),
    ],
)
async def test_a_refused_connection_says_why(version: str, code: int, person: bool, text: str) -> None:
    async with ScriptedBroker(connack=code) as broker:
        with pytest.raises(NotConnected, match=text) as raised:
            await sink(broker.port, version=version).__aenter__()
        assert raised.value.needs_a_person is person
        assert broker.published == []


@pytest.mark.fault("B8")
async def test_a_session_taken_over_says_the_client_id_is_in_use(record_measure) -> None:
    async with ScriptedBroker() as broker, sink(broker.port) as mqtt:
        broker.disconnect(0x8E)
        await until(lambda: mqtt._session._lost is not None)
        with pytest.raises(NotConnected, match="client id is in use by another client") as raised:
            await mqtt.write([delivery(seq) for seq in range(100)])
        assert raised.value.needs_a_person
    record_measure("0x8E: told as a client id in use, for a person")


@pytest.mark.fault("B4", "B8")
async def test_a_connection_that_is_reset_was_not_turned_away() -> None:
    """A bad line does that, and is tried again soon."""
    async with Proxy("127.0.0.1", 0) as proxy, ScriptedBroker() as broker:
        proxy.target = broker.port
        mqtt = await sink(proxy.port).__aenter__()
        await proxy.reset()
        with pytest.raises(NotConnected) as raised:
            await mqtt.write([delivery(seq) for seq in range(100)])
        await mqtt.__aexit__(raised.type, raised.value, raised.tb)
    assert not raised.value.turned_away


@pytest.mark.fault("B1")
async def test_a_connection_that_is_closed_before_connack_was_not_turned_away() -> None:
    """A load balancer takes connections for a broker that is away."""

    async def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(close, "127.0.0.1", 0)
    async with server:
        with pytest.raises(NotConnected, match="before CONNACK") as raised:
            await sink(server.sockets[0].getsockname()[1]).__aenter__()
    assert not raised.value.turned_away


@pytest.mark.fault("B18")
@pytest.mark.parametrize(("code", "turned_away"), [(0x88, True), (0x89, True), (0x9F, True), (0x83, False)])
async def test_a_broker_without_room_has_turned_us_away(code: int, turned_away: bool) -> None:
    async with ScriptedBroker(connack=code) as broker:
        with pytest.raises(NotConnected) as raised:
            await sink(broker.port).__aenter__()
    assert raised.value.turned_away is turned_away


async def test_the_brokers_receive_maximum_bounds_the_window() -> None:
    in_flight: list[int] = []

    def hold(publish: Publish) -> int | None:
        if publish.topic != DATA:
            return 0
        in_flight.append(publish.packet_id)
        return None

    receive_maximum_3 = bytes([0x21, 0, 3])
    async with ScriptedBroker(hold, properties=receive_maximum_3) as broker, sink(broker.port) as mqtt:
        writing = asyncio.create_task(mqtt.write([delivery(seq) for seq in range(1, 8)]))
        await until(lambda: len(in_flight) == 3)
        for done in range(7):
            assert len(in_flight) <= done + 3
            broker.acknowledge(in_flight[done])
            await until(lambda done=done: len(in_flight) == min(7, done + 4))
        await writing


async def test_messages_are_cut_to_the_brokers_maximum_packet_size() -> None:
    size = 600
    properties = bytes([0x27]) + size.to_bytes(4, "big")
    table = tag_table(100)
    async with ScriptedBroker(properties=properties) as broker, sink(broker.port, table) as mqtt:
        await mqtt.write([delivery(1, 100)])
        data = [p for p in broker.published if p.topic == DATA]
        assert len(data) > 3
        for publish in data:
            assert len(publish.payload) + len(publish.topic) + 10 <= size
        said = [json.loads(p.payload) for p in data]
        assert [row for each in said for row in each.get("row", range(len(each["v"])))] == list(range(100))
        assert not [p for p in broker.published if p.topic.endswith("/_tags")]  # a warning instead


async def test_a_single_row_that_is_too_large_is_rejected_unsent() -> None:
    properties = bytes([0x27]) + (60).to_bytes(4, "big")
    async with ScriptedBroker(properties=properties) as broker, sink(broker.port) as mqtt:
        with pytest.raises(Rejected, match="one row makes a message of") as raised:
            await mqtt.write([delivery(1, 2)])
        assert sorted(row for r in raised.value.refusals if r.rows is not None for row in r.rows) == [0, 1]
        assert data_of(broker) == []


async def test_a_broker_without_qos_1_needs_a_person() -> None:
    async with ScriptedBroker(properties=bytes([0x24, 0])) as broker:
        with pytest.raises(NotConnected, match="does not offer QoS 1") as raised:
            await sink(broker.port).__aenter__()
        assert raised.value.needs_a_person


@pytest.mark.fault("B10")
@pytest.mark.parametrize("stage", ["accepts and says nothing", "accepts nothing"])
async def test_a_broker_that_stalls_is_given_up_at_the_connect_timeout(stage: str, record_measure) -> None:
    with socket.socket() as stalled:
        stalled.bind(("127.0.0.1", 0))
        stalled.listen(8)
        port = stalled.getsockname()[1]
        tls = {} if stage == "accepts and says nothing" else {"tls": {}}
        started = time.monotonic()
        with pytest.raises(NotConnected, match=r"did not answer .* within 1 s"):
            await sink(port, connect_timeout="1s", **tls).__aenter__()
        assert time.monotonic() - started < 1 + 5
    record_measure(
        f"a peer that {stage}, a second allowed: given up after {time.monotonic() - started:.1f} s"
    )


async def test_nobody_listening_is_told_as_refused() -> None:
    with pytest.raises(NotConnected, match="refused the connection") as raised:
        await sink(free_port()).__aenter__()
    assert not raised.value.needs_a_person


async def test_a_name_that_does_not_resolve_is_told() -> None:
    with pytest.raises(NotConnected, match="can't be resolved"):
        await sink(1883, host="no-such-host.invalid").__aenter__()


async def test_leaving_says_offline_and_disconnects() -> None:
    async with ScriptedBroker() as broker:
        async with sink(broker.port, username="u") as mqtt:
            await mqtt.write([delivery(1)])
        status = [p for p in broker.published if p.topic == "wanglian/cz/_gateway/gw-1/_status"]
        assert [json.loads(p.payload)["online"] for p in status] == [True, False]
        assert all(p.retain for p in status)
        await until(lambda: 14 in broker.packets)
        will = broker.connects[0].will
        assert will is not None
        assert will[0] == status[0].topic
        assert json.loads(will[1])["online"] is False


async def test_leaving_after_a_fault_does_not_disconnect_politely() -> None:
    async with ScriptedBroker(answering(0x80, {1})) as broker:
        with pytest.raises(NotConnected):
            async with sink(broker.port) as mqtt:
                await mqtt.write([delivery(1)])
        assert 14 not in broker.packets


async def test_leaving_a_stalled_broker_is_bounded() -> None:
    async with ScriptedBroker() as broker:
        mqtt = await sink(broker.port).__aenter__()
        broker.reading.clear()
        started = time.monotonic()
        await mqtt.__aexit__(None, None, None)
        assert time.monotonic() - started < 10
        broker.reading.set()


async def test_a_cancelled_write_leaves_cleanly_and_loses_nothing() -> None:
    async with ScriptedBroker(answering(None, {1, 2, 3})) as broker:
        mqtt = sink(broker.port)

        async def run() -> None:
            async with mqtt:
                await mqtt.write([delivery(1), delivery(2), delivery(3)])

        task = asyncio.create_task(run())
        await until(lambda: len(data_of(broker)) == 3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        broker.script = answering(None, set())
        async with mqtt:
            await mqtt.write([delivery(1), delivery(2), delivery(3)])
        assert data_of(broker) == [1, 2, 3, 1, 2, 3]


async def test_the_catalogue_is_published_again_when_it_changes() -> None:
    from connectors import Kind, Tag

    table = tag_table(2)
    async with ScriptedBroker() as broker, sink(broker.port, table) as mqtt:

        def catalogues() -> list[dict[str, object]]:
            return [json.loads(p.payload) for p in broker.published if p.topic == f"{DATA}/_tags"]

        await mqtt.write([delivery(1, 2)])
        assert catalogues() == [
            {
                "gw": "gw-1",
                "dev": DEVICE,
                "tags": {f"v_{i}": {"kind": "float64", "unit": "KWH", "symbol": "kWh"} for i in range(2)},
            }
        ]
        table.announce([Tag(f"{DEVICE}/total", Kind.UINT64, "KWH", "plc", low=0.0, counter=True)])
        table.announce([Tag("cz/press/line1/m2/run", Kind.BOOL, "C62", "plc", tag_class="state")])
        await mqtt.write([delivery(2, 2)])
        assert len(catalogues()) == 2
        assert catalogues()[1]["tags"]["total"] == {
            "kind": "uint64", "unit": "KWH", "symbol": "kWh", "counter": True, "low": 0.0,
        }  # fmt: skip
        assert [p.retain for p in broker.published if p.topic.endswith("_tags")] == [True] * 3


@pytest.mark.fault("B17")
async def test_the_sink_never_subscribes_so_its_own_output_cannot_come_back() -> None:
    async with ScriptedBroker() as broker, sink(broker.port) as mqtt:
        await mqtt.write([delivery(1)])
        assert SUBSCRIBE not in broker.packets


@pytest.mark.fault("B5")
async def test_of_a_status_that_is_refused_again_and_again_the_last_is_remembered() -> None:
    async with ScriptedBroker(lambda publish: 0x95 if publish.topic.endswith("_status") else 0) as broker:
        buffered = iter(range(1000))
        mqtt = sink(broker.port, status=lambda: {"buffered": next(buffered)})
        for _ in range(5):
            async with mqtt:
                await mqtt.write([delivery(1)])
        assert len(mqtt._refused) == 1
        assert len(broker.connects) == 5
