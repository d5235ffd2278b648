"""What a real broker hands on of a message: compressed, marked, named, and with its time to live."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from connectors.mqtt.envelope import Envelope
from connectors.mqtt.published import published
from tests.servers.broker import Broker
from tests.unit.mqtt.plant import DEVICE, EPOCH, delivery, options, sink, tag_table, until

pytestmark = pytest.mark.server
DATA = f"wanglian/{DEVICE}"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with Broker(tmp_path_factory.mktemp("broker"), settings=("max_packet_size 4000",)) as running:
        yield running


@asynccontextmanager
async def heard(broker: Broker) -> AsyncIterator[list[MQTTMessage]]:
    """Listen to everything that is published, and leave nothing retained behind."""
    messages: list[MQTTMessage] = []
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.on_message = lambda _client, _data, message: messages.append(message)
    subscribed = asyncio.Event()
    loop = asyncio.get_running_loop()
    client.on_subscribe = lambda *_: loop.call_soon_threadsafe(subscribed.set)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    client.subscribe("#", 1)
    await subscribed.wait()
    yield messages
    for topic in {each.topic for each in messages}:
        client.publish(topic, b"", 1, retain=True).wait_for_publish(10)
    client.disconnect()
    client.loop_stop()


def pairs(message: MQTTMessage) -> dict[str, str]:
    return dict(getattr(message.properties, "UserProperty", []))


def rows_of(messages: list[MQTTMessage]) -> list[MQTTMessage]:
    return [each for each in messages if each.topic == DATA and each.payload]


async def test_a_compressed_message_says_so_and_holds_the_same(broker: Broker) -> None:
    async with heard(broker) as messages:
        async with sink(broker.port, gzip=True) as mqtt:
            await mqtt.write([delivery(1), delivery(2, 1)])
            sent = mqtt.statistics()["bytes"]
        async with sink(broker.port) as plain:
            await plain.write([delivery(1), delivery(2, 1)])
        await until(lambda: len(rows_of(messages)) == 4)
        assert sent < plain.statistics()["bytes"]
    packed, small, *plainly = rows_of(messages)
    assert pairs(packed) == {"content-encoding": "gzip"}
    assert gzip.decompress(packed.payload) == plainly[0].payload
    assert pairs(small) == {}
    assert small.payload == plainly[1].payload


async def test_expiry_and_properties_are_on_what_they_are_meant_for(broker: Broker) -> None:
    more: dict[str, Any] = {"message_expiry": "1h", "user_properties": {"厂": "北"}, "identity": True}
    async with heard(broker) as messages, sink(broker.port, **more) as mqtt:
        await mqtt.write([delivery(7)])
        await until(lambda: bool(rows_of(messages)))
        (message,) = rows_of(messages)
        assert 3_590 <= message.properties.MessageExpiryInterval <= 3_600  # type: ignore[union-attr]
        told = {"厂": "北", "gateway": "gw-1", "epoch": str(EPOCH), "seq": "7", "row": "0"}
        assert pairs(message) == told
        for other in messages:
            if other.topic != DATA:
                # Retained: a catalogue that expired would be missed for ever.
                assert not hasattr(other.properties, "MessageExpiryInterval")
                assert pairs(other) == {"厂": "北"}


async def test_a_brokers_packet_limit_is_kept_with_all_properties(broker: Broker) -> None:
    more: dict[str, Any] = {"message_expiry": "1h", "identity": True}
    more["user_properties"] = {"x" * 100: "y" * 250, "z": "z"}
    async with heard(broker) as messages, sink(broker.port, tag_table(1_000), **more) as mqtt:
        await mqtt.write([delivery(1, 1_000)])
        assert mqtt.statistics()["refused"] == 0
        await until(lambda: sum(len(json.loads(each.payload)["v"]) for each in rows_of(messages)) == 1_000)
        firsts = [pairs(each)["row"] for each in rows_of(messages)]
        assert len(set(firsts)) == len(firsts) > 3
        assert "0" in firsts


def test_without_these_options_a_message_has_no_properties() -> None:
    envelope = Envelope(options(1883), "gw-1")
    assert envelope.most <= 13


async def test_a_message_sent_again_is_the_same_bytes(broker: Broker) -> None:
    async with heard(broker) as messages:
        for _ in range(2):
            async with sink(broker.port, gzip=True, identity=True) as mqtt:
                await mqtt.write([delivery(1, 10)])
        await until(lambda: len(rows_of(messages)) == 2)
    first, again = rows_of(messages)
    assert (first.payload, pairs(first)) == (again.payload, pairs(again))


def test_the_contract_tells_of_the_way_and_of_what_stands_beside_a_payload() -> None:
    more = {"gzip": True, "identity": True, "user_properties": {"plant": "north"}, "websocket": "/mqtt"}
    told = published(options(443, tls={}, **more), gateway="gw-1", site="cz", tags=[])
    assert (told.protocol, told.pathname) == ("wss", "/mqtt")
    assert told.messages
    for kind in told.messages:
        promised = kind.headers["properties"]
        assert set(promised) == {"plant", "content-encoding", "gateway", "epoch", "seq", "row"}
    plain = published(options(1883), gateway="gw-1", site="cz", tags=[])
    assert (plain.protocol, plain.pathname) == ("mqtt", "")
    assert all(not kind.headers for kind in plain.messages)
